//! What differs, where, and the likely cause: each PCR that somebody will stand before.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::time::SystemTime;

use attest_verifier::core::check::Check;
use attest_verifier::core::measured_boot::digest::{Sha256Digest, sha256};
use attest_verifier::core::measured_boot::eventlog::EventType;
use attest_verifier::core::measured_boot::manifest::Purpose;
use attest_verifier::core::measured_boot::pcr::PcrIndex;
use attest_verifier::core::wire::attestation::Evidence;
use attest_verifier::core::wire::json;
use attest_verifier::{Explanation, Finding, explain};
use serde_json::Value;

use crate::image::{COMMAND_LINE, found_by_comparison, kernel};
use crate::scene::{IMAGE, LogEvent, Scene};
use crate::server::{Server, honest, reference_files, trust};

fn explained(scene: &Scene, evidence: &Evidence) -> Explanation {
    explain(evidence, &trust(scene), None, Scene::now())
}

/// The only finding about a box that `spoil` has changed.
#[track_caller]
fn finding(spoil: impl FnOnce(&mut Scene)) -> Finding {
    let mut scene = Scene::honest();
    spoil(&mut scene);
    let mut findings = explained(&scene, &scene.play()).findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.remove(0)
}

fn event(pcr: PcrIndex, event_type: EventType, text: &str) -> LogEvent {
    let data = text.as_bytes().to_vec();
    LogEvent { pcr, event_type, digest: sha256(text.as_bytes()), data }
}

/// The cause named when this event comes on top, in its PCR.
fn cause_of_more(pcr: u8) -> &'static str {
    let pcr = PcrIndex::new(pcr).unwrap();
    let found = finding(|scene| scene.log.push(event(pcr, EventType::ACTION, "more")));
    assert_eq!((found.check, found.pcr), (Check::Pcr(pcr), Some(pcr)));
    let event = found.event.unwrap();
    assert_eq!((event.event_type, event.digest), (EventType::ACTION, sha256(b"more")));
    found.cause
}

#[test]
fn an_honest_box_leaves_nothing_to_explain() {
    let scene = Scene::honest();
    let explanation = explained(&scene, &scene.play());
    assert_eq!(explanation.findings, []);
    assert_eq!(explanation.manifest, Some(sha256(&scene.manifest_file())));
    assert_eq!(explanation.platform.as_deref(), Some("test"));
}

#[test]
fn another_efi_file_is_told_from_one_more_and_from_none() {
    let other = finding(|scene| {
        scene.log.iter_mut().find(|event| event.digest == IMAGE).unwrap().digest =
            Sha256Digest([0xdd; 32]);
    });
    assert_eq!(other.cause, "another EFI file was started than the released one");
    assert_eq!((other.pcr, other.position), (Some(PcrIndex::P4), Some(2)));
    assert!(other.expected.contains("Authenticode hash of the EFI file"), "{}", other.expected);
    assert!(other.expected.contains(&IMAGE.to_string()), "{}", other.expected);
    let starts = EventType::EFI_BOOT_SERVICES_APPLICATION;
    let more = finding(|scene| {
        let place = scene.log.iter().position(|event| event.digest == IMAGE).unwrap();
        scene.log.insert(place + 1, event(PcrIndex::P4, starts, "shell"));
    });
    assert!(more.cause.starts_with("one more EFI program ran"), "{}", more.cause);
    let none = finding(|scene| scene.log.retain(|event| event.digest != IMAGE));
    assert!(none.cause.contains("was never started"), "{}", none.cause);
    assert_eq!(none.event, None);
    let before = finding(|scene| {
        let place = scene.log.iter().position(|event| event.pcr == PcrIndex::P4).unwrap();
        scene.log.insert(place, event(PcrIndex::P4, EventType::EFI_ACTION, "another option"));
    });
    assert!(before.cause.contains("another boot option"), "{}", before.cause);
}

#[test]
fn each_pcr_has_its_likely_cause() {
    for (pcr, words) in [
        (0, "firmware update"),
        (1, "boot order"),
        (2, "option ROM"),
        (3, "option ROM"),
        (5, "partition table"),
        (6, "manufacturer"),
        (7, "secure boot"),
        (8, "boot loader"),
        (9, "foreign initrd"),
        (10, "measured files"),
        (12, "boot loader or an operating system"),
        (15, "boot loader or an operating system"),
        (17, "dynamic launch"),
        (22, "dynamic launch"),
    ] {
        let cause = cause_of_more(pcr);
        assert!(cause.contains(words), "PCR {pcr}: {cause}");
    }
}

#[test]
fn a_deployment_is_told_from_a_start_that_is_not_finished() {
    let other = finding(|scene| scene.started[0] = sha256(b"another deployment"));
    assert!(other.cause.starts_with("another deployment"), "{}", other.cause);
    let starting = finding(|scene| scene.started.truncate(1));
    assert!(starting.cause.contains("still starting"), "{}", starting.cause);
    let nothing = finding(|scene| scene.started.clear());
    assert!(nothing.cause.starts_with("no deployment was measured"), "{}", nothing.cause);
    for found in [&other, &starting, &nothing] {
        assert_eq!(found.check, Check::Pcr(PcrIndex::P11));
    }
}

