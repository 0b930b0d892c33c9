//! What an enrolled TRE must not forget of what it was told since, sealed, on its disk: the newest
//! revocation list, newer certificates of its keys, and the latest time.
//!
//! Encrypted under the secret that unseals with the keys: nobody else can write it, so what is read
//! back needs no signature and no parsing of what a peer sent. A record that is there and does not
//! open locks the box.
//!
//! That the whole disk is put back to an earlier state is not seen here. Verifiers that remember see
//! it, if a start lies between: the record numbers the state epochs, and every start begins one.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tre_store::{Envelope, EnvelopeError, TwoSlotError, TwoSlotRegion};
use tre_wire::disk;
use tre_wire::hex::Hex32;
use tre_wire::json::{self, JsonError};
use tre_wire::message::enrolment::RenewCertificates;
use tre_wire::revocation::Edition;
use tre_wire::units::UnixMillis;

use crate::random::{self, NoRandomness};
use crate::revocations::Revocations;

/// Derives the key that encrypts the record; other uses of the secret take other labels.
pub(crate) const ENVELOPE_LABEL: &[u8] = b"tre-status-v1";

/// The version of [`Kept`]. Format 2 had neither epoch nor time, format 1 no certificates either;
/// both are still read.
const FORMAT: u32 = 3;

/// The record, JSON, encrypted.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    /// Version of this structure: [`FORMAT`].
    format: u32,
    /// The list in force; none yet.
    list: Option<Edition>,
    /// The keys that it names, SHA-256 each.
    keys: Vec<Hex32>,
    /// Newer certificates than the enrolment's; none yet.
    certificates: Option<RenewCertificates>,
    /// Number of the state epoch.
    epoch: u64,
    /// A time that has been; 0 before the first token.
    mark: UnixMillis,
}

/// The record in format 2.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept2 {
    #[serde(rename = "format")]
    _format: u32,
    list: Option<Edition>,
    keys: Vec<Hex32>,
    certificates: Option<RenewCertificates>,
}

/// The record in format 1.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept1 {
    #[serde(rename = "format")]
    _format: u32,
    list: Option<Edition>,
    keys: Vec<Hex32>,
}

/// What an enrolled TRE was told since.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Status {
    /// Which keys are no longer believed.
    pub(crate) revocations: Revocations,
    /// Newer certificates of its own keys than those of its enrolment.
    pub(crate) certificates: Option<RenewCertificates>,
    /// Number of the state epoch: how often this enrolment's state was begun. 0 before it ever was.
    pub(crate) epoch: u64,
    /// The high-water mark of its time: no token takes it back behind this.
    pub(crate) mark: UnixMillis,
}

/// Where the record stands, and how it is encrypted.
#[derive(Debug)]
pub(crate) struct StatusStore {
    region: TwoSlotRegion,
    /// None until the secret is there.
    envelope: Option<Envelope>,
    /// What stands there.
    status: Status,
}

