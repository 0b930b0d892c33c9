//! The endorsement key, its certificates, and credentials, on a software TPM of each test's own.

use std::process::Command;

use crate::machine::{Machine, hex, offline_tool, succeeded, text};
use measured_boot::tpm::{EncryptedSecret, IdObject, Public, PublicKey};
use tre_tpm::{ActivateError, EndorsementKind, EsapiTpm, Tpm as _};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey as CertifiedKey;

const CREDENTIAL: &[u8] = b"proof that both keys share a TPM";

/// Makes a credential with Debian's tool, which has nothing in common with this crate.
fn credential(
    machine: &Machine,
    endorsement_key: &[u8],
    name: &[u8],
) -> (IdObject, EncryptedSecret) {
    let public = machine.file("ek.pub", &sized(endorsement_key));
    let secret = machine.file("credential", CREDENTIAL);
    let blob = machine.path("blob");
    let arguments = [
        ["-T", "none"],
        ["-u", text(&public)],
        ["-s", text(&secret)],
        ["-n", &hex(name)],
        ["-o", text(&blob)],
    ];
    succeeded(&offline_tool("tpm2_makecredential", &arguments.concat()));
    parts(&std::fs::read(blob).expect("a credential"))
}

/// A TPM2B_PUBLIC with this TPMT_PUBLIC.
fn sized(area: &[u8]) -> Vec<u8> {
    [&u16::try_from(area.len()).expect("short").to_be_bytes(), area].concat()
}

/// The tool's file: magic and version, then both structures with their sizes.
fn parts(blob: &[u8]) -> (IdObject, EncryptedSecret) {
    let (header, rest) = blob.split_first_chunk::<8>().expect("a header");
    assert_eq!(*header, [0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1]);
    let size = rest.first_chunk::<2>().expect("a size");
    let (id_object, secret) = rest.split_at(2 + usize::from(u16::from_be_bytes(*size)));
    (
        IdObject::parse(id_object).expect("an id object"),
        EncryptedSecret::parse(secret).expect("an encrypted secret"),
    )
}

#[test]
fn certificate_is_for_the_key_of_the_default_template() {
    let machine = Machine::new();
    let endorsement = machine.tpm().endorsement().expect("an endorsement");
    let first = endorsement.certificates.first().expect("a certificate");
    assert_eq!(first.nv_index, 0x01c0_0002);
    let (rest, certificate) = X509Certificate::from_der(&first.der).expect("a certificate");
    assert!(rest.is_empty());
    assert_eq!(endorsement.kind, EndorsementKind::Rsa2048);
    let key = Public::parse(&endorsement.key).expect("a key");
    let PublicKey::Rsa2048 { modulus } = key.key() else {
        panic!("expected an RSA key, found {:?}", endorsement.key);
    };
    let CertifiedKey::RSA(certified) = certificate.public_key().parsed().expect("a key") else {
        panic!("expected an RSA key in the certificate");
    };
    assert_eq!(certified.modulus.strip_prefix(&[0]).expect("a sign byte"), modulus.as_slice());
}

#[test]
fn certificates_chain_to_the_manufacturers_root() {
    let machine = Machine::new();
    let endorsement = machine.tpm().endorsement().expect("an endorsement");
    let manufacturer = machine.manufacturer();
    assert_eq!(endorsement.certificates.len(), 2);
    for certificate in &endorsement.certificates {
        let der = machine.file("ek.der", &certificate.der);
        let pem = machine.path("ek.pem");
        let converted = Command::new("openssl")
            .args(["x509", "-inform", "DER", "-in", text(&der), "-out", text(&pem)])
            .output()
            .expect("openssl");
        succeeded(&converted);
        let verified = Command::new("openssl")
            .args(["verify", "-ignore_critical", "-CAfile"])
            .arg(manufacturer.root_certificate())
            .arg("-untrusted")
            .arg(manufacturer.issuer_certificate())
            .arg(&pem)
            .output()
            .expect("openssl");
        succeeded(&verified);
    }
}

#[test]
fn key_is_the_one_that_tpm2_createek_makes() {
    let machine = Machine::new();
    let key = machine.tpm().endorsement().expect("an endorsement").key;
    let (public, context) = (machine.path("tool.pub"), machine.path("tool.ctx"));
    let arguments = ["-G", "rsa", "-f", "tss", "-u", text(&public), "-c", text(&context)];
    succeeded(&machine.tool("tpm2_createek", &arguments));
    assert_eq!(std::fs::read(public).expect("a key"), sized(&key));
}

/// Takes a certificate out of the TPM, as if its maker had not put it there.
fn without(machine: &Machine, nv_index: &str) {
    succeeded(&machine.tool("tpm2_nvundefine", &["-C", "p", nv_index]));
}

#[test]
fn tpm_with_a_p384_certificate_alone_shows_that_key_and_activates_with_it() {
    let machine = Machine::new();
    without(&machine, "0x01c00002");
    let mut tpm = machine.tpm();
    let endorsement = tpm.endorsement().expect("an endorsement");
    assert_eq!(endorsement.kind, EndorsementKind::P384);
    let [certificate] = endorsement.certificates.as_slice() else { panic!("{endorsement:?}") };
    assert_eq!(certificate.nv_index, 0x01c0_0016);
    let (rest, certificate) = X509Certificate::from_der(&certificate.der).expect("a certificate");
    assert!(rest.is_empty());
    // An uncompressed point: both coordinates stand in the key's public area, too.
    let (_, point) = certificate.public_key().subject_public_key.data.split_at(1);
    let (x, y) = point.split_at(48);
    assert!(endorsement.key.ends_with(&[[0, 48].as_slice(), x, &[0, 48], y].concat()));
    activates(&machine, &mut tpm, &endorsement.key);
}

