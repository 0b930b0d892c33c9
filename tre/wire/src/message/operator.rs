//! What the operator of the box asks: counts, never a reading, a bid, a bill or a name.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::units::Slot;

/// Answer to `GET /v1/alerts`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Alerts {
    /// One row for each day on which there was something, latest last.
    pub days: Vec<AlertDay>,
}

/// The alerts of one day.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AlertDay {
    /// First slot of the day.
    pub from_slot: Slot,
    /// Readings above their connection's capacity. `[TRE14 III-C]`
    pub over_capacity: u64,
}

/// Answer to `GET /v1/metrics`: counters since start.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Metrics {
    /// Connections accepted.
    pub connections: u64,
    /// Connections closed at once because the bound was reached.
    pub connections_refused: u64,
    /// TLS handshakes that failed.
    pub handshakes_failed: u64,
    /// Connections that ended in the middle of a request or an answer.
    pub connections_broken: u64,
    /// Requests answered.
    pub requests: u64,
    /// Requests answered with a problem, but for calls of which all answers have one length.
    pub problems: u64,
    /// Quotes made by the TPM.
    pub quotes: u64,
}
