//! What an enrolled TRE keeps on its disk: sealed keys, and certificates in clear.
//!
//! The 32-byte secret is sealed to PCR 4, 7, 9 and 11; the keys are encrypted under it, bound to
//! the public part. A locked box still reads the public part, so that it can say who it was.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tre_store::{Envelope, EnvelopeError};
use tre_tpm::{SealPolicy, SealedObject, SealedObjectError, Secret32, Tpm, TpmError, UnsealError};
use tre_wire::document;
use tre_wire::hex::HexBytes;
use tre_wire::id::PeerId;
use tre_wire::json::{self, JsonError};
use tre_wire::message::enrolment::CompleteEnrolment;

use crate::keys::{KeyError, Keys};
use crate::random::{self, NoRandomness};

/// The record, JSON, in one of the two enrolment regions of the disk.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Enrolled {
    /// Version of this structure: 1.
    format: u32,
    /// Name of the TRE.
    pub(crate) tre_id: PeerId,
    /// Certificates of the three keys.
    pub(crate) chains: CompleteEnrolment,
    /// The 32-byte secret, sealed by the TPM.
    sealed_secret: HexBytes,
    /// Both keys, encrypted under the secret.
    encrypted_keys: HexBytes,
}

/// Why an enrolment could not be written or opened.
#[derive(Debug, Error)]
pub(crate) enum EnrolledError {
    /// The record on the disk is not one.
    #[error("enrolment record is not readable: {0}")]
    Json(#[source] JsonError),
    /// A later format than this TRE knows.
    #[error("expected enrolment record format 1, found {0}")]
    Format(u32),
    /// The sealed object is damaged.
    #[error("sealed secret is not readable: {0}")]
    SealedObject(#[source] SealedObjectError),
    /// The TPM does not give the secret out.
    #[error("secret does not unseal: {0}")]
    Unseal(#[source] UnsealError),
    /// The TPM does not seal.
    #[error("secret does not seal: {0}")]
    Seal(#[source] TpmError),
    /// The encrypted keys do not belong to this secret and these certificates.
    #[error("encrypted keys do not open: {0}")]
    Envelope(#[source] EnvelopeError),
    /// The keys are damaged.
    #[error("keys are not readable: {0}")]
    Keys(#[source] KeyError),
    /// The kernel has no randomness.
    #[error(transparent)]
    Random(NoRandomness),
}

impl Enrolled {
    /// Seals `keys` to `policy`.
    ///
    /// # Errors
    ///
    /// [`EnrolledError`]; nothing is written anywhere.
    pub(crate) fn seal(
        tpm: &mut dyn Tpm,
        policy: &SealPolicy,
        tre_id: PeerId,
        chains: CompleteEnrolment,
        keys: &Keys,
    ) -> Result<Self, EnrolledError> {
        let secret = Secret32::new(random::bytes().map_err(EnrolledError::Random)?);
        let nonce = random::bytes().map_err(EnrolledError::Random)?;
        let plain = keys.to_bytes().map_err(EnrolledError::Keys)?;
        let context = context(&tre_id, &chains);
        let encrypted_keys = Envelope::new(&secret, ENVELOPE_LABEL)
            .seal(nonce, &context, &plain)
            .map_err(EnrolledError::Envelope)?;
        let sealed_secret = tpm.seal(&secret, policy).map_err(EnrolledError::Seal)?.to_bytes();
        Ok(Self {
            format: 1,
            tre_id,
            chains,
            sealed_secret: HexBytes(sealed_secret),
            encrypted_keys: HexBytes(encrypted_keys),
        })
    }

    /// Unseals the keys.
    ///
    /// # Errors
    ///
    /// [`EnrolledError::Unseal`] on a box whose PCRs differ; the others for a damaged record.
    pub(crate) fn unseal(&self, tpm: &mut dyn Tpm) -> Result<Keys, EnrolledError> {
        let object = SealedObject::from_bytes(self.sealed_secret.as_slice())
            .map_err(EnrolledError::SealedObject)?;
        let secret = tpm.unseal(&object).map_err(EnrolledError::Unseal)?;
        let context = context(&self.tre_id, &self.chains);
        let plain = Envelope::new(&secret, ENVELOPE_LABEL)
            .open(&context, self.encrypted_keys.as_slice())
            .map_err(EnrolledError::Envelope)?;
        Keys::from_bytes(&plain).map_err(EnrolledError::Keys)
    }

    /// The record as bytes for the disk.
    ///
    /// # Errors
    ///
    /// [`EnrolledError::Json`].
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, EnrolledError> {
        json::encode(self).map_err(EnrolledError::Json)
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// [`EnrolledError::Json`] and [`EnrolledError::Format`].
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, EnrolledError> {
        let record: Self = json::decode(bytes).map_err(EnrolledError::Json)?;
        if record.format == 1 { Ok(record) } else { Err(EnrolledError::Format(record.format)) }
    }
}

/// Derives the key that encrypts the keys; other uses of the secret take other labels.
const ENVELOPE_LABEL: &[u8] = b"tre-enrolment-keys-v1";

fn context(tre_id: &PeerId, chains: &CompleteEnrolment) -> Vec<u8> {
    let CompleteEnrolment { attestation_key_chain, tls_chain, document_chain } = chains;
    document::sealed_keys_context(
        tre_id.as_str(),
        [attestation_key_chain, tls_chain, document_chain],
    )
}
