//! Private keys at rest: encrypted, their owner's alone, and readable by another program.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use pki::domain::{Domain, DomainError};
use pki::file::{Access, FileError, write_new};
use pki::key_file::KeyFileError;

use crate::command_line::{desk, refused, tre_pki, with_passphrase};
use crate::fixture::{self, PASSPHRASE, passphrase, passphrase_file, run, text};

const KEYS: [&str; 5] = ["root", "tre-authority", "grid-authority", "release", "status"];

#[test]
fn openssl_decrypts_every_key_with_the_passphrase_and_none_without() {
    let desk = desk();
    for key in KEYS {
        let path = desk.at("domain").join(format!("{key}.key.pem"));
        let public = |passphrase: &str| {
            let pass = format!("pass:{passphrase}");
            run("openssl", &["pkey", "-in", text(&path), "-passin", &pass, "-pubout"])
        };
        let found = public(PASSPHRASE);
        assert!(found.status.success(), "{key}: {found:?}");
        let found = String::from_utf8(found.stdout).expect("PEM");
        let shown = fs::read_to_string(desk.at("domain").join(format!("{key}.pem")));
        let shown = shown.expect("the public half");
        if matches!(key, "release" | "status") {
            assert_eq!(found, shown, "{key}");
        } else {
            let certificate = desk.at("domain").join(format!("{key}.pem"));
            let of = run("openssl", &["x509", "-in", text(&certificate), "-noout", "-pubkey"]);
            assert_eq!(found.as_bytes(), of.stdout, "{key}");
        }
        assert!(!public("correct horse battery stable").status.success(), "{key}");
        let scheme = run("openssl", &["asn1parse", "-in", text(&path)]);
        let scheme = String::from_utf8(scheme.stdout).expect("text");
        for part in ["PBES2", "scrypt", "aes-256-cbc"] {
            assert!(scheme.contains(part), "{key}: expected {part} in {scheme}");
        }
    }
}

#[test]
fn a_key_that_openssl_encrypted_serves() {
    let desk = desk();
    let (path, domain) = (desk.at("domain/grid-authority.key.pem"), desk.at("domain"));
    let clear = desk.at("clear.pem");
    let pass = format!("file:{}", text(passphrase_file()));
    let fixed = ["pkcs8", "-in", text(&path), "-passin", &pass, "-out", text(&clear)];
    assert!(run("openssl", &fixed).status.success());
    let other = ["-topk8", "-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA256", "-iter", "10000"];
    let files = ["-in", text(&clear), "-out", text(&path), "-passout", &pass];
    let made = run("openssl", &[["pkcs8"].as_slice(), &other, &files].concat());
    assert!(made.status.success(), "{made:?}");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("ours");
    let out = desk.at("op.pem");
    let issued =
        tre_pki(&["issue", "operator", "op", "--domain", text(&domain), "--out", text(&out)]);
    assert_eq!(issued.code, 0, "{issued:?}");
}

#[test]
fn another_passphrase_none_and_a_key_for_all_to_read_are_refused() {
    let desk = desk();
    let (domain, out) = (desk.at("domain"), desk.at("op.pem"));
    let issue = ["issue", "operator", "op", "--domain", text(&domain), "--out", text(&out)];
    let other = desk.at("other");
    write_new(&other, b"another passphrase", Access::Owner).expect("written");
    refused(&with_passphrase(Some(&other), &issue), 1, "expected its passphrase, found another");
    refused(&with_passphrase(None, &issue), 1, "no terminal to ask; give --passphrase-file");
    fs::set_permissions(&other, Permissions::from_mode(0o640)).expect("ours");
    refused(&with_passphrase(Some(&other), &issue), 1, "its owner's alone (mode 0600), found ");

    let key = desk.at("domain/grid-authority.key.pem");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).expect("ours");
    refused(&tre_pki(&issue), 1, "grid-authority.key.pem to be its owner's alone");
    assert!(!out.exists());
}

#[test]
fn a_key_others_can_read_is_refused() {
    let fresh = fixture::domain();
    let key = fresh.path().join("grid-authority.key.pem");
    for mode in [0o640, 0o604] {
        fs::set_permissions(&key, Permissions::from_mode(mode)).expect("ours");
        let refused = fresh.domain.grid_authority();
        assert!(
            matches!(
                &refused,
                Err(DomainError::Key(KeyFileError::File(FileError::Mode { found, .. })))
                    if *found == mode
            ),
            "{refused:?}"
        );
    }
}

#[test]
fn a_key_in_clear_is_refused_in_a_domain_for_real_boxes() {
    let fresh = fixture::domain();
    assert!(fresh.domain.grid_authority().is_ok(), "a domain for demonstrations");
    let header = br#"{"format":1,"trust_domain":"grid.example","purpose":"PRODUCTION"}"#;
    fs::write(fresh.path().join("domain.json"), header).expect("written");
    let real = Domain::open(&fresh.path()).expect("a domain");
    let refused = real.grid_authority();
    assert!(matches!(&refused, Err(DomainError::Key(KeyFileError::Clear { .. }))), "{refused:?}");
}

#[test]
fn another_passphrase_opens_no_authority() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("domain");
    let name = "grid.example".parse().expect("a name");
    let own = passphrase(PASSPHRASE);
    let made = Domain::init(&path, name, &own, fixture::now(), &mut rsa::rand_core::OsRng);
    assert!(made.expect("a domain").tre_authority().is_ok());
    let open = || Domain::open(&path).expect("a domain");
    let refused = open().tre_authority();
    assert!(
        matches!(&refused, Err(DomainError::Key(KeyFileError::NoPassphrase { .. }))),
        "{refused:?}"
    );
    let refused = open().unlocked_by(passphrase("another passphrase")).tre_authority();
    assert!(
        matches!(&refused, Err(DomainError::Key(KeyFileError::Passphrase { .. }))),
        "{refused:?}"
    );
}

#[test]
fn a_passphrase_is_changed_and_the_old_one_no_longer_opens() {
    let desk = desk();
    let (key, new) = (desk.at("domain/root.key.pem"), desk.at("new"));
    write_new(&new, b"the second passphrase", Access::Owner).expect("written");
    let reseal = ["reseal", text(&key), "--new-passphrase-file", text(&new)];
    let changed = tre_pki(&reseal);
    assert_eq!(changed.code, 0, "{changed:?}");
    refused(&tre_pki(&reseal), 1, "expected its passphrase, found another");
    assert_eq!(with_passphrase(Some(&new), &reseal).code, 0);
    assert_eq!(fs::metadata(&key).expect("there").permissions().mode() & 0o777, 0o600);
}

#[test]
fn keys_in_clear_are_a_choice_made_in_words_for_a_demo_alone() {
    let desk = desk();
    let demo = desk.at("demo");
    let init = ["init", "--domain", text(&demo), "--trust-domain", "demo.example"];
    refused(&with_passphrase(None, &init), 1, "no terminal to ask");
    let demo_init = [init.as_slice(), &["--demo"]].concat();
    refused(&with_passphrase(None, &demo_init), 1, "no terminal to ask");
    let real = [init.as_slice(), &["--no-passphrase"]].concat();
    refused(&with_passphrase(None, &real), 2, "--demo");
    assert!(!demo.exists());
    let chosen = [init.as_slice(), &["--demo", "--no-passphrase"]].concat();
    let made = with_passphrase(None, &chosen);
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.answered.contains("private keys lie in clear"), "{made:?}");
}
