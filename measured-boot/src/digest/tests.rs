//! Digests as text and as chains.

use alloc::format;

use proptest::prelude::*;

use super::*;

/// SHA-256 of "abc", the example of FIPS 180-4.
const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[test]
fn sha256_of_abc_is_the_published_value() {
    assert_eq!(sha256(b"abc").to_string(), ABC);
    assert_eq!(sha256_of_parts([b"a".as_slice(), b"", b"bc"]).to_string(), ABC);
}

#[test]
fn extending_hashes_the_old_value_before_the_digest() {
    let digest = sha256(b"abc");
    let expected = sha256(&[[0; 32], digest.0].concat());
    assert_eq!(Sha256Digest::ZERO.extended_by(&digest), expected);
}

#[test]
fn text_of_another_length_is_refused() {
    assert_eq!("".parse::<Sha256Digest>(), Err(HexError::Length { found: 0 }));
    assert_eq!(ABC[..63].parse::<Sha256Digest>(), Err(HexError::Length { found: 63 }));
    assert_eq!(format!("{ABC}00").parse::<Sha256Digest>(), Err(HexError::Length { found: 66 }));
}

#[test]
fn upper_case_is_refused_at_its_position() {
    let error = HexError::Digit { position: 1, found: b'A' };
    assert_eq!(ABC.replacen('a', "A", 1).parse::<Sha256Digest>(), Err(error));
    let error = HexError::Digit { position: 0, found: b'+' };
    assert_eq!(format!("+{}", &ABC[1..]).parse::<Sha256Digest>(), Err(error));
}

#[test]
fn json_form_is_the_hex_string() {
    let json = serde_json::to_string(&sha256(b"abc")).unwrap();
    assert_eq!(json, format!("\"{ABC}\""));
    assert_eq!(serde_json::from_str::<Sha256Digest>(&json).unwrap(), sha256(b"abc"));
    let error = serde_json::from_str::<Sha256Digest>("\"00\"").unwrap_err();
    assert!(error.to_string().starts_with("expected 64 hex digits, found 2 characters"));
}

proptest! {
    #[test]
    fn text_form_reads_back(bytes: [u8; 32]) {
        let digest = Sha256Digest(bytes);
        prop_assert_eq!(digest.to_string().parse(), Ok(digest));
    }
}
