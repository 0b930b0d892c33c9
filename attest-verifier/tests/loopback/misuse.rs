//! Commands with what does not belong there: each says what it expected, and ends.

use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;

use rcgen::KeyPair;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::cli::{run, scene, text};
use crate::server::{Server, honest, reference_files};

/// Runs a command of words, and of files in `folder` where a word begins with `@`.
async fn with(folder: &Path, words: &str) -> Output {
    let word = |word: &str| match word.strip_prefix('@') {
        Some(name) => folder.join(name).to_str().unwrap().to_owned(),
        None => word.to_owned(),
    };
    let words: Vec<String> = words.split_whitespace().map(word).collect();
    run(&words.iter().map(String::as_str).collect::<Vec<_>>()).await
}

#[track_caller]
fn says(output: &Output, code: i32, what: &str) {
    let said = text(&output.stderr);
    let found = output.status.code();
    assert!(found == Some(code) && said.contains(what), "{what}: {found:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
}

/// What every command that judges takes.
const REFERENCE: &str = "--tre-id tre-1 --deployment @deployment.json --manifest @manifest-0.json \
                         --release-key @release.pem";

/// A folder with those files, a text, a folder, and a key for tokens.
fn desk(scene: &crate::scene::Scene) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    reference_files(scene, folder.path());
    fs::create_dir(folder.path().join("folder")).unwrap();
    fs::write(folder.path().join("text"), "hello\n").unwrap();
    let key = KeyPair::generate().unwrap();
    fs::write(folder.path().join("key.pem"), key.serialize_pem()).unwrap();
    folder
}

#[tokio::test]
async fn a_wrong_file_is_named_with_what_was_expected() {
    let folder = desk(&scene());
    for (words, what) in [
        ("document @text --deployment @deployment.json", "expected what `tre-client` keeps"),
        ("document /dev/zero --deployment @deployment.json", "expected at most 1048576 bytes"),
        ("document @folder --deployment @deployment.json", "Is a directory"),
        ("document @text --deployment @text", "expected a deployment"),
        ("forget --tre-id tre-1 --remember @folder", "expected remembered TREs, found no file"),
        ("forget --tre-id tre-1 --remember @none", "expected remembered TREs: No such file"),
        ("replay @folder", "Is a directory"),
        ("replay @text", "expected"),
        ("corim import @text", "expected an unsigned CoRIM"),
        ("corim export --manifest @deployment.json --out @o", "expected a reference manifest"),
    ] {
        says(&with(folder.path(), words).await, 1, what);
    }
    for (words, what) in [
        ("verify --evidence @text", "expected evidence as `attest-verifier fetch` writes it"),
        ("verify --evidence @folder", "evidence.json: No such file"),
        ("watch --check --log @folder", "Is a directory"),
        ("watch --check --log @text", "expected an entry of a log of `watch`"),
        ("proxy 127.0.0.1:1 --identity @text", "expected a PKCS #8 private key"),
        ("proxy 127.0.0.1:1 --listen 192.0.2.1:1", "expected an address on the loopback"),
        ("verify 127.0.0.1:1 --remember @text", "expected remembered TREs"),
    ] {
        says(&with(folder.path(), &format!("{words} {REFERENCE}")).await, 1, what);
    }
    let reference = REFERENCE.strip_prefix("--tre-id tre-1 ").unwrap();
    for (words, what) in [
        ("explain @text", "expected evidence as `attest-verifier fetch` writes it"),
        ("explain @none", "expected an evidence file, its folder or HOST:PORT"),
    ] {
        says(&with(folder.path(), &format!("{words} {reference}")).await, 1, what);
    }
}

/// The verdict stands; that it could not all be kept is said.
#[tokio::test]
async fn what_cannot_be_written_is_named_and_ends_with_1() {
    let scene = Arc::new(scene());
    let folder = desk(&scene);
    let server = Server::start(Arc::clone(&scene), honest(&scene)).await;
    let address = &server.address;
    for (words, what) in [
        ("--out @text", "text: File exists"),
        ("--token /dev/full --token-key @key.pem", "/dev/full: No space left on device"),
        ("--token @none/t --token-key @key.pem", "none/t: No such file"),
    ] {
        let output = with(folder.path(), &format!("verify {address} {REFERENCE} {words}")).await;
        assert!(text(&output.stdout).contains("ACCEPTED"), "{output:?}");
        says(&output, 1, what);
    }
    for (words, what) in [
        (format!("verify {address} {REFERENCE} --remember @folder"), "Is a directory"),
        (format!("verify {address} {REFERENCE} --remember @none/tres"), "No such file"),
        (format!("watch {address} {REFERENCE} --times 1 --log @none/log"), "No such file"),
        (format!("fetch {address} --out @text"), "File exists"),
        ("man --out @text".to_owned(), "File exists"),
    ] {
        says(&with(folder.path(), &words).await, 1, what);
    }
}

#[tokio::test]
async fn a_full_disk_under_the_output_is_said_and_no_panic() {
    let folder = desk(&scene());
    let log = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/eventlog/recorder.bin");
    for words in [&["completions", "bash"][..], &["replay", log], &["man", "--out", "o"]] {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_attest-verifier"));
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        command.args(words).current_dir(folder.path()).stdout(full).stderr(Stdio::piped());
        let output = command.spawn().unwrap().wait_with_output().await.unwrap();
        says(&output, 1, "standard output: No space left on device");
    }
}

#[tokio::test]
async fn what_is_no_address_is_wrong_usage_and_no_silent_box() {
    let folder = desk(&scene());
    for words in ["verify", "watch --log @log", "proxy"] {
        let output = with(folder.path(), &format!("{words} tre.example {REFERENCE}")).await;
        says(&output, 2, "expected HOST:PORT");
    }
    says(&with(folder.path(), "fetch tre.example --out @o").await, 2, "expected HOST:PORT");
    assert!(!folder.path().join("log").exists(), "nothing was noted of a box that nobody named");
}

#[tokio::test]
async fn another_protocol_at_the_address_is_asked_about() {
    let folder = desk(&scene());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        }
    });
    let what = "is it a TRE that listens there?";
    says(&with(folder.path(), &format!("verify {address} {REFERENCE}")).await, 1, what);
    says(&with(folder.path(), &format!("fetch {address} --out @o")).await, 1, what);
}
