//! Why a command or a question is refused: what was expected, and what was found.
//!
//! The texts go to the peer that asked. None of them says anything of another household, and an id
//! that is unknown answers exactly like one that belongs to somebody else.

use thiserror::Error;
use tre_wire::problem::ProblemType;
use tre_wire::units::UnixMillis;

mod event;
mod registry;
mod tariff;

pub use event::{BidRefusal, CancelRefusal, DecisionRefusal, EventRefusal};
pub use registry::{ConnectionRefusal, GroupRefusal};
pub use tariff::{PeriodRefusal, PriceRefusal};

/// Why a step was refused, by the part that refused it.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Refusal {
    /// The time of the step. Nothing was done, not even time passed.
    #[error(transparent)]
    Clock(#[from] ClockRefusal),
    /// A connection record.
    #[error(transparent)]
    Connection(#[from] ConnectionRefusal),
    /// A group.
    #[error(transparent)]
    Group(#[from] GroupRefusal),
    /// A whole batch of readings.
    #[error(transparent)]
    Reading(#[from] ReadingRefusal),
    /// A publication of prices.
    #[error(transparent)]
    Price(#[from] PriceRefusal),
    /// The end of a billing period.
    #[error(transparent)]
    Period(#[from] PeriodRefusal),
    /// A demand-response event.
    #[error(transparent)]
    Event(#[from] EventRefusal),
    /// A bid.
    #[error(transparent)]
    Bid(#[from] BidRefusal),
    /// A cancellation.
    #[error(transparent)]
    Cancel(#[from] CancelRefusal),
    /// A decision.
    #[error(transparent)]
    Decision(#[from] DecisionRefusal),
    /// A question.
    #[error(transparent)]
    View(#[from] ViewRefusal),
}

/// Why time may not pass like that.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ClockRefusal {
    /// Time never goes back.
    #[error("expected a time from {least} on, found {found}")]
    WentBack {
        /// Time of the step before.
        least: UnixMillis,
        /// Time of this step.
        found: UnixMillis,
    },
    /// More slots would close at once than any step closes: the clock jumped.
    #[error("expected at most {most} slots in one step, found {found}")]
    Jumped {
        /// Most slots that one step may close.
        most: u64,
        /// Slots that it would close.
        found: u64,
    },
    /// A record of a structure that this version does not know.
    #[error("expected record format {expected}, found {found}")]
    Format {
        /// The format of this version.
        expected: u32,
        /// Format found.
        found: u32,
    },
}

/// Why a whole batch of readings was refused.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ReadingRefusal {
    /// An empty batch, or more readings than one batch has.
    #[error("expected 1 to {most} readings, found {found}")]
    BatchSize {
        /// Most readings.
        most: usize,
        /// Readings found.
        found: usize,
    },
}

/// Why a question has no answer.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ViewRefusal {
    /// No connection record ties the meter to a point now.
    #[error("expected a meter with a connection in force")]
    NoConnection,
    /// No such event of this demand side manager.
    #[error("expected an event of your own")]
    UnknownEvent,
    /// Bids are still taken: nobody sees any before the deadline.
    #[error("expected a question at {deadline} or later")]
    TooEarly {
        /// The event's deadline.
        deadline: UnixMillis,
    },
}

impl Refusal {
    /// The kind of problem that the peer is told.
    #[must_use]
    pub const fn problem(self) -> ProblemType {
        match self {
            Self::Clock(_) => ProblemType::Internal,
            Self::Connection(refusal) => refusal.problem(),
            Self::Group(refusal) => refusal.problem(),
            Self::Reading(ReadingRefusal::BatchSize { .. }) => ProblemType::OutOfBounds,
            Self::Price(refusal) => refusal.problem(),
            Self::Period(refusal) => refusal.problem(),
            Self::Event(refusal) => refusal.problem(),
            Self::Bid(refusal) => refusal.problem(),
            Self::Cancel(refusal) => refusal.problem(),
            Self::Decision(refusal) => refusal.problem(),
            Self::View(refusal) => refusal.problem(),
        }
    }
}

impl ViewRefusal {
    const fn problem(self) -> ProblemType {
        match self {
            Self::NoConnection | Self::UnknownEvent => ProblemType::NotFound,
            Self::TooEarly { .. } => ProblemType::TooEarly,
        }
    }
}
