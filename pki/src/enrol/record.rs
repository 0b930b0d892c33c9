//! Who was enrolled: one file a TRE, written once; of it only the end of the certificates moves, when
//! they are renewed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use measured_boot::digest::Sha256Digest;
use serde::{Deserialize, Serialize};
use tre_wire::bounds::BODY_BYTES;
use tre_wire::hex::{Hex32, HexBytes};
use tre_wire::id::PeerId;
use tre_wire::json::{self, JsonError};
use tre_wire::message::enrolment::CompleteEnrolment;
use tre_wire::role::Identity;
use tre_wire::units::UnixMillis;

use super::offer::{OfferedKey, ProvenTre};
use crate::ek::{Deviation, TpmModel};
use crate::file::{self, Access, FileError};

/// Longest record. Unit: bytes.
const RECORD_BYTES: u64 = 16 * 1024;

/// What a TRE was enrolled with. JSON.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Version of this structure: [`FORMAT`].
    pub format: u32,
    /// Its identity.
    pub tre: Identity,
    /// When it was enrolled.
    pub enrolled_at: UnixMillis,
    /// Last moment of its certificates.
    pub certificates_end: UnixMillis,
    /// The TPM as its maker describes it.
    pub tpm: TpmModel,
    /// SHA-256 of the endorsement key's certificate (DER); none if the operator decided for the key.
    pub endorsement_certificate_sha256: Option<Hex32>,
    /// What the operator admitted of it. Since format 3.
    #[serde(default)]
    pub endorsement_admitted: BTreeSet<Deviation>,
    /// Name of the endorsement key. `[TPM2-P1]`
    pub endorsement_key_name: HexBytes,
    /// Name of the attestation key. `[TPM2-P1]`
    pub attestation_key_name: HexBytes,
    /// Name of the storage key, which the TRE compares with its TPM's at every start. `[TPM2-P1]`
    pub storage_key_name: HexBytes,
    /// SHA-256 of the attestation key's SubjectPublicKeyInfo (DER).
    pub attestation_key_spki_sha256: Hex32,
    /// The same of the TLS key.
    pub tls_key_spki_sha256: Hex32,
    /// The same of the document key.
    pub document_key_spki_sha256: Hex32,
    /// SHA-256 of the reference manifest against which it was appraised.
    pub manifest_sha256: Hex32,
    /// SHA-256 of the deployment file that it runs.
    pub deployment_sha256: Hex32,
    /// Signature (ASN.1) of the TRE authority over [`tre_wire::document::enrolment`].
    pub record_signature: HexBytes,
}

/// Format 2 admitted nothing of the endorsement key, and is read; format 1 had neither the storage
/// key nor a signature: its box has to be enrolled anew.
pub const FORMAT: u32 = 3;

/// The oldest format that is read.
const OLDEST_FORMAT: u32 = 2;

/// The files against which a box was appraised.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AppraisedAgainst {
    /// SHA-256 of the reference manifest.
    pub manifest: Sha256Digest,
    /// SHA-256 of the deployment file.
    pub deployment: Sha256Digest,
}

impl Record {
    /// The record of a proven TRE.
    #[must_use]
    pub fn of(
        proven: &ProvenTre,
        against: AppraisedAgainst,
        certificates: &CompleteEnrolment,
        enrolled_at: UnixMillis,
        certificates_end: UnixMillis,
    ) -> Self {
        let offer = proven.offer();
        let spki = |key| Hex32(measured_boot::digest::sha256(&offer.spki(key)).0);
        let endorsement = offer.endorsement();
        Self {
            format: FORMAT,
            tre: offer.tre().clone(),
            enrolled_at,
            certificates_end,
            tpm: endorsement.model().clone(),
            endorsement_certificate_sha256: endorsement
                .certificate_sha256()
                .map(|sha256| Hex32(sha256.0)),
            endorsement_admitted: endorsement.admitted().clone(),
            endorsement_key_name: HexBytes(endorsement.name().to_vec()),
            attestation_key_name: HexBytes(offer.attestation().name().to_bytes().to_vec()),
            storage_key_name: HexBytes(offer.storage_key().to_bytes().to_vec()),
            attestation_key_spki_sha256: spki(OfferedKey::Attestation),
            tls_key_spki_sha256: spki(OfferedKey::Tls),
            document_key_spki_sha256: spki(OfferedKey::Document),
            manifest_sha256: Hex32(against.manifest.0),
            deployment_sha256: Hex32(against.deployment.0),
            record_signature: certificates.record_signature.clone(),
        }
    }
}

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The name is taken: enrolment is immutable.
    #[error(
        "expected no TRE named {tre_id} in this domain, found its record {path}; an enrolment \
         never changes: choose another name", path = path.display()
    )]
    Enrolled {
        /// The name.
        tre_id: PeerId,
        /// Its record.
        path: PathBuf,
    },
    /// The record cannot be read or written.
    #[error(transparent)]
    File(FileError),
    /// The record is of another version.
    #[error(
        "expected an enrolment record of format {OLDEST_FORMAT} to {FORMAT} in {path}, found format {found}; the TRE \
         has to be enrolled anew", path = path.display()
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// The record is not as it was written.
    #[error("expected an enrolment record in {path}: {source}", path = path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser found.
        source: JsonError,
    },
}

