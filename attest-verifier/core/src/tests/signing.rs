//! Signatures over quotes and manifests, by plain keys.

use std::string::{String, ToString as _};
use std::vec::Vec;

use attest_verifier_core::measured_boot::digest::sha256;
use attest_verifier_core::measured_boot::manifest::ReferenceManifest;
use attest_verifier_core::measured_boot::tpm::EcdsaSignature;
use attest_verifier_core::release::{
    self, ReleaseKey, ReleasedManifest, SignatureFile, UnverifiedManifest,
};
use attest_verifier_core::wire::hex::{Hex32, HexBytes};
use attest_verifier_core::wire::signed;
use rcgen::KeyPair;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair,
};

use super::scene::{point, spki_hash};

/// A manifest, signed with `key` and verified.
pub(crate) fn released(key: &KeyPair, manifest: &ReferenceManifest) -> ReleasedManifest {
    let file = serde_json::to_vec(manifest).unwrap();
    let signature = serde_json::to_vec(&signature_over(key, &file, None)).unwrap();
    let trusted = ReleaseKey::from_spki_der(&point(key).to_spki_der()).unwrap();
    let unverified = UnverifiedManifest { file: &file, signature: &signature };
    unverified.verify(&trusted).unwrap().read().unwrap()
}

/// What `key` says of a manifest file.
pub(crate) fn signature_over(key: &KeyPair, file: &[u8], reason: Option<&str>) -> SignatureFile {
    signature_as(release::LABEL, key, file, reason)
}

/// What `key` says of a file as one of the kind that `label` says.
pub(crate) fn signature_as(
    label: &str,
    key: &KeyPair,
    file: &[u8],
    reason: Option<&str>,
) -> SignatureFile {
    let (der, random) = (key.serialized_der(), SystemRandom::new());
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der, &random).unwrap();
    let signature = pair.sign(&random, &signed::signed_bytes(label, file, reason)).unwrap();
    SignatureFile {
        format: release::FORMAT,
        label: label.to_string(),
        key: Hex32(spki_hash(key).0),
        len: release::length(file),
        sha256: Hex32(sha256(file).0),
        unlocked_because: reason.map(String::from),
        signature: HexBytes(signature.as_ref().to_vec()),
    }
}

/// A TPMT_SIGNATURE.
pub(crate) fn sign(key: &KeyPair, message: &[u8]) -> Vec<u8> {
    let (der, random) = (key.serialized_der(), SystemRandom::new());
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random).unwrap();
    let signature = key.sign(&random, message).unwrap();
    let (r, s) = signature.as_ref().split_at(32);
    EcdsaSignature { r: r.try_into().unwrap(), s: s.try_into().unwrap() }.encode()
}
