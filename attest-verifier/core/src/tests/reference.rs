//! What was measured, the reference that it is held against, and the TRE's time.

use std::vec::Vec;

use super::scene::{IMAGE, LogEvent, NOW, Scene};
use crate::check::{Check, Mismatch as _};
use crate::closest::Considered;
use crate::measured::{AppraisalError, CLOCK_BOUND_MS, TimeError};
use crate::reference::{Reference, ReferenceError};
use crate::refusal::Refusal;
use crate::verdict;
use measured_boot::appraise::Difference;
use measured_boot::digest::{Sha256Digest, sha256};
use measured_boot::eventlog::{EventType, LogError};
use measured_boot::manifest::Purpose;
use measured_boot::pcr::PcrIndex;
use tre_wire::attestation::Evidence;
use tre_wire::units::UnixMillis;

fn judged(scene: &Scene, evidence: &Evidence) -> Refusal {
    let (identity, reference) = (Scene::identity(), scene.reference());
    verdict::attest(evidence, scene.session(), &identity, &reference, Scene::now()).unwrap_err()
}

fn refusal(spoil: impl FnOnce(&mut Scene)) -> AppraisalError {
    let mut scene = Scene::honest();
    spoil(&mut scene);
    let refused = judged(&scene, &scene.play());
    let Refusal::Appraisal(error) = refused else { panic!("{refused:?}") };
    error
}

/// The same, where the log alone is spoilt: the PCRs are those of the whole log.
fn spoilt_log(spoil: impl FnOnce(&mut Vec<u8>)) -> AppraisalError {
    let scene = Scene::honest();
    let mut evidence = scene.play();
    spoil(&mut evidence.event_log.0);
    let refused = judged(&scene, &evidence);
    let Refusal::Appraisal(error) = refused else { panic!("{refused:?}") };
    error
}

fn replays_otherwise(error: &AppraisalError, expected: PcrIndex) {
    let AppraisalError::Replay { pcr, replayed, quoted } = error else { panic!("{error:?}") };
    assert_eq!(*pcr, expected);
    assert_ne!(replayed, quoted);
}

/// The tampered image: PCR 4, the event, both hashes.
#[test]
fn a_changed_image_is_named_by_pcr_and_event() {
    let changed = Sha256Digest([0xdd; 32]);
    let error = refusal(|scene| {
        let event = scene.log.iter_mut().find(|event| event.digest == IMAGE).unwrap();
        event.digest = changed;
    });
    assert_eq!(error.check(), Check::Pcr(PcrIndex::P4));
    let AppraisalError::Value { pcr, difference: Some(difference), .. } = error else {
        panic!("{error:?}");
    };
    let Difference::Event { position, expected, found, .. } = *difference else {
        panic!("{difference:?}");
    };
    assert_eq!((pcr, position), (PcrIndex::P4, 2));
    assert_eq!(expected.map(|event| event.digest), Some(IMAGE));
    let found = found.unwrap();
    assert_eq!(found.digest, changed);
    assert_eq!(found.event_type, EventType::EFI_BOOT_SERVICES_APPLICATION);
}

/// Every PCR is judged: a value that one more extension left is refused in each but the waived.
#[test]
fn one_more_event_is_refused_in_every_pcr_that_is_not_waived() {
    for pcr in PcrIndex::all() {
        let waived = [PcrIndex::P16, PcrIndex::P23].contains(&pcr);
        let mut scene = Scene::honest();
        let more = LogEvent {
            pcr,
            event_type: EventType::EFI_ACTION,
            digest: sha256(b"more"),
            data: b"more".to_vec(),
        };
        scene.log.push(more);
        let (identity, reference, now) = (Scene::identity(), scene.reference(), Scene::now());
        let verdict = verdict::attest(&scene.play(), scene.session(), &identity, &reference, now);
        match verdict.map(|_| ()) {
            Ok(()) => assert!(waived, "{pcr} is not waived"),
            // The log must say that firmware left PCR 11 alone.
            Err(Refusal::Appraisal(AppraisalError::Replay { pcr: found, .. })) => {
                assert_eq!((pcr, found), (PcrIndex::P11, PcrIndex::P11));
            }
            Err(Refusal::Appraisal(error)) => assert_eq!(error.check(), Check::Pcr(pcr)),
            Err(other) => panic!("{pcr}: {other:?}"),
        }
    }
}

#[test]
fn another_deployment_is_refused() {
    let error = refusal(|scene| scene.started[0] = sha256(b"another deployment"));
    assert_eq!(error.check(), Check::Pcr(PcrIndex::P11));
}

/// Secrets are unsealed before "started": a box that never says it could be made to unseal again.
#[test]
fn a_box_that_has_not_started_is_refused() {
    let mut scene = Scene::honest();
    scene.started.truncate(1);
    let digests = *scene.reference().digests();
    let (expected, found) = (digests.serving(), digests.at_unseal());
    let considered = Considered { given: 1, in_force: 1 };
    let pcr = PcrIndex::P11;
    let error = AppraisalError::Value { pcr, expected, found, difference: None, considered };
    let refused = judged(&scene, &scene.play());
    let Refusal::Appraisal(AppraisalError::Value { difference, .. }) = &refused else {
        panic!("{refused:?}");
    };
    assert!(matches!(difference.as_deref(), Some(Difference::Value { .. })), "{difference:?}");
    assert_eq!(refused.sides(), error.sides());
}

