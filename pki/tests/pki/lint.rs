//! Certificates before linters that nobody here wrote.
//!
//! Always the validators of `x509-parser`, the only ones on crates.io; Debian has none. They look
//! at what verifiers let pass: numbers and strings in their DER types, dates in the right form,
//! extensions that do not parse, come twice or are critical where they must not be. Neither a
//! warning nor an error is allowed.
//!
//! And `pkilint`, which knows far more rules and is on PyPI alone, where `TRE_PKILINT` names its
//! program `lint_pkix_cert`: nothing is allowed but what [`EXCUSED`] names with its reason.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Command;

use pki::authority::Profile;
use rcgen::KeyPair;
use rsa::rand_core::OsRng;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use tre_wire::denylist::TpmManufacturer;
use tre_wire::role::Role;
use x509_parser::validate::{
    Validator as _, VecLogger, X509CertificateValidator, X509StructureValidator,
};

use crate::fixture::{self, ROLES, certified, issued, text};

/// What `pkilint` says of our certificates by the name of the finding, and why it may.
const EXCUSED: [(&str, &str); 3] = [
    (
        "pkix.invalid_email_address_syntax",
        "an authority excludes every mail address by the empty one; it is a constraint, no address",
    ),
    ("pkix.invalid_uri_syntax", "its reader of URIs does not know the scheme spiffe"),
    (
        "pkix.unknown_subject_key_identifier_calculation_method",
        "a notice: an identifier of a key is any number that tells keys apart",
    ),
];

/// All that the linter has to say, errors first.
fn findings(der: &[u8]) -> Vec<String> {
    let (rest, certificate) = x509_parser::parse_x509_certificate(der).expect("a certificate");
    assert!(rest.is_empty(), "expected nothing behind the certificate");
    let mut said = VecLogger::default();
    let sound = X509StructureValidator.validate(&certificate, &mut said);
    let fit = X509CertificateValidator.validate(&certificate, &mut said);
    assert!(sound && fit || !said.errors().is_empty(), "expected a reason for every refusal");
    said.errors().iter().chain(said.warnings()).cloned().collect()
}

/// One certificate of every kind that a domain issues, with its name.
fn every_kind() -> Vec<(String, CertificateDer<'static>)> {
    let fresh = fixture::domain();
    let authority = |name: &str| {
        let file = fresh.path().join(format!("{name}.pem"));
        (String::from(name), CertificateDer::from_pem_file(file).expect("a certificate"))
    };
    let mut all = vec![authority("root"), authority("tre-authority"), authority("grid-authority")];
    for role in ROLES {
        let chain = issued(&fresh, role, "name.1_x").issued().to_pem();
        let leaf = CertificateDer::from_pem_slice(chain.as_bytes()).expect("a certificate");
        all.push((role.to_string(), leaf));
    }
    for profile in [Profile::TreServer, Profile::AttestationKey, Profile::DocumentKey] {
        all.push((format!("{profile:?}"), certified(&fresh, profile, "tre-1.example").1));
    }
    let (key, tre) = (KeyPair::generate().expect("a key"), fresh.identity(Role::Tre, "tre-1"));
    let (maker, life) = (Some(TpmManufacturer(*b"MAKR")), fixture::days(90));
    let authority = fresh.domain.tre_authority().expect("an authority");
    let leaf = authority.certify_attestation_key(&tre, &key, maker, life, &mut OsRng);
    all.push((String::from("an attestation key of a known maker"), leaf.expect("certified")));
    all
}

#[test]
fn the_linter_has_nothing_to_say_of_any_kind_of_certificate() {
    let all = every_kind();
    assert_eq!(all.len(), 13);
    for (kind, der) in &all {
        assert_eq!(findings(der), Vec::<String>::new(), "{kind}");
    }
}

#[test]
fn pkilint_finds_nothing_but_what_is_excused() {
    let Some(program) = std::env::var_os("TRE_PKILINT") else {
        say("skipped 1: TRE_PKILINT is not set; certificates were linted by x509-parser alone");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let (file, mut used) = (folder.path().join("certificate.der"), BTreeSet::new());
    let all = every_kind();
    for (kind, der) in &all {
        std::fs::write(&file, der).expect("written");
        let said = Command::new(&program)
            .args(["lint", "--severity", "NOTICE", "--format", "CSV", text(&file)])
            .output()
            .expect("the program that TRE_PKILINT names");
        let table = String::from_utf8(said.stdout).expect("UTF-8");
        let (header, rows) = table.split_once('\n').expect("a table");
        assert_eq!(header.trim(), "node_path,validator,severity,code,message", "{table}");
        for row in rows.lines().filter(|row| !row.trim().is_empty()) {
            let excuse = EXCUSED.iter().find(|(code, _)| row.contains(&format!(",{code},")));
            let (code, _) = excuse.unwrap_or_else(|| panic!("{kind}: {row}"));
            used.insert(*code);
        }
    }
    // An excuse that nothing needs any more goes.
    assert_eq!(used.len(), EXCUSED.len(), "{used:?}");
    say(&format!("{} kinds of certificate, {} findings excused", all.len(), used.len()));
}

/// Says it where a test that passes is heard too; `tests/scripts/test.sh` counts "skipped 1:".
fn say(what: &str) {
    writeln!(std::io::stderr(), "pkilint: {what}").expect("an error stream");
}

/// A linter that is content with everything proves nothing.
#[test]
fn the_linter_finds_a_negative_serial_number_and_a_bad_extension() {
    let der = every_kind().swap_remove(0).1.to_vec();
    let find = |needle: &[u8]| der.windows(needle.len()).position(|some| some == needle);
    let spoilt = |at: usize, byte: u8| {
        let mut der = der.clone();
        der[at] = byte;
        findings(&der).join("; ")
    };
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).expect("a certificate");
    let serial = find(certificate.raw_serial()).expect("the serial number");
    let said = spoilt(serial, 0xff);
    assert!(said.contains("Serial number is negative"), "{said}");
    // keyUsage: a bit string that claims eight unused bits.
    let usage = find(&[0x55, 0x1d, 0x0f, 0x01, 0x01, 0xff, 0x04, 0x04]).expect("keyUsage");
    let said = spoilt(usage + 10, 9);
    assert!(said.contains("Parse error in extension 2.5.29.15"), "{said}");
}
