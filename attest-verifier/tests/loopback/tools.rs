//! The command line's other commands: evidence from files, tokens, completions, manual pages.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use attest_verifier::core::wire::json;
use rcgen::KeyPair;
use serde_json::Value;

use crate::cli::{run, scene, tampered, text};
use crate::scene::Scene;
use crate::server::{Server, honest, reference_files};

/// `verify` of this box, with the files that it needs in `folder`.
async fn verify(scene: Scene, folder: &Path, more: &[&str]) -> Output {
    let scene = Arc::new(scene);
    let server = Server::start(Arc::clone(&scene), honest(&scene)).await;
    let files = reference_files(&scene, folder);
    let fixed = ["verify", &server.address, "--tre-id", "tre-1"];
    let arguments: Vec<&str> = fixed.into_iter().chain(files.iter().map(String::as_str)).collect();
    run(&[&arguments, more].concat()).await
}

/// What libraries that nobody here wrote make of a token: `tests/ear`, a package outside the
/// workspace.
fn read_by_others(token: &str, public_key: &str) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut reader = Command::new(env!("CARGO"));
    reader.args(["run", "--quiet", "--locked", "--manifest-path"]);
    reader.arg(root.join("tests/ear/Cargo.toml")).arg("--target-dir").arg(root.join("target/ear"));
    reader.args(["--", token, public_key]).output().unwrap()
}

#[tokio::test]
async fn a_token_says_what_was_found_and_others_can_read_it() {
    for (scene, code, status) in [(scene(), 0, "affirming"), (tampered(), 1, "contraindicated")] {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        fs::write(at("key.pem"), key.serialize_pem()).unwrap();
        fs::write(at("public.pem"), key.public_key_pem()).unwrap();
        let (token, key_file) = (at("token"), at("key.pem"));
        let options = ["--token", &token, "--token-key", &key_file];
        let output = verify(scene, folder.path(), &options).await;
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let read = read_by_others(&token, &at("public.pem"));
        assert!(read.status.success(), "{}", text(&read.stderr));
        let ear: Value = serde_json::from_slice(&read.stdout).unwrap();
        assert_eq!(ear["eat_profile"], "tag:ietf.org,2026:rats/ear#04");
        let life = ear["exp"].as_u64().unwrap() - ear["iat"].as_u64().unwrap();
        assert_eq!(life, 300);
        let appraisal = &ear["submods"]["tre-1"];
        assert_eq!(appraisal["ear_status"], status);
        let vector = &appraisal["ear_trustworthiness_vector"];
        let executables = if code == 0 { 3 } else { 96 };
        let claims = ["instance-identity", "hardware", "configuration", "executables"];
        assert_eq!(claims.map(|claim| vector[claim].as_i64().unwrap()), [2, 2, 2, executables]);
        // Not that they would read anything.
        fs::write(at("other.pem"), KeyPair::generate().unwrap().public_key_pem()).unwrap();
        let read = read_by_others(&token, &at("other.pem"));
        assert_eq!(read.status.code(), Some(1), "{read:?}");
        assert_eq!(text(&read.stderr), "tre-ear: InvalidSignature\n");
    }
}

#[tokio::test]
async fn a_key_that_cannot_sign_is_named_before_anybody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let output = verify(scene(), folder.path(), &["--token", "t", "--token-key", key]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("expected a PKCS #8 private key"), "{output:?}");
}

/// Evidence from a file was true once: right or wrong, but of no connection.
#[tokio::test]
async fn evidence_from_files_is_unbound() {
    for (scene, code, verdict) in [(scene(), 0, "appraised-unbound"), (tampered(), 1, "refused")] {
        let folder = tempfile::tempdir().unwrap();
        let evidence = folder.path().join("evidence.json");
        fs::write(&evidence, json::encode(&scene.play()).unwrap()).unwrap();
        let files = reference_files(&scene, folder.path());
        let path = evidence.to_str().unwrap();
        let fixed = ["verify", "--evidence", path, "--tre-id", "tre-1", "--json"];
        let options: Vec<&str> =
            fixed.into_iter().chain(files.iter().map(String::as_str)).collect();
        let output = run(&options).await;
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(shown["verdict"], verdict);
        let names: Vec<&str> = shown["checks"]
            .as_array()
            .unwrap()
            .iter()
            .map(|check| check["name"].as_str().unwrap())
            .collect();
        assert!(names.contains(&"aik-chain") && !names.contains(&"qualifying-data"), "{names:?}");
        // It leaves nothing to remember, and no token.
        for option in ["--remember", "--token"] {
            let output = run(&[&options[..], &[option, "x"]].concat()).await;
            assert_eq!(output.status.code(), Some(2), "{output:?}");
        }
    }
}

