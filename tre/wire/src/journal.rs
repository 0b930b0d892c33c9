//! Journal records: command, time and seed, which is all that a state depends on.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::hex::Hex32;
use crate::id::{EventId, GroupId, PeerId, PointId};
use crate::message::dno::PutGroup;
use crate::message::dsm::{Decision, OpenEvent};
use crate::message::meter::{BidRequest, Reading};
use crate::message::registrar::ConnectionRecord;
use crate::message::supplier::{EndPeriod, PostPrices};
use crate::units::UnixMillis;

/// One step of the state machine: same state, same record, same next state and outcome.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Version of this structure: 1.
    pub format: u32,
    /// The TRE's time of the step; never before that of the record before.
    pub now: UnixMillis,
    /// Randomness for noise, order and ids of this step.
    pub seed: Hex32,
    /// What is done.
    pub command: Command,
}

/// Everything that changes state.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Command {
    /// Nothing but the passing of time: slots close, deadlines pass, periods end.
    Tick,
    /// The registrar says what stands at a connection point.
    PutConnection {
        /// The point.
        point: PointId,
        /// What stands there.
        record: ConnectionRecord,
    },
    /// The network operator defines a group.
    PutGroup {
        /// Who asks.
        dno: PeerId,
        /// The group.
        group: GroupId,
        /// Its members.
        body: PutGroup,
    },
    /// A supplier publishes prices.
    PostPrices {
        /// Who asks.
        supplier: PeerId,
        /// The prices.
        body: PostPrices,
    },
    /// A supplier ends a billing period.
    EndPeriod {
        /// Who asks.
        supplier: PeerId,
        /// Tariff and end.
        body: EndPeriod,
    },
    /// A meter sends readings.
    Readings {
        /// Who sends.
        meter: PeerId,
        /// The readings.
        readings: Vec<Reading>,
    },
    /// A demand side manager opens an event.
    OpenEvent {
        /// Who asks.
        dsm: PeerId,
        /// The event.
        body: OpenEvent,
    },
    /// A meter bids, or says that it does not.
    Bid {
        /// Who bids.
        meter: PeerId,
        /// Event and bid.
        body: BidRequest,
    },
    /// A demand side manager takes an event back.
    CancelEvent {
        /// Who asks.
        dsm: PeerId,
        /// The event.
        event: EventId,
    },
    /// A demand side manager decides an event.
    Decide {
        /// Who decides.
        dsm: PeerId,
        /// The event.
        event: EventId,
        /// The accepted set.
        body: Decision,
    },
}
