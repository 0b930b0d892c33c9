//! Certificates, judged by OpenSSL and by rustls.

use std::fs;
use std::path::{Path, PathBuf};

use pki::authority::{Authority, AuthorityError, AuthorityKind, CertifyError, Profile};
use pki::domain::{Domain, DomainError, InitError};
use pki::issue::{self, Credential, IssueError};
use pki::key_file::PrivateKey;
use rcgen::{CertificateParams, Issuer, KeyPair};
use rsa::rand_core::OsRng;
use rustls::pki_types::CertificateDer;
use tre_wire::deployment::Deployment;
use tre_wire::role::Role;

use crate::fixture::{
    self, FreshDomain, PASSPHRASE, ROLES, certified, days, issued, passphrase, run, text, tool,
};

fn write(fresh: &FreshDomain, name: &str, content: &[u8]) -> PathBuf {
    let path = fresh.folder.path().join(name);
    fs::write(&path, content).expect("written");
    path
}

fn openssl_verify(fresh: &FreshDomain, authority: &str, purpose: &str, leaf: &str) -> bool {
    let root = fresh.path().join("root.pem");
    let between = fresh.path().join(authority);
    let arguments = [
        "verify",
        "-x509_strict",
        "-purpose",
        purpose,
        "-CAfile",
        text(&root),
        "-untrusted",
        text(&between),
        leaf,
    ];
    run("openssl", &arguments).status.success()
}

#[test]
fn openssl_follows_every_role_certificate_to_the_root() {
    let fresh = fixture::domain();
    for role in ROLES {
        let credential = issued(&fresh, role, "name-1");
        let file = write(&fresh, "role.pem", credential.to_pem().as_bytes());
        assert!(openssl_verify(&fresh, "grid-authority.pem", "sslclient", text(&file)), "{role}");
        // For a client only, and not by the other authority.
        assert!(!openssl_verify(&fresh, "grid-authority.pem", "sslserver", text(&file)));
        assert!(!openssl_verify(&fresh, "tre-authority.pem", "sslclient", text(&file)));
        let read = tool("openssl", &["x509", "-in", text(&file), "-noout", "-text"]);
        let uri = format!("URI:spiffe://grid.example/{role}/name-1");
        for expected in [
            uri.as_str(),
            "TLS Web Client Authentication",
            "CA:FALSE",
            "Digital Signature",
            "Authority Key Identifier",
            "ASN1 OID: prime256v1",
        ] {
            assert!(read.contains(expected), "{role}: expected {expected} in {read}");
        }
        // The key in the file is the certificate's.
        let of_key = tool("openssl", &["pkey", "-in", text(&file), "-pubout"]);
        let of_leaf = tool("openssl", &["x509", "-in", text(&file), "-noout", "-pubkey"]);
        assert_eq!(of_key, of_leaf);
    }
}

#[test]
fn openssl_follows_a_tres_three_certificates_to_the_root() {
    let fresh = fixture::domain();
    for (profile, usage) in [
        (Profile::TreServer, "TLS Web Server Authentication"),
        (Profile::AttestationKey, "2.23.133.8.3"),
        (Profile::DocumentKey, "1.3.6.1.5.5.7.3.36"),
    ] {
        let (_, leaf) = certified(&fresh, profile, "tre-1");
        let file = write(&fresh, "leaf.der", &leaf);
        let tre = "tre-authority.pem";
        assert!(openssl_verify(&fresh, tre, "any", text(&file)), "{profile:?}");
        let serves = profile == Profile::TreServer;
        assert_eq!(openssl_verify(&fresh, tre, "sslserver", text(&file)), serves, "{profile:?}");
        let read = tool("openssl", &["x509", "-in", text(&file), "-noout", "-text"]);
        for expected in [usage, "URI:spiffe://grid.example/tre/tre-1", "CA:FALSE"] {
            assert!(read.contains(expected), "{profile:?}: expected {expected} in {read}");
        }
    }
}

