//! Credentials made here are opened by a TPM, with tools that others wrote, and only by the right
//! one for the right key.

use measured_boot::tpm::Name;
use pki::credential::{self, Credential, MakeError};
use pki::ek::EkPublic;
use rsa::rand_core::OsRng;

use crate::tpm::{Manufacturer, Tpm};

const SECRET: [u8; 32] = *b"an odd secret of thirty-two byte";

fn credential_for(endorsement_key: &[u8], name: Name) -> Credential {
    let key = EkPublic::parse(endorsement_key).expect("an EK");
    credential::make(&key, name, &SECRET, &mut OsRng).expect("made")
}

fn activate(tpm: &Tpm, key: &str, credential: &Credential) -> Result<Vec<u8>, String> {
    let (object, secret) = (credential.id_object.encode(), credential.encrypted_secret.encode());
    tpm.activate(key, &object, &secret)
}

#[test]
fn only_this_tpm_opens_a_credential_and_only_for_this_key() {
    for algorithm in ["rsa", "ecc", "ecc384"] {
        only_this_tpm_opens_it(algorithm);
    }
}

fn only_this_tpm_opens_it(algorithm: &str) {
    let manufacturer = Manufacturer::new();
    let tpm = manufacturer.tpm();
    let endorsement_key = tpm.endorsement_key_of(algorithm);
    let name = Name::of_public_area(&tpm.attestation_key("aik"));
    let credential = credential_for(&endorsement_key, name);
    assert_eq!(activate(&tpm, "aik", &credential), Ok(SECRET.to_vec()));

    // Another key of the same TPM: its Name is not the one that the credential was made for.
    let attributes = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign";
    let other = Name::of_public_area(&tpm.endorsement_primary("other", attributes));
    assert_ne!(other, name);
    // TPM_RC_INTEGRITY for the first parameter.
    let refused = activate(&tpm, "other", &credential).expect_err("another Name");
    assert!(refused.contains("integrity check failed"), "{refused}");
    let credential = credential_for(&endorsement_key, other);
    let refused = activate(&tpm, "aik", &credential).expect_err("another Name");
    assert!(refused.contains("integrity check failed"), "{refused}");

    // Another TPM: its endorsement key does not decrypt the seed.
    let stranger = manufacturer.tpm();
    let foreign = credential_for(&stranger.endorsement_key_of(algorithm), name);
    activate(&tpm, "aik", &foreign).expect_err("another TPM's endorsement key");
}

#[test]
fn no_two_credentials_are_alike() {
    let modulus = {
        let mut modulus = [0xc5; 256];
        modulus[255] = 1;
        modulus
    };
    let name = Name::of_public_area(b"any");
    let key = EkPublic::Rsa2048 { modulus: Box::new(modulus) };
    let make = || credential::make(&key, name, &SECRET, &mut OsRng).expect("made");
    let (one, other) = (make(), make());
    assert_ne!(one.id_object, other.id_object);
    assert_ne!(one.encrypted_secret, other.encrypted_secret);
}

#[test]
fn no_credential_is_made_for_a_point_off_its_curve() {
    let name = Name::of_public_area(b"any");
    let off =
        [EkPublic::P256 { x: [1; 32], y: [2; 32] }, EkPublic::P384 { x: [1; 48], y: [2; 48] }];
    for key in off {
        let refused = credential::make(&key, name, &SECRET, &mut OsRng);
        assert!(matches!(refused, Err(MakeError::Agreement(_))), "{refused:?}");
    }
}
