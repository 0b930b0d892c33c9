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
    /// The price guard: a price outside the policy's bounds.
    #[error("expected a price of {floor} to {ceiling}, found {found}")]
    Range {
        /// Lowest price allowed.
        floor: PricePerKwh,
        /// Highest price allowed.
        ceiling: PricePerKwh,
        /// Price found.
        found: PricePerKwh,
    },
    /// The price guard: more different prices in one period than the policy allows.
    #[error("expected at most {most} different prices in one period, found {found}")]
    Levels {
        /// Most different prices.
        most: u32,
        /// Different prices found.
        found: usize,
    },
    /// The price guard: in the period whose end is set, a price would cover too few slots.
    #[error(
        "expected each price to cover {least} slots or more of the period, found {found} at {price}"
    )]
    ShortLevel {
        /// Fewest slots.
        least: u64,
        /// The price.
        price: PricePerKwh,
        /// Slots that it covers.
        found: u64,
    },
    /// The price guard: too few connections to publish prices for.
    #[error("expected a tariff of {least} connections or more, found {found}")]
    TooFew {
        /// Fewest connections.
        least: u32,
        /// Connections found.
        found: u32,
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
    #[error("expected at most {most} prices that no bill has been made of; end a period")]
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
    /// The price guard: a price covers too few slots of the period.
    #[error(
        "expected each price to cover {least} slots or more of the period, found {found} at {price}"
    )]
    ShortLevel {
        /// Fewest slots.
        least: u64,
        /// The price.
        price: PricePerKwh,
        /// Slots that it covers.
        found: u64,
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
            Self::BatchSize { .. }
            | Self::TooFar { .. }
            | Self::Range { .. }
            | Self::Levels { .. }
            | Self::ShortLevel { .. }
            | Self::TooFew { .. } => ProblemType::OutOfBounds,
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
            Self::ShortLevel { .. } => ProblemType::OutOfBounds,
            Self::Pending { .. } => ProblemType::Conflict,
        }
    }
}
