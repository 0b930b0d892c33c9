//! Groups and the noisy sums that the network operator receives. `[TRE14 III-C]`
//!
//! A release is drawn once, when its slot closes, kept, and read again as it was: asking twice
//! teaches nothing. Whether it is withheld depends on public data alone (who is connected, with
//! which capacity), never on a reading.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use tre_wire::bounds;
use tre_wire::id::{GroupId, PeerId};
use tre_wire::message::dno::{PutGroup, Withheld};
use tre_wire::policy::{Monitoring, Policy};
use tre_wire::units::{NetWattHours, Slot};

use crate::connections::{Connections, Stint};
use crate::laplace::{self, Scale};
use crate::names::index;
use crate::randomness::{Purpose, Stream};
use crate::readings::Slotful;
use crate::refusal::GroupRefusal;

/// One sum, or the reason why there is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Release {
    pub(crate) slot: Slot,
    /// Members with a connection in force in the slot.
    pub(crate) members: u32,
    pub(crate) sum: Result<NetWattHours, Withheld>,
}

/// Members from one slot on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Membership {
    pub(crate) from: Slot,
    pub(crate) members: Box<[u32]>,
}

/// One group.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Group {
    pub(crate) dno: PeerId,
    /// In order; those that no open slot needs any more are dropped.
    pub(crate) memberships: Vec<Membership>,
    /// In order of slots without a gap; the oldest are dropped.
    pub(crate) releases: VecDeque<Release>,
}

/// All groups of a TRE.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Groups(pub(crate) BTreeMap<GroupId, Group>);

/// What is known of a slot when it closes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closing<'a> {
    pub(crate) slot: Slot,
    /// Whether the TRE was running while the slot was open.
    pub(crate) metered: bool,
    pub(crate) slotful: &'a Slotful,
    pub(crate) connections: &'a Connections,
    pub(crate) policy: &'a Policy,
    pub(crate) seed: &'a [u8; 32],
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

    fn keep(&mut self, release: Release) {
        if self.releases.len() >= bounds::RELEASES_PER_GROUP {
            self.releases.pop_front();
        }
        self.releases.push_back(release);
    }
}

impl Groups {
    pub(crate) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Defines a group from slot `from` on, or refuses and changes nothing.
    ///
    /// A member whose connection is to begin later, or has ended, is judged by its nearest record;
    /// whether a sum goes out is judged again at each close, by the connections in force then.
    pub(crate) fn put(
        &mut self,
        (dno, id, body): (&PeerId, &GroupId, &PutGroup),
        from: Slot,
        connections: &mut Connections,
        policy: &Policy,
    ) -> Result<(), GroupRefusal> {
        let old = self.0.get(id);
        if old.is_some_and(|group| group.dno != *dno) {
            return Err(GroupRefusal::NotYours);
        }
        if old.is_none() && self.0.len() >= bounds::GROUPS {
            return Err(GroupRefusal::GroupsFull { most: bounds::GROUPS });
        }
        let members = judge_members(body, connections, &policy.monitoring)?;
        judge_capacity(&members, from, connections, &policy.monitoring)?;
        let latest = old.and_then(|group| group.memberships.last());
        let former: BTreeSet<u32> =
            latest.into_iter().flat_map(|latest| latest.members.iter().copied()).collect();
        for (position, &member) in members.iter().enumerate() {
            let groups = usize::from(connections.groups_of(member));
            if groups >= bounds::GROUPS_PER_POINT && !former.contains(&member) {
                return Err(GroupRefusal::MemberFull { most: bounds::GROUPS_PER_POINT, position });
            }
        }
        former.into_iter().for_each(|member| connections.leave_group(member));
        members.iter().for_each(|&member| connections.enter_group(member));
        let group = self.0.entry(id.clone()).or_insert_with(|| Group {
            dno: dno.clone(),
            memberships: Vec::new(),
            releases: VecDeque::new(),
        });
        group.memberships.retain(|membership| membership.from < from);
        group.memberships.push(Membership { from, members: members.into_boxed_slice() });
        Ok(())
    }

