//! Framing of a credential.

use alloc::{vec, vec::Vec};

use crate::{
    literal::unhex,
    reader::ReadError,
    tpm::{CredentialError, EncryptedSecret, IdObject},
};

fn literal() -> Vec<u8> {
    [
        "0044", // 00 TPM2B_ID_OBJECT
        "0020", // 02 integrityHMAC
        "796af2ddf0321c30c51f38736949352192ac53cd1af0a74c67f6c2624e1f8d8f",
        "522f6da0041b27062e5f93a8585a2a67ad49d48f9d25379312cc3613ee4dc22dc195", // 24 encIdentity
    ]
    .map(unhex)
    .concat()
}

#[test]
fn id_object_is_the_literal_both_ways() {
    let object = IdObject::parse(&literal()).unwrap();
    assert_eq!(object.integrity(), &literal()[4..36]);
    assert_eq!(object.encrypted_identity(), &literal()[36..]);
    assert_eq!(object.encode(), literal());
}

#[test]
fn integrity_value_of_another_length_is_refused() {
    let object = [&[0, 24, 0, 20], [0; 22].as_slice()].concat();
    assert_eq!(IdObject::parse(&object), Err(CredentialError::IntegrityLength { found: 20 }));
}

#[test]
fn integrity_value_of_a_key_with_sha384_is_taken() {
    let object = IdObject::new(vec![1; 48], vec![2; 34]).unwrap();
    assert_eq!(object.encode()[..4], [0, 84, 0, 48]);
    assert_eq!(IdObject::parse(&object.encode()), Ok(object));
}

#[test]
fn encrypted_identity_out_of_bounds_is_refused() {
    for found in [0, 2, 67] {
        let error = CredentialError::IdentityLength { found };
        assert_eq!(IdObject::new(vec![0; 32], vec![0; found]), Err(error));
    }
}

#[test]
fn id_object_cut_anywhere_or_followed_by_a_byte_is_refused() {
    for len in 0..literal().len() {
        let found = IdObject::parse(&literal()[..len]);
        let cut = matches!(found, Err(CredentialError::Read(ReadError::Truncated { .. })));
        assert!(cut, "{len}: {found:?}");
    }
    let long = [literal(), Vec::from([0])].concat();
    let error = CredentialError::Read(ReadError::Trailing { offset: 70, left: 1 });
    assert_eq!(IdObject::parse(&long), Err(error));
}

#[test]
fn encrypted_secret_is_framed_by_its_length() {
    let secret = EncryptedSecret::new(vec![7; 256]).unwrap();
    assert_eq!(secret.encode(), [[1, 0].as_slice(), &[7; 256]].concat());
    assert_eq!(EncryptedSecret::parse(&secret.encode()), Ok(secret));
}

#[test]
fn encrypted_secret_out_of_bounds_is_refused() {
    let error = CredentialError::SecretLength { found: 0 };
    assert_eq!(EncryptedSecret::parse(&[0, 0]), Err(error));
    let error = CredentialError::SecretLength { found: 257 };
    assert_eq!(EncryptedSecret::new(vec![0; 257]), Err(error));
    let error = CredentialError::Read(ReadError::Truncated { offset: 2, needed: 2, left: 1 });
    assert_eq!(EncryptedSecret::parse(&[0, 2, 0]), Err(error));
    let error = CredentialError::Read(ReadError::Trailing { offset: 3, left: 1 });
    assert_eq!(EncryptedSecret::parse(&[0, 1, 0, 0]), Err(error));
}
