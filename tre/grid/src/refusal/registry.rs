//! Why a connection record or a group is refused.

use thiserror::Error;
use tre_wire::problem::ProblemType;
use tre_wire::units::{Share, Slot};

/// Why a connection record was refused.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ConnectionRefusal {
    /// What has begun is not rewritten.
    #[error("expected from_slot to be {} or later, found {}", least.get(), found.get())]
    Begun {
        /// First slot that the record may begin at.
        least: Slot,
        /// Slot found.
        found: Slot,
    },
    /// The record ends before it begins.
    #[error("expected to_slot after from_slot {}, found {}", from.get(), found.get())]
    Empty {
        /// First slot of the record.
        from: Slot,
        /// End of the record.
        found: Slot,
    },
    /// One meter serves one point at a time.
    #[error("expected a meter that serves no other point in these slots")]
    MeterElsewhere,
    /// One account has one point at a time.
    #[error("expected an account that has no other point in these slots")]
    AccountElsewhere,
    /// No more points fit.
    #[error("expected at most {most} connection points")]
    PointsFull {
        /// Most points.
        most: usize,
    },
    /// No more tariffs fit.
    #[error("expected at most {most} tariffs")]
    TariffsFull {
        /// Most tariffs.
        most: usize,
    },
    /// The point has as many records as are kept, and none is old enough to be dropped.
    #[error("expected at most {most} records for a point within the lateness horizon")]
    TimelineFull {
        /// Most records.
        most: usize,
    },
}

/// Why a group was refused. `[TRE14 III-C]`
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum GroupRefusal {
    /// Fewer members than the policy's k.
    #[error("smallest group: expected at least {least} members, found {found}")]
    TooFew {
        /// k.
        least: u32,
        /// Members found.
        found: usize,
    },
    /// More members than a group has.
    #[error("expected at most {most} members, found {found}")]
    TooMany {
        /// Most members.
        most: usize,
        /// Members found.
        found: usize,
    },
    /// Not a connection point of this TRE.
    #[error("expected known connection points, found another at position {position}")]
    UnknownMember {
        /// Index in the list sent.
        position: usize,
    },
    /// A member is named twice.
    #[error("expected each member once, found one again at position {position}")]
    Twice {
        /// Index of the second mention.
        position: usize,
    },
    /// One member has too large a share of the declared capacity.
    #[error("dominance: expected no share above {most} of the capacity, found one at {position}")]
    Dominance {
        /// Largest share allowed.
        most: Share,
        /// Index of the largest member.
        position: usize,
    },
    /// A member is in as many groups as one point may be.
    #[error("expected members in fewer than {most} groups, found another at position {position}")]
    MemberFull {
        /// Most groups for one point.
        most: usize,
        /// Index in the list sent.
        position: usize,
    },
    /// A member is in as many groups of this operator as one point may be.
    #[error("expected members in fewer than {most} groups of yours, found another at {position}")]
    MemberShare {
        /// Most groups of one operator for one point.
        most: usize,
        /// Index in the list sent.
        position: usize,
    },
    /// The operator has its share of the places.
    #[error("expected at most {most} groups of one operator")]
    Share {
        /// Most groups of one operator.
        most: usize,
    },
    /// No more groups fit.
    #[error("expected at most {most} groups")]
    GroupsFull {
        /// Most groups.
        most: usize,
    },
}

impl ConnectionRefusal {
    pub(super) const fn problem(self) -> ProblemType {
        match self {
            Self::Begun { .. } => ProblemType::TooLate,
            Self::Empty { .. } => ProblemType::OutOfBounds,
            Self::MeterElsewhere | Self::AccountElsewhere => ProblemType::Conflict,
            Self::PointsFull { .. } | Self::TariffsFull { .. } | Self::TimelineFull { .. } => {
                ProblemType::Full
            }
        }
    }
}

impl GroupRefusal {
    pub(super) const fn problem(self) -> ProblemType {
        match self {
            Self::UnknownMember { .. } => ProblemType::NotFound,
            Self::TooFew { .. } | Self::Dominance { .. } => ProblemType::PrivacyRule,
            Self::TooMany { .. } | Self::Twice { .. } => ProblemType::OutOfBounds,
            Self::MemberFull { .. }
            | Self::MemberShare { .. }
            | Self::Share { .. }
            | Self::GroupsFull { .. } => ProblemType::Full,
        }
    }
}
