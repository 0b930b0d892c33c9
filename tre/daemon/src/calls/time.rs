//! What time it is: asked for by anyone, told by whoever carries a token of the status key.

use tre_grid::Grid;
use tre_wire::hex::Hex32;
use tre_wire::id::PeerId;
use tre_wire::message::Done;
use tre_wire::problem::{Problem, ProblemType};
use tre_wire::time::{PUT_BYTES, PutTime, TimeChallenge, TokenError};

use crate::http::{Answer, Call, answer, problem};
use crate::log::line;
use crate::owner;
use crate::peer::{Peer, sha256};
use crate::random;
use crate::shared::Shared;
use crate::standing::Standing;
use crate::status_key::StatusKey;
use crate::time_nonces::NonceRefusal;
use crate::time_tokens::{Addressee, TimeRefusal, within_reach};

/// `GET /v1/time`
pub(crate) fn challenge(shared: &Shared, call: &Call) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let deployment = shared.deployment.as_ref().ok_or_else(unserving)?;
    let tre_id = own_name(shared)?;
    let elapsed = shared.clock.elapsed();
    let nonce = shared.nonces.borrow_mut().at(elapsed, random::bytes).map_err(internal)?;
    let time = shared.clock.now().unwrap_or_default();
    let trust_domain = deployment.trust_domain.clone();
    answer(&TimeChallenge { trust_domain, tre_id, nonce: Hex32(nonce), time })
}

/// `PUT /v1/time`
///
/// The mark is durable before the time is in force. With the first token the grid begins.
pub(crate) async fn put(shared: &Shared, peer: &Peer, call: &Call) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let put: PutTime = call.message_at_most(PUT_BYTES)?;
    let deployment = shared.deployment.as_ref().ok_or_else(unserving)?;
    let tre_id = own_name(shared)?;
    let key = StatusKey::of(&deployment.status_key).map_err(internal)?;
    shared.pace.turn(peer.identity.is_some()).await;
    // From here on nothing waits: what is judged is what comes into force.
    let elapsed = shared.clock.elapsed();
    let trust_domain = &deployment.trust_domain;
    let own = Addressee { key: &key, trust_domain, tre_id: &tre_id };
    let mark = shared.status.borrow().mark();
    let token = own.judge(&put, (&shared.nonces.borrow(), elapsed), mark).map_err(refused)?;
    let begun = match shared.owner.get() {
        Some(_) => {
            let latest = shared.clock.high_water();
            within_reach(&deployment.policy, latest, token.value).map_err(refused)?;
            None
        }
        None => Some(Grid::new(deployment.policy.clone(), token.value).map_err(internal)?),
    };
    shared.status.borrow_mut().keep_mark(token.value).map_err(internal)?;
    shared.nonces.borrow_mut().spend(&token.nonce.0, sha256(put.token.as_bytes()));
    shared.clock.set(token.value);
    shared.told.notify_one();
    line(&format!("time token in force, {} (ms since 1970)", token.value));
    if let Some(grid) = begun {
        shared.owner.get_or_init(|| owner::spawn(grid, shared.clock.clone()));
    }
    if let Some(owner) = shared.owner.get() {
        owner.look_at_the_clock();
    }
    answer(&Done {})
}

/// The name of a box that serves: another has none that a token could be for.
fn own_name(shared: &Shared) -> Result<PeerId, Problem> {
    match &*shared.standing.borrow() {
        Standing::Serving(enrolled, _) => Ok(enrolled.tre_id.clone()),
        Standing::New | Standing::Locked { .. } => Err(unserving()),
    }
}

fn refused(refusal: TimeRefusal) -> Problem {
    let kind = match &refusal {
        TimeRefusal::NotSigned(_) => ProblemType::BadSignature,
        TimeRefusal::Token(error) => of_token(error),
        TimeRefusal::Nonce(
            NonceRefusal::Unknown | NonceRefusal::Replayed | NonceRefusal::Answered,
        ) => ProblemType::Conflict,
        TimeRefusal::Nonce(NonceRefusal::Expired { .. }) => ProblemType::TooLate,
        TimeRefusal::BelowMark(_) => ProblemType::TooEarly,
        TimeRefusal::TooFar { .. } => ProblemType::OutOfBounds,
    };
    Problem::new(kind, refusal.to_string())
}

fn of_token(error: &TokenError) -> ProblemType {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum of `wire` is non-exhaustive")]
    match error {
        TokenError::OtherDomain { .. } | TokenError::OtherTre { .. } => ProblemType::OutOfBounds,
        _ => ProblemType::Malformed,
    }
}

fn unserving() -> Problem {
    problem(ProblemType::NotServing, "expected a box that is enrolled and serving")
}

fn internal(error: impl core::fmt::Display) -> Problem {
    Problem::new(ProblemType::Internal, error.to_string())
}
