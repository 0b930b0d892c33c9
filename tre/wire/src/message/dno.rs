//! What the network operator sends and asks. `[TRE14 III-C]`

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::id::{GroupId, PointId};
use crate::units::{Budget, MilliWattHours, NetWattHours, Slot};

/// Body of `PUT /v1/groups/{id}`: the whole membership from the next slot on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PutGroup {
    /// Members, each once.
    pub members: Vec<PointId>,
}

/// Answer to `GET /v1/groups?after=GROUP`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Groups {
    /// The operator's own groups after the asked one, by id, at most
    /// [`crate::bounds::GROUP_ROWS`]; without any there are no more.
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

/// Answer to `GET /v1/aggregates?from=SLOT&after=GROUP`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Aggregates {
    /// Closed slots from the asked one on, and of that slot itself the groups after the asked one;
    /// by slot, group and span, at most [`crate::bounds::AGGREGATE_ROWS`]. Whole slots; of a first
    /// one that alone has more rows, whole groups. What follows is asked for with slot and group of
    /// the last row; without any there are no more.
    pub aggregates: Vec<Aggregate>,
}

/// One released sum, or the place of one that was withheld: both have one shape.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Aggregate {
    /// The group.
    pub group: GroupId,
    /// What is summed: one slot, or a total over the day or week that ends with it.
    pub span: Span,
    /// The slot; of a total the last one.
    pub slot: Slot,
    /// How many slots were summed: 1, or those of the total's range in which the group had its
    /// present members and was fit to be released.
    pub slots: u32,
    /// Number of members that were connected; of a total the fewest in any of its slots.
    pub members: u32,
    /// Clipped sum plus noise; `null` if withheld.
    pub released_wh: Option<NetWattHours>,
    /// Why it was withheld; decided from public data alone.
    pub withheld: Option<Withheld>,
    /// Scale of the noise: Delta / epsilon, for totals w Delta / epsilon.
    pub lambda_milli_wh: MilliWattHours,
    /// Mean absolute error that the noise makes: lambda.
    pub mean_error_milli_wh: MilliWattHours,
    /// Standard deviation of the noise: the square root of 2 times lambda, not lambda as in
    /// `[TRE14 III-C]`.
    pub standard_deviation_milli_wh: MilliWattHours,
    /// Epsilon that this release spent of each member's budget; nothing if withheld.
    pub epsilon_millionths: Budget,
    /// What is left to releases of this span in the window that ends here, to the member that has
    /// least.
    pub epsilon_left_millionths: Budget,
}

/// How long the time is that a release sums over.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// One slot.
    Slot,
    /// One window of the policy: its slots from a multiple of its length on.
    Day,
    /// Seven windows, from a Monday on where a window is a day.
    Week,
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
    /// Other releases have spent a member's budget in this window.
    BudgetSpent,
}
