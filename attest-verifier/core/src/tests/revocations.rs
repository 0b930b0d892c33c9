//! Keys that are no longer believed, and lists that are not to be relied on.

use std::vec;
use std::vec::Vec;

use super::scene::{Scene, spki_hash};
use super::signing::signature_as;
use crate::chain::ChainError;
use crate::channel::ChannelError;
use crate::key::KeyError;
use crate::refusal::Refusal;
use crate::revocation::{RevocationError, Revocations, Seen, StatusKey, UnverifiedRevocations};
use crate::verdict;
use rcgen::KeyPair;
use tre_wire::document::LABELS;
use tre_wire::hex::Hex32;
use tre_wire::revocation::{LABEL, ListError, Reason, RevocationList, Revoked};
use tre_wire::signed::SignatureError;
use tre_wire::units::UnixMillis;

fn revoked(key: &KeyPair) -> Revoked {
    Revoked {
        spki_sha256: Hex32(spki_hash(key).0),
        identity: Scene::identity(),
        since: Scene::now(),
        reason: Reason::KeyCompromise,
        until: Scene::now().plus(1),
    }
}

fn list(keys: &[&KeyPair]) -> RevocationList {
    RevocationList {
        format: 1,
        trust_domain: Scene::identity().trust_domain,
        sequence: 7,
        issued_at: Scene::now(),
        valid_until: Scene::now().plus(1),
        revoked: keys.iter().map(|key| revoked(key)).collect(),
    }
}

pub(super) fn signature(label: &str, file: &[u8], key: &KeyPair) -> Vec<u8> {
    serde_json::to_vec(&signature_as(label, key, file, None)).unwrap()
}

fn read(list: &RevocationList, label: &str, signer: &KeyPair, trusted: &KeyPair) -> Outcome {
    let file = serde_json::to_vec(list).unwrap();
    let signature = signature(label, &file, signer);
    let key = StatusKey::from_pem(trusted.public_key_pem().as_bytes()).unwrap();
    let unverified = UnverifiedRevocations { file: &file, signature: &signature };
    unverified.verify(&key)?.read(&Scene::identity().trust_domain, Scene::now())
}

type Outcome = Result<Revocations, RevocationError>;

fn good(list: &RevocationList) -> Outcome {
    let key = KeyPair::generate().unwrap();
    read(list, LABEL, &key, &key)
}

fn judged(scene: &Scene, keys: &[&KeyPair]) -> Result<(), Refusal> {
    let reference = scene.reference().revoking(good(&list(keys)).unwrap());
    let identity = Scene::identity();
    verdict::attest(&scene.play(), scene.session(), &identity, &reference, Scene::now()).map(|_| ())
}

fn cause() -> ChainError {
    ChainError::Revoked { since: Scene::now(), reason: Reason::KeyCompromise, sequence: 7 }
}

#[test]
fn a_tre_with_a_revoked_server_key_is_refused() {
    let scene = Scene::honest();
    assert_eq!(judged(&scene, &[&scene.release]), Ok(()));
    let refused = judged(&scene, &[&scene.release, &scene.tls]);
    assert_eq!(refused, Err(Refusal::Channel(ChannelError::Chain { cause: cause() })));
}

#[test]
fn a_tre_with_a_revoked_attestation_key_is_refused() {
    let scene = Scene::honest();
    let refused = judged(&scene, &[&scene.aik]);
    assert_eq!(refused, Err(Refusal::Key(KeyError::Chain { cause: cause() })));
}

#[test]
fn a_list_that_the_status_key_did_not_sign_is_refused() {
    let (own, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let list = list(&[]);
    assert!(read(&list, LABEL, &own, &own).is_ok());
    let refused = read(&list, LABEL, &other, &own);
    assert!(
        matches!(refused, Err(RevocationError::Signature(SignatureError::OtherKey { .. }))),
        "{refused:?}"
    );
    let refused = read(&list, crate::release::LABEL, &own, &own);
    assert!(
        matches!(refused, Err(RevocationError::Signature(SignatureError::Label { .. }))),
        "{refused:?}"
    );
}

#[test]
fn a_list_of_another_domain_or_out_of_its_time_is_refused() {
    let mut other = list(&[]);
    other.trust_domain = "other.example".parse().unwrap();
    assert!(matches!(good(&other), Err(RevocationError::List(ListError::OtherDomain { .. }))));
    let mut late = list(&[]);
    late.valid_until = Scene::now();
    assert!(good(&late).is_ok());
    late.valid_until = UnixMillis::new(Scene::now().get() - 1).unwrap();
    assert!(matches!(good(&late), Err(RevocationError::List(ListError::Expired { .. }))));
}

#[test]
fn a_key_twice_a_later_format_and_no_list_are_refused() {
    let key = KeyPair::generate().unwrap();
    assert!(matches!(
        good(&list(&[&key, &key])),
        Err(RevocationError::List(ListError::Repeated { .. }))
    ));
    let later = RevocationList { format: 2, ..list(&[]) };
    assert!(matches!(good(&later), Err(RevocationError::List(ListError::Format { found: 2 }))));
    let trusted = StatusKey::from_pem(key.public_key_pem().as_bytes()).unwrap();
    let signature = signature(LABEL, b"{}", &key);
    let unverified = UnverifiedRevocations { file: b"{}", signature: &signature };
    let refused = unverified.verify(&trusted).unwrap().list();
    assert!(matches!(refused, Err(RevocationError::List(ListError::Json(_)))), "{refused:?}");
}

#[test]
fn an_older_list_never_replaces_a_newer_one() {
    let list = good(&list(&[])).unwrap();
    let seen = list.follows(None).unwrap();
    assert_eq!(seen.sequence, 7);
    assert_eq!(list.follows(Some(&seen)).unwrap(), seen);
    let older = Seen { sequence: 6, ..seen };
    assert_eq!(list.follows(Some(&older)).unwrap(), seen);
    let refused = list.follows(Some(&Seen { sequence: 8, ..seen }));
    assert!(
        matches!(refused, Err(RevocationError::List(ListError::Older { seen: 8, found: 7 }))),
        "{refused:?}"
    );
    let refused = list.follows(Some(&Seen { sha256: Hex32([0; 32]), ..seen }));
    assert!(
        matches!(refused, Err(RevocationError::List(ListError::Fork { sequence: 7, .. }))),
        "{refused:?}"
    );
    // Another status key counts from the start.
    assert!(list.follows(Some(&Seen { key: Hex32([0; 32]), sequence: 8, ..seen })).is_ok());
}

#[test]
fn the_label_is_not_the_start_of_another_nor_another_its_start() {
    let manifests = crate::release::LABEL.as_bytes();
    let others: Vec<&[u8]> = [LABELS.to_vec(), vec![manifests]].concat();
    for other in others {
        let own = LABEL.as_bytes();
        assert!(!other.starts_with(own) && !own.starts_with(other), "{other:?}");
    }
}
