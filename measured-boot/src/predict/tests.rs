//! Predicted values beside those of a real boot.

use alloc::vec::Vec;

use super::*;
use crate::{
    eventlog::tests::{RECORDED, recorded_pcrs},
    pcr::PcrValues,
};

/// Authenticode hash of the EFI file that was booted; see `tests/vectors/eventlog/README.md`.
pub(crate) const BOOTED: &str = "36b43bc5bfbdcf0d729eaf440284b985aff74804f9e840ad273abc543c92ed53";

/// The expectations for that boot, with PCR 0 and 1 taken from its own log.
pub(crate) fn recorded_expectations() -> PcrExpectations {
    let log = EventLog::parse(RECORDED).unwrap();
    let pcr0 = record(&log, PcrIndex::P0).unwrap();
    let pcr1 = record(&log, PcrIndex::P1).unwrap();
    expectations(BOOTED.parse().unwrap(), &SecureBoot::PRISTINE, &pcr0, &pcr1).unwrap()
}

pub(crate) fn deployment() -> DeploymentDigests {
    DeploymentDigests { deployment: sha256(b"deployment"), started: sha256(b"started") }
}

/// What the TPM said after the boot, had PID 1 gone on to serve.
pub(crate) fn served_pcrs() -> PcrValues {
    let mut values = recorded_pcrs();
    values.extend(PcrIndex::P11, &deployment().deployment);
    values.extend(PcrIndex::P11, &deployment().started);
    values
}

#[test]
fn predicted_values_are_those_of_the_tpm() {
    let values = served_pcrs();
    for (pcr, expectation) in recorded_expectations().iter() {
        let waived = [PcrIndex::P16, PcrIndex::P23].contains(&pcr);
        let expected = (!waived).then(|| values.value(pcr));
        assert_eq!(expectation.value(&deployment()), expected, "{pcr}");
    }
}

#[test]
fn predicted_events_are_those_of_the_log_in_order() {
    let log = EventLog::parse(RECORDED).unwrap();
    for (pcr, expectation) in recorded_expectations().iter() {
        let found = log.events_of(pcr).map(|event| event.sha256().unwrap());
        let expected = expectation.events().iter().map(|event| event.digest);
        assert!(found.eq(expected), "{pcr}");
    }
}

#[test]
fn secrets_are_unsealed_before_started_is_extended() {
    let digests = deployment();
    let at_unseal = Sha256Digest::ZERO.extended_by(&digests.deployment);
    assert_eq!(digests.at_unseal(), at_unseal);
    assert_eq!(digests.serving(), at_unseal.extended_by(&digests.started));
}

#[test]
fn another_file_changes_pcr_4_alone() {
    let log = EventLog::parse(RECORDED).unwrap();
    let pcr0 = record(&log, PcrIndex::P0).unwrap();
    let pcr1 = record(&log, PcrIndex::P1).unwrap();
    let other = expectations(sha256(b"another file"), &SecureBoot::PRISTINE, &pcr0, &pcr1).unwrap();
    let expected = recorded_expectations();
    let pairs = expected.iter().zip(other.iter());
    let changed = pairs.filter(|(a, b)| a != b).map(|(a, _)| a.0);
    assert_eq!(changed.collect::<Vec<_>>(), [PcrIndex::P4]);
}
