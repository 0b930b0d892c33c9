//! Names that programs decide by: a change here breaks a peer.

use std::collections::BTreeSet;

use tre_wire::json;
use tre_wire::problem::{MEDIA_TYPE, Problem, ProblemType};
use tre_wire::role::{Identity, Role};

/// Every `type` of a refusal.
pub(crate) const PROBLEMS: &[&str] = &[
    "urn:tre:problem:malformed",
    "urn:tre:problem:bad-request",
    "urn:tre:problem:unauthenticated",
    "urn:tre:problem:wrong-role",
    "urn:tre:problem:revoked",
    "urn:tre:problem:not-found",
    "urn:tre:problem:method-not-allowed",
    "urn:tre:problem:timeout",
    "urn:tre:problem:conflict",
    "urn:tre:problem:too-large",
    "urn:tre:problem:unsupported-media",
    "urn:tre:problem:bad-signature",
    "urn:tre:problem:out-of-bounds",
    "urn:tre:problem:too-late",
    "urn:tre:problem:too-early",
    "urn:tre:problem:privacy-rule",
    "urn:tre:problem:full",
    "urn:tre:problem:busy",
    "urn:tre:problem:not-serving",
    "urn:tre:problem:no-time",
    "urn:tre:problem:internal",
];

/// The HTTP status of each, in the same order.
const STATUSES: &[u16] = &[
    400, 400, 401, 403, 403, 404, 405, 408, 409, 413, 415, 422, 422, 422, 422, 422, 503, 503, 503,
    503, 500,
];

#[test]
fn problem_types_are_this_stable_list() {
    let found: Vec<_> = ProblemType::ALL.iter().map(|kind| kind.urn()).collect();
    assert_eq!(found, PROBLEMS);
    let found: Vec<_> = ProblemType::ALL.iter().map(|kind| kind.status()).collect();
    assert_eq!(found, STATUSES);
}

#[test]
fn every_problem_type_is_distinct() {
    let distinct: BTreeSet<_> = ProblemType::ALL.iter().map(|kind| kind.urn()).collect();
    assert_eq!(distinct.len(), ProblemType::ALL.len());
}

#[test]
fn a_problem_carries_its_urn_and_status() {
    assert_eq!(MEDIA_TYPE, "application/problem+json");
    for kind in ProblemType::ALL {
        let bytes = json::encode(&Problem::new(*kind, String::from("why"))).expect("encodes");
        let expected =
            format!(r#"{{"type":"{}","status":{},"detail":"why"}}"#, kind.urn(), kind.status());
        assert_eq!(String::from_utf8(bytes), Ok(expected));
    }
}

#[test]
fn a_problem_of_another_type_is_not_read_as_one_of_ours() {
    let other = br#"{"type":"about:blank","status":404,"detail":""}"#;
    let found = json::decode::<Problem>(other).expect_err("another type");
    assert!(found.detail().contains("unknown variant `about:blank`"), "{}", found.detail());
}

#[test]
fn roles_are_this_stable_list() {
    let found: Vec<_> = Role::ALL.iter().map(|role| role.as_str()).collect();
    assert_eq!(found, ["meter", "dno", "supplier", "dsm", "registrar", "operator", "tre"]);
    for role in Role::ALL {
        let json = json::encode(&role).expect("encodes");
        assert_eq!(String::from_utf8(json), Ok(format!("\"{role}\"")));
    }
}

#[test]
fn an_identity_is_sent_as_its_uri() {
    let literal = "\"spiffe://grid.example/meter/meter-17\"";
    let identity: Identity = json::decode(literal.as_bytes()).expect("an identity");
    assert_eq!(identity.trust_domain.as_str(), "grid.example");
    assert_eq!((identity.role, identity.id.as_str()), (Role::Meter, "meter-17"));
    assert_eq!(json::encode(&identity).map(String::from_utf8).ok(), Some(Ok(literal.into())));
}

#[test]
fn what_is_no_identity_does_not_decode() {
    for bad in [
        "null",
        "1",
        "{}",
        "\"\"",
        "\"spiffe://grid.example/meter\"",
        "\"spiffe://grid.example/meter/a/b\"",
        "\"spiffe://grid.example/auditor/a\"",
        "\"SPIFFE://grid.example/meter/a\"",
        "\"spiffe://grid.example:443/meter/a\"",
        "\"spiffe://grid.example/meter/a?b\"",
    ] {
        assert!(json::decode::<Identity>(bad.as_bytes()).is_err(), "{bad}");
    }
}
