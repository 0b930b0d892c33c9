//! The TCG2 crypto-agile event log ("Spec ID Event03").
//!
//! The log is evidence only as far as it replays to PCR values that a TPM signed. A digest is
//! covered by that; an event's *type* and, unless its hash is the digest, its *data* are not. So
//! policy looks at ordered digests, and data is read for descriptions alone.

mod describe;
mod error;
mod event_type;

use alloc::vec::Vec;

pub use error::{LogError, LogPart};
pub use event_type::EventType;

use crate::{
    digest::{Sha256Digest, sha256},
    limits::{MAX_BANKS, MAX_DIGEST_LEN, MAX_EVENTS, MAX_LOG_LEN},
    pcr::{PcrIndex, PcrValues, StartupLocality},
    reader::{ReadError, Reader, len_of},
    tpm::AlgorithmId,
};

/// A PCR bank that the log declares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Bank {
    /// Its hash algorithm.
    pub algorithm: AlgorithmId,
    /// Length of its digests, in bytes.
    pub digest_len: usize,
}

/// One event's digest in one bank.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BankDigest<'a> {
    /// The bank's hash algorithm.
    pub algorithm: AlgorithmId,
    /// The digest, as long as the log declares for this bank.
    pub digest: &'a [u8],
}

/// One entry of the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event<'a> {
    /// Its number; the log's header is 0.
    pub index: usize,
    /// Where it starts, in bytes from the start of the log.
    pub offset: usize,
    /// The PCR it says. At most 23 for every event that extends one.
    pub pcr: u32,
    /// The type it says. Not covered by the digest.
    pub event_type: EventType,
    /// Its digests, exactly one for each bank of the log.
    pub digests: Vec<BankDigest<'a>>,
    /// Its data. Not covered by the digest unless [`Self::data_is_measured`].
    pub data: &'a [u8],
}

impl<'a> Event<'a> {
    /// The PCR it extends; `None` for an event that is only a note (`EV_NO_ACTION`).
    #[must_use]
    pub fn extends(&self) -> Option<PcrIndex> {
        if self.event_type == EventType::NO_ACTION {
            return None;
        }
        PcrIndex::try_from(self.pcr).ok()
    }

    /// Its digest in the bank of `algorithm`.
    #[must_use]
    pub fn digest(&self, algorithm: AlgorithmId) -> Option<&'a [u8]> {
        self.digests.iter().find(|entry| entry.algorithm == algorithm).map(|entry| entry.digest)
    }

    /// Its digest in the SHA-256 bank, if the log has one.
    #[must_use]
    pub fn sha256(&self) -> Option<Sha256Digest> {
        self.digest(AlgorithmId::SHA256)?.try_into().ok().map(Sha256Digest)
    }

    /// Whether the data is what was measured: its SHA-256 is the digest.
    #[must_use]
    pub fn data_is_measured(&self) -> bool {
        self.sha256() == Some(sha256(self.data))
    }
}

/// A whole, well-formed log. Whether it is true is for [`crate::appraise`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EventLog<'a> {
    banks: Vec<Bank>,
    events: Vec<Event<'a>>,
    locality: StartupLocality,
}

impl<'a> EventLog<'a> {
    /// Decodes a whole log.
    ///
    /// Source: `[PFP]`, `TCG_EfiSpecIDEvent`, `TCG_PCR_EVENT2`.
    ///
    /// # Errors
    ///
    /// [`LogError`] with the offset and what was expected there.
    pub fn parse(log: &'a [u8]) -> Result<Self, LogError> {
        if log.len() > MAX_LOG_LEN {
            return Err(LogError::TooLong { found: log.len() });
        }
        let mut reader = Reader::new(log);
        let banks = read_header(&mut reader)?;
        let mut events = Vec::new();
        while reader.left() > 0 {
            let offset = reader.offset();
            let index = events.len().saturating_add(1);
            if events.len() >= MAX_EVENTS {
                return Err(LogError::TooManyEvents { event: index, offset });
            }
            events.push(read_event(&mut reader, &banks, index)?);
        }
        let locality = startup_locality(&events)?;
        Ok(Self { banks, events, locality })
    }

    /// The banks that the header declares, in its order.
    #[must_use]
    pub fn banks(&self) -> &[Bank] {
        &self.banks
    }

    /// The events behind the header.
    #[must_use]
    pub fn events(&self) -> &[Event<'a>] {
        &self.events
    }

    /// The events that extend `pcr`, in order.
    pub fn events_of(&self, pcr: PcrIndex) -> impl Iterator<Item = &Event<'a>> {
        self.events.iter().filter(move |event| event.extends() == Some(pcr))
    }

    /// From which locality the TPM was started, as the log says: PCR 0's first value.
    #[must_use]
    pub const fn startup_locality(&self) -> StartupLocality {
        self.locality
    }

    /// The PCR values of the SHA-256 bank after every event.
    ///
    /// # Errors
    ///
    /// [`LogError::NoSha256Bank`] if the log does not declare it.
    pub fn replay(&self) -> Result<PcrValues, LogError> {
        if !self.banks.iter().any(|bank| bank.algorithm == AlgorithmId::SHA256) {
            return Err(LogError::NoSha256Bank);
        }
        let mut values = PcrValues::initial(self.locality);
        for event in &self.events {
            if let (Some(pcr), Some(digest)) = (event.extends(), event.sha256()) {
                values.extend(pcr, &digest);
            }
        }
        Ok(values)
    }
}

