//! What an enrolled TRE must not forget of the status key's word, sealed, on its disk.
//!
//! Encrypted under the secret that unseals with the keys: nobody else can write it, so what is read
//! back needs no signature and no parsing of what a peer sent. A record that is there and does not
//! open locks the box. That the whole disk is put back to an earlier state is not seen here.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tre_store::{Envelope, EnvelopeError, TwoSlotError, TwoSlotRegion};
use tre_wire::disk;
use tre_wire::hex::Hex32;
use tre_wire::json::{self, JsonError};
use tre_wire::revocation::Edition;

use crate::random::{self, NoRandomness};
use crate::revocations::Revocations;

/// Derives the key that encrypts the record; other uses of the secret take other labels.
pub(crate) const ENVELOPE_LABEL: &[u8] = b"tre-status-v1";

/// The version of [`Kept`].
const FORMAT: u32 = 1;

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
}

/// The version alone, which every format has.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Version {
    format: u32,
}

/// Where the record stands, and how it is encrypted.
#[derive(Debug)]
pub(crate) struct StatusStore {
    region: TwoSlotRegion,
    /// None until the secret is there.
    envelope: Option<Envelope>,
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
    /// The box is not enrolled.
    #[error("expected an enrolled box: nothing is unsealed that could encrypt a status record")]
    Closed,
}

impl StatusStore {
    /// The place on the disk, before anything is unsealed.
    pub(crate) const fn new(region: TwoSlotRegion) -> Self {
        Self { region, envelope: None }
    }

    /// Reads what an enrolled box kept. One that never kept anything knows of no list.
    ///
    /// # Errors
    ///
    /// [`StatusError`]: something is there, and it is not what this box wrote.
    pub(crate) fn open(&mut self, envelope: Envelope) -> Result<Revocations, StatusError> {
        let revocations = match self.region.read().map_err(StatusError::Region)? {
            None => Revocations::default(),
            Some(record) => {
                let plain = envelope.open(&[], &record.bytes).map_err(StatusError::Envelope)?;
                read(&plain)?
            }
        };
        self.envelope = Some(envelope);
        Ok(revocations)
    }

    /// Begins anew, for a box that is being enrolled: what another enrolment kept is not its own.
    ///
    /// # Errors
    ///
    /// [`StatusError`].
    pub(crate) fn begin(&mut self, envelope: Envelope) -> Result<(), StatusError> {
        self.envelope = Some(envelope);
        self.keep(&Revocations::default())
    }

    /// Keeps what is about to come into force. Durable when it returns.
    ///
    /// # Errors
    ///
    /// [`StatusError`]: then it must not come into force.
    pub(crate) fn keep(&mut self, revocations: &Revocations) -> Result<(), StatusError> {
        let envelope = self.envelope.as_ref().ok_or(StatusError::Closed)?;
        let keys = revocations.keys.iter().copied().map(Hex32).collect();
        let kept = Kept { format: FORMAT, list: revocations.edition, keys };
        let plain = json::encode(&kept).map_err(StatusError::Json)?;
        let nonce = random::bytes().map_err(StatusError::Random)?;
        let sealed = envelope.seal(nonce, &[], &plain).map_err(StatusError::Envelope)?;
        self.region.write(&sealed).map_err(StatusError::Region)?;
        Ok(())
    }
}

fn read(plain: &[u8]) -> Result<Revocations, StatusError> {
    let most = usize::try_from(disk::STATUS[0].length).unwrap_or(0);
    let Version { format } = json::decode_at_most(plain, most).map_err(StatusError::Json)?;
    if format != FORMAT {
        return Err(StatusError::Format(format));
    }
    let kept: Kept = json::decode_at_most(plain, most).map_err(StatusError::Json)?;
    let keys = kept.keys.into_iter().map(|Hex32(key)| key).collect();
    Ok(Revocations { edition: kept.list, keys })
}

#[cfg(test)]
mod tests;
