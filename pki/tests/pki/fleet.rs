//! A fleet: every request answered once, whatever stops the run.

use core::time::Duration;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use measured_boot::digest::sha256;
use pki::fleet::{Fleet, FleetError, Progress};
use pki::register::{Register, RegisterError};
use pki::request::{self, RequestError};
use rcgen::{KeyPair, PublicKeyData as _};
use rsa::rand_core::OsRng;
use tre_wire::hex::Hex32;
use tre_wire::revocation::{Reason, Revoked};
use tre_wire::role::Role;

use crate::command_line::desk;
use crate::fixture::{self, FreshDomain, days, passphrase_file, text, tool};

/// Requests of meters `from` to `to`, each with a key of its own.
fn requests(fresh: &FreshDomain, from: usize, to: usize) -> String {
    let key = || KeyPair::generate().expect("a key");
    (from..to).map(|number| request_of(fresh, &format!("m-{number}"), &key())).collect()
}

fn request_of(fresh: &FreshDomain, meter: &str, key: &KeyPair) -> String {
    request::make(&fresh.identity(Role::Meter, meter), key).expect("a request")
}

fn issue(
    fresh: &FreshDomain,
    file: &str,
    register: &mut Register,
    out: &Path,
) -> Result<Progress, FleetError> {
    let authority = fresh.domain.grid_authority().expect("an authority");
    let fleet = Fleet {
        authority: &authority,
        trust_domain: fresh.domain.trust_domain(),
        out,
        validity: days(30),
        now: fixture::now(),
        batch: 10,
    };
    fleet.issue(file.as_bytes(), register, &mut OsRng, |_| {})
}

fn register(fresh: &FreshDomain) -> Register {
    fresh.domain.register().expect("a register")
}

fn certificates(out: &Path) -> Vec<PathBuf> {
    let list = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").path()).collect()
    };
    let parts = list(out).into_iter().filter(|path| !text(path).contains("/.draft"));
    parts.flat_map(|part| list(&part)).collect()
}

#[test]
fn a_fleet_is_issued_once_and_a_second_run_changes_nothing() {
    let fresh = fixture::domain();
    let (file, out) = (requests(&fresh, 0, 35), fresh.folder.path().join("out"));
    let done = issue(&fresh, &file, &mut register(&fresh), &out).expect("issued");
    assert_eq!(done, Progress { done: 35, all: 35 });
    let first = certificates(&out);
    assert_eq!(first.len(), 35);
    let read = || fs::read(out.join("000001/meter-m-0.pem")).expect("a certificate");
    let kept = read();
    assert!(issue(&fresh, &file, &mut register(&fresh), &out).is_ok());
    assert_eq!(read(), kept);
    let root = fresh.path().join("root.pem");
    let between = fresh.path().join("grid-authority.pem");
    let leaf = out.join("000004/meter-m-34.pem");
    let files = ["-CAfile", text(&root), "-untrusted", text(&between), text(&leaf)];
    tool("openssl", &[["verify", "-purpose", "sslclient"].as_slice(), &files].concat());
}

#[test]
fn a_run_stopped_between_register_and_name_is_finished_by_the_next() {
    let fresh = fixture::domain();
    let (file, out) = (requests(&fresh, 0, 25), fresh.folder.path().join("out"));
    assert!(issue(&fresh, &file, &mut register(&fresh), &out).is_ok());
    let (named, draft) = (out.join("000002"), out.join(".draft-000002"));
    fs::rename(&named, &draft).expect("moved");
    let kept = fs::read(draft.join("meter-m-10.pem")).expect("a certificate");
    assert!(issue(&fresh, &file, &mut register(&fresh), &out).is_ok());
    assert_eq!(fs::read(named.join("meter-m-10.pem")).expect("a certificate"), kept);
    fs::remove_dir_all(&named).expect("removed");
    let lost = issue(&fresh, &file, &mut register(&fresh), &out);
    assert!(matches!(lost, Err(FleetError::Lost { .. })), "{lost:?}");
}

