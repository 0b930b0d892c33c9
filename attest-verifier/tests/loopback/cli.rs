//! The command line: exit codes, table, JSON.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::time::SystemTime;

use attest_verifier::core::measured_boot::digest::sha256;
use attest_verifier::core::measured_boot::manifest::Purpose;
use serde_json::Value;

use crate::scene::{IMAGE, Scene};
use crate::server::{Server, honest, reference_files};

/// The command line reads the real time, so these boxes do too.
pub(crate) fn scene() -> Scene {
    let mut scene = Scene::honest();
    scene.manifest.purpose = Purpose::Production;
    #[expect(clippy::disallowed_methods, reason = "the box must have the time of the program")]
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    scene.time = u64::try_from(now.as_millis()).unwrap();
    scene
}

pub(crate) fn tampered() -> Scene {
    let mut scene = scene();
    let event = scene.log.iter_mut().find(|event| event.digest == IMAGE).unwrap();
    event.digest = sha256(b"another image");
    scene
}

pub(crate) async fn run(arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_attest-verifier");
    tokio::process::Command::new(program).args(arguments).output().await.unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap()
}

/// Runs `verify` against this box.
async fn verify(scene: Scene, more: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let scene = Arc::new(scene);
    let server = Server::start(Arc::clone(&scene), honest(&scene)).await;
    let files = reference_files(&scene, folder.path());
    let fixed = ["verify", &server.address, "--tre-id", "tre-1"];
    let arguments: Vec<&str> = fixed.into_iter().chain(files.iter().map(String::as_str)).collect();
    run(&[&arguments, more].concat()).await
}

#[tokio::test]
async fn an_honest_tre_is_accepted_with_exit_code_0() {
    let output = verify(scene(), &[]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let table = text(&output.stdout);
    assert!(table.lines().last().unwrap().starts_with("ACCEPTED: 127.0.0.1:"), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 120), "{table}");
    assert!(!table.contains("NO"), "{table}");
}

#[tokio::test]
async fn a_tampered_box_is_refused_with_exit_code_1_naming_pcr_and_event() {
    let output = verify(tampered(), &[]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let table = text(&output.stdout);
    let last = table.lines().last().unwrap();
    assert!(last.contains("pcr-4: expected"), "{table}");
    assert!(last.contains("PCR 4, event 2 of its own"), "{table}");
}

#[tokio::test]
async fn json_has_every_check_with_digests_in_full() {
    let output = verify(tampered(), &["--json"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(shown["verdict"], "refused");
    assert_eq!(shown["refusal"]["name"], "pcr-4");
    assert_eq!((&shown["clock"], &shown["reset_count"]), (&5_000.into(), &7.into()));
    let checks = shown["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 45);
    for check in checks {
        let keys: Vec<&String> = check.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["expected", "found", "name", "ok"]);
    }
    let pcr_4 = checks.iter().find(|check| check["name"] == "pcr-4").unwrap();
    assert_eq!(pcr_4["ok"], false);
    assert_eq!(pcr_4["expected"].as_str().unwrap().len(), 64);
}

#[tokio::test]
async fn fetch_writes_the_files_and_judges_nothing() {
    let scene = Arc::new(tampered());
    let server = Server::start(Arc::clone(&scene), honest(&scene)).await;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("evidence");
    let output = run(&["fetch", &server.address, "--out", out.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let mut names: Vec<String> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected = [
        "aik.pem",
        "eventlog.bin",
        "evidence.json",
        "pcrs.bin",
        "qualification.hex",
        "quote.attest",
        "quote.sig",
    ];
    assert_eq!(names, expected);
}

/// A file that is no image spoils the explanation, never the verdict.
#[tokio::test]
async fn a_file_that_is_no_image_is_named_and_the_verdict_stands() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let refused = verify(tampered(), &["--image", file]).await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let accepted = verify(scene(), &["--image", file]).await;
    assert_eq!(accepted.status.code(), Some(1), "{accepted:?}");
    for output in [refused, accepted] {
        assert!(text(&output.stderr).contains("expected a FAT file system"), "{output:?}");
        assert!(text(&output.stdout).contains("pcr-4"), "{output:?}");
    }
}

#[tokio::test]
async fn nobody_listening_ends_with_exit_code_1_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let output = run(&["fetch", &address, "--out", folder.path().to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("is the TRE running"), "{output:?}");
}

#[tokio::test]
async fn a_missing_file_ends_with_exit_code_1_and_wrong_usage_with_2() {
    let missing = Path::new("/nonexistent/deployment.json").to_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = reference_files(&scene(), folder.path());
    let files = files.iter().map(String::as_str);
    let files = files.map(|file| if file.ends_with("deployment.json") { missing } else { file });
    let fixed = ["verify", "127.0.0.1:1", "--tre-id", "tre-1"];
    let arguments: Vec<&str> = fixed.into_iter().chain(files).collect();
    let output = run(&arguments).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains(missing), "{output:?}");
    let output = run(&["verify", "127.0.0.1:1"]).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let output = verify(scene(), &["--tre-id", "Not A Name"]).await;
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}

/// Files that are not what they are given as: each message names the file, what was expected, and
/// says nothing twice.
#[tokio::test]
async fn a_message_says_its_cause_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (words, object) = (file("words.md", b"# Words"), file("evidence.json", b"{\"a\": 1}"));
    let out = folder.path().join("out").to_str().unwrap().to_owned();
    let files = reference_files(&scene(), folder.path());
    let explain = |evidence: &str| -> Vec<String> {
        let fixed = ["explain", evidence].map(str::to_owned);
        fixed.into_iter().chain(files.iter().cloned()).collect()
    };
    let plain = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    for (arguments, expected) in [
        (plain(&["corim", "export", "--manifest", &words, "--out", &out]), "reference manifest"),
        (plain(&["corim", "export", "--manifest", &out, "--out", &out]), "No such file"),
        (plain(&["corim", "import", &words]), "CoRIM"),
        (plain(&["replay", &words]), "at offset"),
        (plain(&["replay", &out]), "No such file"),
        (explain(&object), "expected evidence"),
        (explain(&words), "expected evidence"),
    ] {
        let borrowed: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let output = run(&borrowed).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = text(&output.stderr).trim_end();
        assert!(said.contains(expected), "{said}");
        let named = [&words, &object, &out].into_iter().any(|path| said.contains(path.as_str()));
        assert!(named, "{said}");
        let tail = said.rsplit(": ").next().unwrap();
        assert_eq!(said.matches(tail).count(), 1, "{said}");
    }
}

/// Whoever reads the answer may stop; the exit code is the verdict's.
#[tokio::test]
async fn a_reader_who_has_read_enough_changes_no_exit_code() {
    let log = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/eventlog/recorder.bin");
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_attest-verifier"));
    let output = command.args(["replay", log]).stdout(writer).output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}
