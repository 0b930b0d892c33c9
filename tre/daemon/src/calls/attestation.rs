//! `POST /v1/attestation`: a quote over this connection. `[TRE14 IV-B]`

use std::sync::Arc;

use tre_wire::attestation::{AttestationRequest, Evidence, Leaf, Path};
use tre_wire::hex::{Hex32, HexBytes};
use tre_wire::problem::{Problem, ProblemType};

use crate::http::{Answer, Call, answer};
use crate::metrics::bump;
use crate::peer::Peer;
use crate::shared::Shared;
use crate::tpm::TpmUnavailable;

/// The daemon quotes its own connection and nothing that a caller could choose but the nonce.
pub(crate) async fn attest(shared: &Shared, peer: &Peer, call: &Call) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let AttestationRequest { nonce } = call.message()?;
    let (state, tre_id, attestation_key_chain) = {
        let standing = shared.standing.borrow();
        let chain = standing.enrolled().map(|record| record.chains.attestation_key_chain.clone());
        (standing.state(), standing.tre_id().to_owned(), chain.unwrap_or_default())
    };
    let Peer { exporter, server_key, client_key, .. } = *peer;
    let (clock, id) = (Arc::clone(&shared.clock), tre_id.clone());
    let quoted = shared.tpm.run(move |tpm| {
        // The time is that of the quote, not of the queue before it.
        let time = clock.now();
        let leaf = Leaf {
            nonce: nonce.0,
            exporter,
            server_key,
            client_key,
            tre_id: &id,
            state_epoch: STATE_EPOCH,
            time,
        };
        (time, tpm.quote(&leaf.hash()))
    });
    let (time, quote) = quoted.await.map_err(unavailable)?;
    let quote = quote.map_err(|error| Problem::new(ProblemType::Internal, error.to_string()))?;
    shared.counters.count(|metrics| bump(&mut metrics.quotes));
    answer(&Evidence {
        format: 1,
        state,
        tre_id,
        state_epoch: STATE_EPOCH,
        time,
        attest: HexBytes(quote.attest),
        signature: HexBytes(quote.signature),
        attestation_key: HexBytes(shared.measured.attestation_key.area().to_vec()),
        attestation_key_chain,
        pcrs: shared.measured.pcrs.iter().map(|(_, value)| Hex32(value.0)).collect(),
        event_log: HexBytes(shared.measured.event_log.clone()),
        path: Path::alone(),
    })
}

/// While state lives in memory there is one epoch.
const STATE_EPOCH: u64 = 0;

/// What a peer is told when the TPM has no time.
pub(crate) fn unavailable(error: TpmUnavailable) -> Problem {
    let kind = match error {
        TpmUnavailable::Busy => ProblemType::Full,
        TpmUnavailable::Gone => ProblemType::Internal,
    };
    Problem::new(kind, error.to_string())
}
