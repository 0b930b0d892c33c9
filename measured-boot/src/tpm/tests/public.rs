//! Public areas, field by field.

use alloc::{vec, vec::Vec};

use crate::{
    digest::Sha256Digest,
    literal::{overwritten, unhex},
    reader::ReadError,
    tpm::{
        AikPublic, AikRefusal, AlgorithmId, Attribute, EccScheme, Name, NameError,
        ObjectAttributes, P256Point, Public, PublicError, PublicKey, SpkiError, Symmetric,
    },
};

/// An AIK's `TPMT_PUBLIC`.
fn aik() -> Vec<u8> {
    [
        "0023",     // 00 type: ecc
        "000b",     // 02 nameAlg: sha256
        "00050472", // 04 attributes
        "0000",     // 08 authPolicy
        "0010",     // 0a symmetric: null
        "0018",     // 0c scheme: ecdsa
        "000b",     // 0e its hash: sha256
        "0003",     // 10 curve: P-256
        "0010",     // 12 kdf: null
        "0020",     // 14 x
        "7ac73eba9b29e87d78227cdddbad7fd2e8362bbadbee46be9e2852c5f5584df9",
        "0020", // 36 y
        "bad5ef86574577bd5ebf357cb60939b4a09b7d6e8b9db0a09d5eed8b5d2709b2",
    ]
    .map(unhex)
    .concat()
}

/// The start of an RSA endorsement key's `TPMT_PUBLIC`; 256 bytes of modulus follow.
fn ek_start() -> Vec<u8> {
    [
        "0001",     // 00 type: rsa
        "000b",     // 02 nameAlg: sha256
        "000300b2", // 04 attributes
        "0020",     // 08 authPolicy
        "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa",
        "0006 0080 0043", // 2a symmetric: aes 128 cfb
        "0010",           // 30 scheme: null
        "0800",           // 32 key bits: 2048
        "00000000",       // 34 exponent: 65537
        "0100",           // 38 modulus
    ]
    .map(unhex)
    .concat()
}

fn ek() -> Vec<u8> {
    [ek_start(), vec![0xac; 256]].concat()
}

fn point() -> P256Point {
    P256Point { x: aik()[22..54].try_into().unwrap(), y: aik()[56..].try_into().unwrap() }
}

fn aik_attributes() -> ObjectAttributes {
    ObjectAttributes::of(&AikPublic::REQUIRED)
}

#[test]
fn aik_public_area_is_the_literal_both_ways() {
    let public = Public::parse(&aik()).unwrap();
    let key = PublicKey::P256 { scheme: EccScheme::EcdsaSha256, point: point() };
    assert_eq!(public.key(), &key);
    assert_eq!(public.attributes(), aik_attributes());
    assert_eq!(public.policy(), None);
    assert_eq!(public.symmetric(), Symmetric::Null);
    assert_eq!(Public::p256_signing(aik_attributes(), point()), public);
    assert_eq!(public.area(), aik());
    assert_eq!(public.encode_sized(), [[0, 88].as_slice(), &aik()].concat());
    assert_eq!(Public::parse_sized(&public.encode_sized()), Ok(public));
}

#[test]
fn endorsement_key_area_is_decoded() {
    let public = Public::parse(&ek()).unwrap();
    assert_eq!(public.key(), &PublicKey::Rsa2048 { modulus: [0xac; 256].into() });
    assert_eq!(public.policy(), Some(Sha256Digest(ek()[10..42].try_into().unwrap())));
    assert_eq!(public.symmetric(), Symmetric::Aes128Cfb);
    let names = "fixedTPM|fixedParent|sensitiveDataOrigin|adminWithPolicy|restricted|decrypt";
    assert_eq!(alloc::format!("{}", public.attributes()), names);
}

#[test]
fn name_and_qualified_name_are_those_of_the_tpm() {
    let aik = AikPublic::check(&Public::parse(&aik()).unwrap()).unwrap();
    let name = "000b035e728d0593095813e15086a1eb2291c21b783a78ff882b248bf143d628cf81";
    assert_eq!(aik.name().to_bytes(), *unhex(name));
    let qualified = "000bcf70a102d8bafce6f83c94fd46a4f1879ee76b87f4955e59bdaeba83f14195ea";
    assert_eq!(aik.qualified_name().to_bytes(), *unhex(qualified));
    assert_eq!(Name::from_bytes(&unhex(name)), Ok(aik.name()));
}

#[test]
fn handle_is_no_name() {
    assert_eq!(Name::from_bytes(&[0x40, 0, 0, 0x0b]), Err(NameError::Length { found: 4 }));
}

#[test]
fn other_key_types_names_and_attributes_are_refused() {
    let keyed_hash = AlgorithmId(0x0008);
    for (offset, bytes, error) in [
        (0x00, [0, 8], PublicError::Type { found: keyed_hash }),
        (0x02, [0, 0x0c], PublicError::NameAlgorithm { found: AlgorithmId::SHA384 }),
        (0x06, [4, 0x73], PublicError::ReservedAttributes { found: 0x0005_0473 }),
        (0x0c, [0, 0x1a], PublicError::Scheme { found: AlgorithmId::ECDAA }),
        (0x0e, [0, 4], PublicError::SchemeHash { found: AlgorithmId::SHA1 }),
        (0x10, [0, 4], PublicError::Curve { found: 4 }),
        (0x12, [0, 0x20], PublicError::KeyDerivation { found: AlgorithmId(0x0020) }),
    ] {
        assert_eq!(Public::parse(&overwritten(aik(), offset, &bytes)), Err(error));
    }
}

