//! Calls of suppliers. `[TRE14 III-D]`

use tre_grid::Grid;
use tre_wire::bounds;
use tre_wire::id::{AccountId, PeerId};
use tre_wire::journal::Command;
use tre_wire::problem::Problem;

use super::{done, place, seen};
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

/// `GET /v1/bills?from=SLOT&after=ACCOUNT`
pub(crate) async fn bills(shared: &Shared, call: &Call, own: &PeerId) -> Result<Answer, Problem> {
    let ((from, after), supplier) = (place::<AccountId>(call)?, own.clone());
    let rows = bounds::BILL_ROWS;
    let read = move |grid: &Grid| Ok(grid.bills_of_supplier(&supplier, from, after.as_ref(), rows));
    super::bills(shared, seen(shared, read).await?)
}
