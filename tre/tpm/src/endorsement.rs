//! The endorsement key: what a manufacturer certified, and what proves that a key shares its TPM.

use measured_boot::tpm::Public;
use thiserror::Error;

use crate::TpmError;

/// The endorsement key (EK) with its certificates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endorsement {
    /// Public area of the RSA-2048 key of the default template L-1. `[EKP]`
    pub key: Public,
    /// Certificates that the TPM holds, the one for `key` first if there is one.
    pub certificates: Vec<EkCertificate>,
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