#[tokio::test]
async fn a_watch_tells_its_hook_and_its_log_is_derived_again() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (log, hook, told) = (at("log"), at("hook"), at("told"));
    fs::write(&hook, format!("#!/bin/sh\necho \"$@\" >> {told}\n")).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o700)).unwrap();
    let scene = Arc::new(scene());
    let server = Server::start(Arc::clone(&scene), honest(&scene)).await;
    let files = reference_files(&scene, folder.path());
    let common = ["--tre-id", "tre-1", "--log", &log];
    let common: Vec<&str> = common.into_iter().chain(files.iter().map(String::as_str)).collect();
    let watching = ["--every", "1", "--hook", &hook, "--times"];
    let watch = |address: &str, times: &str| {
        let all = [&["watch", address][..], &common, &watching, &[times]].concat();
        all.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    for (address, times, code) in [(server.address.as_str(), "2", 0), ("127.0.0.1:1", "1", 1)] {
        let arguments = watch(address, times);
        let output = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await;
        assert_eq!(output.status.code(), Some(code), "{output:?}");
    }
    let told = fs::read_to_string(told).unwrap();
    assert!(told.starts_with("silent tre-1 ") && told.lines().count() == 1, "{told}");
    let head = told.trim().rsplit_once(' ').unwrap().1;
    let check = [&["watch", "--check", "--holds", head][..], &common].concat();
    let output = run(&check).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stdout).starts_with("3 verdicts derived again"), "{output:?}");
    let longer = fs::read_to_string(&log).unwrap().replacen("silent\"}", "silent\" }", 1);
    fs::write(&log, longer).unwrap();
    let output = run(&check).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

/// A hook that could not say it to anybody is told again, also by the next watch.
#[tokio::test]
async fn a_watch_tells_its_hook_until_it_has_heard() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (log, hook, told, down) = (at("log"), at("hook"), at("told"), at("down"));
    // While the file is there nobody can be told.
    let script = format!("#!/bin/sh\necho \"$1\" >> {told}\ntest ! -e {down} || exit 1\n");
    fs::write(&hook, script).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o700)).unwrap();
    let files = reference_files(&scene(), folder.path());
    let watch = ["watch", "127.0.0.1:1", "--tre-id", "tre-1", "--log", &log, "--hook", &hook];
    let watch = watch.into_iter().chain(files.iter().map(String::as_str));
    let watch: Vec<&str> = watch.chain(["--every", "1", "--times"]).collect();
    let looks = async |times: &str| {
        let output = run(&[&watch[..], &[times]].concat()).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        fs::read_to_string(&told).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    fs::write(&down, "").unwrap();
    assert_eq!(looks("2").await, ["silent"; 2]);
    fs::remove_file(&down).unwrap();
    assert_eq!(looks("2").await, ["silent"; 3]);
}

#[tokio::test]
async fn every_command_has_completions_and_a_manual_page() {
    let commands = [
        "verify",
        "fetch",
        "explain",
        "replay",
        "proxy",
        "watch",
        "completions",
        "man",
        "corim",
        "forget",
    ];
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&["completions", shell]).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let script = text(&output.stdout);
        assert!(commands.iter().all(|command| script.contains(command)), "{script}");
    }
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["man", "--out", folder.path().to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for command in commands {
        let page = folder.path().join(format!("attest-verifier-{command}.1"));
        assert!(fs::metadata(&page).unwrap().len() > 100, "{}", page.display());
    }
}
