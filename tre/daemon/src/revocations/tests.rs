//! Which lists come into force, and which do not.

use rcgen::{KeyPair, PublicKeyData as _};
use tre_wire::hex::{Hex32, HexBytes};
use tre_wire::revocation::{FORMAT, Reason, Revoked};
use tre_wire::signed::SignatureError;

use super::*;
use crate::status_key::tests::signed_by;

fn now() -> UnixMillis {
    UnixMillis::new(1_000_000).expect("in range")
}

fn domain() -> TrustDomain {
    "grid.example".parse().expect("a domain")
}

fn list(sequence: u32, keys: &[u8]) -> RevocationList {
    let revoked = |&key: &u8| Revoked {
        spki_sha256: Hex32([key; 32]),
        identity: "spiffe://grid.example/meter/m1".parse().expect("an identity"),
        since: now(),
        reason: Reason::KeyLost,
        until: now().plus(9),
    };
    RevocationList {
        format: FORMAT,
        trust_domain: domain(),
        sequence,
        issued_at: now(),
        valid_until: now().plus(9),
        revoked: keys.iter().map(revoked).collect(),
    }
}

/// The list and a signature, labelled and reasoned as said.
fn put(list: &RevocationList, key: &KeyPair, label: &str, reason: Option<&str>) -> PutRevocations {
    let (list, signature) = signed_by(key, list, label, reason);
    PutRevocations { list, signature }
}

fn offer(before: &Revocations, put: &PutRevocations, key: &KeyPair) -> Outcome {
    let key = StatusKey::of(&HexBytes(key.subject_public_key_info())).expect("P-256");
    before.replaced_by(put, &key, &domain(), now())
}

type Outcome = Result<Revocations, ListRefusal>;

fn key() -> KeyPair {
    KeyPair::generate().expect("random source")
}

#[test]
fn a_newer_list_takes_the_place_of_the_one_before() {
    let key = key();
    let none = Revocations::default();
    assert_eq!(none.sequence(), 0);
    let one = offer(&none, &put(&list(1, &[7]), &key, LABEL, None), &key).expect("accepted");
    assert!(one.name(&[7; 32]) && !one.name(&[8; 32]));
    let two = offer(&one, &put(&list(2, &[8]), &key, LABEL, None), &key).expect("accepted");
    assert!(two.name(&[8; 32]) && !two.name(&[7; 32]));
    assert_eq!((one.sequence(), two.sequence()), (1, 2));
}

#[test]
fn an_older_list_or_another_of_the_same_number_does_not() {
    let key = key();
    let seven = put(&list(7, &[7]), &key, LABEL, None);
    let before = offer(&Revocations::default(), &seven, &key).expect("accepted");
    assert_eq!(offer(&before, &seven, &key).expect("the same again"), before);
    let older = offer(&before, &put(&list(6, &[]), &key, LABEL, None), &key);
    let expected = ListError::Older { seen: 7, found: 6 };
    assert!(format!("{older:?}").contains(&format!("{expected:?}")), "{older:?}");
    let fork = offer(&before, &put(&list(7, &[]), &key, LABEL, None), &key);
    assert!(
        matches!(fork, Err(ListRefusal::List(ListError::Fork { sequence: 7, .. }))),
        "{fork:?}"
    );
}

#[test]
fn a_list_that_is_not_signed_as_one_by_the_status_key_is_refused() {
    let (own, other, none) = (key(), key(), Revocations::default());
    let list = list(1, &[7]);
    let refused = offer(&none, &put(&list, &other, LABEL, None), &own);
    let by_other = matches!(
        refused,
        Err(ListRefusal::NotSigned(NotSigned::Signature(SignatureError::OtherKey { .. })))
    );
    assert!(by_other, "{refused:?}");
    // Somebody else's signature under our key's name.
    let mut forged = put(&list, &other, LABEL, None);
    let id = |key: &KeyPair| Hex32(sha256(&key.subject_public_key_info())).to_string();
    forged.signature = forged.signature.replace(&id(&other), &id(&own));
    let refused = offer(&none, &forged, &own);
    assert!(
        matches!(
            refused,
            Err(ListRefusal::NotSigned(NotSigned::Signature(SignatureError::Invalid)))
        ),
        "{refused:?}"
    );
    let refused = offer(&none, &put(&list, &own, "tre-manifest-v1", None), &own);
    let labelled = matches!(
        refused,
        Err(ListRefusal::NotSigned(NotSigned::Signature(SignatureError::Label { .. })))
    );
    assert!(labelled, "{refused:?}");
    let mut altered = put(&list, &own, LABEL, None);
    altered.list = altered.list.replace("key-lost", "withdrawn");
    let refused = offer(&none, &altered, &own);
    assert!(matches!(refused, Err(ListRefusal::NotSigned(NotSigned::Signature(_)))), "{refused:?}");
    let refused = offer(&none, &put(&list, &own, LABEL, Some("why not")), &own);
    assert!(matches!(refused, Err(ListRefusal::NotSigned(NotSigned::Reason))), "{refused:?}");
}

#[test]
fn a_list_of_another_domain_or_whose_time_is_over_is_refused() {
    let (key, none) = (key(), Revocations::default());
    let mut other = list(1, &[]);
    other.trust_domain = "other.example".parse().expect("a domain");
    let refused = offer(&none, &put(&other, &key, LABEL, None), &key);
    let of_other = matches!(refused, Err(ListRefusal::List(ListError::OtherDomain { .. })));
    assert!(of_other, "{refused:?}");
    let mut late = list(1, &[]);
    late.valid_until = UnixMillis::new(now().get() - 1).expect("in range");
    let refused = offer(&none, &put(&late, &key, LABEL, None), &key);
    assert!(matches!(refused, Err(ListRefusal::List(ListError::Expired { .. }))), "{refused:?}");
}
