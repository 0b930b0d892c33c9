//! Several manifests at once: a box equals one of them entirely, in its time, or none.

use std::string::ToString as _;
use std::vec;
use std::vec::Vec;

use super::scene::{IMAGE, NOW, Scene};
use super::signing::released;
use crate::channel::View;
use crate::check::{Check, Mismatch as _};
use crate::closest::{Closest, Considered};
use crate::measured::AppraisalError;
use crate::reference::{MANIFESTS, Reference, ReferenceError};
use crate::refusal::Refusal;
use crate::release::Standing;
use crate::report;
use crate::verdict::{self, Attested};
use measured_boot::digest::{Sha256Digest, sha256};
use measured_boot::manifest::{
    Expectation, ExpectedEvent, PcrExpectations, Purpose, ReferenceManifest,
};
use measured_boot::pcr::{PcrIndex, replayed};
use measured_boot::predict;
use measured_boot::secure_boot::SecureBoot;

const OTHER_IMAGE: Sha256Digest = Sha256Digest([0xdd; 32]);

fn judge(scene: &Scene) -> Result<Attested<View>, Refusal> {
    let (identity, reference) = (Scene::identity(), scene.reference());
    let evidence = scene.play();
    let verdict = verdict::attest(&evidence, scene.session(), &identity, &reference, Scene::now());
    // Whatever the set, report and verdict name the same first failure.
    let session = scene.session();
    let rows = report::examine(&evidence, &session, &identity, &reference, Scene::now());
    let failed = rows.iter().find(|row| !row.ok).map(|row| row.check);
    assert_eq!(failed, verdict.as_ref().err().map(|refusal| refusal.check()));
    verdict
}

