//! One conversation with a real box, recorded: what decoders are tried against.

use serde::{Deserialize, Serialize};
use tre_wire::attestation::Evidence;
use tre_wire::hex::{Hex32, HexBytes};
use tre_wire::id::PeerId;

/// What a TRE of a test domain answered to one nonce, and all that it is held against. Every part
/// is public.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// Name of the TRE.
    pub tre_id: PeerId,
    /// The verifier's nonce.
    pub nonce: Hex32,
    /// The connection's exporter.
    pub exporter: Hex32,
    /// What the box showed in the handshake, leaf first, DER.
    pub server_chain: Vec<HexBytes>,
    /// What it answered.
    pub evidence: Evidence,
    /// The deployment file as it lies.
    pub deployment: HexBytes,
    /// The manifest file as it lies.
    pub manifest: HexBytes,
    /// Its signature file as it lies.
    pub manifest_signature: HexBytes,
    /// The release key, PEM.
    pub release_key: String,
}

impl Recorded {
    /// The committed one.
    ///
    /// # Errors
    ///
    /// When it is not one.
    pub fn committed() -> Result<Self, serde_json::Error> {
        serde_json::from_slice(include_bytes!("../../vectors/evidence/recorded.json"))
    }
}
