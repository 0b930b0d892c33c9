//! Bad certificates before the desk, one fault each: the table of what is refused, and as what.

use pki::authority::AuthorityKind;
use pki::issue;
use pki::register::{Entry, Page, Register};
use pki::renew::{RenewError, Renewable};
use rcgen::{
    CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType,
    date_time_ymd,
};
use rsa::rand_core::OsRng;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tre_wire::hex::{Hex32, HexBytes};
use tre_wire::role::Role;

use crate::fixture::{self, DAY_MS, FreshDomain, days};

const METER: &str = "spiffe://grid.example/meter/home-017";

/// What is wrong with a certificate.
type Fault = fn(&mut CertificateParams);

fn names(params: &mut CertificateParams, uris: &[&str]) {
    let uri = |uri: &&str| SanType::URI((*uri).try_into().expect("ASCII"));
    params.subject_alt_names = uris.iter().map(uri).collect();
}

/// The fault, and what the refusal of it says.
const TABLE: [(&str, Fault, &str); 11] = [
    ("none", |_| {}, "taken"),
    ("it has ended", |params| params.not_after = date_time_ymd(2020, 1, 1), "CertExpired"),
    ("it has not begun", |params| params.not_before = date_time_ymd(4000, 1, 1), "CertNotValidYet"),
    (
        "a critical extension that nobody knows",
        |params| {
            let mut odd = CustomExtension::from_oid_content(&[2, 23, 133, 99], vec![5, 0]);
            odd.set_criticality(true);
            params.custom_extensions.push(odd);
        },
        "UnsupportedCriticalExtension",
    ),
    (
        "for a server",
        |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
        "RequiredEkuNotFound",
    ),
    ("no name", |params| names(params, &[]), "one URI of a role"),
    ("two names", |params| names(params, &[METER, METER]), "one URI of a role"),
    (
        "odd characters in its name",
        |params| names(params, &["spiffe://grid.example/meter/home%20017"]),
        "one URI of a role",
    ),
    (
        "a role that there is not",
        |params| names(params, &["spiffe://grid.example/king/home-017"]),
        "one URI of a role",
    ),
    (
        "of another trust domain",
        |params| names(params, &["spiffe://other.example/meter/home-017"]),
        "expected spiffe://other.example/meter/home-017 with the key",
    ),
    (
        "of another identity than the key's",
        |params| names(params, &["spiffe://grid.example/meter/home-018"]),
        "expected spiffe://grid.example/meter/home-018 with the key",
    ),
];

/// A register in which `key` is the meter's.
fn register_of(fresh: &FreshDomain, key: &KeyPair) -> Register {
    use rcgen::PublicKeyData as _;

    let spki = measured_boot::digest::sha256(&key.subject_public_key_info());
    let now = fixture::now();
    let entry = Entry {
        identity: METER.parse().expect("an identity"),
        spki_sha256: Hex32(spki.0),
        serial: HexBytes(vec![1]),
        until: now.plus(DAY_MS),
    };
    let mut register = fresh.domain.register().expect("a register");
    let page = Page { format: 1, issued_at: now, batch: None, issued: vec![entry] };
    register.write(page).expect("written");
    register
}

#[test]
fn each_bad_certificate_is_refused_by_what_is_wrong_with_it() {
    let fresh = fixture::domain();
    let read = |name| std::fs::read_to_string(fresh.path().join(name)).expect("a file");
    let key = KeyPair::from_pem(&read("grid-authority.key.pem")).expect("a key");
    let issuer = Issuer::from_ca_cert_pem(&read("grid-authority.pem"), key).expect("an issuer");
    let authority = fresh.domain.grid_authority().expect("an authority");
    let own = KeyPair::generate().expect("a key");
    let register = register_of(&fresh, &own);
    for (fault, spoil, expected) in TABLE {
        let mut params = CertificateParams::default();
        names(&mut params, &[METER]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        spoil(&mut params);
        let pem = params.signed_by(&own, &issuer).expect("signed").pem();
        let judged = Renewable::check(pem.as_bytes(), &authority, &register, fixture::now());
        let said = judged.map_or_else(|error| error.to_string(), |_| String::from("taken"));
        assert!(said.contains(expected), "{fault}: expected {expected}, found {said}");
    }
}

/// Whoever holds the grid authority's key can sign an authority; nothing below it is believed.
#[test]
fn a_certificate_below_too_long_a_path_is_refused() {
    let fresh = fixture::domain();
    let grid = fresh.domain.grid_authority().expect("an authority");
    let name = "grid.example".parse().expect("a name");
    let rogue = grid.subordinate(AuthorityKind::Tre, &name, days(30), &mut OsRng).expect("signed");
    let meter = fresh.identity(Role::Meter, "home-017");
    let credential = issue::issue(&rogue, meter, days(1), &mut OsRng).expect("signed");
    let leaf = credential.issued().to_pem();

    // To the desk it is a stranger's.
    let key = KeyPair::generate().expect("a key");
    let register = register_of(&fresh, &key);
    let judged = Renewable::check(leaf.as_bytes(), &grid, &register, fixture::now());
    let unknown = matches!(judged, Err(RenewError::Chain(webpki::Error::UnknownIssuer)));
    assert!(unknown, "{judged:?}");

    // And the path to the root is longer than the grid authority's certificate allows.
    let leaf = CertificateDer::from_pem_slice(leaf.as_bytes()).expect("a certificate");
    let leaf = webpki::EndEntityCert::try_from(&leaf).expect("readable");
    let root = CertificateDer::from_pem_file(fresh.path().join("root.pem")).expect("a root");
    let anchors = [webpki::anchor_from_trusted_cert(&root).expect("an anchor")];
    let between = [rogue.certificate().clone(), grid.certificate().clone()];
    let now = core::time::Duration::from_millis(fixture::now().get());
    let judged = leaf.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &anchors,
        &between,
        rustls::pki_types::UnixTime::since_unix_epoch(now),
        webpki::KeyUsage::client_auth(),
        None,
        None,
    );
    let violated = webpki::Error::PathLenConstraintViolated;
    assert_eq!(judged.map(|_| ()).err(), Some(violated));
}
