//! Files of identities and references: what is wrong with one is said with its name.

use std::fs;
use std::path::Path;

use attest_verifier::core::ChainError;
use attest_verifier::{ClientIdentity, FileError, IdentityError};
use rcgen::KeyPair;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use crate::scene::Scene;
use crate::server::meter_pem;

#[test]
fn an_identity_is_a_key_and_its_certificates_in_either_order() {
    let (pem, hash) = meter_pem(&Scene::honest());
    let (key, certificate) = pem.split_once("-----BEGIN CERTIFICATE-----").unwrap();
    let turned = format!("-----BEGIN CERTIFICATE-----{certificate}{key}");
    for text in [pem.clone(), turned] {
        let identity = ClientIdentity::from_pem(text.as_bytes()).unwrap();
        assert_eq!(identity.key_hash(), hash);
        assert_eq!(identity.chain().len(), 1);
    }
}

#[test]
fn an_identity_never_shows_its_key() {
    let (pem, hash) = meter_pem(&Scene::honest());
    let identity = ClientIdentity::from_pem(pem.as_bytes()).unwrap();
    assert_eq!(format!("{identity:?}"), format!("ClientIdentity({hash}, Secret(..))"));
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (pem, _) = meter_pem(&Scene::honest());
    let (_, certificate) = pem.split_once("-----BEGIN CERTIFICATE-----").unwrap();
    let key = KeyPair::generate().unwrap().serialize_pem();
    let text = format!("{key}-----BEGIN CERTIFICATE-----{certificate}");
    let error = ClientIdentity::from_pem(text.as_bytes()).unwrap_err();
    assert!(matches!(&error, IdentityError::Key { .. }), "{error}");
}

#[test]
fn certificates_are_taken_for_a_key_held_elsewhere_if_they_are_that_keys() {
    let (pem, hash) = meter_pem(&Scene::honest());
    let (key, certificate) = pem.split_once("-----BEGIN CERTIFICATE-----").unwrap();
    let certificate = format!("-----BEGIN CERTIFICATE-----{certificate}");
    let held = |key: &str| {
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        rustls::crypto::ring::sign::any_supported_type(&key).unwrap()
    };
    let identity = ClientIdentity::for_key(certificate.as_bytes(), held(key)).unwrap();
    assert_eq!(identity.key_hash(), hash);
    let other = held(&KeyPair::generate().unwrap().serialize_pem());
    let error = ClientIdentity::for_key(certificate.as_bytes(), other).unwrap_err();
    assert!(matches!(&error, IdentityError::Key { .. }), "{error}");
    let error = ClientIdentity::for_key(b"", held(key)).unwrap_err();
    assert!(matches!(&error, IdentityError::Certificate { .. }), "{error}");
}

#[test]
fn a_key_without_a_certificate_is_refused() {
    let key = KeyPair::generate().unwrap().serialize_pem();
    let error = ClientIdentity::from_pem(key.as_bytes()).unwrap_err();
    let IdentityError::Certificate { cause, .. } = &error else { panic!("{error}") };
    assert_eq!(*cause, ChainError::Empty);
    let text = "identity: expected a certificate beside the private key, found no certificate";
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_file_without_a_key_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("meter-1.pem");
    fs::write(&path, "nothing here").unwrap();
    let error = ClientIdentity::load(&path).unwrap_err();
    assert!(matches!(&error, IdentityError::Pem { .. }), "{error}");
    assert!(error.to_string().contains("meter-1.pem: expected a PKCS #8 private key"), "{error}");
}

#[test]
fn a_missing_file_is_refused_by_its_name() {
    let error = ClientIdentity::load(Path::new("/nonexistent/meter-1.pem")).unwrap_err();
    assert!(matches!(&error, IdentityError::File(FileError::Read { .. })), "{error}");
    assert!(error.to_string().starts_with("/nonexistent/meter-1.pem: "), "{error}");
}

#[test]
fn a_file_beyond_its_bound_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("meter-1.pem");
    fs::write(&path, vec![b'x'; 64 * 1024 + 1]).unwrap();
    let error = ClientIdentity::load(&path).unwrap_err();
    let IdentityError::File(FileError::TooLong { most, .. }) = error else { panic!("{error}") };
    assert_eq!(most, 64 * 1024);
}
