//! Calls of the demand side manager. `[TRE14 III-E]`

use tre_wire::document;
use tre_wire::id::{EventId, PeerId};
use tre_wire::journal::Command;
use tre_wire::message::dsm::PseudoBids;
use tre_wire::problem::Problem;

use super::{done, identifier, seen, signing, view};
use crate::http::{Answer, Call, answer};
use crate::shared::Shared;

/// `POST /v1/events`
pub(crate) async fn open_event(
    shared: &Shared,
    call: &Call,
    own: &PeerId,
) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let body = call.message()?;
    done(shared, Command::OpenEvent { dsm: own.clone(), body }).await
}

/// `DELETE /v1/events/{id}`
pub(crate) async fn cancel_event(
    shared: &Shared,
    call: &Call,
    own: &PeerId,
    id: &str,
) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let event = identifier(id)?;
    done(shared, Command::CancelEvent { dsm: own.clone(), event }).await
}

/// `GET /v1/events/{id}/bids`
pub(crate) async fn pseudo_bids(
    shared: &Shared,
    call: &Call,
    own: &PeerId,
    id: &str,
) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let event: EventId = identifier(id)?;
    let (asked, dsm) = (event.clone(), own.clone());
    let bids = seen(shared, move |grid| grid.pseudo_bids(&dsm, &asked)).await?;
    let bytes = |tre_id: &str, bids: &PseudoBids| {
        document::pseudo_bids(tre_id, own, &event, &bids.pseudo_bids)
    };
    answer(&signing::signed(shared, bids, bytes)?)
}

/// `POST /v1/events/{id}/decision`
pub(crate) async fn decide(
    shared: &Shared,
    call: &Call,
    own: &PeerId,
    id: &str,
) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let (event, body) = (identifier(id)?, call.message()?);
    done(shared, Command::Decide { dsm: own.clone(), event, body }).await
}

/// `GET /v1/events/{id}/outcome`
pub(crate) async fn outcome(
    shared: &Shared,
    call: &Call,
    own: &PeerId,
    id: &str,
) -> Result<Answer, Problem> {
    call.no_parameter()?;
    let (event, dsm): (EventId, _) = (identifier(id)?, own.clone());
    view(shared, move |grid| grid.event_outcome(&dsm, &event)).await
}
