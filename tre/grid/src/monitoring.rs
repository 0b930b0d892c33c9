//! Groups: who defines them, which members they may have, from when on. `[TRE14 III-C]`
//!
//! A membership takes effect with the next slot, so nobody can ask again about readings that are
//! there. A group needs k members, and none of them above its share of the declared capacity; a
//! connection point may be in several groups. What they all release of it is held within its
//! budget by the ledger.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use tre_wire::bounds;
use tre_wire::id::{GroupId, PeerId};
use tre_wire::message::dno::PutGroup;
use tre_wire::policy::{Monitoring, Policy};
use tre_wire::units::Slot;

use crate::connections::Connections;
use crate::names::index;
use crate::refusal::GroupRefusal;
use crate::releases::{Release, Tally};

/// Members from one slot on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Membership {
    pub(crate) from: Slot,
    /// In order.
    pub(crate) members: Box<[u32]>,
}

/// Which group: every network operator has names of its own, so that none learns another's by
/// asking for one. In order of names.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct GroupKey {
    pub(crate) group: GroupId,
    pub(crate) dno: PeerId,
}

/// One group.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Group {
    /// In order; those that no open slot needs any more are dropped.
    pub(crate) memberships: Vec<Membership>,
    /// Sums of one slot, in order of slots without a gap; the oldest are dropped.
    pub(crate) releases: VecDeque<Release>,
    /// Totals, in order of slots; none is older than the oldest sum of one slot.
    pub(crate) totals: VecDeque<Release>,
    pub(crate) day: Tally,
    pub(crate) week: Tally,
}

/// All groups of a TRE.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Groups(pub(crate) BTreeMap<GroupKey, Group>);

/// Declared capacities of some members, as far as the dominance rule looks at them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Capacities {
    count: usize,
    sum: u128,
    /// The largest, and which one it is.
    largest: (u64, usize),
}

impl Group {
    /// The membership in force in `slot`.
    pub(crate) fn at(&self, slot: Slot) -> Option<&Membership> {
        self.memberships.iter().rev().find(|membership| membership.from <= slot)
    }

    /// The membership in force in `slot`, or else the first to come.
    pub(crate) fn present(&self, slot: Slot) -> Option<&Membership> {
        self.at(slot).or(self.memberships.first())
    }

    /// Forgets the memberships that no slot from `next` on needs.
    pub(crate) fn drop_memberships(&mut self, next: Slot) {
        let needed = self.memberships.iter().rposition(|other| other.from <= next);
        self.memberships.drain(..needed.unwrap_or(0));
    }
}

impl Groups {
    pub(crate) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Defines a group from slot `from` on, or refuses and changes nothing. The membership that
    /// stands already is no change.
    ///
    /// A member whose connection is to begin later, or has ended, is judged by its nearest record;
    /// whether a sum goes out is judged again at each close, by the connections in force then.
    pub(crate) fn put(
        &mut self,
        (key, body): (GroupKey, &PutGroup),
        from: Slot,
        connections: &mut Connections,
        policy: &Policy,
    ) -> Result<(), GroupRefusal> {
        let old = self.0.get(&key);
        if old.is_none() {
            self.judge_room(&key.dno)?;
        }
        let mut members = judge_members(body, connections, &policy.monitoring)?;
        judge_capacity(&members, from, connections, &policy.monitoring)?;
        let latest = old.and_then(|group| group.memberships.last());
        let former: BTreeSet<u32> =
            latest.into_iter().flat_map(|latest| latest.members.iter().copied()).collect();
        self.judge_places(&key.dno, &members, &former, connections)?;
        former.into_iter().for_each(|member| connections.leave_group(member));
        members.iter().for_each(|&member| connections.enter_group(member));
        members.sort_unstable();
        let group = self.0.entry(key).or_default();
        group.memberships.retain(|membership| membership.from < from);
        if group.memberships.last().is_none_or(|last| *last.members != *members) {
            group.memberships.push(Membership { from, members: members.into_boxed_slice() });
        }
        Ok(())
    }
}

impl Groups {
    fn own(&self, dno: &PeerId) -> impl Iterator<Item = &Group> {
        self.0.iter().filter(move |(key, _)| key.dno == *dno).map(|(_, group)| group)
    }

