//! Calls of the network operator. `[TRE14 III-C]`

use tre_grid::Grid;
use tre_wire::bounds;
use tre_wire::document;
use tre_wire::id::{GroupId, PeerId};
use tre_wire::journal::Command;
use tre_wire::message::dno::Aggregates;
use tre_wire::problem::Problem;

use super::{done, identifier, place, seen, signing, view};
use crate::http::{Answer, Call, answer};
use crate::shared::Shared;

/// `PUT /v1/groups/{id}`
pub(crate) async fn put_group(
    shared: &Shared,
    call: &Call,
    own: &PeerId,
    id: &str,
) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let (group, body) = (identifier(id)?, call.message()?);
    done(shared, Command::PutGroup { dno: own.clone(), group, body }).await
}

/// `GET /v1/groups?after=GROUP`
pub(crate) async fn groups(shared: &Shared, call: &Call, own: &PeerId) -> Result<Answer, Problem> {
    let (after, dno): (Option<GroupId>, _) = (call.parameter("after")?, own.clone());
    view(shared, move |grid| Ok(grid.groups(&dno, after.as_ref(), bounds::GROUP_ROWS))).await
}

/// `GET /v1/aggregates?from=SLOT&after=GROUP`
pub(crate) async fn aggregates(
    shared: &Shared,
    call: &Call,
    own: &PeerId,
) -> Result<Answer, Problem> {
    let ((from, after), dno) = (place::<GroupId>(call)?, own.clone());
    let rows = bounds::AGGREGATE_ROWS;
    let read = move |grid: &Grid| Ok(grid.aggregates(&dno, from, after.as_ref(), rows));
    let sums = seen(shared, read).await?;
    let bytes =
        |tre_id: &str, sums: &Aggregates| document::aggregates(tre_id, own, &sums.aggregates);
    answer(&signing::signed(shared, sums, bytes)?)
}
