//! What an enrolled TRE keeps on its disk: sealed keys, and certificates in clear.
//!
//! The 32-byte secret is sealed to PCR 4, 7, 9 and 11; the keys and the TPM owner's authorization
//! are encrypted under it, bound to the public part. A locked box still reads the public part, so
//! that it can say who it was. Nothing is unsealed through a TPM whose storage key is not the one
//! that the record was signed for.

use measured_boot::tpm::Name;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tre_store::{Envelope, EnvelopeError};
use tre_tpm::{SealPolicy, SealedObject, SealedObjectError, Secret32, Tpm, TpmError, UnsealError};
use tre_wire::bounds::BODY_BYTES;
use tre_wire::deployment::Deployment;
use tre_wire::document;
use tre_wire::hex::HexBytes;
use tre_wire::id::PeerId;
use tre_wire::json::{self, JsonError};
use tre_wire::message::enrolment::{CompleteEnrolment, RenewCertificates};
use zeroize::Zeroizing;

use crate::keys::{KeyError, Keys};
use crate::random::{self, NoRandomness};
use crate::record::{KeyNames, RecordRefusal};
use crate::status;

/// The record, JSON, in one of the two enrolment regions of the disk.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Enrolled {
    /// Version of this structure: [`FORMAT`].
    format: u32,
    /// Name of the TRE.
    pub(crate) tre_id: PeerId,
    /// Name of the attestation key. `[TPM2-P1]`
    attestation_key_name: HexBytes,
    /// Name of the storage key. `[TPM2-P1]`
    storage_key_name: HexBytes,
    /// Certificates of the three keys, and the authority's signature over the record.
    pub(crate) chains: CompleteEnrolment,
    /// The 32-byte secret, sealed by the TPM.
    sealed_secret: HexBytes,
    /// Owner's authorization and both keys, encrypted under the secret.
    encrypted_keys: HexBytes,
}

/// Format 1 had no storage key's Name and left the TPM's owner hierarchy open. It belongs to
/// images whose secrets this one cannot unseal, and is refused by its number.
const FORMAT: u32 = 2;

/// What an enrolment is made from.
#[derive(Debug)]
pub(crate) struct Enrolling {
    /// Name of the TRE.
    pub(crate) tre_id: PeerId,
    /// The keys that the record was signed for.
    pub(crate) names: KeyNames,
    /// Certificates and signature.
    pub(crate) chains: CompleteEnrolment,
    /// The keys.
    pub(crate) keys: Keys,
}

/// What an enrolment keeps sealed.
#[derive(Debug)]
pub(crate) struct Secrets {
    /// The TPM owner's authorization.
    pub(crate) owner: Secret32,
    /// The keys.
    pub(crate) keys: Keys,
}

