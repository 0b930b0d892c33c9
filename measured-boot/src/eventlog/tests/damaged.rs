//! One fault a test, each refused at its offset.

use alloc::{vec, vec::Vec};

use proptest::prelude::*;

use super::{LogBuilder, RECORDED};
use crate::{
    eventlog::{EventLog, EventType, LogError, LogPart},
    limits::{MAX_BANKS, MAX_DESCRIPTION_LEN, MAX_EVENTS, MAX_LOG_LEN},
    literal::overwritten,
    reader::ReadError,
    tpm::AlgorithmId,
};

/// Header of 0x41 bytes, then one event of 0x35.
fn one_event() -> Vec<u8> {
    LogBuilder::sha256().action(4, "abc").bytes()
}

fn with(offset: usize, bytes: &[u8]) -> Vec<u8> {
    overwritten(one_event(), offset, bytes)
}

fn refusal(log: &[u8]) -> LogError {
    EventLog::parse(log).unwrap_err()
}

#[test]
fn log_beyond_the_bound_is_refused() {
    let error = LogError::TooLong { found: MAX_LOG_LEN + 1 };
    assert_eq!(refusal(&vec![0; MAX_LOG_LEN + 1]), error);
}

#[test]
fn log_that_starts_with_an_event_is_refused() {
    let error = LogError::HeaderEvent { offset: 0, pcr: 4, event_type: EventType::NO_ACTION };
    assert_eq!(refusal(&with(0, &[4])), error);
    let error = LogError::HeaderEvent { offset: 0, pcr: 0, event_type: EventType::SEPARATOR };
    assert_eq!(refusal(&with(4, &[4])), error);
}

#[test]
fn another_log_format_is_refused() {
    let error = LogError::Signature { offset: 0x20, found: *b"Spec ID Event02\0" };
    assert_eq!(refusal(&with(0x20, b"Spec ID Event02\0")), error);
}

#[test]
fn log_of_no_bank_or_too_many_is_refused() {
    assert_eq!(refusal(&with(0x38, &[0])), LogError::BankCount { offset: 0x38, found: 0 });
    let found = u32::try_from(MAX_BANKS).unwrap() + 1;
    let error = LogError::BankCount { offset: 0x38, found };
    assert_eq!(refusal(&with(0x38, &found.to_le_bytes())), error);
    let error = LogError::BankCount { offset: 0x38, found: u32::MAX };
    assert_eq!(refusal(&with(0x38, &[0xff; 4])), error);
}

#[test]
fn digest_length_of_another_algorithm_is_refused() {
    let algorithm = AlgorithmId::SHA256;
    let error = LogError::DigestLength { offset: 0x3c, algorithm, found: 20 };
    assert_eq!(refusal(&with(0x3e, &[20])), error);
    let unknown = LogBuilder::new(&[(0xbeef, 65)]).bytes();
    let algorithm = AlgorithmId(0xbeef);
    let error = LogError::DigestLength { offset: 0x3c, algorithm, found: 65 };
    assert_eq!(refusal(&unknown), error);
}

#[test]
fn bank_declared_twice_is_refused() {
    let log = LogBuilder::new(&[(0x000b, 32), (0x000b, 32)]).bytes();
    let error = LogError::RepeatedBank { event: 0, offset: 0x40, algorithm: AlgorithmId::SHA256 };
    assert_eq!(refusal(&log), error);
}

#[test]
fn bytes_behind_the_header_are_refused() {
    let log = with(0x1c, &[0x22]);
    let source = ReadError::Trailing { offset: 0x41, left: 1 };
    assert_eq!(refusal(&log), LogError::Cut { event: 0, part: LogPart::Header, source });
}

#[test]
fn header_that_claims_more_than_the_log_is_refused() {
    let source = ReadError::Truncated { offset: 0x20, needed: 0xffff_ffff, left: 0x56 };
    let error = LogError::Cut { event: 0, part: LogPart::Header, source };
    assert_eq!(refusal(&with(0x1c, &[0xff; 4])), error);
}

#[test]
fn event_in_pcr_24_is_refused() {
    assert_eq!(refusal(&with(0x41, &[24])), LogError::Pcr { event: 1, offset: 0x41, found: 24 });
    let error = LogError::Pcr { event: 1, offset: 0x41, found: u32::MAX };
    assert_eq!(refusal(&with(0x41, &[0xff; 4])), error);
}

