//! Why prices or the end of a billing period are refused.

use thiserror::Error;
use tre_wire::problem::ProblemType;
use tre_wire::units::{PricePerKwh, Slot};

/// Why a publication of prices was refused. `[TRE14 III-D]`
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum PriceRefusal {
    /// No connection has this tariff of this supplier.
    #[error("expected one of your tariffs")]
    UnknownTariff,
    /// No price, or more than one publication has.
    #[error("expected 1 to {most} prices, found {found}")]
    BatchSize {
        /// Most prices.
        most: usize,
        /// Prices found.
        found: usize,
    },
    /// A price is published before its slot begins.
    #[error("expected from_slot to be {} or later, found {}", least.get(), found.get())]
    TooLate {
        /// First slot that has not begun.
        least: Slot,
        /// Slot found.
        found: Slot,
    },
    /// The series would go on past the last slot that there is.
    #[error("expected from_slot to be at most {}, found {}", most.get(), found.get())]
    TooFar {
        /// Last slot that the publication could begin at.
        most: Slot,
        /// Slot found.
        found: Slot,
    },
    /// A published price stands.
    #[error("expected {published}, published for slot {}, found {found}", slot.get())]
    Published {
        /// The slot.
        slot: Slot,
        /// What was published for it.
        published: PricePerKwh,
        /// Price found.
        found: PricePerKwh,
    },
    /// No more prices fit.
    #[error("expected at most {most} prices of one tariff")]
    Full {
        /// Most prices.
        most: usize,
    },
}

/// Why the end of a billing period was refused. `[TRE14 III-D]`
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum PeriodRefusal {
    /// No connection has this tariff of this supplier.
    #[error("expected one of your tariffs")]
    UnknownTariff,
    /// The slot has begun.
    #[error("expected end_slot to be {} or later, found {}", least.get(), found.get())]
    Begun {
        /// First slot that has not begun.
        least: Slot,
        /// Slot found.
        found: Slot,
    },
    /// The period is shorter than the policy's minimum.
    #[error("expected a minimum period: end_slot {} or later, found {}", least.get(), found.get())]
    TooShort {
        /// First slot that the period may end at.
        least: Slot,
        /// Slot found.
        found: Slot,
    },
    /// An end has been set for this period already.
    #[error("expected no end to be pending, found one at slot {}", pending.get())]
    Pending {
        /// The end that was set.
        pending: Slot,
    },
}

impl PriceRefusal {
    pub(super) const fn problem(self) -> ProblemType {
        match self {
            Self::UnknownTariff => ProblemType::NotFound,
            Self::BatchSize { .. } | Self::TooFar { .. } => ProblemType::OutOfBounds,
            Self::TooLate { .. } => ProblemType::TooLate,
            Self::Published { .. } => ProblemType::Conflict,
            Self::Full { .. } => ProblemType::Full,
        }
    }
}

impl PeriodRefusal {
    pub(super) const fn problem(self) -> ProblemType {
        match self {
            Self::UnknownTariff => ProblemType::NotFound,
            Self::Begun { .. } => ProblemType::TooLate,
            Self::TooShort { .. } => ProblemType::TooEarly,
            Self::Pending { .. } => ProblemType::Conflict,
        }
    }
}
