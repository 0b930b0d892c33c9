//! The order of an enrolment's calls, and the connection that they must come in.

use measured_boot::tpm::Name;

use super::*;

const FIRST: [u8; 32] = [1; 32];
const SECOND: [u8; 32] = [2; 32];

fn begun(exporter: [u8; 32]) -> Option<Pending> {
    let name = |area: &[u8]| Name::of_public_area(area);
    let names = KeyNames { attestation: name(b"attestation"), storage: name(b"storage") };
    let keys = Keys::generate().expect("keys");
    let tre_id = "tre-1".parse().expect("a name");
    Some(Pending { tre_id, keys, names, exporter, activated: false })
}

#[test]
fn an_activation_replayed_into_another_connection_is_refused() {
    let found = |mut pending: Option<Pending>, exporter: &[u8; 32], began: bool| {
        begun_in(&mut pending, exporter, began).map(|pending| pending.exporter)
    };
    let replayed = found(begun(FIRST), &SECOND, false);
    assert_eq!(replayed, Err(OutOfTurn::Replayed), "taken into another connection");
    assert_eq!(found(begun(FIRST), &FIRST, true), Ok(FIRST));
    // A later beginning takes its place.
    let overtaken = found(begun(SECOND), &FIRST, true);
    assert_eq!(overtaken, Err(OutOfTurn::Overtaken), "taken into another connection");
    assert_eq!(found(None, &FIRST, false), Err(OutOfTurn::NotBegun));
}

#[test]
fn certificates_before_an_activation_are_refused() {
    let mut pending = begun(FIRST).expect("begun");
    let early = pending.check_activated().map_err(|problem| problem.kind);
    assert_eq!(early, Err(ProblemType::Conflict), "taken before its TPM proved anything");
    assert_eq!(pending.check_not_activated(), Ok(()));
    pending.activated = true;
    assert_eq!(pending.check_activated(), Ok(()));
    let again = pending.check_not_activated().map_err(|problem| problem.detail);
    assert_eq!(again, Err(OutOfTurn::ActivatedAgain.to_string()));
}
