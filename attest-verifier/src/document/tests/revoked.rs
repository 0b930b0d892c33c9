//! A document key that the status key has taken out of use.

use attest_verifier_core::measured_boot::digest::sha256;
use attest_verifier_core::release::{self, SignatureFile};
use attest_verifier_core::revocation::{StatusKey, UnverifiedRevocations};
use attest_verifier_core::wire::hex::Hex32;
use attest_verifier_core::wire::revocation::{self, Reason, RevocationList, Revoked};
use attest_verifier_core::wire::signed;
use rcgen::PublicKeyData as _;

use super::*;

/// A revocation list that the status key signed, with the SHA-256 of these keys.
fn list(keys: &[Hex32]) -> Revocations {
    let now = UnixMillis::new(NOW).expect("in range");
    let revoked = |key: &Hex32| Revoked {
        spki_sha256: *key,
        identity: tre(),
        since: now,
        reason: Reason::KeyCompromise,
        until: now.plus(1),
    };
    let list = RevocationList {
        format: 1,
        trust_domain: tre().trust_domain,
        sequence: 3,
        issued_at: now,
        valid_until: now.plus(1),
        revoked: keys.iter().map(revoked).collect(),
    };
    let file = serde_json::to_vec(&list).expect("JSON");
    let signer = KeyPair::generate().expect("a key");
    let key = StatusKey::from_pem(signer.public_key_pem().as_bytes()).expect("a key");
    let signature = signer.sign(&signed::signed_bytes(revocation::LABEL, &file, None));
    let signature = SignatureFile {
        format: release::FORMAT,
        label: revocation::LABEL.to_owned(),
        key: Hex32(key.id().0),
        len: release::length(&file),
        sha256: Hex32(sha256(&file).0),
        unlocked_because: None,
        signature: HexBytes(signature.expect("a signature")),
    };
    let signature = serde_json::to_vec(&signature).expect("JSON");
    let unverified = UnverifiedRevocations { file: &file, signature: &signature };
    let signed = unverified.verify(&key).expect("signed");
    signed.read(&tre().trust_domain, now).expect("a good list")
}

#[test]
fn nothing_that_a_revoked_key_signed_convinces() {
    let world = good_world();
    let spki = world.key.subject_public_key_info();
    let (this, other) = (Hex32(sha256(&spki).0), Hex32([7; 32]));
    let judged = |keys: &[Hex32], kept: &Kept| {
        let list = list(keys);
        let anchors = Anchors { deployment: &world.deployment, revocations: Some(&list) };
        check_kept(kept, anchors, UnixMillis::new(NOW).expect("in range"))
    };
    let since = UnixMillis::new(NOW).expect("in range");
    let cause = ChainError::Revoked { since, reason: Reason::KeyCompromise, sequence: 3 };
    for kept in all_kinds(&world) {
        assert_eq!(judged(&[other], &kept), Ok(()));
        let refused = KeptError::Key(DocumentKeyError::Revoked(cause.clone()));
        assert_eq!(judged(&[other, this], &kept), Err(refused));
    }
}
