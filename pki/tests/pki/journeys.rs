//! The scripts in `scripts/`, from an empty folder: each run twice, and the second time nothing
//! changes. (Enrolling a TRE takes one: that journey is a test of the whole.)

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::fixture::{passphrase_file, text};

/// What a script answered; it must have ended well.
fn journey(script: &str, arguments: &[&str]) -> String {
    let output = run(script, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{script} {arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn run(script: &str, arguments: &[&str]) -> std::process::Output {
    let path = format!("{}/scripts/{script}", env!("CARGO_MANIFEST_DIR"));
    Command::new(path)
        .args(arguments)
        .env("TRE_PKI", env!("CARGO_BIN_EXE_tre-pki"))
        .env("TRE_PKI_PASSPHRASE_FILE", passphrase_file())
        .output()
        .expect("a script")
}

/// Every file under `folder`, with its content, mode and inode.
fn state(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, u32, u64)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let about = path.symlink_metadata().expect("there");
        if about.is_dir() {
            found.extend(state(&path));
        } else {
            let content = fs::read(&path).expect("a file");
            found.insert(path, (content, about.mode(), about.ino()));
        }
    }
    found
}

fn policy() -> String {
    format!("{}/policies/production.json", env!("CARGO_MANIFEST_DIR"))
}

/// A folder in which a domain was started.
fn started() -> (TempDir, PathBuf) {
    let empty = tempfile::tempdir().expect("a folder");
    let folder = empty.path().join("grid");
    let answer = journey("start-domain.sh", &[text(&folder), "grid.example", &policy()]);
    assert!(answer.contains("made the domain grid.example"), "{answer}");
    assert!(answer.contains("revocation list 1 with 0 keys"), "{answer}");
    (empty, folder)
}

#[test]
fn a_domain_is_started_once_and_the_second_run_says_what_is_there() {
    let (_empty, folder) = started();
    let before = state(&folder);
    assert!(before.contains_key(&folder.join("deployment.json")));
    assert!(before.contains_key(&folder.join("revocations.json.sig")));
    let answer = journey("start-domain.sh", &[text(&folder), "grid.example", &policy()]);
    assert!(answer.contains("there already: "), "{answer}");
    assert!(answer.contains("root            private key here, encrypted"), "{answer}");
    assert!(answer.contains("0 TREs enrolled\n0 roles with a certificate in force"), "{answer}");
    assert_eq!(state(&folder), before);
}

#[test]
fn a_domain_of_another_name_or_policy_is_not_taken_for_this_one() {
    let (_empty, folder) = started();
    let before = state(&folder);
    let demo = policy().replace("production", "demo");
    for (name, policy, why) in [
        ("other.example", policy(), "expected the domain other.example, found grid.example"),
        ("grid.example", demo, "expected no file "),
    ] {
        let output = run("start-domain.sh", &[text(&folder), name, &policy]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(state(&folder), before);
}

#[test]
fn a_start_that_was_stopped_is_finished_by_the_next() {
    let (_empty, folder) = started();
    let domain = state(&folder.join("domain"));
    fs::remove_file(folder.join("deployment.json")).expect("removed");
    let answer = journey("start-domain.sh", &[text(&folder), "grid.example", &policy()]);
    assert!(answer.contains("wrote "), "{answer}");
    assert_eq!(state(&folder.join("domain")), domain);
}

#[test]
fn a_fleet_is_answered_once() {
    let (_empty, folder) = started();
    let mut requests = Vec::new();
    for number in 1..=3 {
        let (id, file) = (format!("home-{number}"), folder.join(format!("{number}.csr")));
        let key = folder.join(format!("{number}.key.pem"));
        let made = Command::new(env!("CARGO_BIN_EXE_tre-pki"))
            .args(["request", "meter", &id, "--trust-domain", "grid.example"])
            .args([Path::new("--key"), &key, Path::new("--out"), &file])
            .output();
        assert!(made.expect("started").status.success());
        requests.extend(fs::read(&file).expect("a request"));
    }
    let (all, out) = (folder.join("fleet.csr"), folder.join("fleet"));
    fs::write(&all, requests).expect("written");
    let arguments = [text(&folder), text(&all), text(&out)];
    let answer = journey("issue-fleet.sh", &arguments);
    assert!(answer.contains("3 roles with a certificate in force"), "{answer}");
    assert!(out.join("000001/meter-home-3.pem").is_file());
    let before = state(&folder);
    let answer = journey("issue-fleet.sh", &arguments);
    assert!(answer.contains("3 requests are answered in "), "{answer}");
    assert_eq!(state(&folder), before);
}

#[test]
fn a_script_without_its_arguments_says_which_it_takes() {
    for script in ["start-domain.sh", "enrol-tre.sh", "issue-fleet.sh"] {
        let output = run(script, &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("usage: {script} FOLDER")), "{said}");
    }
}