#[test]
fn other_parameters_of_an_endorsement_key_are_refused() {
    let aes = AlgorithmId::AES;
    let symmetric = |algorithm, bits, mode| PublicError::Symmetric { algorithm, bits, mode };
    let (cfb, null) = (AlgorithmId::CFB, AlgorithmId::NULL);
    for (offset, bytes, error) in [
        (0x2a, [0, 0x13], symmetric(AlgorithmId(0x0013), 0, null)),
        (0x2c, [1, 0], symmetric(aes, 256, cfb)),
        (0x2e, [0, 0x42], symmetric(aes, 128, AlgorithmId(0x0042))),
        (0x30, [0, 0x14], PublicError::Scheme { found: AlgorithmId::RSASSA }),
        (0x32, [0x0c, 0], PublicError::RsaKeyBits { found: 3072 }),
        (0x36, [0, 3], PublicError::RsaExponent { found: 3 }),
    ] {
        assert_eq!(Public::parse(&overwritten(ek(), offset, &bytes)), Err(error));
    }
}

#[test]
fn policy_modulus_and_coordinates_of_other_lengths_are_refused() {
    let policy = [&aik()[..8], &[0, 1, 7], &aik()[10..]].concat();
    assert_eq!(Public::parse(&policy), Err(PublicError::PolicyLength { found: 1 }));
    let modulus = [&ek()[..0x38], &[0, 2, 7, 7]].concat();
    assert_eq!(Public::parse(&modulus), Err(PublicError::ModulusLength { found: 2 }));
    let coordinate = [&aik()[..0x14], &[0, 33], &[1; 33], &aik()[0x36..]].concat();
    assert_eq!(Public::parse(&coordinate), Err(PublicError::CoordinateLength { found: 33 }));
}

#[test]
fn short_coordinate_is_padded_and_the_name_is_over_what_the_tpm_wrote() {
    let area = [&aik()[..0x14], &[0, 1, 7], &aik()[0x36..]].concat();
    let aik = AikPublic::check(&Public::parse(&area).unwrap()).unwrap();
    assert_eq!(aik.point().x, *[[0; 31].as_slice(), &[7]].concat());
    assert_eq!(aik.name(), Name::of_public_area(&area));
}

#[test]
fn public_area_cut_anywhere_or_followed_by_a_byte_is_refused() {
    for area in [aik(), ek()] {
        for len in 0..area.len() {
            let found = Public::parse(&area[..len]);
            let cut = matches!(found, Err(PublicError::Read(ReadError::Truncated { .. })));
            assert!(cut, "{len}: {found:?}");
        }
        let end = area.len();
        let error = PublicError::Read(ReadError::Trailing { offset: end, left: 1 });
        assert_eq!(Public::parse(&[area, vec![0]].concat()), Err(error));
    }
}

#[test]
fn aik_without_any_one_required_attribute_is_refused_naming_it() {
    for missing in AikPublic::REQUIRED {
        let rest = AikPublic::REQUIRED.into_iter().filter(|kept| *kept != missing);
        let found = ObjectAttributes::of(&rest.collect::<Vec<_>>());
        let public = Public::p256_signing(found, point());
        let error = AikRefusal::AttributeMissing { missing, found };
        assert_eq!(AikPublic::check(&public), Err(error));
    }
}

#[test]
fn aik_with_any_one_forbidden_attribute_is_refused_naming_it() {
    for forbidden in AikPublic::FORBIDDEN {
        let found = ObjectAttributes::of(AikPublic::REQUIRED.iter().chain([&forbidden]));
        let public = Public::p256_signing(found, point());
        let error = AikRefusal::AttributeForbidden { forbidden, found };
        assert_eq!(AikPublic::check(&public), Err(error));
    }
}

#[test]
fn key_without_a_fixed_scheme_is_no_aik() {
    let area = [&aik()[..0x0c], &[0, 0x10], &aik()[0x10..]].concat();
    assert_eq!(AikPublic::check(&Public::parse(&area).unwrap()), Err(AikRefusal::Key));
    let storage = [&aik()[..0x0a], &unhex("0006 0080 0043"), &aik()[0x0c..]].concat();
    assert_eq!(AikPublic::check(&Public::parse(&storage).unwrap()), Err(AikRefusal::Symmetric));
    let attributes = aik_attributes().word().to_be_bytes();
    let rsa = overwritten([&ek()[..0x2a], &[0, 0x10], &ek()[0x30..]].concat(), 4, &attributes);
    assert_eq!(AikPublic::check(&Public::parse(&rsa).unwrap()), Err(AikRefusal::Key));
}

#[test]
fn attribute_bits_are_those_of_the_specification() {
    let bits = Attribute::ALL.iter().map(|attribute| attribute.mask().trailing_zeros());
    assert_eq!(bits.collect::<Vec<_>>(), [1, 2, 4, 5, 6, 7, 10, 11, 16, 17, 18, 19]);
}

#[test]
fn spki_is_what_openssl_writes() {
    let prefix = unhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004");
    let der = [prefix, aik()[22..54].to_vec(), aik()[56..].to_vec()].concat();
    assert_eq!(point().to_spki_der(), *der);
    assert_eq!(P256Point::from_spki_der(&der), Ok(point()));
    assert_eq!(point().to_sec1(), der[26..]);
    let error = SpkiError::Length { found: 90 };
    assert_eq!(P256Point::from_spki_der(&der[1..]), Err(error));
    for offset in 0..27 {
        let other = overwritten(der.clone(), offset, &[der[offset] ^ 1]);
        assert_eq!(P256Point::from_spki_der(&other), Err(SpkiError::Algorithm));
    }
}