#[test]
fn event_without_a_digest_for_each_bank_is_refused() {
    for found in [0, 2, u32::MAX] {
        let error = LogError::DigestCount { event: 1, offset: 0x49, expected: 1, found };
        assert_eq!(refusal(&with(0x49, &found.to_le_bytes())), error);
    }
}

#[test]
fn digest_of_an_undeclared_bank_is_refused() {
    let error = LogError::UndeclaredBank { event: 1, offset: 0x4d, algorithm: AlgorithmId::SHA1 };
    assert_eq!(refusal(&with(0x4d, &[4, 0])), error);
}

#[test]
fn digest_of_one_bank_twice_is_refused() {
    let mut log = LogBuilder::new(&[(0x000b, 32), (0x0012, 32)]).action(4, "abc").bytes();
    // Header of 0x45 bytes, PCR, type and count, the first digest: the second starts at 0x73.
    log[0x73..0x75].copy_from_slice(&[0x0b, 0]);
    let error = LogError::RepeatedBank { event: 1, offset: 0x73, algorithm: AlgorithmId::SHA256 };
    assert_eq!(refusal(&log), error);
}

#[test]
fn event_data_that_claims_more_than_the_log_is_refused() {
    let source = ReadError::Truncated { offset: 0x73, needed: 0xffff_ffff, left: 3 };
    let error = LogError::Cut { event: 1, part: LogPart::Data, source };
    assert_eq!(refusal(&with(0x6f, &[0xff; 4])), error);
}

#[test]
fn more_events_than_the_bound_are_refused() {
    let mut builder = LogBuilder::new(&[(0xbeef, 0)]);
    for _ in 0..MAX_EVENTS {
        builder = builder.event(4, EventType::IPL, b"", b"");
    }
    let full = builder.clone().bytes();
    assert_eq!(EventLog::parse(&full).map(|log| log.events().len()), Ok(MAX_EVENTS));
    let error = LogError::TooManyEvents { event: MAX_EVENTS + 1, offset: full.len() };
    assert_eq!(refusal(&builder.event(4, EventType::IPL, b"", b"").bytes()), error);
}

#[test]
fn unknown_startup_locality_is_refused() {
    let log = LogBuilder::sha256().locality(1).bytes();
    assert_eq!(refusal(&log), LogError::Locality { event: 1, offset: 0x41 });
}

#[test]
fn startup_locality_after_pcr_0_or_twice_is_refused() {
    let late = LogBuilder::sha256().action(0, "abc").locality(3).bytes();
    assert_eq!(refusal(&late), LogError::LateLocality { event: 2, offset: 0x76 });
    let twice = LogBuilder::sha256().locality(3).locality(3).bytes();
    assert_eq!(refusal(&twice), LogError::LateLocality { event: 2, offset: 0x84 });
}

#[test]
fn log_cut_inside_an_event_is_refused_and_between_events_is_shorter() {
    let whole = EventLog::parse(RECORDED).unwrap();
    let starts: Vec<usize> = whole.events().iter().map(|event| event.offset).collect();
    for len in 0..RECORDED.len() {
        match EventLog::parse(&RECORDED[..len]) {
            Ok(log) => assert_eq!(Ok(log.events().len()), starts.binary_search(&len)),
            Err(LogError::Cut { source: ReadError::Truncated { .. }, .. }) => {
                assert!(!starts.contains(&len), "{len}");
            }
            Err(error) => panic!("{len}: {error}"),
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_behind_a_header_are_decoded_or_refused(bytes: Vec<u8>) {
        let log = [&RECORDED[..0x41], &bytes].concat();
        if let Ok(log) = EventLog::parse(&log) {
            prop_assert!(log.replay().is_ok());
            log.events().iter().for_each(|event| drop(event.describe()));
        }
    }

    #[test]
    fn any_changed_byte_is_refused_or_described(offset in 0..RECORDED.len(), byte: u8) {
        let mut log = RECORDED.to_vec();
        log[offset] = byte;
        if let Ok(log) = EventLog::parse(&log) {
            let lens = log.events().iter().map(|event| event.describe().len());
            prop_assert!(lens.max() <= Some(MAX_DESCRIPTION_LEN));
        }
    }
}
