//! Calls of the grid authority's desk.

use tre_wire::bounds;
use tre_wire::id::PointId;
use tre_wire::journal::Command;
use tre_wire::problem::Problem;

use super::{done, identifier, view};
use crate::http::{Answer, Call};
use crate::shared::Shared;

/// `PUT /v1/connections/{point}`
pub(crate) async fn put_connection(
    shared: &Shared,
    call: &Call,
    id: &str,
) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let (point, record) = (identifier(id)?, call.message()?);
    done(shared, Command::PutConnection { point, record }).await
}

/// `GET /v1/connections?after=POINT`
pub(crate) async fn connections(shared: &Shared, call: &Call) -> Result<Answer, Problem> {
    let after: Option<PointId> = call.parameter("after")?;
    view(shared, move |grid| Ok(grid.connections(after.as_ref(), bounds::CONNECTION_ROWS))).await
}
