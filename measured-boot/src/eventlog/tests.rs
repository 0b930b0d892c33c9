//! Logs written here event by event, a log of our own machine, and logs from the field.

mod build;
mod damaged;
mod field;

use alloc::{string::ToString as _, vec::Vec};

pub(crate) use build::{LogBuilder, Written};
use proptest::prelude::*;

use super::*;
use crate::{digest::sha256, pcr::replayed};

/// The whole log of one boot of our kernel; see `tests/vectors/eventlog/README.md`.
pub(crate) const RECORDED: &[u8] = include_bytes!("../../../tests/vectors/eventlog/recorder.bin");

/// What the TPM itself said its PCRs were after that boot.
pub(crate) fn recorded_pcrs() -> PcrValues {
    let text = include_str!("../../../tests/vectors/eventlog/recorder.pcrs");
    let value = |line: &str| line.split(' ').nth(1).unwrap().parse().unwrap();
    let values: Vec<Sha256Digest> = text.lines().map(value).collect();
    PcrValues::from_array(values.try_into().unwrap())
}

#[test]
fn log_is_the_literal() {
    let literal = [
        // Header event, in the SHA-1 format.
        "00000000",                                 // 00 PCR 0
        "03000000",                                 // 04 EV_NO_ACTION
        "0000000000000000000000000000000000000000", // 08 unused digest
        "21000000",                                 // 1c length of what follows
        "53706563204944204576656e74303300",         // 20 "Spec ID Event03"
        "00000000",                                 // 30 platform class: client
        "00 02 00",                                 // 34 version 2.00, errata 0
        "02",                                       // 37 UINTN has 8 bytes
        "01000000",                                 // 38 number of algorithms
        "0b00 2000",                                // 3c sha256, 32 bytes
        "00",                                       // 40 no vendor information
        // One event.
        "04000000", // 41 PCR 4
        "07000080", // 45 EV_EFI_ACTION
        "01000000", // 49 number of digests
        "0b00",     // 4d sha256
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "03000000", // 6f length of the data
        "616263",   // 73 "abc"
    ]
    .map(crate::literal::unhex)
    .concat();
    let log = EventLog::parse(&literal).unwrap();
    assert_eq!(log.banks(), [Bank { algorithm: AlgorithmId::SHA256, digest_len: 32 }]);
    let digest = sha256(b"abc");
    let expected = Event {
        index: 1,
        offset: 0x41,
        pcr: 4,
        event_type: EventType::EFI_ACTION,
        digests: Vec::from([BankDigest { algorithm: AlgorithmId::SHA256, digest: &digest.0 }]),
        data: b"abc",
    };
    assert_eq!(log.events(), [expected]);
    assert_eq!(log.replay().unwrap().value(PcrIndex::P4), replayed(PcrIndex::P4, [&digest]));
    assert_eq!(LogBuilder::sha256().action(4, "abc").bytes(), literal);
}

#[test]
fn log_of_our_own_boot_replays_to_what_the_tpm_said() {
    let log = EventLog::parse(RECORDED).unwrap();
    assert_eq!(log.events().len(), 24);
    assert_eq!(log.replay(), Ok(recorded_pcrs()));
}

