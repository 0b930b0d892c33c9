//! The endorsement key: what a manufacturer certified, and what proves that a key shares its TPM.

use thiserror::Error;

use crate::TpmError;

/// The endorsement key (EK) with its certificates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endorsement {
    /// Of which template the key is.
    pub kind: EndorsementKind,
    /// TPMT_PUBLIC of the key. Of a P-384 key its hash is SHA-384, so no key of ours is like it.
    pub key: Vec<u8>,
    /// Certificates that the TPM holds, in the order of their NV indices.
    pub certificates: Vec<EkCertificate>,
}

/// A template of endorsement keys. `[EKP]`
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EndorsementKind {
    /// RSA-2048, template L-1: certificate at NV index 0x01c00002.
    Rsa2048,
    /// P-256, template L-2: certificate at 0x01c0000a.
    P256,
    /// P-384, template H-3: certificate at 0x01c00016.
    P384,
}

impl EndorsementKind {
    /// All of them, in the order in which one is chosen.
    pub(crate) const ALL: [Self; 3] = [Self::Rsa2048, Self::P256, Self::P384];

    /// Where the certificate of this kind of key lies.
    pub(crate) const fn certificate_index(self) -> u32 {
        match self {
            Self::Rsa2048 => 0x01c0_0002,
            Self::P256 => 0x01c0_000a,
            Self::P384 => 0x01c0_0016,
        }
    }
}

/// An endorsement key certificate as the TPM holds it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EkCertificate {
    /// The NV index it was read from, which says for which key it is. `[EKP]`
    pub nv_index: u32,
    /// The X.509 certificate, DER, without what fills up the index behind it.
    pub der: Vec<u8>,
}

/// Why a credential could not be activated.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum ActivateError {
    /// The credential was made for another attestation key or another TPM, or was altered.
    #[error("the credential is not for this attestation key in this TPM, or was altered")]
    Refused {
        /// What the TPM software stack says.
        #[source]
        source: tss_esapi::Error,
    },
    /// The TPM failed; this says nothing about the credential.
    #[error(transparent)]
    Tpm(#[from] TpmError),
}