    /// Draws the releases of a slot, groups in order of their ids.
    pub(crate) fn close(&mut self, closing: &Closing<'_>) {
        for (id, group) in &mut self.0 {
            let Some(membership) = group.at(closing.slot) else { continue };
            let release = closing.release(id, &membership.members);
            group.keep(release);
            let next = closing.slot.next();
            let needed = group.memberships.iter().rposition(|other| other.from <= next);
            group.memberships.drain(..needed.unwrap_or(0));
        }
    }
}

impl Closing<'_> {
    fn release(&self, id: &GroupId, members: &[u32]) -> Release {
        let stints = || members.iter().filter_map(|&member| self.stint(member));
        let count = u32::try_from(stints().count()).unwrap_or(u32::MAX);
        let sum = self.judge(count, stints().map(|(_, stint)| stint)).and_then(|()| {
            let sum = stints().map(|(member, stint)| self.contribution(member, stint));
            // At most 4,096 members of at most 10^9 Wh each.
            let sum = sum.fold(0_i64, i64::saturating_add);
            let noise = noise(self.policy, self.seed, self.slot, id);
            noise.map(|noise| noisy(sum, noise)).ok_or(Withheld::NotMetered)
        });
        Release { slot: self.slot, members: count, sum }
    }

    fn stint(&self, member: u32) -> Option<(u32, &Stint)> {
        self.connections.at(member, self.slot).map(|stint| (member, stint))
    }

    /// Whether the sum may go out, by public data alone.
    fn judge<'a>(
        &self,
        count: u32,
        stints: impl Iterator<Item = &'a Stint>,
    ) -> Result<(), Withheld> {
        if !self.metered {
            return Err(Withheld::NotMetered);
        }
        if count < self.policy.monitoring.minimum_group {
            return Err(Withheld::TooFewMembers);
        }
        match dominant(stints.map(Stint::capacity_w), &self.policy.monitoring) {
            Some(_) => Err(Withheld::Dominance),
            None => Ok(()),
        }
    }

    /// What one member adds: its net energy, clipped; nothing if missing or above capacity.
    fn contribution(&self, member: u32, stint: &Stint) -> i64 {
        let value = self.slotful.value(member);
        let Some(value) = value.filter(|value| !value.exceeds(stint, self.policy)) else {
            return 0;
        };
        let clip = self.policy.monitoring.clip_wh.get().cast_signed();
        value.net().get().clamp(clip.saturating_neg(), clip)
    }
}

/// The noise of one release.
///
/// `None` with probability below 2^-100, when the sampler reached a bound: the release is then
/// withheld rather than drawn from another distribution.
pub(crate) fn noise(policy: &Policy, seed: &[u8; 32], slot: Slot, group: &GroupId) -> Option<i64> {
    let mut stream = Stream::new(seed, Purpose::Noise, slot.get(), group.as_str());
    laplace::sample(Scale::of(policy)?, &mut stream)
}

/// Sum plus noise, held within what can be sent. That looks at the noisy value alone, so it says
/// nothing more than it.
pub(crate) fn noisy(sum: i64, noise: i64) -> NetWattHours {
    let most = NetWattHours::MAX.get();
    let noisy = sum.saturating_add(noise).clamp(most.saturating_neg(), most);
    NetWattHours::new(noisy).unwrap_or_default()
}

/// Index of the largest capacity if its share of the sum is above the policy's.
fn dominant(capacities: impl Iterator<Item = u64>, rules: &Monitoring) -> Option<usize> {
    let mut sum = 0_u128;
    let mut largest = (0_usize, 0_u64);
    for (position, capacity) in capacities.enumerate() {
        sum = sum.saturating_add(u128::from(capacity));
        if capacity > largest.1 {
            largest = (position, capacity);
        }
    }
    let share = u128::from(largest.1).saturating_mul(1_000_000);
    let most = sum.saturating_mul(u128::from(rules.dominance_millionths.get()));
    (share > most).then_some(largest.0)
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
    let capacities = members.iter().map(|&member| connections.declared_w(member, from));
    match dominant(capacities, rules) {
        Some(position) => {
            Err(GroupRefusal::Dominance { most: rules.dominance_millionths, position })
        }
        None => Ok(()),
    }
}
