//! Signatures, field by field.

use alloc::vec::Vec;

use crate::{
    literal::{overwritten, unhex},
    reader::ReadError,
    tpm::{AlgorithmId, EcdsaSignature, SignatureError},
};

fn literal() -> Vec<u8> {
    [
        "0018", // 00 ecdsa
        "000b", // 02 sha256
        "0020", // 04 r
        "9d7028d49740ee9603931c13b10d450354a96756e909cec4298247a08724f8c6",
        "0020", // 26 s
        "de8b954a39037901af8be6c138745c47363f30294821d282d036ed78882c2abd",
    ]
    .map(unhex)
    .concat()
}

fn with(offset: usize, bytes: &[u8]) -> Vec<u8> {
    overwritten(literal(), offset, bytes)
}

#[test]
fn signature_is_the_literal_both_ways() {
    let signature = EcdsaSignature::parse(&literal()).unwrap();
    assert_eq!(signature.r, literal()[6..38]);
    assert_eq!(signature.s, literal()[40..]);
    assert_eq!(signature.encode(), literal());
    assert_eq!(signature.to_fixed(), *[&literal()[6..38], &literal()[40..]].concat());
}

#[test]
fn other_algorithms_are_refused_by_name() {
    for (found, name) in [
        (AlgorithmId::RSASSA, "rsassa"),
        (AlgorithmId::RSAPSS, "rsapss"),
        (AlgorithmId::ECDAA, "ecdaa"),
        (AlgorithmId::SM2, "sm2"),
        (AlgorithmId::ECSCHNORR, "ecschnorr"),
        (AlgorithmId::HMAC, "hmac"),
        (AlgorithmId::NULL, "null"),
        (AlgorithmId(0xbeef), "algorithm 0xbeef"),
    ] {
        let error = EcdsaSignature::parse(&with(0, &found.0.to_be_bytes())).unwrap_err();
        assert_eq!(error, SignatureError::Algorithm { found });
        let text = alloc::format!("{error}");
        assert_eq!(text, alloc::format!("expected a signature by ecdsa, found {name}"));
    }
}

#[test]
fn signature_over_sha1_is_refused() {
    let error = SignatureError::Hash { found: AlgorithmId::SHA1 };
    assert_eq!(EcdsaSignature::parse(&with(2, &[0, 4])), Err(error));
}

#[test]
fn integer_without_leading_zeros_is_padded() {
    let signature = [&literal()[..4], &[0, 1, 7], &literal()[38..]].concat();
    let expected = [[0; 31].as_slice(), &[7]].concat();
    assert_eq!(EcdsaSignature::parse(&signature).map(|s| s.r.to_vec()), Ok(expected));
}

#[test]
fn empty_or_oversized_integer_is_refused() {
    let empty = [&literal()[..4], &[0, 0], &literal()[38..]].concat();
    let error = SignatureError::IntegerLength { found: 0 };
    assert_eq!(EcdsaSignature::parse(&empty), Err(error));
    let long = [&literal()[..4], &[0, 33], &[1; 33], &literal()[38..]].concat();
    let error = SignatureError::IntegerLength { found: 33 };
    assert_eq!(EcdsaSignature::parse(&long), Err(error));
}

#[test]
fn signature_cut_anywhere_or_followed_by_a_byte_is_refused() {
    for len in 0..literal().len() {
        let found = EcdsaSignature::parse(&literal()[..len]);
        let cut = matches!(found, Err(SignatureError::Read(ReadError::Truncated { .. })));
        assert!(cut, "{len}: {found:?}");
    }
    let long = [literal(), Vec::from([0])].concat();
    let error = SignatureError::Read(ReadError::Trailing { offset: 72, left: 1 });
    assert_eq!(EcdsaSignature::parse(&long), Err(error));
}