/// Why an enrolment could not be written or opened.
#[derive(Debug, Error)]
pub(crate) enum EnrolledError {
    /// The record on the disk is not one.
    #[error("enrolment record is not readable: {0}")]
    Json(#[source] JsonError),
    /// Another format than this TRE reads.
    #[error("expected enrolment record format {FORMAT}, found {0}; enrol the box anew")]
    Format(u32),
    /// Nobody signed the record.
    #[error(transparent)]
    Record(RecordRefusal),
    /// The TPM's storage key is not the enrolled one, or cannot be told.
    #[error(transparent)]
    StorageKey(TpmError),
    /// The TPM's owner hierarchy is not ours.
    #[error(transparent)]
    Owner(TpmError),
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
    /// Makes the storage key persistent and seals the keys to `policy`, with a new authorization
    /// for the TPM's owner, which is not set yet. The envelope is for the status record.
    ///
    /// # Errors
    ///
    /// [`EnrolledError`]. The storage key may be persistent by then, which does no harm: the next
    /// enrolment finds it. Nothing else is written anywhere.
    pub(crate) fn seal(
        tpm: &mut dyn Tpm,
        policy: &SealPolicy,
        enrolling: Enrolling,
    ) -> Result<(Self, Secrets, Envelope), EnrolledError> {
        let Enrolling { tre_id, names, chains, keys } = enrolling;
        tpm.persist_storage_key().map_err(EnrolledError::StorageKey)?;
        tpm.expect_storage_key(names.storage).map_err(EnrolledError::StorageKey)?;
        let secret = Secret32::new(random::bytes().map_err(EnrolledError::Random)?);
        let nonce = random::bytes().map_err(EnrolledError::Random)?;
        let owner = Secret32::new(random::bytes().map_err(EnrolledError::Random)?);
        let secrets = Secrets { owner, keys };
        let plain = secrets.to_bytes().map_err(EnrolledError::Keys)?;
        let context = context(&tre_id, names.storage, &chains);
        let encrypted_keys = Envelope::new(&secret, ENVELOPE_LABEL)
            .seal(nonce, &context, &plain)
            .map_err(EnrolledError::Envelope)?;
        let sealed_secret = tpm.seal(&secret, policy).map_err(EnrolledError::Seal)?.to_bytes();
        let enrolled = Self {
            format: FORMAT,
            tre_id,
            attestation_key_name: HexBytes(names.attestation.to_bytes().to_vec()),
            storage_key_name: HexBytes(names.storage.to_bytes().to_vec()),
            chains,
            sealed_secret: HexBytes(sealed_secret),
            encrypted_keys: HexBytes(encrypted_keys),
        };
        Ok((enrolled, secrets, Envelope::new(&secret, status::ENVELOPE_LABEL)))
    }

    /// Opens the enrolment: the signature, then the storage key, then the secret, then the owner.
    ///
    /// The owner's authorization is proven, or set where an enrolment was cut off before it was.
    /// Gives the keys, and the envelope of the status record.
    ///
    /// # Errors
    ///
    /// [`EnrolledError::Record`] and [`EnrolledError::StorageKey`] before anything is unsealed;
    /// [`EnrolledError::Unseal`] on a box whose PCRs differ; [`EnrolledError::Owner`] if another
    /// owns the TPM; the others for a damaged record.
    pub(crate) fn open(
        &self,
        tpm: &mut dyn Tpm,
        deployment: &Deployment,
    ) -> Result<(Keys, Envelope), EnrolledError> {
        let names = KeyNames::read(&self.attestation_key_name, &self.storage_key_name)
            .map_err(EnrolledError::Record)?;
        names
            .check(&self.tre_id, deployment, self.chains.record_signature.as_slice())
            .map_err(EnrolledError::Record)?
            .expect_of(tpm)
            .map_err(EnrolledError::StorageKey)?;
        let object = SealedObject::from_bytes(self.sealed_secret.as_slice())
            .map_err(EnrolledError::SealedObject)?;
        let secret = tpm.unseal(&object).map_err(EnrolledError::Unseal)?;
        let context = context(&self.tre_id, names.storage, &self.chains);
        let plain = Envelope::new(&secret, ENVELOPE_LABEL)
            .open(&context, self.encrypted_keys.as_slice())
            .map_err(EnrolledError::Envelope)?;
        let Secrets { owner, keys } = Secrets::from_bytes(&plain).map_err(EnrolledError::Keys)?;
        tpm.take_ownership(&owner).map_err(EnrolledError::Owner)?;
        Ok((keys, Envelope::new(&secret, status::ENVELOPE_LABEL)))
    }

    /// Shows newer certificates from now on. The record on the disk stays as it was signed.
    pub(crate) fn renew(&mut self, newer: RenewCertificates) {
        let RenewCertificates { attestation_key_chain, tls_chain, document_chain } = newer;
        let record_signature = self.chains.record_signature.clone();
        self.chains = CompleteEnrolment {
            attestation_key_chain,
            tls_chain,
            document_chain,
            record_signature,
        };
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
        let found = json::format_at_most(bytes, BODY_BYTES).map_err(EnrolledError::Json)?;
        if found != FORMAT {
            return Err(EnrolledError::Format(found));
        }
        json::decode(bytes).map_err(EnrolledError::Json)
    }
}

impl Secrets {
    /// The owner's authorization, then the keys.
    fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let keys = self.keys.to_bytes()?;
        let capacity = Secret32::LENGTH.saturating_add(keys.len());
        let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
        bytes.extend_from_slice(self.owner.expose());
        bytes.extend_from_slice(&keys);
        Ok(bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let (owner, keys) = bytes.split_first_chunk().ok_or(KeyError::Framing)?;
        Ok(Self { owner: Secret32::new(*owner), keys: Keys::from_bytes(keys)? })
    }
}

/// Derives the key that encrypts the keys; other uses of the secret take other labels.
const ENVELOPE_LABEL: &[u8] = b"tre-enrolment-keys-v2";

fn context(tre_id: &PeerId, storage_key: Name, chains: &CompleteEnrolment) -> Vec<u8> {
    let CompleteEnrolment { attestation_key_chain, tls_chain, document_chain, .. } = chains;
    document::sealed_keys_context(
        tre_id.as_str(),
        &storage_key.to_bytes(),
        [attestation_key_chain, tls_chain, document_chain],
    )
}

#[cfg(test)]
mod tests;
