//! `tre-pki revoke`: what it writes, who is refused by it, and that nothing goes back.

use std::fs;
use std::path::PathBuf;

use attest_verifier::core::revocation::{StatusKey, UnverifiedRevocations};
use pki::domain::Domain;
use serde_json::Value;

use crate::command_line::{Desk, Ended, desk, refused, tre_pki};
use crate::fixture::{now, text};

impl Desk {
    fn revoke(&self, others: &[&str]) -> Ended {
        let (domain, out) = (self.at("domain"), self.at("revocations.json"));
        let fixed = ["revoke", "--domain", text(&domain), "--out", text(&out), "--json"];
        tre_pki(&[fixed.as_slice(), others].concat())
    }

    /// The list that was handed out, verified as everybody does.
    fn list(&self) -> Value {
        let read = |path: PathBuf| fs::read(path).expect("there");
        let (file, signature) =
            (read(self.at("revocations.json")), read(self.at("revocations.json.sig")));
        let key = StatusKey::from_pem(&read(self.at("domain/status.pem"))).expect("a key");
        let unverified = UnverifiedRevocations { file: &file, signature: &signature };
        let signed = unverified.verify(&key).expect("the status key's");
        let domain = "grid.example".parse().expect("a name");
        signed.read(&domain, now()).expect("a list");
        serde_json::from_slice(&file).expect("JSON")
    }
}

const LOST: [&str; 4] = ["meter", "home-017", "--reason", "key-lost"];

#[test]
fn a_revoked_key_is_listed_and_its_identity_may_have_another() {
    let desk = desk();
    let issued = desk.issue("meter", "home-017", "one.pem", &["--json"]);
    let issued: Value = serde_json::from_str(&issued.answered).expect("JSON");
    let revoked = desk.revoke(&LOST);
    assert_eq!(revoked.code, 0, "{revoked:?}");
    let list = desk.list();
    assert_eq!(list["sequence"], 1);
    assert_eq!(list["revoked"][0]["spki_sha256"], issued["spki_sha256"]);
    assert_eq!(list["revoked"][0]["reason"], "key-lost");
    // Nothing is left to revoke, and the revoked certificate is not renewed.
    refused(&desk.revoke(&LOST), 1, "in force, found none to revoke");
    let (one, domain, out) = (desk.at("one.pem"), desk.at("domain"), desk.at("x.pem"));
    let files = ["--domain", text(&domain), "--out", text(&out)];
    let renewed = tre_pki(&[["renew", text(&one)].as_slice(), &files].concat());
    refused(&renewed, 1, "it was revoked, or this is another register");
    assert_eq!(desk.issue("meter", "home-017", "two.pem", &[]).code, 0);
    assert_eq!(desk.revoke(&["--refresh"]).code, 0);
    let list = desk.list();
    assert_eq!((&list["sequence"], list["revoked"].as_array().map(Vec::len)), (&2.into(), Some(1)));
}

#[test]
fn nobody_issues_by_a_list_that_is_out_of_its_time() {
    let desk = desk();
    assert_eq!(desk.revoke(&["--refresh", "--days", "1"]).code, 0);
    let domain = Domain::open(&desk.at("domain")).expect("a domain");
    assert!(domain.issuing_register(now()).is_ok());
    let later = now().plus(2 * 86_400_000);
    let refused = domain.issuing_register(later).expect_err("a list of the day before");
    assert!(refused.to_string().contains("expected a revocation list that is good now"));
    assert!(domain.register().is_ok());
}

#[test]
fn a_renewed_key_stays_on_the_list_until_its_last_certificate_ends() {
    let desk = desk();
    assert_eq!(desk.issue("meter", "home-017", "one.pem", &["--days", "10"]).code, 0);
    let (one, domain, out) = (desk.at("one.pem"), desk.at("domain"), desk.at("two.pem"));
    let files = ["--domain", text(&domain), "--out", text(&out), "--days", "90", "--json"];
    let renewed = tre_pki(&[["renew", text(&one)].as_slice(), &files].concat());
    let renewed: Value = serde_json::from_str(&renewed.answered).expect("JSON");
    assert_eq!(desk.revoke(&LOST).code, 0);
    let list = desk.list();
    assert_eq!(list["revoked"].as_array().map(Vec::len), Some(1));
    assert_eq!(list["revoked"][0]["until"], renewed["ends"], "dropped while it is in force");
}

#[test]
fn a_revoked_key_is_certified_for_nobody() {
    let desk = desk();
    let at = |name: &str| desk.at(name).into_os_string().into_string().expect("plain");
    let (key, domain) = (at("key.pem"), at("domain"));
    let ask = |id: &str, file: &str| {
        let fixed = ["request", "meter", id, "--trust-domain", "grid.example"];
        let made = tre_pki(&[fixed.as_slice(), &["--key", &key, "--out", &at(file)]].concat());
        assert_eq!(made.code, 0, "{made:?}");
        at(file)
    };
    let (one, two) = (ask("home-017", "one.csr"), ask("home-018", "two.csr"));
    assert_eq!(desk.issue("meter", "home-017", "one.pem", &["--csr", &one]).code, 0);
    assert_eq!(desk.revoke(&LOST).code, 0);
    let why = "expected a key that is not revoked for spiffe://grid.example/meter/home-01";
    refused(&desk.issue("meter", "home-017", "x.pem", &["--csr", &one]), 1, why);
    refused(&desk.issue("meter", "home-018", "x.pem", &["--csr", &two]), 1, why);
    let out = at("fleet");
    refused(&tre_pki(&["issue-fleet", &two, "--domain", &domain, "--out", &out]), 1, why);
    assert!(!desk.at("x.pem").exists() && !desk.at("fleet/000001").exists());
}

#[test]
fn a_list_that_was_changed_on_disk_is_not_built_upon() {
    let desk = desk();
    assert_eq!(desk.issue("meter", "home-017", "one.pem", &[]).code, 0);
    assert_eq!(desk.revoke(&LOST).code, 0);
    let path = desk.at("domain/revocations/00000001.json");
    let list = fs::read_to_string(&path).expect("a list");
    fs::write(&path, list.replace("key-lost", "withdrawn")).expect("written");
    refused(&desk.revoke(&["--refresh"]), 1, "that was signed, found ");
}

#[test]
fn nobody_is_revoked_by_half_a_sentence() {
    let desk = desk();
    refused(&desk.revoke(&["meter", "home-017"]), 2, "--reason");
    refused(&desk.revoke(&["meter", "--reason", "key-lost"]), 2, "ID");
    refused(&desk.revoke(&["meter", "home-017", "--reason", "bored"]), 2, "key-compromise");
    refused(&desk.revoke(&LOST), 1, "in force, found none to revoke");
    refused(&desk.revoke(&["tre", "tre-1", "--reason", "withdrawn"]), 1, "tre-1.json");
    refused(&desk.revoke(&["--refresh", "--days", "398"]), 1, "1 to 397 days");
    assert!(!desk.at("domain/revocations").exists());
}