/// The folder of the records.
#[derive(Clone, Debug)]
pub struct Records {
    folder: PathBuf,
}

impl Records {
    /// The records in `folder`.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Their folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the record of `tre_id` stands, or will.
    #[must_use]
    pub fn path(&self, tre_id: &PeerId) -> PathBuf {
        // The alphabet of ids has no separator and no leading dot.
        self.folder.join(format!("{tre_id}.json"))
    }

    /// Refuses a name that is taken.
    ///
    /// # Errors
    ///
    /// [`RecordError::Enrolled`].
    pub fn check_free(&self, tre_id: &PeerId) -> Result<(), RecordError> {
        let path = self.path(tre_id);
        match path.symlink_metadata() {
            Ok(_) => Err(RecordError::Enrolled { tre_id: tre_id.clone(), path }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(source) => Err(RecordError::File(FileError::Read { path, source })),
        }
    }

    /// Writes a new record; of two that race for a name, one wins.
    ///
    /// # Errors
    ///
    /// [`RecordError::Enrolled`] if the name is taken; [`RecordError::File`].
    pub fn write(&self, record: &Record) -> Result<PathBuf, RecordError> {
        let tre_id = &record.tre.id;
        let path = self.path(tre_id);
        let bytes = json::encode(record)
            .map_err(|source| RecordError::Json { path: path.clone(), source })?;
        match file::write_new(&path, &bytes, Access::Everybody) {
            Ok(()) => Ok(path),
            Err(FileError::Exists { path }) => {
                Err(RecordError::Enrolled { tre_id: tre_id.clone(), path })
            }
            Err(error) => Err(RecordError::File(error)),
        }
    }

    /// Says that certificates of `tre_id` are good until `end`, if no later one is known.
    ///
    /// # Errors
    ///
    /// As [`Self::read`]; and [`RecordError::File`].
    pub fn extend(&self, tre_id: &PeerId, end: UnixMillis) -> Result<Record, RecordError> {
        let mut record = self.read(tre_id)?;
        record.certificates_end = record.certificates_end.max(end);
        let path = self.path(tre_id);
        let bytes = json::encode(&record)
            .map_err(|source| RecordError::Json { path: path.clone(), source })?;
        file::replace(&path, &bytes, Access::Everybody).map_err(RecordError::File)?;
        Ok(record)
    }

    /// Removes a record just written, of a box that did not take its certificates.
    pub(super) fn withdraw(&self, path: &Path) -> Result<(), RecordError> {
        let failed = |source| FileError::Write { path: path.to_path_buf(), source };
        std::fs::remove_file(path).map_err(failed).map_err(RecordError::File)
    }

    /// Reads the record of `tre_id`.
    ///
    /// # Errors
    ///
    /// [`RecordError::File`], [`RecordError::Format`] and [`RecordError::Json`].
    pub fn read(&self, tre_id: &PeerId) -> Result<Record, RecordError> {
        let path = self.path(tre_id);
        let bytes = file::read(&path, RECORD_BYTES).map_err(RecordError::File)?;
        let unreadable = |source| RecordError::Json { path: path.clone(), source };
        let found = json::format_at_most(&bytes, BODY_BYTES).map_err(unreadable)?;
        if !(OLDEST_FORMAT..=FORMAT).contains(&found) {
            return Err(RecordError::Format { path, found });
        }
        json::decode(&bytes).map_err(unreadable)
    }
}
