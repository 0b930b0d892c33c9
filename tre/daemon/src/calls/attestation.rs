//! `POST /v1/attestation`: a quote over this connection. `[TRE14 IV-B]`

use core::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tre_wire::attestation::{AttestationRequest, Evidence, EvidenceFrame, Fresh, Path};
use tre_wire::hex::{Hex32, HexBytes};
use tre_wire::message::StartState;
use tre_wire::problem::{Problem, ProblemType};
use tre_wire::units::UnixMillis;

use crate::http::{Answer, Call};
use crate::peer::Peer;
use crate::quotes::{Asked, Asker};
use crate::shared::{Measured, Shared};
use crate::standing::Standing;
use crate::tpm::TpmUnavailable;

/// The daemon quotes its own connection and nothing that a caller could choose but the nonce.
pub(crate) async fn attest(shared: &Shared, peer: &Peer, call: &Call) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let AttestationRequest { nonce } = call.message()?;
    let Peer { exporter, server_key, client_key, .. } = *peer;
    let frame = shared.framed.of(&shared.standing.borrow(), &shared.measured)?;
    let time = shared.standing.borrow().time(&shared.clock);
    let tre_id = Arc::clone(&frame.tre_id);
    let state_epoch = shared.status.borrow().epoch();
    let asker = if peer.identity.is_some() { Asker::Certified } else { Asker::Anonymous };
    let asked = Asked {
        nonce: nonce.0,
        exporter,
        server_key,
        client_key,
        tre_id,
        state_epoch,
        time,
        asker,
    };
    let share = shared.tpm.quote(asked).await.map_err(unavailable)?;
    shared.counters.count(|metrics| metrics.quotes = shared.tpm.quotes());
    let quote = share.quote.as_ref().as_ref().map_err(internal)?;
    let fresh = Fresh {
        state_epoch,
        time,
        attest: &quote.attest,
        signature: &quote.signature,
        path: &share.path,
    };
    frame.rest.fill(&fresh).map_err(|error| internal(&error))
}

/// Evidence without quote, as the box last stood; made anew when it stands otherwise.
#[derive(Debug, Default)]
pub(crate) struct Framed(RefCell<Option<Rc<Frame>>>);

/// What evidence says of a box that stands as it does, and of what it was made.
#[derive(Debug)]
struct Frame {
    state: StartState,
    tre_id: Arc<str>,
    attestation_key_chain: Vec<HexBytes>,
    rest: EvidenceFrame,
}

impl Framed {
    fn of(&self, standing: &Standing, measured: &Measured) -> Result<Rc<Frame>, Problem> {
        let mut framed = self.0.borrow_mut();
        if let Some(frame) = framed.as_ref().filter(|frame| frame.is_of(standing)) {
            return Ok(Rc::clone(frame));
        }
        let frame = Frame::new(standing, measured)?;
        Ok(Rc::clone(framed.insert(Rc::new(frame))))
    }
}

impl Frame {
    fn new(standing: &Standing, measured: &Measured) -> Result<Self, Problem> {
        let evidence = Evidence {
            format: 1,
            state: standing.state(),
            tre_id: standing.tre_id().to_owned(),
            state_epoch: 0,
            time: UnixMillis::default(),
            attest: HexBytes::default(),
            signature: HexBytes::default(),
            attestation_key: HexBytes(measured.attestation_key.area().to_vec()),
            attestation_key_chain: chain(standing).to_vec(),
            pcrs: measured.pcrs.iter().map(|(_, value)| Hex32(value.0)).collect(),
            event_log: HexBytes(measured.event_log.clone()),
            path: Path::alone(),
        };
        let rest = EvidenceFrame::of(&evidence).map_err(|error| internal(&error))?;
        let Evidence { state, tre_id, attestation_key_chain, .. } = evidence;
        Ok(Self { state, tre_id: tre_id.into(), attestation_key_chain, rest })
    }

    fn is_of(&self, standing: &Standing) -> bool {
        self.state == standing.state()
            && *self.tre_id == *standing.tre_id()
            && self.attestation_key_chain == chain(standing)
    }
}

/// Certificates of the attestation key, none until it is enrolled.
fn chain(standing: &Standing) -> &[HexBytes] {
    standing.enrolled().map_or(&[], |record| &record.chains.attestation_key_chain)
}

fn internal(error: &impl core::fmt::Display) -> Problem {
    Problem::new(ProblemType::Internal, error.to_string())
}

/// What a peer is told when the TPM has no time.
pub(crate) fn unavailable(error: TpmUnavailable) -> Problem {
    let kind = match error {
        TpmUnavailable::Busy | TpmUnavailable::RoomFull(_) => ProblemType::Busy,
        TpmUnavailable::Gone => ProblemType::Internal,
    };
    Problem::new(kind, error.to_string())
}