/// Why the record was not read or written.
#[derive(Debug, Error)]
pub(crate) enum StatusError {
    /// The disk, or both copies on it.
    #[error("status record: {0}")]
    Region(#[source] TwoSlotError),
    /// Not the one that this box wrote.
    #[error("status record: {0}")]
    Envelope(#[source] EnvelopeError),
    /// Decrypted, and no record.
    #[error("status record is not readable: {0}")]
    Json(#[source] JsonError),
    /// Another format than this TRE reads.
    #[error("expected status record format {FORMAT}, found {0}")]
    Format(u32),
    /// The kernel has no randomness.
    #[error(transparent)]
    Random(NoRandomness),
    /// No number is left.
    #[error("expected a state epoch below 2^64, found the last one")]
    LastEpoch,
    /// The box is not enrolled.
    #[error("expected an enrolled box: nothing is unsealed that could encrypt a status record")]
    Closed,
}

impl StatusStore {
    /// The place on the disk, before anything is unsealed.
    pub(crate) fn new(region: TwoSlotRegion) -> Self {
        Self { region, envelope: None, status: Status::default() }
    }

    /// Reads what an enrolled box kept. One that never kept anything knows of no list.
    ///
    /// # Errors
    ///
    /// [`StatusError`]: something is there, and it is not what this box wrote.
    pub(crate) fn open(&mut self, envelope: Envelope) -> Result<&Status, StatusError> {
        self.status = match self.region.read().map_err(StatusError::Region)? {
            None => Status::default(),
            Some(record) => {
                let plain = envelope.open(&[], &record.bytes).map_err(StatusError::Envelope)?;
                read(&plain)?
            }
        };
        self.envelope = Some(envelope);
        Ok(&self.status)
    }

    /// Begins anew, for a box that is being enrolled: what another enrolment kept is not its own.
    ///
    /// # Errors
    ///
    /// [`StatusError`].
    pub(crate) fn begin(&mut self, envelope: Envelope) -> Result<(), StatusError> {
        self.envelope = Some(envelope);
        self.keep(Status { epoch: 1, ..Status::default() })
    }

    /// Begins the next epoch: the grid's state lives in memory, so every start is a state anew.
    /// Durable when it returns.
    ///
    /// # Errors
    ///
    /// [`StatusError`]: then nothing may be attested in this epoch.
    pub(crate) fn begin_epoch(&mut self) -> Result<(), StatusError> {
        let epoch = self.status.epoch.checked_add(1).ok_or(StatusError::LastEpoch)?;
        self.keep(Status { epoch, ..self.status.clone() })
    }

    /// Number of the epoch; 0 until there is one.
    pub(crate) const fn epoch(&self) -> u64 {
        self.status.epoch
    }

    /// Keeps a list that is about to come into force. Durable when it returns.
    ///
    /// # Errors
    ///
    /// [`StatusError`]: then it must not come into force.
    pub(crate) fn keep_revocations(&mut self, newer: &Revocations) -> Result<(), StatusError> {
        self.keep(Status { revocations: newer.clone(), ..self.status.clone() })
    }

    /// The same for certificates that are about to be shown.
    ///
    /// # Errors
    ///
    /// [`StatusError`]: then they must not be shown.
    pub(crate) fn keep_certificates(
        &mut self,
        newer: &RenewCertificates,
    ) -> Result<(), StatusError> {
        self.keep(Status { certificates: Some(newer.clone()), ..self.status.clone() })
    }

    /// The same for a time that is about to be in force, or was.
    ///
    /// # Errors
    ///
    /// [`StatusError`]: then it must not come into force.
    pub(crate) fn keep_mark(&mut self, mark: UnixMillis) -> Result<(), StatusError> {
        self.keep(Status { mark, ..self.status.clone() })
    }

    /// The sealed high-water mark of the time.
    pub(crate) const fn mark(&self) -> UnixMillis {
        self.status.mark
    }

    fn keep(&mut self, status: Status) -> Result<(), StatusError> {
        let envelope = self.envelope.as_ref().ok_or(StatusError::Closed)?;
        let Revocations { edition, keys } = &status.revocations;
        let kept = Kept {
            format: FORMAT,
            list: *edition,
            keys: keys.iter().copied().map(Hex32).collect(),
            certificates: status.certificates.clone(),
            epoch: status.epoch,
            mark: status.mark,
        };
        let plain = json::encode(&kept).map_err(StatusError::Json)?;
        let nonce = random::bytes().map_err(StatusError::Random)?;
        let sealed = envelope.seal(nonce, &[], &plain).map_err(StatusError::Envelope)?;
        self.region.write(&sealed).map_err(StatusError::Region)?;
        self.status = status;
        Ok(())
    }
}

fn read(plain: &[u8]) -> Result<Status, StatusError> {
    let format = json::format_at_most(plain, most_bytes()).map_err(StatusError::Json)?;
    let (epoch, mark) = (0, UnixMillis::default());
    let Kept { list, keys, certificates, epoch, mark, .. } = match format {
        FORMAT => decoded(plain)?,
        2 => {
            let Kept2 { list, keys, certificates, .. } = decoded(plain)?;
            Kept { format, list, keys, certificates, epoch, mark }
        }
        1 => {
            let Kept1 { list, keys, .. } = decoded(plain)?;
            Kept { format, list, keys, certificates: None, epoch, mark }
        }
        other => return Err(StatusError::Format(other)),
    };
    let keys = keys.into_iter().map(|Hex32(key)| key).collect();
    Ok(Status { revocations: Revocations { edition: list, keys }, certificates, epoch, mark })
}

fn decoded<T: DeserializeOwned>(plain: &[u8]) -> Result<T, StatusError> {
    json::decode_at_most(plain, most_bytes()).map_err(StatusError::Json)
}

/// Longest record. Unit: bytes.
fn most_bytes() -> usize {
    usize::try_from(disk::STATUS[0].length).unwrap_or(0)
}

#[cfg(test)]
mod tests;
