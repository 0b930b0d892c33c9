//! Certificate requests and renewals: who may be certified as what.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use pki::issue;
use pki::register::{Page, Register, RegisterError};
use pki::renew::{RenewError, Renewable};
use pki::request::{self, CheckedRequest, RequestError};
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P384_SHA384, SanType, SigningKey,
};
use rsa::rand_core::OsRng;
use tre_wire::id::TrustDomain;
use tre_wire::role::Role;

use crate::command_line::{Desk, Ended, desk, refused, tre_pki};
use crate::fixture::{self, DAY_MS, ROLES, days, run, text, tool};

fn domain() -> TrustDomain {
    "grid.example".parse().expect("a name")
}

/// What the check says of a request for these names, signed by `key`.
fn check(names: &[&str], key: &impl SigningKey) -> Result<CheckedRequest, RequestError> {
    let mut params = CertificateParams::default();
    let uri = |name: &&str| SanType::URI((*name).try_into().expect("plain"));
    params.subject_alt_names = names.iter().map(uri).collect();
    // What is asked for beyond the name has no effect.
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.serialize_request(key).expect("a request").pem().expect("PEM");
    CheckedRequest::from_pem(pem.as_bytes(), &domain())
}

const METER: &str = "spiffe://grid.example/meter/home-017";

#[test]
fn a_request_says_one_name_and_one_key() {
    let key = KeyPair::generate().expect("a key");
    let checked = check(&[METER], &key).expect("a good request");
    assert_eq!(checked.identity().to_string(), METER);
    let names = |names: &[&str]| check(names, &key);
    assert_eq!(names(&[]), Err(RequestError::Names { found: 0 }));
    assert_eq!(names(&[METER, METER]), Err(RequestError::Names { found: 2 }));
}

#[test]
fn odd_characters_in_a_name_are_refused() {
    let key = KeyPair::generate().expect("a key");
    for odd in ["home%20017", "Home-017", "../x", "a/b", "", "x?", "x#y", "x y", ".x"] {
        let uri = format!("spiffe://grid.example/meter/{odd}");
        let found = uri.as_str().into();
        assert_eq!(check(&[&uri], &key), Err(RequestError::Name { found }), "{odd}");
    }
}

#[test]
fn a_name_of_another_domain_is_refused() {
    let key = KeyPair::generate().expect("a key");
    let refused = check(&["spiffe://other.example/meter/home-017"], &key);
    assert!(matches!(refused, Err(RequestError::OtherDomain { .. })), "{refused:?}");
}

#[test]
fn a_tre_is_not_certified_on_request() {
    let key = KeyPair::generate().expect("a key");
    let refused = check(&["spiffe://grid.example/tre/tre-1"], &key);
    assert_eq!(refused, Err(RequestError::TreRole));
}

#[test]
fn another_kind_of_key_is_refused() {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key");
    let refused = check(&[METER], &key);
    assert!(matches!(refused, Err(RequestError::Key(_))), "{refused:?}");
}

/// Every byte of the signature, the name and the key counts.
#[test]
fn a_request_for_a_key_that_its_sender_does_not_hold_is_refused() {
    let fresh = fixture::domain();
    let identity = fresh.identity(Role::Meter, "home-017");
    let (own, other) = (KeyPair::generate().expect("a key"), KeyPair::generate().expect("a key"));
    let pem = request::make(&identity, &own).expect("a request");
    let der = pem::parse(&pem).expect("PEM").into_contents();
    let theirs = other.public_key_raw();
    let at = der.windows(65).position(|some| some == own.public_key_raw()).expect("the key");
    let mut swapped = der.clone();
    swapped[at..at + 65].copy_from_slice(theirs);
    let refused = CheckedRequest::from_der(&swapped, &domain());
    assert_eq!(refused, Err(RequestError::Signature));
    let at = der.windows(8).position(|some| some == b"home-017").expect("the name");
    let mut renamed = der.clone();
    renamed[at + 7] = b'8';
    let refused = CheckedRequest::from_der(&renamed, &domain());
    assert_eq!(refused, Err(RequestError::Signature));
    let longer = [der.as_slice(), &[0]].concat();
    assert_eq!(CheckedRequest::from_der(&longer, &domain()), Err(RequestError::Unreadable));
    let twice = format!("{pem}{pem}");
    assert_eq!(CheckedRequest::from_pem(twice.as_bytes(), &domain()), Err(RequestError::Pem));
    assert!(CheckedRequest::from_der(&der, &domain()).is_ok());
}

