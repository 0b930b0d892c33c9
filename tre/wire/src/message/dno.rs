//! What the network operator sends and asks. `[TRE14 III-C]`

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::id::{GroupId, PointId};
use crate::units::{Epsilon, MilliWattHours, NetWattHours, Slot};

/// Body of `PUT /v1/groups/{id}`: the whole membership from the next slot on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PutGroup {
    /// Members, each once.
    pub members: Vec<PointId>,
}

/// Answer to `GET /v1/groups`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Groups {
    /// The operator's own groups, by id.
    pub groups: Vec<GroupSummary>,
}

/// One group.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct GroupSummary {
    /// The group.
    pub group: GroupId,
    /// Number of members in the running slot.
    pub members: u32,
    /// First slot of the present membership.
    pub from_slot: Slot,
}

/// Answer to `GET /v1/aggregates?from=SLOT`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Aggregates {
    /// Closed slots from the asked one on, by slot and group, at most [`crate::bounds::ROWS`]
    /// and never part of a slot alone unless one slot has more groups than that.
    pub aggregates: Vec<Aggregate>,
}

/// One released sum, or the place of one that was withheld: both have one shape.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Aggregate {
    /// The group.
    pub group: GroupId,
    /// The slot.
    pub slot: Slot,
    /// Number of members.
    pub members: u32,
    /// Clipped sum plus noise; `null` if withheld.
    pub released_wh: Option<NetWattHours>,
    /// Why it was withheld; decided from public data alone.
    pub withheld: Option<Withheld>,
    /// Scale of the noise: Delta / epsilon.
    pub lambda_milli_wh: MilliWattHours,
    /// Standard deviation of the noise: the square root of 2 times lambda, not lambda as in
    /// `[TRE14 III-C]`.
    pub standard_deviation_milli_wh: MilliWattHours,
    /// Epsilon spent by this release.
    pub epsilon_millionths: Epsilon,
}

/// Why a sum was withheld.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Withheld {
    /// Fewer connections than the policy's k.
    TooFewMembers,
    /// One connection has more than its share of the declared capacity.
    Dominance,
    /// The TRE was not running while the slot was open.
    NotMetered,
}
