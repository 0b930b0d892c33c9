//! Calls of meters.

use tre_grid::Outcome;
use tre_wire::id::PeerId;
use tre_wire::journal::Command;
use tre_wire::message::meter::{BidRequest, Readings, Receipts};
use tre_wire::problem::{Problem, ProblemType};
use tre_wire::{bounds, document, json};

use super::{command, done, from_slot, seen, signing, view};
use crate::http::{Answer, Call, answer, problem};
use crate::shared::Shared;

/// `POST /v1/readings`: of one length a reading, whatever they are; so is the answer.
pub(crate) async fn post_readings(
    shared: &Shared,
    call: &Call,
    own: &PeerId,
) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let Readings { readings } = call.message()?;
    call.exactly(Readings::bytes(readings.len()))?;
    let outcome = command(shared, Command::Readings { meter: own.clone(), readings }).await?;
    let Outcome::Receipts(receipts) = outcome else {
        return Err(problem(ProblemType::Internal, "readings gave no receipts"));
    };
    let name = own.as_str();
    let signature = signing::sign(shared, |tre_id| document::receipts(tre_id, name, &receipts))?;
    let length = Receipts::bytes(receipts.len());
    let mut bytes = answer(&Receipts { receipts, signature })?;
    json::pad(&mut bytes, length);
    Ok(bytes)
}

/// `GET /v1/prices?from=SLOT`
pub(crate) async fn prices(shared: &Shared, call: &Call, own: &PeerId) -> Result<Answer, Problem> {
    let (from, meter) = (from_slot(call)?, own.clone());
    let series = seen(shared, move |grid| grid.prices(&meter, from)).await?;
    answer(&signing::signed(shared, series, document::prices)?)
}

/// `GET /v1/events`
pub(crate) async fn events(shared: &Shared, call: &Call, own: &PeerId) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let meter = own.clone();
    view(shared, move |grid| Ok(grid.events(&meter))).await
}

/// `POST /v1/bids`: of one length, whether it offers something or not.
pub(crate) async fn post_bid(
    shared: &Shared,
    call: &Call,
    own: &PeerId,
) -> Result<Answer, Problem> {
    call.no_parameter()?;
    call.exactly(bounds::BID_BYTES)?;
    let body: BidRequest = call.message()?;
    done(shared, Command::Bid { meter: own.clone(), body }).await
}

/// `GET /v1/outcomes`: of one length for all meters.
pub(crate) async fn outcomes(
    shared: &Shared,
    call: &Call,
    own: &PeerId,
) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let meter = own.clone();
    let outcomes = seen(shared, move |grid| Ok(grid.outcomes(&meter))).await?;
    let mut bytes = answer(&outcomes)?;
    let length = bytes.len().saturating_add(outcomes.shorter_by());
    json::pad(&mut bytes, length);
    Ok(bytes)
}

/// `GET /v1/account`: in steps of length so wide that a bid does not show in it.
pub(crate) async fn account(shared: &Shared, call: &Call, own: &PeerId) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let meter = own.clone();
    let mut bytes = answer(&seen(shared, move |grid| grid.account(&meter)).await?)?;
    let length = bytes.len().next_multiple_of(crate::bounds::ACCOUNT_STEP_BYTES);
    json::pad(&mut bytes, length);
    Ok(bytes)
}

/// `GET /v1/bills`: of one length a bill.
pub(crate) async fn bills(shared: &Shared, call: &Call, own: &PeerId) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let meter = own.clone();
    let bills = seen(shared, move |grid| grid.bills_of_meter(&meter)).await?;
    super::bills(shared, bills)
}