impl Desk {
    fn request(&self, role: &str, id: &str) -> (String, String) {
        let (key, csr) = (format!("{id}.key.pem"), format!("{id}.csr"));
        let (key, csr) = (self.at(&key), self.at(&csr));
        let fixed = ["request", role, id, "--trust-domain", "grid.example"];
        let files = ["--key", text(&key), "--out", text(&csr)];
        let made = tre_pki(&[fixed.as_slice(), &files].concat());
        assert_eq!(made.code, 0, "{made:?}");
        (String::from(text(&key)), String::from(text(&csr)))
    }

    fn renew(&self, certificate: &str, out: &str, others: &[&str]) -> Ended {
        let (certificate, out, domain) = (self.at(certificate), self.at(out), self.at("domain"));
        let fixed = ["renew", text(&certificate), "--domain", text(&domain), "--out", text(&out)];
        tre_pki(&[fixed.as_slice(), others].concat())
    }
}

#[test]
fn every_role_gets_a_certificate_for_the_key_it_made_itself() {
    let desk = desk();
    for role in ROLES.map(|role| role.to_string()) {
        let id = format!("{role}-1");
        let (key, csr) = desk.request(&role, &id);
        let verified = run("openssl", &["req", "-in", &csr, "-noout", "-verify"]);
        assert!(verified.status.success(), "{verified:?}");
        let issued = desk.issue(&role, &id, &format!("{id}.pem"), &["--csr", &csr]);
        assert_eq!(issued.code, 0, "{issued:?}");
        let certificate = desk.at(&format!("{id}.pem"));
        assert!(!fs::read_to_string(&certificate).expect("there").contains("PRIVATE"));
        let both = [fs::read(&key).expect("a key"), fs::read(&certificate).expect("there")];
        attest_verifier::ClientIdentity::from_pem(&both.concat()).expect("a pair");
    }
}

#[test]
fn a_request_that_openssl_made_is_served_and_another_name_refused() {
    let desk = desk();
    let (key, csr) = (desk.at("key.pem"), desk.at("home-017.csr"));
    let curve = "ec_paramgen_curve:P-256";
    let san = format!("subjectAltName=URI:{METER}");
    tool("openssl", &["genpkey", "-algorithm", "EC", "-pkeyopt", curve, "-out", text(&key)]);
    let fixed = ["req", "-new", "-key", text(&key), "-subj", "/CN=any", "-addext", &san];
    tool("openssl", &[fixed.as_slice(), &["-out", text(&csr)]].concat());
    let other = desk.issue("meter", "home-018", "other.pem", &["--csr", text(&csr)]);
    refused(&other, 1, "expected a request for spiffe://grid.example/meter/home-018, found one");
    let issued = desk.issue("meter", "home-017", "home-017.pem", &["--csr", text(&csr)]);
    assert_eq!(issued.code, 0, "{issued:?}");
}

#[test]
fn an_identity_is_nobody_elses_while_its_certificate_is_in_force() {
    let desk = desk();
    assert_eq!(desk.issue("meter", "home-017", "one.pem", &[]).code, 0);
    let again = desk.issue("meter", "home-017", "two.pem", &[]);
    refused(&again, 1, "expected an identity without a certificate in force, found spiffe://");
    assert!(!desk.at("two.pem").exists());
    // Another role's name is another identity.
    assert_eq!(desk.issue("dno", "home-017", "three.pem", &[]).code, 0);
}

#[test]
fn an_identity_is_free_again_when_its_certificate_has_ended() {
    let fresh = fixture::domain();
    let (authority, now) = (fresh.domain.grid_authority().expect("an authority"), fixture::now());
    let meter = fresh.identity(Role::Meter, "m");
    let credential = issue::issue(&authority, meter.clone(), days(1), &mut OsRng).expect("issued");
    let mut register = fresh.domain.register().expect("a register");
    let page = |issued| Page { format: 1, issued_at: now, batch: None, issued };
    let issued = vec![credential.issued().entry().clone()];
    let mut other = register.clone();
    register.write(page(issued.clone())).expect("written");
    // Whoever read the register before that does not write over it.
    let raced = other.write(page(issued));
    assert!(matches!(raced, Err(RegisterError::Raced { .. })), "{raced:?}");
    let register = fresh.domain.register().expect("a register");
    let refused = register.check_free(&meter, now);
    assert!(matches!(refused, Err(RegisterError::InForce { .. })), "{refused:?}");
    assert!(register.check_free(&meter, now.plus(DAY_MS + 1_000)).is_ok());
}

