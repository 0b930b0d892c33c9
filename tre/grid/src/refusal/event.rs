//! Why an event, a bid or a decision is refused.

use thiserror::Error;
use tre_wire::problem::ProblemType;
use tre_wire::units::{PricePerKwh, Slot, UnixMillis, WattHours};

/// Why an event was refused. `[TRE14 III-E]`
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum EventRefusal {
    /// A name is used once.
    #[error("expected an event id that is not in use")]
    Used,
    /// The deadline has passed.
    #[error("expected a deadline after {now}, found {found}")]
    DeadlinePassed {
        /// The TRE's time.
        now: UnixMillis,
        /// Deadline found.
        found: UnixMillis,
    },
    /// The event begins after its deadline.
    #[error("expected from_slot to be {} or later, found {}", least.get(), found.get())]
    StartsTooEarly {
        /// First slot that begins after the deadline.
        least: Slot,
        /// Slot found.
        found: Slot,
    },
    /// The deadline is more than one window of the policy ahead.
    #[error("expected a deadline at {most} or before, found {found}")]
    DeadlineTooFar {
        /// Latest deadline.
        most: UnixMillis,
        /// Deadline found.
        found: UnixMillis,
    },
    /// The event begins more windows of the policy ahead than one may.
    #[error("expected from_slot to be at most {}, found {}", most.get(), found.get())]
    StartsTooLate {
        /// Last slot that the event may begin with.
        most: Slot,
        /// Slot found.
        found: Slot,
    },
    /// The event has no slot, or more than the policy allows.
    #[error("expected 1 to {most} slots, found {} to {}", from.get(), to.get())]
    Length {
        /// Most slots.
        most: u64,
        /// First slot.
        from: Slot,
        /// First slot after it.
        to: Slot,
    },
    /// The demand side manager has its share of the places, and none of its events is over.
    #[error("expected at most {most} events of one manager that are not over")]
    Share {
        /// Most events of one manager.
        most: usize,
    },
    /// No more events fit: all are still undecided.
    #[error("expected at most {most} undecided events")]
    Full {
        /// Most events.
        most: usize,
    },
}

/// Why a bid was refused. `[TRE14 III-E]`
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum BidRefusal {
    /// No connection record ties the meter to a point now.
    #[error("expected a meter with a connection in force")]
    NoConnection,
    /// No such event.
    #[error("expected an announced event")]
    UnknownEvent,
    /// The deadline has passed.
    #[error("expected a bid before {deadline}")]
    TooLate {
        /// The event's deadline.
        deadline: UnixMillis,
    },
    /// The quantity is not on the public steps.
    #[error("expected a positive multiple of {step}, found {found}")]
    QuantityStep {
        /// The step.
        step: WattHours,
        /// Quantity found.
        found: WattHours,
    },
    /// More than the connection can carry over the event.
    #[error("expected at most {most} over the event, found {found}")]
    QuantityRange {
        /// Capacity times duration.
        most: WattHours,
        /// Quantity found.
        found: WattHours,
    },
    /// The price is not on the public steps.
    #[error("expected a multiple of {step}, found {found}")]
    PriceStep {
        /// The step.
        step: PricePerKwh,
        /// Price found.
        found: PricePerKwh,
    },
    /// The price is not positive, or above the policy's most.
    #[error("expected a price of 1 to {most}, found {found}")]
    PriceRange {
        /// Most allowed.
        most: PricePerKwh,
        /// Price found.
        found: PricePerKwh,
    },
    /// There is nothing that the bidder could be held to.
    #[error("expected readings in time of the {slots} slots before the baselines were taken")]
    NoBaseline {
        /// Slots of a baseline.
        slots: u64,
    },
    /// The event has as many bids as one event takes.
    #[error("expected at most {most} bids for one event")]
    Full {
        /// Most bids.
        most: usize,
    },
}

/// Why a decision was refused. `[TRE14 III-E]`
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum DecisionRefusal {
    /// No such event of this demand side manager.
    #[error("expected an event of your own")]
    UnknownEvent,
    /// Bids are still taken.
    #[error("expected a decision at {deadline} or later")]
    TooEarly {
        /// The event's deadline.
        deadline: UnixMillis,
    },
    /// There is one decision.
    #[error("expected one decision, found a second")]
    Decided,
    /// The event was taken back.
    #[error("expected an event that stands, found one that was cancelled")]
    Cancelled,
    /// The event has begun without a decision.
    #[error("expected a decision before slot {}", from.get())]
    Lapsed {
        /// First slot of the event.
        from: Slot,
    },
    /// Not a pseudo-bid of this event.
    #[error("expected ids of this event's pseudo-bids, found another at position {position}")]
    UnknownId {
        /// Index in the list sent.
        position: usize,
    },
    /// An id is named twice.
    #[error("expected each id once, found one again at position {position}")]
    Twice {
        /// Index of the second mention.
        position: usize,
    },
}

/// Why an event is not taken back.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum CancelRefusal {
    /// No such event of this demand side manager.
    #[error("expected an event of your own")]
    UnknownEvent,
    /// Bids have been accepted, and what they earn is owed.
    #[error("expected an event that is not decided, found one that is")]
    Decided,
    /// The event has begun without a decision.
    #[error("expected a cancellation before slot {}", from.get())]
    Lapsed {
        /// First slot of the event.
        from: Slot,
    },
}

impl CancelRefusal {
    pub(super) const fn problem(self) -> ProblemType {
        match self {
            Self::UnknownEvent => ProblemType::NotFound,
            Self::Decided => ProblemType::Conflict,
            Self::Lapsed { .. } => ProblemType::TooLate,
        }
    }
}

impl EventRefusal {
    pub(super) const fn problem(self) -> ProblemType {
        match self {
            Self::Used => ProblemType::Conflict,
            Self::DeadlinePassed { .. } => ProblemType::TooLate,
            Self::StartsTooEarly { .. }
            | Self::DeadlineTooFar { .. }
            | Self::StartsTooLate { .. }
            | Self::Length { .. } => ProblemType::OutOfBounds,
            Self::Share { .. } | Self::Full { .. } => ProblemType::Full,
        }
    }
}

impl BidRefusal {
    pub(super) const fn problem(self) -> ProblemType {
        match self {
            Self::NoConnection | Self::UnknownEvent => ProblemType::NotFound,
            Self::TooLate { .. } => ProblemType::TooLate,
            Self::QuantityStep { .. }
            | Self::QuantityRange { .. }
            | Self::PriceStep { .. }
            | Self::PriceRange { .. }
            | Self::NoBaseline { .. } => ProblemType::OutOfBounds,
            Self::Full { .. } => ProblemType::Full,
        }
    }
}

impl DecisionRefusal {
    pub(super) const fn problem(self) -> ProblemType {
        match self {
            Self::UnknownEvent | Self::UnknownId { .. } => ProblemType::NotFound,
            Self::TooEarly { .. } => ProblemType::TooEarly,
            Self::Decided | Self::Cancelled => ProblemType::Conflict,
            Self::Lapsed { .. } => ProblemType::TooLate,
            Self::Twice { .. } => ProblemType::OutOfBounds,
        }
    }
}
