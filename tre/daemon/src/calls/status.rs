//! Calls of whoever carries the status key's files: what is signed need not come from a friend.

use tre_wire::message::Done;
use tre_wire::problem::{Problem, ProblemType};
use tre_wire::revocation::{ListError, PUT_BYTES, PutRevocations};

use crate::http::{Answer, Call, answer, problem};
use crate::log;
use crate::revocations::ListRefusal;
use crate::shared::Shared;
use crate::status_key::StatusKey;

/// `PUT /v1/revocations`
///
/// Nothing waits between reading the list in force and replacing it, so of two requests the second
/// sees the first one's list.
pub(crate) fn put_revocations(shared: &Shared, call: &Call) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let put: PutRevocations = call.message_at_most(PUT_BYTES)?;
    let missing = || problem(ProblemType::NotServing, "expected a box with a readable deployment");
    let deployment = shared.deployment.as_ref().ok_or_else(missing)?;
    let key = StatusKey::of(&deployment.status_key).map_err(internal)?;
    let before = shared.revocations.borrow().clone();
    let next = before
        .replaced_by(&put, &key, &deployment.trust_domain, super::now(shared)?)
        .map_err(refused)?;
    if next != before {
        // Durable first: what was in force once must be so after a power cut, too.
        shared.status.borrow_mut().keep_revocations(&next).map_err(internal)?;
        let (number, keys) = (next.sequence(), next.keys.len());
        shared.revocations.send_replace(next);
        log::line(&format!("revocation list {number} in force, {keys} keys"));
    }
    answer(&Done {})
}

fn refused(refusal: ListRefusal) -> Problem {
    let kind = match &refusal {
        ListRefusal::NotSigned(_) => ProblemType::BadSignature,
        ListRefusal::List(error) => of_list(error),
    };
    Problem::new(kind, refusal.to_string())
}

fn of_list(error: &ListError) -> ProblemType {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum of `wire` is non-exhaustive")]
    match error {
        ListError::Older { .. } | ListError::Fork { .. } => ProblemType::Conflict,
        ListError::Expired { .. } => ProblemType::TooLate,
        ListError::OtherDomain { .. } => ProblemType::OutOfBounds,
        _ => ProblemType::Malformed,
    }
}

fn internal(error: impl core::fmt::Display) -> Problem {
    Problem::new(ProblemType::Internal, error.to_string())
}