#[test]
fn authorities_can_certify_leaves_of_uris_and_nothing_else() {
    let fresh = fixture::domain();
    for (file, path_length) in
        [("root.pem", 1), ("tre-authority.pem", 0), ("grid-authority.pem", 0)]
    {
        let path = fresh.path().join(file);
        let read = tool("openssl", &["x509", "-in", text(&path), "-noout", "-text"]);
        let constraint = format!("CA:TRUE, pathlen:{path_length}");
        let critical = [
            "X509v3 Basic Constraints: critical",
            "X509v3 Key Usage: critical",
            "X509v3 Name Constraints: critical",
        ];
        let others = [constraint.as_str(), "Certificate Sign, CRL Sign", "Excluded:"];
        for expected in critical.iter().chain(&others) {
            assert!(read.contains(expected), "{file}: expected {expected} in {read}");
        }
    }
    // An authority below the grid authority. (Of another name: a path length does not count
    // authorities that issue to themselves.)
    let grid = fresh.domain.grid_authority().expect("an authority");
    let name = "grid.example".parse().expect("a name");
    let rogue = grid
        .subordinate(AuthorityKind::Tre, &name, days(30), &mut OsRng)
        .expect("nothing stops a holder of the key from signing");
    let identity = fresh.identity(Role::Meter, "m");
    let credential = issue::issue(&rogue, identity, days(1), &mut OsRng).expect("signed");
    let leaf = write(&fresh, "below.pem", credential.to_pem().as_bytes());
    let above = to_pem(&fresh, rogue.certificate());
    let grid_pem = fs::read_to_string(fresh.path().join("grid-authority.pem")).expect("a file");
    let between = write(&fresh, "between.pem", format!("{grid_pem}{above}").as_bytes());
    let said = refusal_of_openssl(&fresh, &between, &leaf);
    assert!(said.contains("path length constraint exceeded"), "{said}");
    // A host name.
    let key = fs::read_to_string(fresh.path().join("grid-authority.key.pem")).expect("a key");
    let key = KeyPair::from_pem(&key).expect("a key");
    let issuer = Issuer::from_ca_cert_pem(&grid_pem, key).expect("an issuer");
    let host = CertificateParams::new([String::from("bank.example")]).expect("a host name");
    let host = host.signed_by(&KeyPair::generate().expect("a key"), &issuer).expect("signed");
    let leaf = write(&fresh, "host.pem", host.pem().as_bytes());
    let between = write(&fresh, "between.pem", grid_pem.as_bytes());
    let said = refusal_of_openssl(&fresh, &between, &leaf);
    assert!(said.contains("excluded subtree violation"), "{said}");
}

