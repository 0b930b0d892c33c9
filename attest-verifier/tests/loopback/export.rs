//! Evidence as files that independent tools accept, and refuse when it is not true.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use attest_verifier::core::quote;
use attest_verifier::export;

use crate::scene::{Scene, Seen};

/// Runs one of Debian's tpm2-tools in `folder`.
pub(crate) fn run(folder: &Path, program: &str, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; apt-get install tpm2-tools"))
}

pub(crate) fn check_quote(folder: &Path) -> Output {
    let qualification = fs::read_to_string(folder.join("qualification.hex")).unwrap();
    let key = ["-u", "aik.pem", "-m", "quote.attest", "-s", "quote.sig", "-g", "sha256"];
    let answer = ["-q", &qualification, "-f", "pcrs.bin"];
    run(folder, "tpm2_checkquote", &[&key[..], &answer[..]].concat())
}

fn exported(scene: &Scene, seen: &Seen) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let evidence = scene.answer(seen);
    let answer = quote::expected_answer(&evidence, &scene.session());
    export(folder.path(), &evidence, &answer).unwrap();
    folder
}

#[test]
fn an_independent_verifier_accepts_the_quote() {
    let scene = Scene::honest();
    let folder = exported(&scene, &scene.seen());
    let output = check_quote(folder.path());
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn an_independent_verifier_refuses_a_quote_that_answers_somebody_else() {
    let scene = Scene::honest();
    let folder = exported(&scene, &Seen { nonce: [0x99; 32], ..scene.seen() });
    let output = check_quote(folder.path());
    assert!(!output.status.success(), "{output:?}");
}

#[test]
fn an_independent_verifier_refuses_values_that_were_not_quoted() {
    let scene = Scene::honest();
    let folder = tempfile::tempdir().unwrap();
    let mut evidence = scene.play();
    let answer = quote::expected_answer(&evidence, &scene.session());
    evidence.pcrs[23].0[31] ^= 1;
    export(folder.path(), &evidence, &answer).unwrap();
    let output = check_quote(folder.path());
    assert!(!output.status.success(), "{output:?}");
}

#[test]
fn an_independent_reader_replays_the_log_to_the_same_values() {
    let scene = Scene::honest();
    let folder = exported(&scene, &scene.seen());
    let output = run(folder.path(), "tpm2_eventlog", &["eventlog.bin"]);
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let pcrs = scene.pcrs();
    for (pcr, value) in pcrs.iter().filter(|(pcr, _)| pcr.number() < 8) {
        let number = pcr.number();
        let line = text.lines().find(|line| line.trim().starts_with(&format!("{number} ")));
        assert!(line.is_some_and(|line| line.contains(&value.to_string())), "{pcr} in {text}");
    }
}

#[test]
fn evidence_comes_back_as_it_was_written() {
    let scene = Scene::honest();
    let folder = exported(&scene, &scene.seen());
    let bytes = fs::read(folder.path().join("evidence.json")).unwrap();
    let evidence: attest_verifier::core::wire::attestation::Evidence =
        attest_verifier::core::wire::json::decode(&bytes).unwrap();
    assert_eq!(fs::read(folder.path().join("quote.attest")).unwrap(), evidence.attest.0);
    assert_eq!(fs::read(folder.path().join("quote.sig")).unwrap(), evidence.signature.0);
    assert_eq!(fs::read(folder.path().join("eventlog.bin")).unwrap(), evidence.event_log.0);
}