#[test]
fn a_log_that_is_cut_between_events_is_refused() {
    let scene = Scene::honest();
    let last = scene.log.last().unwrap();
    let len = 4 + 4 + 4 + 2 + 32 + 4 + last.data.len();
    let error = spoilt_log(|log| log.truncate(log.len() - len));
    replays_otherwise(&error, last.pcr);
}

#[test]
fn a_log_that_is_cut_inside_an_event_is_refused() {
    let error = spoilt_log(|log| log.truncate(log.len() - 1));
    assert!(matches!(error, AppraisalError::Log { cause: LogError::Cut { .. } }), "{error:?}");
}

#[test]
fn a_log_with_a_byte_behind_it_is_refused() {
    let error = spoilt_log(|log| log.push(0));
    assert!(matches!(error, AppraisalError::Log { cause: LogError::Cut { .. } }), "{error:?}");
}

#[test]
fn an_empty_log_is_refused() {
    let error = spoilt_log(Vec::clear);
    assert!(matches!(error, AppraisalError::Log { cause: LogError::Cut { .. } }), "{error:?}");
}

#[test]
fn a_log_of_another_boot_is_refused() {
    let mut other = Scene::honest();
    let event = other.log.iter_mut().find(|event| event.digest == IMAGE).unwrap();
    event.digest = sha256(b"another image");
    let error = spoilt_log(|log| *log = other.play().event_log.0);
    replays_otherwise(&error, PcrIndex::P4);
}

#[test]
fn a_log_in_another_order_is_refused() {
    let mut other = Scene::honest();
    other.log.swap(0, 1);
    let error = spoilt_log(|log| *log = other.play().event_log.0);
    replays_otherwise(&error, PcrIndex::P0);
}

#[test]
fn a_log_of_a_sha1_bank_alone_is_refused() {
    let error = refusal(|scene| scene.log_bank = (0x0004, 20));
    assert_eq!(error, AppraisalError::Log { cause: LogError::NoSha256Bank });
}

/// The words of an event are not covered by its digest: whatever they say decides nothing.
#[test]
fn altered_words_under_right_digests_change_no_verdict() {
    let mut scene = Scene::honest();
    for event in &mut scene.log {
        event.data = b"everything is well".to_vec();
        event.event_type = EventType::EFI_BOOT_SERVICES_DRIVER;
    }
    let (identity, reference, now) = (Scene::identity(), scene.reference(), Scene::now());
    let verdict = verdict::attest(&scene.play(), scene.session(), &identity, &reference, now);
    assert_eq!(verdict.map(|_| ()), Ok(()));
    let event = scene.log.iter_mut().find(|event| event.digest == IMAGE).unwrap();
    event.digest = sha256(b"another image");
    event.data = IMAGE.0.to_vec();
    let refused = judged(&scene, &scene.play());
    assert_eq!(refused.check(), Check::Pcr(PcrIndex::P4));
}

/// Firmware that never measured leaves a bank that anybody may fill.
#[test]
fn a_bank_that_firmware_left_empty_is_refused() {
    let error = refusal(|scene| scene.log.clear());
    assert_eq!(error, AppraisalError::UnusedBank);
}

#[test]
fn a_clock_beyond_the_bound_is_refused() {
    let expected = Scene::now();
    for time in [NOW - CLOCK_BOUND_MS - 1, NOW + CLOCK_BOUND_MS + 1] {
        let scene = Scene { time, ..Scene::honest() };
        let found = UnixMillis::new(time).unwrap();
        let refused = judged(&scene, &scene.play());
        assert_eq!(refused, Refusal::Time(TimeError { expected, found }));
    }
    for time in [NOW - CLOCK_BOUND_MS, NOW + CLOCK_BOUND_MS] {
        let scene = Scene { time, ..Scene::honest() };
        let (identity, reference) = (Scene::identity(), scene.reference());
        let evidence = scene.play();
        let verdict = verdict::attest(&evidence, scene.session(), &identity, &reference, expected);
        assert_eq!(verdict.map(|_| ()), Ok(()));
    }
}

#[test]
fn a_new_box_with_a_changed_image_is_refused() {
    let mut scene = Scene::new_box();
    let event = scene.log.iter_mut().find(|event| event.digest == IMAGE).unwrap();
    event.digest = sha256(b"another image");
    let (session, reference) = (scene.session(), scene.reference());
    let refused =
        verdict::appraise_unenrolled(&scene.play(), session, &reference, Scene::now()).unwrap_err();
    assert_eq!(refused.check(), Check::Pcr(PcrIndex::P4));
}

/// The keys of the test domain are public: its manifests are good for tests alone.
#[test]
fn a_demo_manifest_is_no_production_manifest() {
    let scene = Scene::honest();
    let refused = scene.reference_for(Purpose::Production).unwrap_err();
    let ReferenceError::Purpose { expected, found } = refused else { panic!("{refused:?}") };
    assert_eq!((expected, found), (Purpose::Production, Purpose::Demo));
}

#[test]
fn an_authority_that_is_no_certificate_is_refused() {
    let scene = Scene::honest();
    let template = include_bytes!("../../../../tests/vectors/v1/messages/deployment.json");
    let refused = Reference::new(template, scene.released(), Purpose::Demo).unwrap_err();
    assert!(matches!(refused, ReferenceError::Authority { position: 0, .. }), "{refused:?}");
}
