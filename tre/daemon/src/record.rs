//! The enrolment record as its authority signed it: which storage key is this TRE's.
//!
//! A disk is anybody's to write, a TPM's bus anybody's to stand before. What a storage key is
//! compared with must therefore come from neither: it is signed by a TRE authority that the
//! measured deployment names.

use measured_boot::tpm::{Name, NameError};
use rustls::pki_types::CertificateDer;
use thiserror::Error;
use tre_tpm::{Tpm, TpmError};
use tre_wire::deployment::Deployment;
use tre_wire::document;
use tre_wire::hex::HexBytes;
use tre_wire::id::PeerId;
use tre_wire::role::{Identity, Role};
use webpki::EndEntityCert;

/// The Names of the keys that a record is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct KeyNames {
    /// Of the attestation key.
    pub(crate) attestation: Name,
    /// Of the storage key.
    pub(crate) storage: Name,
}

/// A storage key that a TRE authority has signed for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct EnrolledStorageKey(Name);

/// Why a record is not the signed one.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(crate) enum RecordRefusal {
    /// A Name has not the form of one.
    #[error("enrolment record: {0}")]
    Name(NameError),
    /// No authority of the deployment signed it for this TRE and these keys.
    #[error(
        "enrolment record: expected the signature of a TRE authority of the deployment over this \
         TRE's name, attestation key {attestation} and storage key {storage}, found none"
    )]
    Signature {
        /// Name of the attestation key in the record.
        attestation: Name,
        /// Name of the storage key in the record.
        storage: Name,
    },
}

impl KeyNames {
    /// Reads both Names.
    ///
    /// # Errors
    ///
    /// [`RecordRefusal::Name`].
    pub(crate) fn read(attestation: &HexBytes, storage: &HexBytes) -> Result<Self, RecordRefusal> {
        let name = |bytes: &HexBytes| Name::from_bytes(bytes.as_slice());
        Ok(Self {
            attestation: name(attestation).map_err(RecordRefusal::Name)?,
            storage: name(storage).map_err(RecordRefusal::Name)?,
        })
    }

    /// Checks that a TRE authority of the deployment signed for these keys of this TRE.
    ///
    /// # Errors
    ///
    /// [`RecordRefusal::Signature`].
    pub(crate) fn check(
        self,
        tre_id: &PeerId,
        deployment: &Deployment,
        signature: &[u8],
    ) -> Result<EnrolledStorageKey, RecordRefusal> {
        let Self { attestation, storage } = self;
        let identity = Identity {
            trust_domain: deployment.trust_domain.clone(),
            role: Role::Tre,
            id: tre_id.clone(),
        };
        let signed = document::enrolment(&identity, &attestation.to_bytes(), &storage.to_bytes());
        let by = |authority: &HexBytes| {
            let certificate = CertificateDer::from(authority.as_slice());
            EndEntityCert::try_from(&certificate).is_ok_and(|authority| {
                let algorithm = webpki::ring::ECDSA_P256_SHA256;
                authority.verify_signature(algorithm, &signed, signature).is_ok()
            })
        };
        if deployment.tre_authorities.iter().any(by) {
            Ok(EnrolledStorageKey(storage))
        } else {
            Err(RecordRefusal::Signature { attestation, storage })
        }
    }
}

impl EnrolledStorageKey {
    /// Refuses a TPM that uses another storage key.
    ///
    /// # Errors
    ///
    /// [`TpmError`], above all [`TpmError::OtherStorageKey`].
    pub(crate) fn expect_of(self, tpm: &mut dyn Tpm) -> Result<(), TpmError> {
        tpm.expect_storage_key(self.0)
    }
}
