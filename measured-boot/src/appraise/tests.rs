//! What a log, quoted values and a manifest together are accepted or refused for.

use alloc::{format, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::{
    digest::sha256,
    eventlog::tests::{LogBuilder, RECORDED},
    pcr::PcrSelection,
    predict::tests::{deployment, recorded_expectations, served_pcrs},
    tpm::{ClockInfo, FirmwareVersion, Name, Quote},
};

/// The values as a quote over them binds them.
fn quoted(values: PcrValues) -> QuotedPcrs {
    let quote = Quote {
        qualified_signer: Name::of_public_area(b"aik"),
        extra_data: [0; 32],
        clock: ClockInfo { clock_ms: 0, reset_count: 0, restart_count: 0, safe: true },
        firmware_version: FirmwareVersion(0),
        selection: PcrSelection::ALL,
        pcr_digest: values.quoted_digest(PcrSelection::ALL),
    };
    quote.bind_pcrs(values).unwrap()
}

fn check(log: &[u8], values: PcrValues) -> Result<Appraised, AppraisalRefusal> {
    let log = EventLog::parse(log).unwrap();
    appraise(&log, &quoted(values), &recorded_expectations(), &deployment())
}

/// The differences for which log and values are refused.
fn differences(log: &[u8], values: PcrValues) -> Vec<Difference> {
    match check(log, values) {
        Err(AppraisalRefusal::Mismatch(report)) => report.differences().to_vec(),
        other => panic!("{other:?}"),
    }
}

/// The recorded log with `change` made to its events, and the values that it then replays to.
fn reboot(change: impl FnOnce(&mut Vec<Vec<u8>>)) -> (Vec<u8>, PcrValues) {
    let log = EventLog::parse(RECORDED).unwrap();
    let starts = log.events().iter().map(|event| event.offset);
    let ends = starts.clone().skip(1).chain([RECORDED.len()]);
    let header = &RECORDED[..log.events()[0].offset];
    let mut events = starts.zip(ends).map(|(a, b)| RECORDED[a..b].to_vec()).collect();
    change(&mut events);
    let log = [header, &events.concat()].concat();
    let mut values = EventLog::parse(&log).unwrap().replay().unwrap();
    values.extend(PcrIndex::P11, &deployment().deployment);
    values.extend(PcrIndex::P11, &deployment().started);
    (log, values)
}

/// Number of the EFI file's event in the recorded log, counted from 0 without the header.
const EFI_FILE: usize = 21;

/// Where the digest starts in an event.
const DIGEST: usize = 14;

#[test]
fn serving_box_is_accepted_with_every_pcr_accounted_for() {
    let appraised = check(RECORDED, served_pcrs()).unwrap();
    let checks = appraised.report().checks();
    assert!(PcrIndex::all().eq(checks.iter().map(|check| check.pcr)));
    for check in checks {
        let waived = [PcrIndex::P16, PcrIndex::P23].contains(&check.pcr);
        let expected = if waived { PcrOutcome::Waived } else { PcrOutcome::Equal };
        assert_eq!(check.outcome, expected, "{}", check.pcr);
        assert!(!check.reason.is_empty());
    }
    assert_eq!(appraised.report().differences(), []);
}

#[test]
fn each_pcr_but_the_waived_ones_refuses_when_it_alone_differs() {
    for pcr in PcrIndex::all() {
        let mut values = served_pcrs();
        values.extend(pcr, &sha256(b"one more"));
        let result = check(RECORDED, values);
        if [PcrIndex::P16, PcrIndex::P23].contains(&pcr) {
            assert!(result.is_ok(), "{pcr}");
            continue;
        }
        let Err(AppraisalRefusal::Mismatch(report)) = result else { panic!("{pcr}: {result:?}") };
        let failed = report.checks().iter().filter(|check| !check.ok()).map(|check| check.pcr);
        assert_eq!(failed.collect::<Vec<_>>(), [pcr]);
        assert_eq!(report.first_failure().map(|check| check.pcr), Some(pcr));
        assert_eq!(report.differences().len(), 1);
    }
}

#[test]
fn another_efi_file_is_named_by_pcr_event_and_both_digests() {
    let (log, values) = reboot(|events| events[EFI_FILE][DIGEST..DIGEST + 32].fill(0x66));
    let differences = differences(&log, values);
    let [difference @ Difference::Event { pcr, position, expected, found }] =
        differences.as_slice()
    else {
        panic!("{differences:?}")
    };
    assert_eq!((*pcr, *position), (PcrIndex::P4, 2));
    let expected = expected.as_ref().unwrap();
    assert_eq!(expected.description, "Authenticode hash of the EFI file");
    let found = found.as_ref().unwrap();
    assert_eq!(found.event_type, EventType::EFI_BOOT_SERVICES_APPLICATION);
    assert_eq!(found.digest, Sha256Digest([0x66; 32]));
    assert_eq!((found.index, found.offset), (22, 1870));
    let text = format!(
        "PCR 4, event 2 of its own: expected {} (Authenticode hash of the EFI file), found {} \
         (EV_EFI_BOOT_SERVICES_APPLICATION), EV_EFI_BOOT_SERVICES_APPLICATION, number 22",
        expected.digest, found.digest
    );
    assert_eq!(format!("{difference}"), text);
}

#[test]
fn foreign_initrd_shows_as_an_event_too_many_in_pcr_9() {
    let extra = LogBuilder::sha256().event(9, EventType::EVENT_TAG, b"initrd", b"Linux initrd");
    let extra = extra.bytes()[0x41..].to_vec();
    let (log, values) = reboot(|events| events.push(extra));
    let differences = differences(&log, values);
    let [Difference::Event { pcr, position: 0, expected: None, found: Some(found) }] =
        differences.as_slice()
    else {
        panic!("{differences:?}")
    };
    assert_eq!(*pcr, PcrIndex::P9);
    assert_eq!(found.digest, sha256(b"initrd"));
    assert!(format!("{}", differences[0]).contains("expected no more events"));
}

#[test]
fn missing_event_is_named() {
    // The last event: exit from boot services returned.
    let (log, values) = reboot(|events| drop(events.pop()));
    let differences = differences(&log, values);
    let [Difference::Event { pcr, position: 2, expected: Some(expected), found: None }] =
        differences.as_slice()
    else {
        panic!("{differences:?}")
    };
    assert_eq!(*pcr, PcrIndex::P5);
    assert_eq!(expected.description, "Exit Boot Services Returned with Success");
    assert!(format!("{}", differences[0]).ends_with("found no more events"));
}

#[test]
fn events_in_another_order_are_refused_at_the_first() {
    let (log, values) = reboot(|events| events.swap(13, 18));
    let differences = differences(&log, values);
    assert!(matches!(
        differences.as_slice(),
        [Difference::Event { pcr: PcrIndex::P4, position: 0, .. }]
    ));
}

#[test]
fn order_among_different_pcrs_does_not_matter() {
    let (log, values) = reboot(|events| events.swap(15, 17));
    assert!(check(&log, values).is_ok());
}

#[test]
fn lying_type_or_data_changes_no_verdict() {
    let (log, values) = reboot(|events| {
        events[EFI_FILE][4] = 5;
        let last = events[EFI_FILE].len() - 1;
        events[EFI_FILE][last] ^= 1;
    });
    assert!(check(&log, values).is_ok());
}

#[test]
fn log_of_a_good_boot_does_not_cover_a_bad_one() {
    let (_, values) = reboot(|events| events[EFI_FILE][DIGEST] ^= 1);
    let expected = recorded_expectations();
    let replayed = EventLog::parse(RECORDED).unwrap().replay().unwrap().value(PcrIndex::P4);
    let quoted = values.value(PcrIndex::P4);
    let difference = Difference::Log { pcr: PcrIndex::P4, replayed, quoted };
    assert_eq!(differences(RECORDED, values), [difference]);
    assert_eq!(expected.iter().nth(4).unwrap().1.value(&deployment()), Some(replayed));
}

#[test]
fn log_that_says_more_than_was_quoted_is_refused() {
    let (log, _) = reboot(|events| events.push(events[EFI_FILE].clone()));
    let differences = differences(&log, served_pcrs());
    assert!(matches!(differences.as_slice(), [Difference::Log { pcr: PcrIndex::P4, .. }]));
}

#[test]
fn another_deployment_is_refused_with_both_values() {
    let mut values = EventLog::parse(RECORDED).unwrap().replay().unwrap();
    values.extend(PcrIndex::P11, &sha256(b"another deployment"));
    values.extend(PcrIndex::P11, &deployment().started);
    let found = values.value(PcrIndex::P11);
    let expected = deployment().serving();
    let difference = Difference::Value { pcr: PcrIndex::P11, expected, found };
    assert_eq!(differences(RECORDED, values), [difference]);
}

#[test]
fn box_that_has_not_started_is_refused() {
    let mut values = EventLog::parse(RECORDED).unwrap().replay().unwrap();
    values.extend(PcrIndex::P11, &deployment().deployment);
    let (expected, found) = (deployment().serving(), deployment().at_unseal());
    let difference = Difference::Value { pcr: PcrIndex::P11, expected, found };
    assert_eq!(differences(RECORDED, values), [difference]);
}

#[test]
fn log_that_claims_pid_1s_events_is_refused() {
    let extra = LogBuilder::sha256().event(11, EventType::IPL, b"deployment", b"deployment");
    let extra = extra.bytes()[0x41..].to_vec();
    let (log, _) = reboot(|events| events.push(extra));
    let differences = differences(&log, served_pcrs());
    assert!(matches!(differences.as_slice(), [Difference::Log { pcr: PcrIndex::P11, .. }]));
}

#[test]
fn unused_bank_is_refused() {
    let log = LogBuilder::sha256().bytes();
    let mut values = PcrValues::initial(StartupLocality::Zero);
    values.extend(PcrIndex::P11, &deployment().deployment);
    assert_eq!(check(&log, values), Err(AppraisalRefusal::UnusedBank));
}

#[test]
fn log_without_a_sha256_bank_is_refused() {
    let log = LogBuilder::new(&[(4, 20)]).bytes();
    let error = AppraisalRefusal::Log(LogError::NoSha256Bank);
    assert_eq!(check(&log, served_pcrs()), Err(error));
}

#[test]
fn startup_locality_that_was_not_recorded_is_refused() {
    let note = LogBuilder::sha256().locality(3).bytes()[0x41..].to_vec();
    let (log, values) = reboot(|events| events.insert(0, note));
    let differences = differences(&log, values);
    assert!(matches!(differences.as_slice(), [Difference::Value { pcr: PcrIndex::P0, .. }]));
}

proptest! {
    /// A replaced digest anywhere is refused, naming its PCR, whether or not the TPM quoted it.
    #[test]
    fn any_changed_digest_is_refused(event in 0_usize..24, digest: [u8; 32]) {
        let (log, values) = reboot(|events| {
            events[event][DIGEST..DIGEST + 32].copy_from_slice(&digest);
        });
        let pcr = EventLog::parse(RECORDED).unwrap().events()[event].extends();
        for values in [values, served_pcrs()] {
            let differences = differences(&log, values);
            let named = differences.iter().map(|difference| match difference {
                Difference::Event { pcr, .. }
                | Difference::Log { pcr, .. }
                | Difference::Value { pcr, .. } => *pcr,
            });
            prop_assert_eq!(named.collect::<Vec<_>>(), Vec::from_iter(pcr));
        }
    }
}