#[test]
fn a_log_of_another_boot_is_not_explained_by_its_events() {
    let scene = Scene::honest();
    let mut other = Scene::honest();
    other.log.iter_mut().find(|event| event.digest == IMAGE).unwrap().digest = sha256(b"other");
    let mut evidence = scene.play();
    evidence.event_log = other.play().event_log;
    let findings = explained(&scene, &evidence).findings;
    let checks: Vec<Check> = findings.iter().map(|found| found.check).collect();
    assert_eq!(checks, [Check::EventLogReplay]);
    assert!(findings[0].cause.starts_with("the log is of another boot"), "{findings:?}");
}

/// Evidence files can be written by anybody: values that the quote does not cover are said to be.
#[test]
fn altered_values_in_a_file_are_told_from_a_changed_box() {
    let scene = Scene::honest();
    let mut evidence = scene.play();
    evidence.pcrs[9].0[0] ^= 1;
    let findings = explained(&scene, &evidence).findings;
    assert_eq!(findings[0].check, Check::PcrDigest);
    assert!(findings[0].cause.contains("were altered"), "{findings:?}");
    let mut evidence = scene.play();
    evidence.attest.0[60] ^= 1;
    let findings = explained(&scene, &evidence).findings;
    assert_eq!(findings[0].check, Check::QuoteSignature);
}

#[test]
fn an_expired_release_is_explained_as_such() {
    let mut scene = Scene::honest();
    scene.manifest.valid_until = Some(1_700_000_000);
    let findings = explained(&scene, &scene.play()).findings;
    let checks: Vec<Check> = findings.iter().map(|found| found.check).collect();
    assert_eq!(checks, [Check::ManifestValidity]);
    assert!(findings[0].cause.contains("not updated in time"), "{findings:?}");
}

#[test]
fn with_the_image_at_hand_the_changed_part_is_named() {
    let (reference, changed) =
        (kernel(b"tred one", COMMAND_LINE), kernel(b"tred two", COMMAND_LINE));
    let (scene, image) = found_by_comparison(&reference, &changed, &changed);
    let explanation = explain(&scene.play(), &trust(&scene), Some(&image), Scene::now());
    let [found] = explanation.findings.as_slice() else { panic!("{explanation:?}") };
    assert_eq!(found.components, ["/init (tred)"]);
    let noisy = kernel(b"tred one", &COMMAND_LINE.replace("quiet", "noisy"));
    let (scene, image) = found_by_comparison(&reference, &noisy, &noisy);
    let explanation = explain(&scene.play(), &trust(&scene), Some(&image), Scene::now());
    assert_eq!(explanation.findings[0].components, ["command-line"]);
    let (scene, image) = found_by_comparison(&reference, &changed, &reference);
    let explanation = explain(&scene.play(), &trust(&scene), Some(&image), Scene::now());
    assert!(explanation.findings[0].components[0].contains("did not start"), "{explanation:?}");
}

/// The command line reads the real time, so these boxes do too.
fn scene_now() -> Scene {
    let mut scene = Scene::honest();
    scene.manifest.purpose = Purpose::Production;
    #[expect(clippy::disallowed_methods, reason = "the box must have the time of the program")]
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    scene.time = u64::try_from(now.as_millis()).unwrap();
    scene
}

async fn run(source: &str, scene: &Scene, folder: &Path, more: &[&str]) -> Output {
    let files = reference_files(scene, folder);
    let program = env!("CARGO_BIN_EXE_attest-verifier");
    let mut command = tokio::process::Command::new(program);
    command.args(["explain", source]).args(files).args(more).output().await.unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test]
async fn a_file_its_folder_and_a_box_are_explained_alike() {
    let mut scene = scene_now();
    scene.log.push(event(PcrIndex::P9, EventType::EVENT_TAG, "initrd"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("evidence.json");
    fs::write(&file, json::encode(&scene.play()).unwrap()).unwrap();
    let scene = Arc::new(scene);
    let server = Server::start(Arc::clone(&scene), honest(&scene)).await;
    let (file, place) = (file.to_str().unwrap(), folder.path().to_str().unwrap());
    for source in [file, place, &server.address] {
        let output = run(source, &scene, folder.path(), &[]).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = text(&output);
        for word in
            ["pcr-9", "EV_EVENT_TAG", "foreign initrd", "1 manifest considered", "1 mismatch"]
        {
            assert!(said.contains(word), "{word} in {said}");
        }
    }
    let output = run(file, &scene, folder.path(), &["--json"]).await;
    let answer: Value = serde_json::from_str(&text(&output)).unwrap();
    assert_eq!(answer["findings"][0]["pcr"], 9);
    assert_eq!(answer["findings"][0]["event"]["type"], "EV_EVENT_TAG");
    assert_eq!(answer["findings"][0]["expected"], "no more events");
    assert_eq!(answer["manifest_sha256"], sha256(&scene.manifest_file()).to_string());
}

#[tokio::test]
async fn exit_code_0_says_that_nothing_differs_and_no_evidence_is_1() {
    let scene = scene_now();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("evidence.json");
    fs::write(&file, json::encode(&scene.play()).unwrap()).unwrap();
    let output = run(file.to_str().unwrap(), &scene, folder.path(), &[]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output).contains("nothing to explain"), "{output:?}");
    fs::write(&file, b"{}").unwrap();
    for source in [file.to_str().unwrap(), "/nonexistent/evidence.json"] {
        let output = run(source, &scene, folder.path(), &[]).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }
}