#[test]
fn a_certificate_is_renewed_with_the_same_key_or_another_and_the_old_one_stays_good() {
    let desk = desk();
    assert_eq!(desk.issue("operator", "op-1", "op.pem", &["--days", "1"]).code, 0);
    let renewed = desk.renew("op.pem", "op-new.pem", &["--days", "30"]);
    assert_eq!(renewed.code, 0, "{renewed:?}");
    let load = |name: &str| attest_verifier::ClientIdentity::load(&desk.at(name)).expect("a pair");
    assert_eq!(load("op.pem").key_hash(), load("op-new.pem").key_hash());
    let mode = fs::metadata(desk.at("op-new.pem")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (_, csr) = desk.request("operator", "op-1");
    let renewed = desk.renew("op-new.pem", "op-next.pem", &["--csr", &csr]);
    assert_eq!(renewed.code, 0, "{renewed:?}");
    let between = desk.at("domain/grid-authority.pem");
    let root = desk.at("domain/root.pem");
    for file in ["op.pem", "op-new.pem", "op-next.pem"].map(|name| desk.at(name)) {
        let files = ["-CAfile", text(&root), "-untrusted", text(&between), text(&file)];
        tool("openssl", &[["verify", "-purpose", "sslclient"].as_slice(), &files].concat());
    }
    let (_, other) = desk.request("operator", "op-2");
    let refusal = desk.renew("op.pem", "x.pem", &["--csr", &other]);
    refused(&refusal, 1, "expected a request for spiffe://grid.example/operator/op-1, found one");
    fs::set_permissions(desk.at("op.pem"), Permissions::from_mode(0o644)).expect("ours");
    refused(&desk.renew("op.pem", "x.pem", &[]), 1, "its owner's alone");
}

#[test]
fn an_ended_and_an_unknown_certificate_are_not_renewed() {
    let fresh = fixture::domain();
    let (authority, now) = (fresh.domain.grid_authority().expect("an authority"), fixture::now());
    let meter = fresh.identity(Role::Meter, "m");
    let credential = issue::issue(&authority, meter, days(1), &mut OsRng).expect("issued");
    let (file, later) = (credential.issued().to_pem(), now.plus(DAY_MS + 1_000));
    let mut register = fresh.domain.register().expect("a register");
    let check =
        |register: &Register, now| Renewable::check(file.as_bytes(), &authority, register, now);
    let unknown = check(&register, now);
    assert!(matches!(unknown, Err(RenewError::Unknown { .. })), "{unknown:?}");
    let issued = vec![credential.issued().entry().clone()];
    register.write(Page { format: 1, issued_at: now, batch: None, issued }).expect("written");
    assert!(check(&register, now).is_ok());
    let ended = check(&register, later);
    assert!(
        matches!(ended, Err(RenewError::Chain(webpki::Error::CertExpired { .. }))),
        "{ended:?}"
    );
}

#[test]
fn a_strangers_certificate_is_not_renewed() {
    let (fresh, stranger) = (fixture::domain(), fixture::domain());
    let (authority, now) = (fresh.domain.grid_authority().expect("an authority"), fixture::now());
    let theirs = stranger.domain.grid_authority().expect("an authority");
    let meter = fresh.identity(Role::Meter, "m");
    let credential = issue::issue(&theirs, meter, days(1), &mut OsRng).expect("issued");
    let issued = vec![credential.issued().entry().clone()];
    let mut register = fresh.domain.register().expect("a register");
    register.write(Page { format: 1, issued_at: now, batch: None, issued }).expect("written");
    let file = credential.issued().to_pem();
    let refused = Renewable::check(file.as_bytes(), &authority, &register, now);
    assert!(matches!(refused, Err(RenewError::Chain(_))), "{refused:?}");
}
