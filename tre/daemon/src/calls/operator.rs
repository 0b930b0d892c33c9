//! Calls of the box's operator: counts alone.

use tre_wire::problem::Problem;

use super::view;
use crate::http::{Answer, Call, answer};
use crate::shared::Shared;

/// `GET /v1/metrics`
pub(crate) fn metrics(shared: &Shared, call: &Call) -> Result<Answer, Problem> {
    call.no_parameter()?;
    answer(&shared.counters.now())
}

/// `GET /v1/alerts`
pub(crate) async fn alerts(shared: &Shared, call: &Call) -> Result<Answer, Problem> {
    call.no_parameter()?;
    view(shared, |grid| Ok(grid.alerts())).await
}
