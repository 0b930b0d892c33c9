//! The calls of the interface, grouped by who makes them.

use core::str::FromStr;

use tre_grid::{Grid, Outcome, Refusal};
use tre_wire::journal::Command;
use tre_wire::message::Done;
use tre_wire::message::supplier::{Bill, Bills};
use tre_wire::problem::{Problem, ProblemType};
use tre_wire::units::{Slot, UnixMillis};
use tre_wire::{document, json};

use crate::http::{Answer, Call, answer, parsed, problem};
use crate::owner::{CommandError, Owner};
use crate::shared::Shared;

pub(crate) mod attestation;
pub(crate) mod dno;
pub(crate) mod dsm;
pub(crate) mod enrolment;
pub(crate) mod meter;
pub(crate) mod open;
pub(crate) mod operator;
pub(crate) mod registrar;
pub(crate) mod renewal;
mod signing;
pub(crate) mod status;
pub(crate) mod supplier;
pub(crate) mod time;

/// The owner of the grid's state; before the first time token there is none.
fn owner(shared: &Shared) -> Result<&Owner, Problem> {
    shared.owner.get().ok_or_else(no_time)
}

/// What a TRE without a time answers.
pub(crate) fn no_time() -> Problem {
    problem(ProblemType::NoTime, "expected a time, found none: put a time token")
}

/// The time now.
fn now(shared: &Shared) -> Result<UnixMillis, Problem> {
    shared.clock.now().ok_or_else(no_time)
}

/// Carries out a command.
async fn command(shared: &Shared, command: Command) -> Result<Outcome, Problem> {
    owner(shared)?.command(command).await.map_err(|error| refusal(&error))
}

/// Carries out a command after which there is nothing to say.
async fn done(shared: &Shared, what: Command) -> Result<Answer, Problem> {
    command(shared, what).await?;
    answer(&Done {})
}

/// Reads the state and answers with what was read.
async fn view<T: serde::Serialize + 'static>(
    shared: &Shared,
    read: impl FnOnce(&Grid) -> Result<T, Refusal> + 'static,
) -> Result<Answer, Problem> {
    answer(&seen(shared, read).await?)
}

/// Reads the state.
async fn seen<T: 'static>(
    shared: &Shared,
    read: impl FnOnce(&Grid) -> Result<T, Refusal> + 'static,
) -> Result<T, Problem> {
    let seen = owner(shared)?.view(read).await.map_err(|error| refusal(&error))?;
    seen.map_err(|refused| Problem::new(refused.problem(), refused.to_string()))
}

/// Answers with bills, each signed for itself: of one length a bill, whatever it says.
fn bills(shared: &Shared, bills: Vec<Bill>) -> Result<Answer, Problem> {
    let length = Bills::bytes(bills.len());
    let sign = |bill: Bill| signing::signed(shared, bill, document::bill);
    let bills = bills.into_iter().map(sign).collect::<Result<_, _>>()?;
    let mut bytes = answer(&Bills { bills })?;
    json::pad(&mut bytes, length);
    Ok(bytes)
}

/// A slot parameter named `from`; the first slot of all without one.
fn from_slot(call: &Call) -> Result<Slot, Problem> {
    slot(call.parameter("from")?)
}

/// Where a listing goes on: `from=SLOT`, the first slot of all without one, and `after=NAME`.
fn place<T: FromStr>(call: &Call) -> Result<(Slot, Option<T>), Problem> {
    let [from, after] = call.parameters(["from", "after"])?;
    Ok((slot(parsed("from", from)?)?, parsed("after", after)?))
}

fn slot(number: Option<u64>) -> Result<Slot, Problem> {
    let slot = Slot::new(number.unwrap_or(0));
    slot.map_err(|error| Problem::new(ProblemType::BadRequest, error.to_string()))
}

/// An identifier from the path.
fn identifier<T: FromStr<Err: core::fmt::Display>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error: T::Err| {
        let detail = format!("identifier in the path: {error}");
        Problem::new(ProblemType::BadRequest, detail)
    })
}

fn refusal(error: &CommandError) -> Problem {
    let kind = match error {
        CommandError::Refused(refusal) => refusal.problem(),
        CommandError::NoTime => ProblemType::NoTime,
        CommandError::Random(_) | CommandError::Gone => ProblemType::Internal,
    };
    Problem::new(kind, error.to_string())
}