#[test]
fn events_of_our_own_boot_are_described() {
    let log = EventLog::parse(RECORDED).unwrap();
    let mut table = alloc::string::String::new();
    for event in log.events() {
        table += &alloc::format!("PCR {}: {}\n", event.pcr, event.describe());
    }
    expect_test::expect![[r#"
        PCR 0: EV_S_CRTM_VERSION
        PCR 0: EV_EFI_PLATFORM_FIRMWARE_BLOB (unproven: 0xe0000 bytes at 0x820000)
        PCR 0: EV_EFI_PLATFORM_FIRMWARE_BLOB (unproven: 0xc00000 bytes at 0x900000)
        PCR 7: variable SecureBoot
        PCR 7: variable PK
        PCR 7: variable KEK
        PCR 7: variable db
        PCR 7: variable dbx
        PCR 7: separator
        PCR 1: EV_EFI_VARIABLE_BOOT (unproven: variable BootOrder)
        PCR 1: EV_EFI_VARIABLE_BOOT (unproven: variable Boot0001)
        PCR 1: EV_EFI_VARIABLE_BOOT (unproven: variable Boot0000)
        PCR 1: EV_EFI_VARIABLE_BOOT (unproven: variable Boot0002)
        PCR 4: Calling EFI Application from Boot Option
        PCR 0: separator
        PCR 1: separator
        PCR 2: separator
        PCR 3: separator
        PCR 4: separator
        PCR 5: separator
        PCR 6: separator
        PCR 4: EV_EFI_BOOT_SERVICES_APPLICATION
        PCR 5: Exit Boot Services Invocation
        PCR 5: Exit Boot Services Returned with Success
    "#]]
    .assert_eq(&table);
}

#[test]
fn notes_extend_nothing() {
    let log = LogBuilder::sha256().event(4, EventType::NO_ACTION, b"note", b"note").bytes();
    let log = EventLog::parse(&log).unwrap();
    assert_eq!(log.events()[0].extends(), None);
    assert_eq!(log.replay(), Ok(PcrValues::initial(StartupLocality::Zero)));
}

#[test]
fn startup_locality_is_the_last_byte_of_pcr_0() {
    for (byte, locality) in
        [(0, StartupLocality::Zero), (3, StartupLocality::Three), (4, StartupLocality::Four)]
    {
        let log = LogBuilder::sha256().locality(byte).action(0, "a").bytes();
        let log = EventLog::parse(&log).unwrap();
        let first = PcrValues::initial(locality).value(PcrIndex::P0);
        assert_eq!(first.0[31], byte);
        let expected = first.extended_by(&sha256(b"a"));
        assert_eq!(log.replay().unwrap().value(PcrIndex::P0), expected);
    }
}

#[test]
fn log_without_sha256_is_read_but_not_replayed() {
    let log = LogBuilder::new(&[(4, 20)]).action(4, "abc").bytes();
    let log = EventLog::parse(&log).unwrap();
    assert_eq!(log.events()[0].sha256(), None);
    assert_eq!(log.events()[0].digest(AlgorithmId::SHA1).map(<[u8]>::len), Some(20));
    assert_eq!(log.replay(), Err(LogError::NoSha256Bank));
}

#[test]
fn data_that_was_not_measured_is_called_unproven() {
    let log = LogBuilder::sha256().event(4, EventType::EFI_ACTION, b"true", b"lie").bytes();
    let log = EventLog::parse(&log).unwrap();
    assert!(!log.events()[0].data_is_measured());
    assert_eq!(log.events()[0].describe(), "EV_EFI_ACTION (unproven: lie)");
}

#[test]
fn description_is_one_short_line_of_printable_text() {
    let data = [b"\n\x1b[31m\0".as_slice(), &[b'x'; 500]].concat();
    let log = LogBuilder::sha256().event(4, EventType::EFI_ACTION, &data, &data).bytes();
    let line = EventLog::parse(&log).unwrap().events()[0].describe();
    assert!(line.starts_with("??[31m?xxx"), "{line}");
    assert_eq!(line.len(), crate::limits::MAX_DESCRIPTION_LEN);
}

#[test]
fn unknown_event_type_is_shown_as_its_number() {
    assert_eq!(EventType(0xdead).to_string(), "event type 0x0000dead");
}

proptest! {
    /// The model: one chain of hashes for each PCR, other banks and notes ignored.
    #[test]
    fn replay_is_the_chain_of_each_pcr(
        events in prop::collection::vec(Written::any(), 0..40),
        locality in prop::sample::select([0_u8, 3, 4].as_slice()),
    ) {
        let mut builder = LogBuilder::new(&[(4, 20), (0x000b, 32), (0x000c, 48)]);
        builder = builder.locality(locality);
        for event in &events {
            builder = builder.event(event.pcr, event.event_type(), &event.measured, b"data");
        }
        let bytes = builder.bytes();
        let log = EventLog::parse(&bytes).unwrap();
        let mut chains = [[0; 32]; 24];
        chains[0][31] = locality;
        for chain in &mut chains[17..23] {
            *chain = [0xff; 32];
        }
        for event in events.iter().filter(|event| !event.note) {
            let chain = &mut chains[usize::try_from(event.pcr).unwrap()];
            *chain = sha256(&[*chain, sha256(&event.measured).0].concat()).0;
        }
        prop_assert_eq!(log.replay(), Ok(PcrValues::from_array(chains.map(Sha256Digest))));
    }
}
