//! Every check is shown by name with both sides, and a report never contradicts the verdict.

use std::format;
use std::string::{String, ToString as _};
use std::vec::Vec;

use super::scene::{IMAGE, Scene};
use crate::check::{Check, Mismatch as _};
use crate::report::{self, CheckReport};
use crate::verdict;
use measured_boot::digest::Sha256Digest;
use measured_boot::pcr::{PcrIndex, PcrSelection};
use rcgen::{CertificateParams, KeyPair};
use tre_wire::attestation::Evidence;
use tre_wire::message::StartState;

fn examined(scene: &Scene, evidence: &Evidence) -> Vec<CheckReport> {
    let (identity, reference) = (Scene::identity(), scene.reference());
    report::examine(evidence, &scene.session(), &identity, &reference, Scene::now())
}

fn failed(checks: &[CheckReport]) -> Vec<Check> {
    checks.iter().filter(|check| !check.ok).map(|check| check.check).collect()
}

/// The names stand in JSON that programs read: a change here is a change of the interface.
#[test]
fn the_checks_and_their_order() {
    let scene = Scene::honest();
    let checks = examined(&scene, &scene.play());
    let names: Vec<String> = checks.iter().map(|check| check.check.to_string()).collect();
    let pcrs: Vec<String> = (0..24).map(|pcr| format!("pcr-{pcr}")).collect();
    let first = [
        "evidence-size",
        "evidence-format",
        "start-state",
        "tre-id",
        "tls-chain",
        "tls-identity",
        "aik-chain",
        "aik-identity",
        "aik-profile",
        "aik-certificate-key",
        "quote-signature",
        "quote-structure",
        "quote-signer",
        "qualifying-data",
        "firmware",
        "pcr-selection",
        "pcr-digest",
        "manifest-validity",
        "event-log",
        "event-log-replay",
    ];
    let expected: Vec<&str> =
        first.into_iter().chain(pcrs.iter().map(String::as_str)).chain(["time"]).collect();
    assert_eq!(names, expected);
    assert_eq!(failed(&checks), []);
    for check in &checks {
        assert!(!check.expected.is_empty() && !check.found.is_empty(), "{check:?}");
    }
}

/// The tampered image on an enrolled box: locked, a throw-away key, and still PCR 4 is named.
#[test]
fn a_locked_box_with_a_changed_image_shows_why() {
    let mut scene = Scene { state: StartState::Locked, ..Scene::honest() };
    let changed = Sha256Digest([0xdd; 32]);
    scene.log.iter_mut().find(|event| event.digest == IMAGE).unwrap().digest = changed;
    let (identity, reference, now) = (Scene::identity(), scene.reference(), Scene::now());
    let own = CertificateParams::default().self_signed(&scene.tls).unwrap().der().clone();
    let session = || crate::channel::View { server_chain: [own.clone()].into(), ..scene.session() };
    let checks = report::examine(&scene.play(), &session(), &identity, &reference, now);
    let expected =
        [Check::StartState, Check::TlsChain, Check::TlsIdentity, Check::Pcr(PcrIndex::P4)];
    assert_eq!(failed(&checks), expected);
    let pcr4 = checks.iter().find(|check| check.check == Check::Pcr(PcrIndex::P4)).unwrap();
    for word in [
        "PCR 4, event 2 of its own",
        "Authenticode hash of the EFI file",
        "EV_EFI_BOOT_SERVICES_APPLICATION",
        &IMAGE.to_string(),
        &changed.to_string(),
    ] {
        assert!(pcr4.found.contains(word), "{word} in {}", pcr4.found);
    }
    let verdict = verdict::attest(&scene.play(), session(), &identity, &reference, now);
    assert_eq!(verdict.map_err(|refusal| refusal.check()), Err(Check::StartState));
}

#[test]
fn a_check_that_cannot_be_made_says_why_and_has_not_passed() {
    let scene = Scene::honest();
    let mut evidence = scene.play();
    evidence.attest.0.clear();
    evidence.attestation_key.0.clear();
    evidence.event_log.0.clear();
    let checks = examined(&scene, &evidence);
    let unmade: Vec<_> =
        checks.iter().filter(|check| check.found.starts_with("not checked: ")).collect();
    let names: Vec<String> = unmade.iter().map(|check| check.check.to_string()).collect();
    assert_eq!(
        names[..8],
        [
            "aik-certificate-key",
            "quote-signature",
            "quote-signer",
            "qualifying-data",
            "firmware",
            "pcr-selection",
            "pcr-digest",
            "event-log-replay",
        ]
    );
    assert_eq!(names.len(), 8 + 24);
    assert!(unmade.iter().all(|check| !check.ok));
}

/// The first row that failed is the check that the verdict names, whatever is wrong.
#[test]
fn report_and_verdict_name_the_same_first_failure() {
    let spoils: [fn(&mut Evidence); 10] = [
        |evidence| evidence.format = 0,
        |evidence| evidence.pcrs.clear(),
        |evidence| evidence.tre_id.clear(),
        |evidence| evidence.attestation_key_chain.clear(),
        |evidence| evidence.attestation_key.0.clear(),
        |evidence| evidence.signature.0.clear(),
        |evidence| evidence.attest.0[10] ^= 1,
        |evidence| evidence.state_epoch += 1,
        |evidence| evidence.pcrs[7].0[0] ^= 1,
        |evidence| evidence.event_log.0.truncate(100),
    ];
    let scene = Scene::honest();
    let (identity, reference, now) = (Scene::identity(), scene.reference(), Scene::now());
    for spoil in spoils {
        let mut evidence = scene.play();
        spoil(&mut evidence);
        let first = failed(&examined(&scene, &evidence)).first().copied();
        let verdict = verdict::attest(&evidence, scene.session(), &identity, &reference, now);
        assert_eq!(first, verdict.err().map(|refusal| refusal.check()));
    }
}

#[test]
fn a_quote_over_other_pcrs_is_shown_as_such() {
    let mut scene = Scene::honest();
    scene.selection = PcrSelection::of([PcrIndex::P4]);
    let checks = examined(&scene, &scene.play());
    assert_eq!(failed(&checks), [Check::PcrSelection, Check::PcrDigest]);
    let selection = checks.iter().find(|check| check.check == Check::PcrSelection).unwrap();
    assert_eq!(selection.found, "sha256:4");
}

#[test]
fn a_new_box_is_examined_without_certificates() {
    let scene = Scene { tls: KeyPair::generate().unwrap(), ..Scene::new_box() };
    let (session, reference) = (scene.session(), scene.reference());
    let evidence = scene.play();
    let checks = report::examine_unenrolled(&evidence, &session, &reference, Scene::now());
    assert_eq!(failed(&checks), []);
    assert!(checks.iter().all(|check| check.check != Check::TlsChain));
}
