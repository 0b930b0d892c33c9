//! The PCR values that an event log replays to, in every bank that it has.
//!
//! For people who hold a log against another program's reading. As in `tpm2_eventlog`, a bank lists
//! the PCRs that the log speaks of, and a dynamic launch (PCR 17 to 22) starts from zero, as the
//! launch itself does. Notes (`EV_NO_ACTION`) extend nothing, and the startup locality is the last
//! byte with which PCR 0 begins `[PFP]`; `tpm2_eventlog` 5.4 has both wrong, its later sources
//! right, so on a log with notes 5.4 gives other values than a TPM.
//!
//! Data whose lengths do not hold is refused, as `tpm2_eventlog` refuses it. What differs was seen
//! with single bytes changed at random in logs from the field: wherever both accept, the values are
//! equal. Only here are refused: a log without an event, the last bytes of the header's signature,
//! a digest of a bank that the header does not declare, a startup locality that no TPM has, a
//! loaded image whose device path is longer than its data. Only there: a header whose unused digest
//! is not zero, and a variable's name that is no UTF-16; nobody here reads them. Both warn of data
//! that is not what was measured: here for the types of which `[PFP]` says that the digest is over
//! the data, in every bank; there for `EV_IPL` as well, and for fewer of the others.
//!
//! A verdict never comes from here: the verifier judges by the SHA-256 bank alone, all of it.

mod payload;

use core::fmt;
use std::collections::BTreeMap;

use attest_verifier_core::measured_boot::eventlog::{Bank, Event, EventLog, EventType, LogError};
use attest_verifier_core::measured_boot::pcr::PcrIndex;
use attest_verifier_core::measured_boot::reader::ReadError;
use attest_verifier_core::measured_boot::tpm::AlgorithmId;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use sm3::Sm3;

/// A log, replayed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Replayed {
    /// Its banks, in the order in which its header declares them.
    pub banks: Vec<ReplayedBank>,
    /// How many events it has behind its header. A log that was cut between two has fewer.
    pub events: usize,
    /// The events whose data is not what was measured, in the log's order.
    pub mismatches: Vec<Mismatch>,
}

/// An event whose digest is not that of its data, though its type says so: its words prove nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mismatch {
    /// Number of the event; the header is 0.
    pub event: usize,
    /// Where it starts, in bytes from the start of the log.
    pub offset: usize,
    /// Its type.
    pub event_type: EventType,
    /// The banks in which the digest is another.
    pub banks: Vec<AlgorithmId>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event, offset, event_type, banks } = self;
        write!(
            f,
            "event {event}, at offset {offset}: {event_type} with data that is not what was"
        )?;
        f.write_str(" measured: expected its digest, found another, in")?;
        banks.iter().try_for_each(|bank| write!(f, " {bank}"))
    }
}

/// One bank of a log, replayed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReplayedBank {
    /// Its hash.
    pub algorithm: AlgorithmId,
    /// The value of each PCR that the log speaks of, by number.
    pub pcrs: BTreeMap<u8, Vec<u8>>,
}

/// Why a log is not replayed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// It is damaged.
    #[error(transparent)]
    Log(LogError),
    /// The data of an event is shorter than it says.
    #[error("event {event}, {event_type}: {source}")]
    Data {
        /// Number of the event; the header is 0.
        event: usize,
        /// Its type.
        event_type: EventType,
        /// Offset in the log, length needed and left.
        source: ReadError,
    },
    /// A header alone: every firmware measures something.
    #[error("event 1, at offset {offset}: expected an event behind the header, found the end")]
    NoEvents {
        /// Where the log ends.
        offset: usize,
    },
    /// A bank of a hash that is not known here.
    #[error("expected banks of sha1, sha256, sha384, sha512 or sm3_256, found one of {algorithm}")]
    Bank {
        /// The hash.
        algorithm: AlgorithmId,
    },
}

/// Replays every bank of the log and holds the data of its events against their types.
///
/// # Errors
///
/// [`ReplayError`].
pub fn replay(log: &[u8]) -> Result<Replayed, ReplayError> {
    let offset = log.len();
    let log = EventLog::parse(log).map_err(ReplayError::Log)?;
    if log.events().is_empty() {
        return Err(ReplayError::NoEvents { offset });
    }
    log.events().iter().try_for_each(payload::decode)?;
    Ok(Replayed {
        banks: log.banks().iter().map(|bank| replay_bank(&log, bank)).collect::<Result<_, _>>()?,
        events: log.events().len(),
        mismatches: log.events().iter().filter_map(payload::mismatch).collect(),
    })
}

fn replay_bank(log: &EventLog<'_>, bank: &Bank) -> Result<ReplayedBank, ReplayError> {
    let algorithm = bank.algorithm;
    let hash = hash_of(algorithm).ok_or(ReplayError::Bank { algorithm })?;
    let mut pcrs = BTreeMap::<u8, Vec<u8>>::new();
    for event in log.events() {
        let Ok(pcr) = PcrIndex::try_from(event.pcr) else { continue };
        let value = pcrs.entry(pcr.number()).or_insert_with(|| vec![0; bank.digest_len]);
        if let (Some(byte), Some(last)) = (startup(log, event), value.last_mut()) {
            *last = byte;
        }
        if let (Some(_), Some(digest)) = (event.extends(), event.digest(algorithm)) {
            *value = hash(&[value, digest]);
        }
    }
    Ok(ReplayedBank { algorithm, pcrs })
}

/// The last byte that PCR 0 has once this event says how the TPM was started. `[PFP]`
fn startup(log: &EventLog<'_>, event: &Event<'_>) -> Option<u8> {
    let first = PcrIndex::try_from(event.pcr) == Ok(PcrIndex::P0);
    match event.event_type {
        EventType::EFI_HCRTM_EVENT if first => Some(4),
        EventType::NO_ACTION if first && event.data.starts_with(b"StartupLocality\0") => {
            Some(log.startup_locality().byte())
        }
        _ => None,
    }
}

/// The digest of all parts, one behind the other.
type Hash = fn(&[&[u8]]) -> Vec<u8>;

fn hash_of(algorithm: AlgorithmId) -> Option<Hash> {
    Some(match algorithm {
        AlgorithmId::SHA1 => digest::<Sha1>,
        AlgorithmId::SHA256 => digest::<Sha256>,
        AlgorithmId::SHA384 => digest::<Sha384>,
        AlgorithmId::SHA512 => digest::<Sha512>,
        AlgorithmId::SM3_256 => digest::<Sm3>,
        _ => return None,
    })
}

fn digest<H: Digest>(parts: &[&[u8]]) -> Vec<u8> {
    parts.iter().fold(H::new(), |hash, part| hash.chain_update(part)).finalize().to_vec()
}
