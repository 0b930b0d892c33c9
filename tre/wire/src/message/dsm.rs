//! What the demand side manager sends and asks. `[TRE14 III-E]`

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::hex::Hex32;
use crate::id::EventId;
use crate::message::meter::Bid;
use crate::units::{Slot, UnixMillis};

/// Body of `POST /v1/events`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OpenEvent {
    /// The event; a name can be used once.
    pub event: EventId,
    /// What is asked, when, until when.
    pub terms: EventTerms,
}

/// What an event asks for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EventTerms {
    /// Less or more consumption.
    pub direction: Direction,
    /// First slot of the event.
    pub from_slot: Slot,
    /// First slot after the event.
    pub to_slot: Slot,
    /// Until when bids are taken; the event begins after it.
    pub deadline: UnixMillis,
}

/// Less or more consumption.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Consume less than usual.
    Reduce,
    /// Consume more than usual.
    Increase,
}

/// Where an event stands.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EventState {
    /// Bids are taken.
    Open,
    /// The deadline has passed; the pseudo-bids are out.
    Closed,
    /// The demand side manager has decided.
    Decided,
    /// The event began without a decision: every bid lost.
    Lapsed,
    /// The demand side manager took it back before it was decided: every bid lost.
    Cancelled,
}

/// Answer to `GET /v1/events/{id}/bids`, after the deadline.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PseudoBids {
    /// One for each bid, in random order.
    pub pseudo_bids: Vec<PseudoBid>,
}

/// A bid without its bidder.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PseudoBid {
    /// Random, for this event alone: "a single-use anonymous identifier". `[TRE14 III-E]`
    pub id: Hex32,
    /// The bid, copied exactly.
    pub bid: Bid,
}

/// Body of `POST /v1/events/{id}/decision`: the accepted set, once.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Ids of the pseudo-bids that won; empty if none did.
    pub accepted: Vec<Hex32>,
}

/// Answer to `GET /v1/events/{id}/outcome`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EventOutcome {
    /// Where the event stands.
    pub state: EventState,
    /// Number of pseudo-bids; 0 until the deadline.
    pub pseudo_bids: u32,
    /// Number accepted; 0 until the decision.
    pub accepted: u32,
}
