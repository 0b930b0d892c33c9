//! Who may say what a box must be: every way to a manifest that the release key did not sign.

use std::string::{String, ToString as _};
use std::vec::Vec;

use super::scene::{NOW, Scene};
use super::signing::signature_over;
use crate::release::{
    LABEL, REASON_BYTES, ReleaseError, ReleaseKey, ReleaseKeyError, ReleasedManifest,
    SIGNATURE_BYTES, SignatureError, SignatureFile, Standing, Unreleasable, UnverifiedManifest,
    check_releasable, signed_bytes,
};
use measured_boot::digest::sha256;
use measured_boot::manifest::ReferenceManifest;
use rcgen::{KeyPair, PublicKeyData as _};
use tre_wire::document::LABELS;
use tre_wire::hex::Hex32;
use tre_wire::units::UnixMillis;

/// A manifest file, its signature file, and the key that is trusted.
struct Desk {
    key: KeyPair,
    file: Vec<u8>,
    signature: SignatureFile,
}

impl Desk {
    fn new() -> Self {
        Self::with(Scene::honest().manifest, None)
    }

    fn with(manifest: ReferenceManifest, reason: Option<&str>) -> Self {
        Self::with_file(serde_json::to_vec(&manifest).unwrap(), reason)
    }

    fn with_file(file: Vec<u8>, reason: Option<&str>) -> Self {
        let key = KeyPair::generate().unwrap();
        let signature = signature_over(&key, &file, reason);
        Self { key, file, signature }
    }

    fn trusted(&self) -> ReleaseKey {
        ReleaseKey::from_spki_der(&self.key.subject_public_key_info()).unwrap()
    }

    fn judge_raw(&self, signature: &[u8]) -> Result<ReleasedManifest, ReleaseError> {
        UnverifiedManifest { file: &self.file, signature }.verify(&self.trusted())?.read()
    }

    fn judge(&self) -> Result<ReleasedManifest, ReleaseError> {
        self.judge_raw(&serde_json::to_vec(&self.signature).unwrap())
    }

    fn refusal(&self) -> ReleaseError {
        self.judge().unwrap_err()
    }
}

#[test]
fn the_signed_bytes_are_these() {
    let expected = [
        b"tre-manifest-v1".as_slice(), // label
        &[0, 0, 0, 0, 0, 0, 0, 3],     // length
        &sha256(b"abc").0,             // SHA-256
    ]
    .concat();
    assert_eq!(signed_bytes(b"abc", None), expected);
    let with_reason = [expected.as_slice(), b"why"].concat();
    assert_eq!(signed_bytes(b"abc", Some("why")), with_reason);
}

/// Keys are kept apart by use, and labels all the same.
#[test]
fn the_label_is_not_the_start_of_another_nor_another_its_start() {
    for other in LABELS {
        let own = LABEL.as_bytes();
        assert!(!other.starts_with(own) && !own.starts_with(other), "{other:?}");
    }
}

#[test]
fn what_the_release_key_signed_is_believed_as_it_lies() {
    let desk = Desk::new();
    let released = desk.judge().unwrap();
    assert_eq!(released.manifest(), &Scene::honest().manifest);
    assert_eq!(released.sha256(), sha256(&desk.file));
    assert_eq!(released.unlocked_because(), None);
    let json: serde_json::Value = serde_json::to_value(&desk.signature).unwrap();
    let fields: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let expected = ["format", "key", "label", "len", "sha256", "signature", "unlocked_because"];
    assert_eq!(fields, expected);
}

#[test]
fn an_altered_manifest_is_refused() {
    let mut desk = Desk::new();
    let expected = sha256(&desk.file);
    let place = desk.file.iter().position(|byte| *byte == b'6').unwrap();
    desk.file[place] = b'7';
    let ReleaseError::Signature(SignatureError::OtherFile { expected: signed, found }) =
        desk.refusal()
    else {
        panic!("{:?}", desk.refusal());
    };
    assert_eq!((signed.0, found.0), (expected.0, sha256(&desk.file).0));
}

/// The same, by somebody who writes the new hash into the signature file.
#[test]
fn an_altered_manifest_with_a_corrected_hash_is_refused() {
    let mut desk = Desk::new();
    let place = desk.file.iter().position(|byte| *byte == b'6').unwrap();
    desk.file[place] = b'7';
    desk.signature.sha256 = Hex32(sha256(&desk.file).0);
    assert!(matches!(desk.refusal(), ReleaseError::Signature(SignatureError::Invalid)));
}

