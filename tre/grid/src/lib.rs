//! Monitoring, billing and demand response as one deterministic state machine. `[TRE14 III]`
//!
//! [`Grid`] is a function: `(state, record) -> (state, outcome)`, where a record is a command with
//! its time and its seed. Same state and same record give the same bytes. There is no clock, no
//! socket and no random source here: the daemon hands them in, and a journal of records rebuilds
//! the state.
//!
//! [`Grid::apply`] first lets time pass (slots close, noise is drawn, deadlines pass, bills go
//! out) and then judges the command. A refused command leaves the state exactly as a
//! [`Tick`](tre_wire::journal::Command::Tick) of the same time and seed would; a view shows the
//! state of the last step.
//!
//! What stands where: connection records come first, for a point, a tariff and an account exist
//! once a record names them. Readings belong to the slot that was metered, and enter sums and
//! bills when it closes. Groups, periods, prices and events are announced before their slots
//! begin.
//!
//! # Limits
//!
//! - A bill waits for late readings: it goes out when its period's lateness horizon has passed.
//! - How long the sampler takes depends on what it draws.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod alerts;
mod billing;
mod clock;
mod compliance;
mod connections;
mod demand_response;
mod event;
mod event_rules;
mod few;
mod grid;
mod guard;
pub mod laplace;
mod ledger;
mod links;
mod metering;
mod monitoring;
mod names;
mod own;
mod prices;
pub mod randomness;
mod readings;
mod refusal;
mod releases;
mod running;
mod timeline;
mod views;

#[cfg(test)]
mod tests;

pub use grid::{Grid, Outcome};
pub use refusal::{
    BidRefusal, CancelRefusal, ClockRefusal, ConnectionRefusal, DecisionRefusal, EventRefusal,
    GroupRefusal, PeriodRefusal, PriceRefusal, ReadingRefusal, Refusal, ViewRefusal,
};