#[test]
fn one_bad_request_refuses_the_file_and_nothing_is_issued() {
    let fresh = fixture::domain();
    let out = fresh.folder.path().join("out");
    let good = requests(&fresh, 0, 12);
    let refusal = |file: &str| issue(&fresh, file, &mut register(&fresh), &out);
    let twice = refusal(&format!("{good}{}", requests(&fresh, 3, 4)));
    assert!(matches!(twice, Err(FleetError::Repeated { position: 13, .. })), "{twice:?}");
    let tre = fresh.identity(Role::Tre, "tre-1");
    let tre = request::make(&tre, &KeyPair::generate().expect("a key")).expect("a request");
    let mixed = refusal(&format!("{good}{tre}"));
    assert!(
        matches!(mixed, Err(FleetError::Request { position: 13, source: RequestError::TreRole })),
        "{mixed:?}"
    );
    let key = KeyPair::generate().expect("a key");
    let [one, other] = ["one", "other"].map(|meter| request_of(&fresh, meter, &key));
    let shared = refusal(&format!("{good}{one}{other}"));
    assert!(matches!(shared, Err(FleetError::RepeatedKey { position: 14, .. })), "{shared:?}");
    assert!(matches!(refusal(""), Err(FleetError::Count { found: 0 })));
    assert!(!out.exists() && !fresh.path().join("issued").exists());
}

#[test]
fn an_identity_that_is_taken_refuses_the_file() {
    let fresh = fixture::domain();
    let out = fresh.folder.path().join("out");
    assert!(issue(&fresh, &requests(&fresh, 0, 5), &mut register(&fresh), &out).is_ok());
    let other = fresh.folder.path().join("other");
    let refused = issue(&fresh, &requests(&fresh, 4, 20), &mut register(&fresh), &other);
    assert!(matches!(refused, Err(FleetError::Register(_))), "{refused:?}");
    assert_eq!(certificates(&other).len(), 0);
    let foreign = issue(&fresh, &requests(&fresh, 20, 25), &mut register(&fresh), &out);
    assert!(matches!(foreign, Err(FleetError::Foreign { .. })), "{foreign:?}");
}

#[test]
fn a_key_that_is_revoked_refuses_the_file_before_anything_is_issued() {
    let fresh = fixture::domain();
    let (out, key) = (fresh.folder.path().join("out"), KeyPair::generate().expect("a key"));
    let file = format!("{}{}", requests(&fresh, 0, 25), request_of(&fresh, "again", &key));
    let mut register = register(&fresh);
    register.strike(&[Revoked {
        spki_sha256: Hex32(sha256(&key.subject_public_key_info()).0),
        identity: fresh.identity(Role::Meter, "lost"),
        since: fixture::now(),
        reason: Reason::KeyLost,
        until: fixture::now().plus(1),
    }]);
    let refused = issue(&fresh, &file, &mut register, &out);
    let Err(FleetError::Register(RegisterError::RevokedKey { .. })) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(certificates(&out).len(), 0);
    assert!(!fresh.path().join("issued").exists());
}

/// The program itself, killed without warning while it works, then run again.
#[test]
fn a_killed_run_is_resumed_and_every_request_is_answered_once() {
    let desk = desk();
    let fresh = fixture::domain();
    let (file, out, domain) = (desk.at("fleet.csr"), desk.at("out"), desk.at("domain"));
    fs::write(&file, requests(&fresh, 0, 3_000)).expect("written");
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tre-pki"));
        command.args(["issue-fleet", text(&file), "--domain", text(&domain)]);
        command.args(["--out", text(&out), "--batch", "50"]);
        command.env("TRE_PKI_PASSPHRASE_FILE", passphrase_file());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let mut child = run().spawn().expect("started");
    let begun = || out.join("000002").exists();
    for _ in 0..3_000 {
        if begun() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().expect("ours");
    let ended = child.wait().expect("ended");
    assert!(begun() && !ended.success(), "it was to be killed at work: {ended:?}");
    let before = certificates(&out).len();
    assert!(before < 3_000, "{before}");
    assert!(run().status().expect("run").success());
    let names: BTreeSet<PathBuf> = certificates(&out)
        .iter()
        .map(|path| PathBuf::from(path.file_name().expect("a name")))
        .collect();
    assert_eq!((names.len(), certificates(&out).len()), (3_000, 3_000));
    // The kill may leave the draft of a page, which nobody reads; it is no page.
    let pages = fs::read_dir(desk.at("domain/issued"))
        .expect("a register")
        .filter(|entry| entry.as_ref().expect("read").path().extension() == Some("json".as_ref()))
        .count();
    assert_eq!(pages, 60);
}
