//! Why a log is damaged: where, what was expected there, what was found.

use core::fmt;

use thiserror::Error;

use super::EventType;
use crate::{
    limits::{MAX_BANKS, MAX_EVENTS, MAX_LOG_LEN},
    reader::ReadError,
    tpm::AlgorithmId,
};

/// Part of the log that was being read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogPart {
    /// The "Spec ID Event03" header.
    Header,
    /// The PCR number of an event.
    PcrIndex,
    /// The type of an event.
    EventType,
    /// The digests of an event.
    Digests,
    /// The data of an event.
    Data,
}

impl fmt::Display for LogPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "Spec ID header",
            Self::PcrIndex => "PCR number",
            Self::EventType => "event type",
            Self::Digests => "digests",
            Self::Data => "event data",
        })
    }
}

/// Why bytes are no event log. Offsets are in bytes from the start of the log.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum LogError {
    /// Longer than any log.
    #[error("expected a log of at most {MAX_LOG_LEN} bytes, found {found}")]
    TooLong {
        /// Length found, in bytes.
        found: usize,
    },
    /// Ends early, or a header with bytes behind it.
    #[error("event {event}, {part}: {source}")]
    Cut {
        /// Number of the event; the header is 0.
        event: usize,
        /// What was being read.
        part: LogPart,
        /// Offset, length needed and left.
        source: ReadError,
    },
    /// The first entry is not the header.
    #[error(
        "event 0, at offset {offset}: expected EV_NO_ACTION in PCR 0, found {event_type} in PCR {pcr}"
    )]
    HeaderEvent {
        /// Where the entry starts.
        offset: usize,
        /// PCR found.
        pcr: u32,
        /// Type found.
        event_type: EventType,
    },
    /// Another log format.
    #[error("event 0, at offset {offset}: expected \"Spec ID Event03\", found bytes {found:02x?}")]
    Signature {
        /// Where the signature starts.
        offset: usize,
        /// The bytes found.
        found: [u8; 16],
    },
    /// No bank, or too many.
    #[error(
        "event 0, at offset {offset}: expected 1 to {MAX_BANKS} digest algorithms, found {found}"
    )]
    BankCount {
        /// Where the count stands.
        offset: usize,
        /// Number found.
        found: u32,
    },
    /// A digest length that its algorithm does not have.
    #[error(
        "event 0, at offset {offset}: expected the digest length of {algorithm}, found {found}"
    )]
    DigestLength {
        /// Where the declaration stands.
        offset: usize,
        /// The algorithm.
        algorithm: AlgorithmId,
        /// Length found, in bytes.
        found: usize,
    },
    /// One bank twice, in the header or in an event.
    #[error("event {event}, at offset {offset}: expected each bank once, found {algorithm} again")]
    RepeatedBank {
        /// Number of the event; the header is 0.
        event: usize,
        /// Where it stands again.
        offset: usize,
        /// The algorithm.
        algorithm: AlgorithmId,
    },
    /// A digest of a bank that the header does not declare.
    #[error(
        "event {event}, at offset {offset}: expected a digest of a declared bank, found {algorithm}"
    )]
    UndeclaredBank {
        /// Number of the event; the header is 0.
        event: usize,
        /// Where the digest starts.
        offset: usize,
        /// The algorithm.
        algorithm: AlgorithmId,
    },
    /// Not one digest for each bank.
    #[error("event {event}, at offset {offset}: expected {expected} digests, found {found}")]
    DigestCount {
        /// Number of the event; the header is 0.
        event: usize,
        /// Where the count stands.
        offset: usize,
        /// Number of banks.
        expected: usize,
        /// Number found.
        found: u32,
    },
    /// More events than any log has.
    #[error("event {event}, at offset {offset}: expected at most {MAX_EVENTS} events, found more")]
    TooManyEvents {
        /// Number of the event; the header is 0.
        event: usize,
        /// Where the next event starts.
        offset: usize,
    },
    /// An event that extends no PCR.
    #[error("event {event}, at offset {offset}: expected a PCR from 0 to 23, found {found}")]
    Pcr {
        /// Number of the event; the header is 0.
        event: usize,
        /// Where the event starts.
        offset: usize,
        /// PCR found.
        found: u32,
    },
    /// A startup locality that no TPM has.
    #[error(
        "event {event}, at offset {offset}: expected startup locality 0, 3 or 4, found another"
    )]
    Locality {
        /// Number of the event; the header is 0.
        event: usize,
        /// Where the event starts.
        offset: usize,
    },
    /// A second startup locality, or one after PCR 0 was extended.
    #[error(
        "event {event}, at offset {offset}: expected one startup locality before PCR 0's first event"
    )]
    LateLocality {
        /// Number of the event; the header is 0.
        event: usize,
        /// Where the event starts.
        offset: usize,
    },
    /// The log does not speak of the bank that is judged.
    #[error("expected a sha256 bank, found none")]
    NoSha256Bank,
}
