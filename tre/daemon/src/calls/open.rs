//! Calls for anyone: what the box says of itself.

use tre_wire::message::{Certificates, Health};
use tre_wire::problem::{Problem, ProblemType};
use tre_wire::units::Slot;

use crate::http::{Answer, Call, answer, problem};
use crate::shared::Shared;
use crate::standing::Standing;

/// `GET /v1/health`
pub(crate) fn health(shared: &Shared, call: &Call) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let standing = shared.standing.borrow();
    let proven = shared.clock.now();
    let deployment = shared.deployment.as_ref();
    answer(&Health {
        state: standing.state(),
        reason: standing.reason(),
        // State lives in memory: what was answered does not survive a power cut.
        durable: false,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        tre_id: standing.tre_id().to_owned(),
        time: standing.time(&shared.clock),
        slot: deployment.zip(proven).map_or(Slot::default(), |(d, now)| d.policy.slot_at(now)),
        revocations: shared.revocations.borrow().sequence(),
    })
}

/// `GET /v1/policy`
pub(crate) fn policy(shared: &Shared, call: &Call) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let missing = || problem(ProblemType::NotServing, "expected a box with a readable deployment");
    answer(&shared.deployment.as_ref().ok_or_else(missing)?.policy)
}

/// `GET /v1/certificates`
pub(crate) fn certificates(shared: &Shared, call: &Call) -> Result<Answer, Problem> {
    call.no_parameter()?;
    match &*shared.standing.borrow() {
        Standing::Serving(enrolled, _) => {
            let document_chain = enrolled.chains.document_chain.clone();
            answer(&Certificates { document_chain })
        }
        Standing::New | Standing::Locked { .. } => {
            Err(problem(ProblemType::NotServing, "expected a box that is enrolled and serving"))
        }
    }
}
