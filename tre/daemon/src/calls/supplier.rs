//! Calls of suppliers. `[TRE14 III-D]`

use tre_wire::id::PeerId;
use tre_wire::journal::Command;
use tre_wire::problem::Problem;

use super::{done, seen};
use crate::http::{Answer, Call};
use crate::shared::Shared;

/// `POST /v1/prices`
pub(crate) async fn post_prices(
    shared: &Shared,
    call: &Call,
    own: &PeerId,
) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let body = call.message()?;
    done(shared, Command::PostPrices { supplier: own.clone(), body }).await
}

/// `POST /v1/billing-periods`
pub(crate) async fn end_period(
    shared: &Shared,
    call: &Call,
    own: &PeerId,
) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let body = call.message()?;
    done(shared, Command::EndPeriod { supplier: own.clone(), body }).await
}

/// `GET /v1/bills`
pub(crate) async fn bills(shared: &Shared, call: &Call, own: &PeerId) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let supplier = own.clone();
    let bills = seen(shared, move |grid| Ok(grid.bills_of_supplier(&supplier))).await?;
    super::bills(shared, bills)
}