    /// Whether there is a place for one group more of the operator.
    fn judge_room(&self, dno: &PeerId) -> Result<(), GroupRefusal> {
        if self.own(dno).count() >= bounds::GROUPS_PER_OPERATOR {
            return Err(GroupRefusal::Share { most: bounds::GROUPS_PER_OPERATOR });
        }
        if self.0.len() >= bounds::GROUPS {
            return Err(GroupRefusal::GroupsFull { most: bounds::GROUPS });
        }
        Ok(())
    }

    /// Whether each member may be in one group more; `former` are in this one already.
    fn judge_places(
        &self,
        dno: &PeerId,
        members: &[u32],
        former: &BTreeSet<u32>,
        connections: &Connections,
    ) -> Result<(), GroupRefusal> {
        let share = bounds::GROUPS_PER_POINT_AND_OPERATOR;
        let groups = |member| usize::from(connections.groups_of(member));
        let new = || members.iter().copied().enumerate().filter(|it| !former.contains(&it.1));
        // Few points are in so many groups that the operator's own have to be counted.
        let crowded = new().filter(|&(_, member)| groups(member) >= share);
        let mut own: BTreeMap<u32, usize> = crowded.map(|(_, member)| (member, 0)).collect();
        if !own.is_empty() {
            let latest = self.own(dno).filter_map(|group| group.memberships.last());
            for member in latest.flat_map(|latest| &latest.members) {
                if let Some(count) = own.get_mut(member) {
                    *count = count.saturating_add(1);
                }
            }
        }
        for (position, member) in new() {
            if own.get(&member).is_some_and(|&count| count >= share) {
                return Err(GroupRefusal::MemberShare { most: share, position });
            }
            if groups(member) >= bounds::GROUPS_PER_POINT {
                return Err(GroupRefusal::MemberFull { most: bounds::GROUPS_PER_POINT, position });
            }
        }
        Ok(())
    }
}

impl Capacities {
    /// Takes in the next member's.
    pub(crate) fn add(&mut self, capacity_w: u64) {
        self.sum = self.sum.saturating_add(u128::from(capacity_w));
        if capacity_w > self.largest.0 {
            self.largest = (capacity_w, self.count);
        }
        self.count = self.count.saturating_add(1);
    }

    /// Which member is the largest, if its share of the sum is above the policy's.
    pub(crate) fn dominant(&self, rules: &Monitoring) -> Option<usize> {
        let (largest, position) = self.largest;
        let share = u128::from(largest).saturating_mul(1_000_000);
        let most = self.sum.saturating_mul(u128::from(rules.dominance_millionths.get()));
        (share > most).then_some(position)
    }
}

/// The members as numbers: known points, each once, as many as a group may have.
fn judge_members(
    body: &PutGroup,
    connections: &Connections,
    rules: &Monitoring,
) -> Result<Vec<u32>, GroupRefusal> {
    let (least, found) = (rules.minimum_group, body.members.len());
    if found < index(least) {
        return Err(GroupRefusal::TooFew { least, found });
    }
    if found > bounds::GROUP_MEMBERS {
        return Err(GroupRefusal::TooMany { most: bounds::GROUP_MEMBERS, found });
    }
    let mut seen = BTreeSet::new();
    let mut members = Vec::with_capacity(found);
    for (position, id) in body.members.iter().enumerate() {
        let member = connections.point(id).ok_or(GroupRefusal::UnknownMember { position })?;
        if !seen.insert(member) {
            return Err(GroupRefusal::Twice { position });
        }
        members.push(member);
    }
    Ok(members)
}

fn judge_capacity(
    members: &[u32],
    from: Slot,
    connections: &Connections,
    rules: &Monitoring,
) -> Result<(), GroupRefusal> {
    let mut capacities = Capacities::default();
    members.iter().for_each(|&member| capacities.add(connections.declared_w(member, from)));
    match capacities.dominant(rules) {
        Some(position) => {
            Err(GroupRefusal::Dominance { most: rules.dominance_millionths, position })
        }
        None => Ok(()),
    }
}