#[test]
fn a_truncated_or_lengthened_manifest_is_refused() {
    let whole = Desk::new();
    let len = u64::try_from(whole.file.len()).unwrap();
    let mut cut = Desk::new();
    cut.file.pop();
    let ReleaseError::Signature(SignatureError::Length { expected, found }) = cut.refusal() else {
        panic!()
    };
    assert_eq!((expected, found), (len, len - 1));
    let mut longer = Desk::new();
    longer.file.push(b'\n');
    let ReleaseError::Signature(SignatureError::Length { expected, found }) = longer.refusal()
    else {
        panic!()
    };
    assert_eq!((expected, found), (len, len + 1));
}

#[test]
fn the_signature_of_another_file_is_refused() {
    let mut desk = Desk::new();
    let mut other = Scene::honest().manifest;
    other.platform.memory_mib = 512;
    let other = serde_json::to_vec(&other).unwrap();
    desk.signature = signature_over(&desk.key, &other, None);
    assert!(matches!(desk.refusal(), ReleaseError::Signature(SignatureError::OtherFile { .. })));
}

#[test]
fn another_keys_signature_is_refused() {
    let mut desk = Desk::new();
    let thief = KeyPair::generate().unwrap();
    desk.signature = signature_over(&thief, &desk.file, None);
    let ReleaseError::Signature(SignatureError::OtherKey { expected, found }) = desk.refusal()
    else {
        panic!()
    };
    assert_eq!(expected.0, sha256(&desk.key.subject_public_key_info()).0);
    assert_eq!(found.0, sha256(&thief.subject_public_key_info()).0);
    // Naming the right key does not help.
    desk.signature.key = Hex32(expected.0);
    assert!(matches!(desk.refusal(), ReleaseError::Signature(SignatureError::Invalid)));
}

#[test]
fn a_signature_for_another_use_is_refused() {
    let mut desk = Desk::new();
    desk.signature.label = "tre-policy-v1".to_string();
    assert!(matches!(desk.refusal(), ReleaseError::Signature(SignatureError::Label { .. })));
    let mut desk = Desk::new();
    desk.signature.format = 2;
    assert!(matches!(desk.refusal(), ReleaseError::Signature(SignatureError::Format { found: 2 })));
}

#[test]
fn every_flipped_byte_of_the_signature_is_refused() {
    let desk = Desk::new();
    for place in 0..desk.signature.signature.0.len() {
        let mut signature = desk.signature.clone();
        signature.signature.0[place] ^= 1;
        let refused = desk.judge_raw(&serde_json::to_vec(&signature).unwrap());
        assert!(
            matches!(refused, Err(ReleaseError::Signature(SignatureError::Invalid))),
            "{place}: {refused:?}"
        );
    }
}

/// The reason is signed too: nobody else can put words into the release's mouth.
#[test]
fn an_altered_reason_is_refused() {
    let mut manifest = Scene::honest().manifest;
    manifest.locked = false;
    let mut desk = Desk::with(manifest, Some("kernel 6.1.1 came in overnight"));
    let released = desk.judge().unwrap();
    assert_eq!(released.unlocked_because(), Some("kernel 6.1.1 came in overnight"));
    desk.signature.unlocked_because = Some("all is well".to_string());
    assert!(matches!(desk.refusal(), ReleaseError::Signature(SignatureError::Invalid)));
    desk.signature.unlocked_because = None;
    assert!(matches!(desk.refusal(), ReleaseError::Signature(SignatureError::Invalid)));
}