#[test]
fn tpm_with_a_p256_certificate_alone_shows_that_key_and_activates_with_it() {
    let machine = Machine::new();
    without(&machine, "0x01c00002");
    without(&machine, "0x01c00016");
    // What is in it does not matter here: the place says for which key it is.
    let attributes = "ppwrite|ppread|ownerread|authread|no_da|platformcreate";
    let define = ["0x01c0000a", "-C", "p", "-s", "16", "-a", attributes];
    succeeded(&machine.tool("tpm2_nvdefine", &define));
    let content = machine.file("certificate", &[0x30; 16]);
    succeeded(&machine.tool("tpm2_nvwrite", &["0x01c0000a", "-C", "p", "-i", text(&content)]));
    let mut tpm = machine.tpm();
    let endorsement = tpm.endorsement().expect("an endorsement");
    assert_eq!(endorsement.kind, EndorsementKind::P256);
    let (public, context) = (machine.path("tool.pub"), machine.path("tool.ctx"));
    drop(tpm);
    let arguments = ["-G", "ecc", "-f", "tss", "-u", text(&public), "-c", text(&context)];
    succeeded(&machine.tool("tpm2_createek", &arguments));
    assert_eq!(std::fs::read(public).expect("a key"), sized(&endorsement.key));
    succeeded(&machine.tool("tpm2_flushcontext", &["-t"]));
    activates(&machine, &mut machine.tpm(), &endorsement.key);
}

/// The key and the attestation key share their TPM, as Debian's tool and the TPM see it.
fn activates(machine: &Machine, tpm: &mut EsapiTpm, key: &[u8]) {
    let mut name = tpm.attestation_key().expect("a key").name().to_bytes();
    let (id_object, secret) = credential(machine, key, &name);
    let activated = tpm.activate_credential(&id_object, &secret).expect("activates");
    assert_eq!(activated.as_slice(), CREDENTIAL);
    name[33] ^= 1;
    let (wrong, secret) = credential(machine, key, &name);
    let refused = tpm.activate_credential(&wrong, &secret);
    assert!(matches!(refused, Err(ActivateError::Refused { .. })), "{refused:?}");
}

#[test]
fn credential_for_both_keys_is_activated() {
    let machine = Machine::new();
    let mut tpm = machine.tpm();
    // With all other keys of a TRE loaded: a TPM has room for three.
    tpm.random(&mut [0; 1]).expect("random bytes");
    let name = tpm.attestation_key().expect("a key").name().to_bytes();
    let key = tpm.endorsement().expect("an endorsement").key;
    let (id_object, secret) = credential(&machine, &key, &name);
    for _ in 0..2 {
        let activated = tpm.activate_credential(&id_object, &secret).expect("activates");
        assert_eq!(activated.as_slice(), CREDENTIAL);
    }
}

#[test]
fn credential_for_another_attestation_key_is_refused() {
    let machine = Machine::new();
    let mut tpm = machine.tpm();
    let mut name = tpm.attestation_key().expect("a key").name().to_bytes();
    name[33] ^= 1;
    let key = tpm.endorsement().expect("an endorsement").key;
    let (id_object, secret) = credential(&machine, &key, &name);
    let refused = tpm.activate_credential(&id_object, &secret);
    assert!(matches!(refused, Err(ActivateError::Refused { .. })), "{refused:?}");
}

#[test]
fn credential_for_another_tpm_is_refused() {
    let (machine, other) = (Machine::new(), Machine::new());
    let mut tpm = machine.tpm();
    let name = tpm.attestation_key().expect("a key").name().to_bytes();
    let other_key = other.tpm().endorsement().expect("an endorsement").key;
    let (id_object, secret) = credential(&machine, &other_key, &name);
    let refused = tpm.activate_credential(&id_object, &secret);
    assert!(matches!(refused, Err(ActivateError::Refused { .. })), "{refused:?}");
}

#[test]
fn refused_credential_leaves_nothing_behind_in_the_tpm() {
    let machine = Machine::new();
    let mut tpm = machine.tpm();
    let name = tpm.attestation_key().expect("a key").name().to_bytes();
    let key = tpm.endorsement().expect("an endorsement").key;
    let (wrong, secret) = credential(&machine, &key, &[0x00, 0x0b].repeat(17));
    for _ in 0..5 {
        let refused = tpm.activate_credential(&wrong, &secret);
        assert!(matches!(refused, Err(ActivateError::Refused { .. })), "{refused:?}");
    }
    let (right, secret) = credential(&machine, &key, &name);
    tpm.activate_credential(&right, &secret).expect("activates");
}

#[test]
fn power_cuts_after_an_activation_do_not_count() {
    let mut machine = Machine::new();
    for _ in 0..4 {
        let mut tpm = machine.tpm();
        let name = tpm.attestation_key().expect("a key").name().to_bytes();
        let key = tpm.endorsement().expect("an endorsement").key;
        let (id_object, secret) = credential(&machine, &key, &name);
        tpm.activate_credential(&id_object, &secret).expect("activates");
        machine = machine.power_cycled();
    }
    let properties = succeeded(&machine.tool("tpm2_getcap", &["properties-variable"]));
    assert!(properties.contains("TPM2_PT_LOCKOUT_COUNTER: 0x0\n"), "{properties}");
}