fn refusal_of_openssl(fresh: &FreshDomain, between: &Path, leaf: &Path) -> String {
    let root = fresh.path().join("root.pem");
    let arguments = ["verify", "-CAfile", text(&root), "-untrusted", text(between), text(leaf)];
    let output = run("openssl", &arguments);
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn to_pem(fresh: &FreshDomain, der: &CertificateDer<'_>) -> String {
    let file = write(fresh, "to-pem.der", der);
    tool("openssl", &["x509", "-in", text(&file)])
}

#[test]
fn serial_numbers_are_random_and_positive() {
    let fresh = fixture::domain();
    let serial = |credential: &Credential| {
        let file = write(&fresh, "serial.der", &credential.chain()[0]);
        tool("openssl", &["x509", "-in", text(&file), "-noout", "-serial"])
    };
    let one = serial(&issued(&fresh, Role::Meter, "m"));
    let other = serial(&issued(&fresh, Role::Meter, "m"));
    assert_ne!(one, other);
    assert_eq!(one.trim_end().len(), "serial=".len() + 32, "{one}");
}

#[test]
fn a_certificate_never_outlives_its_authority() {
    let fresh = fixture::domain();
    let authority = fresh.domain.tre_authority().expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let identity = fresh.identity(Role::Tre, "tre-1");
    let refused =
        authority.certify(Profile::TreServer, &identity, &key, days(11 * 366), &mut OsRng);
    let expected = AuthorityKind::Tre;
    // One more where a second has begun between the making of the two.
    assert!(
        matches!(refused, Err(CertifyError::OutlivesAuthority { authority, days: found })
            if authority == expected && (366..=367).contains(&found)),
        "{refused:?}"
    );
}

#[test]
fn a_role_certificate_is_short_lived_and_never_a_tres() {
    let fresh = fixture::domain();
    let grid = fresh.domain.grid_authority().expect("an authority");
    let meter = fresh.identity(Role::Meter, "m");
    let refused = issue::issue(&grid, meter, days(398), &mut OsRng);
    assert!(matches!(refused, Err(IssueError::Days { found: 398 })), "{refused:?}");
    let tre = fresh.identity(Role::Tre, "tre-1");
    let refused = issue::issue(&grid, tre, days(30), &mut OsRng);
    assert!(matches!(refused, Err(IssueError::TreRole)), "{refused:?}");
}

#[test]
fn a_domain_is_never_made_twice() {
    let fresh = fixture::domain();
    let root = fs::read(fresh.path().join("root.key.pem")).expect("a key");
    let again = || {
        let name = "grid.example".parse().expect("a name");
        let passphrase = passphrase(PASSPHRASE);
        Domain::init(&fresh.path(), name, &passphrase, fixture::now(), &mut OsRng)
    };
    assert!(matches!(again(), Err(InitError::Exists { .. })));
    assert_eq!(fs::read(fresh.path().join("root.key.pem")).expect("a key"), root);
    // No draft is left beside it.
    assert_eq!(fs::read_dir(fresh.folder.path()).expect("a folder").count(), 1);
}

#[test]
fn a_failed_init_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = "a".repeat(65).parse().expect("a name");
    let path = folder.path().join("domain");
    let passphrase = passphrase(PASSPHRASE);
    let refused = Domain::init(&path, long, &passphrase, fixture::now(), &mut OsRng);
    assert!(matches!(refused, Err(InitError::NameLength { found: 65 })), "{refused:?}");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[test]
fn an_authority_needs_its_own_key_and_its_own_certificate() {
    let fresh = fixture::domain();
    let read = |name: &str| fs::read(fresh.path().join(name)).expect("a file");
    let key = |name: &str| {
        let pem = String::from_utf8(read(name)).expect("PEM");
        let pair = KeyPair::from_pem(&pem).expect("a key");
        PrivateKey::from_der(pair.serialize_der().into())
    };
    let certificate = read("tre-authority.pem");
    let load = |certificate: &[u8], key: &PrivateKey| {
        Authority::new(AuthorityKind::Tre, certificate, key).map(|_| ())
    };
    let own = key("tre-authority.key.pem");
    assert!(matches!(load(&certificate, &own), Ok(())));
    let refused = load(&certificate, &key("grid-authority.key.pem"));
    assert!(matches!(refused, Err(AuthorityError::KeyMismatch { .. })), "{refused:?}");
    let refused = load(&read("tre-authority.key.pem"), &own);
    assert!(matches!(refused, Err(AuthorityError::Certificate { .. })), "{refused:?}");
    let refused = load(&certificate, &PrivateKey::from_der(b"none".to_vec().into()));
    assert!(matches!(refused, Err(AuthorityError::KeyUnusable { .. })), "{refused:?}");
    let leaf = issued(&fresh, Role::Meter, "m").to_pem();
    let refused = load(leaf.as_bytes(), &own);
    assert!(matches!(refused, Err(AuthorityError::NoAuthority { .. })), "{refused:?}");
}

#[test]
fn a_deployment_names_both_authorities_and_the_policy() {
    let fresh = fixture::domain();
    let path = format!("{}/policies/demo.json", env!("CARGO_MANIFEST_DIR"));
    let policy = fs::read(path).expect("committed");
    let file = fresh.domain.deployment(&policy).expect("a deployment");
    let deployment = Deployment::from_json(&file).expect("a deployment");
    assert_eq!(deployment.trust_domain.as_str(), "grid.example");
    assert_eq!(deployment.policy.name, "demo");
    let (tre, grid) = (fresh.domain.tre_authority(), fresh.domain.grid_authority());
    let der = |authority: Result<Authority, DomainError>| {
        authority.expect("an authority").certificate().to_vec()
    };
    assert_eq!(deployment.tre_authorities[0].0, der(tre));
    assert_eq!(deployment.grid_authorities[0].0, der(grid));
}

#[test]
fn a_policy_that_cannot_govern_makes_no_deployment() {
    let fresh = fixture::domain();
    let path = format!("{}/policies/demo.json", env!("CARGO_MANIFEST_DIR"));
    let policy = fs::read_to_string(path).expect("committed");
    let weak = policy.replace("\"minimum_group\": 15", "\"minimum_group\": 1");
    let refused = fresh.domain.deployment(weak.as_bytes());
    assert!(matches!(refused, Err(DomainError::Deployment(_))), "{refused:?}");
    let refused = fresh.domain.deployment(b"{}");
    assert!(matches!(refused, Err(DomainError::Policy(_))), "{refused:?}");
}
