//! What a quote is bound to, and the messages of the exchange.
//!
//! `[TRE14 IV-B]` signs the verifier's nonce alone, which can be relayed. Here the nonce, both
//! ends of *this* TLS connection, the TRE's name and its time are hashed into a leaf; the leaves of
//! all requests that share a quote form a tree, and the root is the quote's qualifying data.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::hex::{Hex32, HexBytes};
use crate::message::StartState;
use crate::units::UnixMillis;

mod frame;
mod tree;

pub use frame::{EvidenceFrame, Fresh};
pub use tree::{BATCH_MOST, Path, PathError, Tree};

/// Label of the TLS exporter, 32 bytes, no context. `[RFC 5705]` section 4 reserves the prefix.
pub const EXPORTER_LABEL: &[u8] = b"EXPERIMENTAL-tre-attestation-v1";

/// First bytes of a leaf after the byte that tells it from a node.
pub(crate) const LEAF_LABEL: &[u8] = b"tre-attest-v1";

/// Body of `POST /v1/attestation`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AttestationRequest {
    /// 32 random bytes of the verifier, used once.
    pub nonce: Hex32,
}

/// Answer to `POST /v1/attestation`: everything that a verifier appraises. Signed object.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Version of this structure: 1.
    pub format: u32,
    /// Start state that the box says it is in.
    pub state: StartState,
    /// Name of the TRE, empty until it is enrolled.
    pub tre_id: String,
    /// Number of the state epoch, which every start of an enrolled box begins; 0 before there is one.
    pub state_epoch: u64,
    /// The TRE's time when the leaf was made, as in [`crate::message::Health::time`].
    pub time: UnixMillis,
    /// TPMS_ATTEST as the TPM gave it. `[TPM2-P2]`
    pub attest: HexBytes,
    /// TPMT_SIGNATURE over `attest`. `[TPM2-P2]`
    pub signature: HexBytes,
    /// TPMT_PUBLIC of the attestation key. `[TPM2-P2]`
    pub attestation_key: HexBytes,
    /// Certificate chain (DER) of the attestation key, leaf first; empty until enrolled.
    pub attestation_key_chain: Vec<HexBytes>,
    /// SHA-256 bank, PCR 0 to 23.
    pub pcrs: Vec<Hex32>,
    /// TCG event log as the firmware left it. `[PFP]`
    pub event_log: HexBytes,
    /// Place of this request's leaf under the quote's qualifying data.
    pub path: Path,
}

/// Everything that one leaf binds.
#[derive(Clone, Copy, Debug)]
pub struct Leaf<'a> {
    /// The verifier's nonce.
    pub nonce: [u8; 32],
    /// This connection's exporter under [`EXPORTER_LABEL`].
    pub exporter: [u8; 32],
    /// SHA-256 of the server certificate's SubjectPublicKeyInfo (DER).
    pub server_key: [u8; 32],
    /// The same of the client certificate; zeros where the client showed none.
    pub client_key: [u8; 32],
    /// Name of the TRE.
    pub tre_id: &'a str,
    /// Number of the state epoch.
    pub state_epoch: u64,
    /// The TRE's time.
    pub time: UnixMillis,
}

impl Leaf<'_> {
    /// `H(0x00 || "tre-attest-v1" || nonce || exporter || server key || client key ||
    /// H(TRE id) || epoch u64 || time u64)`, integers big-endian.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::new()
            .chain_update([0x00])
            .chain_update(LEAF_LABEL)
            .chain_update(self.nonce)
            .chain_update(self.exporter)
            .chain_update(self.server_key)
            .chain_update(self.client_key)
            .chain_update(Sha256::digest(self.tre_id.as_bytes()))
            .chain_update(self.state_epoch.to_be_bytes())
            .chain_update(self.time.get().to_be_bytes())
            .finalize()
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf() -> Leaf<'static> {
        Leaf {
            nonce: [0x11; 32],
            exporter: [0x22; 32],
            server_key: [0x33; 32],
            client_key: [0; 32],
            tre_id: "tre-1",
            state_epoch: 7,
            time: UnixMillis::new(0x0102_0304_0506).expect("in range"),
        }
    }

    #[test]
    fn the_leaf_is_these_bytes() {
        let bytes = [
            [0x00].as_slice(),                          // leaf, not node
            b"tre-attest-v1",                           // label
            &[0x11; 32],                                // nonce
            &[0x22; 32],                                // exporter
            &[0x33; 32],                                // server key
            &[0x00; 32],                                // no client key
            &<[u8; 32]>::from(Sha256::digest("tre-1")), // TRE id
            &[0, 0, 0, 0, 0, 0, 0, 7],                  // epoch
            &[0, 0, 1, 2, 3, 4, 5, 6],                  // time
        ]
        .concat();
        assert_eq!(leaf().hash(), <[u8; 32]>::from(Sha256::digest(bytes)));
    }

    #[test]
    fn every_field_changes_the_leaf() {
        let base = leaf();
        let changed = [
            Leaf { nonce: [0; 32], ..base },
            Leaf { exporter: [0; 32], ..base },
            Leaf { server_key: [0; 32], ..base },
            Leaf { client_key: [1; 32], ..base },
            Leaf { tre_id: "tre-2", ..base },
            Leaf { state_epoch: 8, ..base },
            Leaf { time: UnixMillis::default(), ..base },
        ];
        for other in changed {
            assert_ne!(other.hash(), base.hash(), "{other:?}");
        }
    }
}
