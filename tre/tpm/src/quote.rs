//! What the TPM signed, for somebody else to judge.

/// A signed statement about the PCRs, byte for byte as the TPM made it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Quote {
    /// The `TPMS_ATTEST` that was signed. `[TPM2-P2]`
    pub attest: Vec<u8>,
    /// The `TPMT_SIGNATURE` over it. `[TPM2-P2]`
    pub signature: Vec<u8>,
}