#[track_caller]
fn refusal(scene: &Scene) -> AppraisalError {
    match judge(scene) {
        Err(Refusal::Appraisal(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// The honest manifest for another image, and for firmware that differs where `platform` does.
fn manifest_of(image: Sha256Digest, platform: &str) -> ReferenceManifest {
    let mut manifest = Scene::honest().manifest;
    let event = |text: &str| ExpectedEvent {
        description: text.to_string(),
        digest: sha256(text.as_bytes()),
    };
    let pcr0 = [event(platform), predict::separator()];
    let pcr1 = [event("boot order"), predict::separator()];
    manifest.pcrs = predict::expectations(image, &SecureBoot::PRISTINE, &pcr0, &pcr1).unwrap();
    manifest.platform.name = platform.to_string();
    manifest.efi.authenticode = image;
    manifest
}

/// The platform of the honest box.
const PLATFORM: &str = "firmware volume";

#[test]
fn old_and_new_release_are_both_accepted_during_a_roll_over() {
    let scene = Scene { others: vec![manifest_of(OTHER_IMAGE, PLATFORM)], ..Scene::honest() };
    let first = judge(&scene).unwrap();
    assert_eq!(first.facts().manifest, sha256(&scene.manifest_file()));
    let updated = Scene {
        manifest: manifest_of(OTHER_IMAGE, PLATFORM),
        others: vec![Scene::honest().manifest],
        ..Scene::honest()
    };
    let second = judge(&updated).unwrap();
    let expected = sha256(&serde_json::to_vec(&updated.others[0]).unwrap());
    assert_eq!(second.facts().manifest, expected);
}

/// The honest manifest with other events in one PCR.
fn with_events(
    manifest: &ReferenceManifest,
    pcr: PcrIndex,
    events: &[ExpectedEvent],
) -> PcrExpectations {
    let value = replayed(pcr, events.iter().map(|event| &event.digest));
    let (events, reason) = (events.to_vec(), "another".to_string());
    let other = Expectation::Exact { value, events, reason };
    let entry = |(index, expectation): (PcrIndex, &Expectation)| {
        (index, if index == pcr { other.clone() } else { expectation.clone() })
    };
    PcrExpectations::new(manifest.pcrs.iter().map(entry)).unwrap()
}

/// PCR 4 as one manifest has it and PCR 7 as another: a box that nobody released.
#[test]
fn a_mix_of_two_manifests_is_refused() {
    let separator = predict::separator();
    let mut other = manifest_of(OTHER_IMAGE, PLATFORM);
    other.pcrs = with_events(&other, PcrIndex::P7, core::slice::from_ref(&separator));
    let mut scene = Scene { others: vec![other], ..Scene::honest() };
    // The first manifest's image with the second one's secure boot state.
    scene.log.retain(|event| event.pcr != PcrIndex::P7 || event.digest == separator.digest);
    let error = refusal(&scene);
    assert_eq!(error.check(), Check::Pcr(PcrIndex::P7));
    let AppraisalError::Value { considered, .. } = error else { panic!("{error:?}") };
    assert_eq!(considered, Considered { given: 2, in_force: 2 });
    // The second manifest's own box is accepted: it is the mixture that is refused.
    scene.log.iter_mut().find(|event| event.digest == IMAGE).unwrap().digest = OTHER_IMAGE;
    assert!(judge(&scene).is_ok());
}

#[test]
fn an_expired_manifest_is_refused_with_its_end() {
    let now = NOW / 1_000;
    let mut scene = Scene::honest();
    scene.manifest.valid_until = Some(now - 1);
    let error = refusal(&scene);
    let AppraisalError::Expired { until, now: found, considered, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!((until, found), (now - 1, now));
    assert_eq!(considered, Considered { given: 1, in_force: 0 });
}

#[test]
fn a_manifest_of_the_future_is_refused_with_its_beginning() {
    let now = NOW / 1_000;
    let mut scene = Scene::honest();
    scene.manifest.valid_from = Some(now + 1);
    let error = refusal(&scene);
    let AppraisalError::NotYetInForce { from, now: found, considered, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!((from, found), (now + 1, now));
    assert_eq!(considered, Considered { given: 1, in_force: 0 });
}

/// The box runs the old release, whose manifest is still in the set and has ended.
#[test]
fn a_downgrade_to_an_expired_manifest_of_the_set_is_refused() {
    let now = NOW / 1_000;
    let mut old = Scene::honest().manifest;
    old.valid_until = Some(now - 1);
    let scene = Scene {
        manifest: manifest_of(OTHER_IMAGE, PLATFORM),
        others: vec![old.clone()],
        ..Scene::honest()
    };
    let error = refusal(&scene);
    let manifest = sha256(&serde_json::to_vec(&old).unwrap());
    let considered = Considered { given: 2, in_force: 1 };
    let (until, box_equals) = (now - 1, true);
    assert_eq!(error, AppraisalError::Expired { manifest, until, now, box_equals, considered });
    assert!(error.to_string().contains("which the box equals"), "{error}");
}

/// Of manifests that are all out of force, the one that ended last is named.
#[test]
fn of_many_expired_manifests_the_latest_is_named() {
    let now = NOW / 1_000;
    let ended = |seconds: u64| {
        let mut manifest = Scene::honest().manifest;
        manifest.valid_until = Some(now - seconds);
        manifest
    };
    let mut future = Scene::honest().manifest;
    future.valid_from = Some(now + 5);
    let others = vec![ended(30), ended(10), ended(20)];
    let scene = Scene { manifest: future, others, ..Scene::honest() };
    let AppraisalError::Expired { until, .. } = refusal(&scene) else { panic!() };
    assert_eq!(until, now - 10);
}

/// The same platform first, then the fewest PCRs: the one that an operator would look at.
#[test]
fn a_refusal_speaks_of_the_closest_manifest() {
    let mut scene = Scene::honest();
    let event = scene.log.iter_mut().find(|event| event.digest == IMAGE).unwrap();
    event.digest = sha256(b"a third image");
    // First in the set: another platform with the same image. Last: this platform, old image.
    scene.manifest = manifest_of(IMAGE, "firmware of another machine");
    scene.others = vec![
        manifest_of(OTHER_IMAGE, "firmware of a third machine"),
        manifest_of(OTHER_IMAGE, PLATFORM),
    ];
    let (evidence, reference) = (scene.play(), scene.reference());
    let closest = Closest::to(&evidence, &reference, Scene::now()).unwrap();
    assert_eq!(closest.release.manifest().platform.name, PLATFORM);
    assert_eq!(closest.standing, Standing::InForce);
    let differing: Vec<_> =
        closest.report.checks().iter().filter(|check| !check.ok()).map(|check| check.pcr).collect();
    assert_eq!(differing, [PcrIndex::P4]);
    let error = refusal(&scene);
    assert_eq!(error.check(), Check::Pcr(PcrIndex::P4));
    assert!(error.to_string().contains("3 manifests considered, 3 in force"), "{error}");
}

#[test]
fn a_set_has_at_least_one_manifest_and_at_most_its_bound() {
    let scene = Scene::honest();
    let build = |count: usize| {
        let manifest = |index: usize| {
            let mut manifest = Scene::honest().manifest;
            manifest.platform.memory_mib = u32::try_from(index).unwrap();
            released(&scene.release, &manifest)
        };
        let manifests = (0..count).map(manifest).collect();
        Reference::new(&scene.deployment_file(), manifests, Purpose::Demo)
    };
    assert!(build(MANIFESTS).is_ok());
    for found in [0, MANIFESTS + 1] {
        let refused = build(found);
        let Err(ReferenceError::Count { found: named }) = refused else { panic!("{refused:?}") };
        assert_eq!(named, found);
    }
}

#[test]
fn a_manifest_twice_is_refused() {
    let scene = Scene { others: vec![Scene::honest().manifest], ..Scene::honest() };
    let refused = scene.reference_for(Purpose::Demo).unwrap_err();
    let ReferenceError::Repeated { sha256: found } = refused else { panic!("{refused:?}") };
    assert_eq!(found, sha256(&scene.manifest_file()));
}

/// One demo manifest among others spoils the set: its keys are public.
#[test]
fn a_demo_manifest_in_a_production_set_is_refused() {
    let mut scene = Scene::honest();
    scene.manifest.purpose = Purpose::Production;
    scene.others = vec![Scene::honest().manifest];
    let refused = scene.reference_for(Purpose::Production).unwrap_err();
    assert!(matches!(refused, ReferenceError::Purpose { .. }), "{refused:?}");
}