/// The first entry, in the old format, with the `TCG_EfiSpecIDEvent` as its data. `[PFP]`
fn read_header(reader: &mut Reader<'_>) -> Result<Vec<Bank>, LogError> {
    let cut = |source| LogError::Cut { event: 0, part: LogPart::Header, source };
    let (offset, pcr) = (reader.offset(), reader.take_u32_le().map_err(cut)?);
    let event_type = EventType(reader.take_u32_le().map_err(cut)?);
    if pcr != 0 || event_type != EventType::NO_ACTION {
        return Err(LogError::HeaderEvent { offset, pcr, event_type });
    }
    // An unused SHA-1 digest.
    reader.take::<20>().map_err(cut)?;
    let len = reader.take_u32_le().map_err(cut)?;
    let mut header = reader.take_reader(len_of(len)).map_err(cut)?;
    let offset = header.offset();
    let found = header.take().map_err(cut)?;
    if &found != SPEC_ID {
        return Err(LogError::Signature { offset, found });
    }
    // Platform class, minor, major, errata, size of a UINTN.
    header.take::<8>().map_err(cut)?;
    let banks = read_banks(&mut header)?;
    let vendor_len = header.take_u8().map_err(cut)?;
    header.take_slice(usize::from(vendor_len)).map_err(cut)?;
    header.finish().map_err(cut)?;
    Ok(banks)
}

fn read_banks(header: &mut Reader<'_>) -> Result<Vec<Bank>, LogError> {
    let cut = |source| LogError::Cut { event: 0, part: LogPart::Header, source };
    let (offset, count) = (header.offset(), header.take_u32_le().map_err(cut)?);
    if count == 0 || len_of(count) > MAX_BANKS {
        return Err(LogError::BankCount { offset, found: count });
    }
    let mut banks = Vec::<Bank>::new();
    for _ in 0..count {
        let offset = header.offset();
        let algorithm = AlgorithmId(header.take_u16_le().map_err(cut)?);
        let digest_len = usize::from(header.take_u16_le().map_err(cut)?);
        let expected = algorithm.digest_len().unwrap_or(digest_len);
        if digest_len != expected || digest_len > MAX_DIGEST_LEN {
            return Err(LogError::DigestLength { offset, algorithm, found: digest_len });
        }
        if banks.iter().any(|bank| bank.algorithm == algorithm) {
            return Err(LogError::RepeatedBank { event: 0, offset, algorithm });
        }
        banks.push(Bank { algorithm, digest_len });
    }
    Ok(banks)
}

/// One `TCG_PCR_EVENT2`. `[PFP]`
fn read_event<'a>(
    reader: &mut Reader<'a>,
    banks: &[Bank],
    index: usize,
) -> Result<Event<'a>, LogError> {
    let cut = |part| move |source: ReadError| LogError::Cut { event: index, part, source };
    let offset = reader.offset();
    let pcr = reader.take_u32_le().map_err(cut(LogPart::PcrIndex))?;
    let event_type = EventType(reader.take_u32_le().map_err(cut(LogPart::EventType))?);
    if event_type != EventType::NO_ACTION && PcrIndex::try_from(pcr).is_err() {
        return Err(LogError::Pcr { event: index, offset, found: pcr });
    }
    let count_offset = reader.offset();
    let count = reader.take_u32_le().map_err(cut(LogPart::Digests))?;
    if len_of(count) != banks.len() {
        let expected = banks.len();
        return Err(LogError::DigestCount {
            event: index,
            offset: count_offset,
            expected,
            found: count,
        });
    }
    let mut digests = Vec::<BankDigest<'a>>::new();
    for _ in banks {
        let offset = reader.offset();
        let algorithm = AlgorithmId(reader.take_u16_le().map_err(cut(LogPart::Digests))?);
        let Some(bank) = banks.iter().find(|bank| bank.algorithm == algorithm) else {
            return Err(LogError::UndeclaredBank { event: index, offset, algorithm });
        };
        if digests.iter().any(|entry| entry.algorithm == algorithm) {
            return Err(LogError::RepeatedBank { event: index, offset, algorithm });
        }
        let digest = reader.take_slice(bank.digest_len).map_err(cut(LogPart::Digests))?;
        digests.push(BankDigest { algorithm, digest });
    }
    let data = reader.take_sized_u32_le().map_err(cut(LogPart::Data))?;
    Ok(Event { index, offset, pcr, event_type, digests, data })
}

/// The locality in the log's `StartupLocality` note, which stands before PCR 0's first event.
/// `[PFP]`
fn startup_locality(events: &[Event<'_>]) -> Result<StartupLocality, LogError> {
    let mut locality = None;
    let mut measured = false;
    for event in events {
        measured |= event.extends() == Some(PcrIndex::P0);
        let Some(value) = event.data.strip_prefix(STARTUP_LOCALITY) else { continue };
        if event.event_type != EventType::NO_ACTION {
            continue;
        }
        let (event, offset) = (event.index, event.offset);
        if measured || locality.is_some() {
            return Err(LogError::LateLocality { event, offset });
        }
        locality = Some(match value {
            [0] => StartupLocality::Zero,
            [3] => StartupLocality::Three,
            [4] => StartupLocality::Four,
            _ => return Err(LogError::Locality { event, offset }),
        });
    }
    Ok(locality.unwrap_or_default())
}

/// Signature of the header event. `[PFP]`
const SPEC_ID: &[u8; 16] = b"Spec ID Event03\0";

/// Signature of the note about the startup locality. `[PFP]`
const STARTUP_LOCALITY: &[u8] = b"StartupLocality\0";

#[cfg(test)]
pub(crate) mod tests;