#[test]
fn a_signature_file_has_one_reading() {
    let desk = Desk::new();
    let text = serde_json::to_string(&desk.signature).unwrap();
    for spoilt in [
        text.replacen('{', r#"{"len":1,"#, 1),
        text.replacen('{', r#"{"extra":1,"#, 1),
        text.replace(r#","unlocked_because":null"#, ""),
        text.clone() + "{}",
        text.replace(r#""key":""#, r#""key":"A"#),
        String::new(),
        "[]".to_string(),
    ] {
        let refused = desk.judge_raw(spoilt.as_bytes());
        assert!(
            matches!(refused, Err(ReleaseError::Signature(SignatureError::SignatureFile(_)))),
            "{spoilt}: {refused:?}"
        );
    }
    let long = text + &" ".repeat(SIGNATURE_BYTES);
    let refused = desk.judge_raw(long.as_bytes());
    assert!(
        matches!(refused, Err(ReleaseError::Signature(SignatureError::SignatureLength { .. }))),
        "{refused:?}"
    );
}

/// Whatever was signed by mistake: two values for one field, a second file behind the first.
#[test]
fn a_signed_manifest_has_one_reading() {
    let text = serde_json::to_string(&Scene::honest().manifest).unwrap();
    for (spoilt, why) in [
        (text.replacen('{', r#"{"locked":false,"#, 1), "duplicate field `locked`"),
        (text.replacen("\"len\":1", "\"len\":1,\"len\":1", 1), "duplicate field `len`"),
        (text.clone() + "{}", "trailing characters"),
        (text.replacen('{', r#"{"extra":1,"#, 1), "unknown field `extra`"),
        ("{}".to_string(), "missing field"),
    ] {
        let error = Desk::with_file(spoilt.into_bytes(), None).refusal();
        let ReleaseError::Manifest(_) = &error else { panic!("{error:?}") };
        assert!(error.to_string().contains(why), "{error}");
    }
}

/// Bytes that nobody signed are not parsed: the signature is what is complained of.
#[test]
fn unsigned_bytes_are_not_read() {
    let mut desk = Desk::with_file(b"not even JSON".to_vec(), None);
    assert!(matches!(desk.refusal(), ReleaseError::Manifest(_)));
    desk.file[0] = b'X';
    assert!(matches!(desk.refusal(), ReleaseError::Signature(SignatureError::OtherFile { .. })));
}

#[test]
fn the_rules_for_releases_hold_for_signer_and_verifier() {
    let refused = |spoil: fn(&mut ReferenceManifest), reason: Option<&str>| {
        let mut manifest = Scene::honest().manifest;
        spoil(&mut manifest);
        let error = check_releasable(&manifest, reason).unwrap_err();
        let verifier = Desk::with(manifest, reason).refusal();
        let ReleaseError::Unreleasable(found) = verifier else { panic!("{verifier:?}") };
        assert_eq!(found, error);
        error
    };
    assert_eq!(refused(|manifest| manifest.valid_until = None, None), Unreleasable::NoEnd);
    let (from, until) = (11, 10);
    assert_eq!(
        refused(
            |manifest| (manifest.valid_from, manifest.valid_until) = (Some(11), Some(10)),
            None
        ),
        Unreleasable::NeverInForce { from, until }
    );
    assert_eq!(refused(|manifest| manifest.locked = false, None), Unreleasable::Unlocked);
    assert_eq!(refused(|_| {}, Some("why")), Unreleasable::NotUnlocked);
    let long = "x".repeat(REASON_BYTES + 1);
    for reason in ["", "  ", "two\nlines", long.as_str()] {
        let found = reason.len();
        let error = refused(|manifest| manifest.locked = false, Some(reason));
        assert_eq!(error, Unreleasable::Reason { found }, "{reason:?}");
    }
}

#[test]
fn first_and_last_second_are_in_force() {
    let now = NOW / 1_000;
    let mut manifest = Scene::honest().manifest;
    (manifest.valid_from, manifest.valid_until) = (Some(now), Some(now));
    let dates = check_releasable(&manifest, None).unwrap();
    let at = |seconds: u64| dates.at(UnixMillis::new(seconds * 1_000).unwrap());
    assert_eq!(at(now), Standing::InForce);
    assert_eq!(at(now - 1), Standing::NotYet { from: now });
    assert_eq!(at(now + 1), Standing::Expired { until: now });
}

#[test]
fn a_file_that_holds_no_release_key_is_refused() {
    let key = KeyPair::generate().unwrap();
    let public = ReleaseKey::from_pem(key.public_key_pem().as_bytes()).unwrap();
    assert_eq!(public.id(), sha256(&key.subject_public_key_info()));
    for wrong in [key.serialize_pem().as_bytes(), b"", b"release.pem"] {
        let refused = ReleaseKey::from_pem(wrong);
        assert!(matches!(refused, Err(ReleaseKeyError::Pem { .. })), "{refused:?}");
    }
    let other = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let refused = ReleaseKey::from_pem(other.public_key_pem().as_bytes());
    assert!(matches!(refused, Err(ReleaseKeyError::Spki(_))), "{refused:?}");
}
