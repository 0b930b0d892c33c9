//! Which meter, account, tariff and capacity each connection point has, slot by slot.
//!
//! A point has a *timeline* of at most [`bounds::RECORDS_PER_POINT`] stints that do not overlap.
//! What has begun is never rewritten: a new record takes effect in a slot that nobody has metered
//! yet, so a sum, a bill and a privacy rule always speak of the same connections.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use tre_wire::bounds;
use tre_wire::id::{AccountId, PeerId, PointId};
use tre_wire::message::registrar::ConnectionRecord;
use tre_wire::units::{Slot, Watts};

use crate::few::Few;
use crate::links::Links;
use crate::names::{Names, index};
use crate::refusal::ConnectionRefusal;
pub(crate) use crate::timeline::Stint;
use crate::timeline::cut;

/// All connection points of a TRE.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Connections {
    numbers: BTreeMap<PointId, u32>,
    /// The stints of each point, in order, which do not overlap.
    timelines: Vec<Few<Stint>>,
    /// Groups whose latest membership names the point, by point.
    groups: Vec<u8>,
    pub(crate) meters: Names<PeerId>,
    pub(crate) accounts: Names<AccountId>,
    /// Points whose timelines name the meter.
    meter_points: Links,
    /// Points whose timelines name the account.
    account_points: Links,
    /// (slot, point) for every slot to come in which a stint begins or ends.
    turns: BTreeSet<(Slot, u32)>,
}

const _: () = assert!(size_of::<Few<Stint>>() <= 40, "a million points are to fit into memory");

/// A change of the timeline that was judged and may be carried out.
#[derive(Debug)]
pub(crate) struct Change {
    point: Option<u32>,
    timeline: Vec<Stint>,
}

/// What a command has to know of the present to judge a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
    /// The slot that has begun last.
    pub(crate) begun: Slot,
    /// First slot that has not closed.
    pub(crate) first_open: Slot,
    /// Slots after its close in which a reading may still come.
    pub(crate) lateness: u64,
}

impl Connections {
    pub(crate) const fn new() -> Self {
        Self {
            numbers: BTreeMap::new(),
            timelines: Vec::new(),
            groups: Vec::new(),
            meters: Names::new(),
            accounts: Names::new(),
            meter_points: Links::new(),
            account_points: Links::new(),
            turns: BTreeSet::new(),
        }
    }

    /// The number of a known point.
    pub(crate) fn point(&self, id: &PointId) -> Option<u32> {
        self.numbers.get(id).copied()
    }

    /// How many points there are.
    pub(crate) fn count(&self) -> usize {
        self.timelines.len()
    }

    /// The stints of a point, in order.
    pub(crate) fn timeline(&self, point: u32) -> &[Stint] {
        self.timelines.get(index(point)).map_or(&[], Few::all)
    }

    /// Points by id, after `after`.
    pub(crate) fn after(&self, after: Option<&PointId>) -> impl Iterator<Item = (&PointId, u32)> {
        use core::ops::Bound::{Excluded, Unbounded};
        let from = after.map_or(Unbounded, Excluded);
        self.numbers.range::<PointId, _>((from, Unbounded)).map(|(id, &point)| (id, point))
    }

    /// The stint of a point that holds in `slot`.
    pub(crate) fn at(&self, point: u32, slot: Slot) -> Option<&Stint> {
        self.timeline(point).iter().find(|stint| stint.holds(slot))
    }

    /// Since when the household of a stint has been at the point, whatever its meter and tariff.
    pub(crate) fn there_since(&self, point: u32, stint: &Stint) -> Slot {
        let earlier = self.timeline(point).iter().rev();
        let earlier = earlier.filter(|other| other.account == stint.account);
        earlier.fold(stint.from, |from, other| if other.to == from { other.from } else { from })
    }

    /// How many points are on the tariff in slot `begun` or will be; counts no further than `most`.
    pub(crate) fn on_tariff(&self, tariff: u32, begun: Slot, most: u32) -> u32 {
        let on = |stint: &Stint| stint.tariff == tariff && stint.to > begun;
        let points = self.timelines.iter().filter(|timeline| timeline.all().iter().any(on));
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        u32::try_from(points.take(most).count()).unwrap_or(u32::MAX)
    }

    /// The capacity that was declared for `slot`, or else for the nearest time after or before.
    pub(crate) fn declared_w(&self, point: u32, slot: Slot) -> u64 {
        let timeline = self.timeline(point);
        let stint = timeline.iter().find(|stint| slot < stint.to).or(timeline.last());
        stint.map_or(0, Stint::capacity_w)
    }

    /// The point and stint that tie the meter to a point in `slot`.
    pub(crate) fn of_meter(&self, meter: &PeerId, slot: Slot) -> Option<(u32, &Stint)> {
        let meter = self.meters.number(meter)?;
        self.meter_points.of(meter).find_map(|point| {
            let stint = self.at(point, slot).filter(|stint| stint.meter == meter)?;
            Some((point, stint))
        })
    }

    /// The stint that the meter had last, unless it has one now or is to have one.
    pub(crate) fn left_by(&self, meter: &PeerId, begun: Slot) -> Option<(u32, &Stint)> {
        let meter = self.meters.number(meter)?;
        let stints = self.meter_points.of(meter).flat_map(|point| {
            let own = self.timeline(point).iter().filter(|stint| stint.meter == meter);
            own.map(move |stint| (point, stint))
        });
        let last = stints.max_by_key(|(_, stint)| stint.to)?;
        (last.1.to <= begun).then_some(last)
    }

    /// How many groups name the point.
    pub(crate) fn groups_of(&self, point: u32) -> u8 {
        self.groups.get(index(point)).copied().unwrap_or(0)
    }

    /// The point is in one group more.
    pub(crate) fn enter_group(&mut self, point: u32) {
        if let Some(groups) = self.groups.get_mut(index(point)) {
            *groups = groups.saturating_add(1);
        }
    }

    /// The point is in one group less.
    pub(crate) fn leave_group(&mut self, point: u32) {
        if let Some(groups) = self.groups.get_mut(index(point)) {
            *groups = groups.saturating_sub(1);
        }
    }

    /// Whether any timeline names the account.
    pub(crate) fn names_account(&self, account: u32) -> bool {
        self.account_points.any(account)
    }

    /// First slot from `begun` on in which a stint begins or ends.
    pub(crate) fn next_turn(&self) -> Option<Slot> {
        self.turns.first().map(|&(slot, _)| slot)
    }

    /// Takes the points in which a stint begins or ends at `slot`.
    pub(crate) fn take_turns(&mut self, slot: Slot) -> Vec<u32> {
        let mut points = Vec::new();
        while let Some(&(turn, point)) = self.turns.first() {
            if turn > slot {
                break;
            }
            self.turns.pop_first();
            points.push(point);
        }
        points
    }

    /// Judges a record for a point. `Ok(None)` if that very record stands already.
    pub(crate) fn judge(
        &self,
        id: &PointId,
        record: &ConnectionRecord,
        tariff: Option<u32>,
        horizon: Horizon,
    ) -> Result<Option<Change>, ConnectionRefusal> {
        let point = self.point(id);
        let wanted = self.stint(record, tariff);
        let old = point.map_or(&[][..], |point| self.timeline(point));
        if old.contains(&wanted) {
            return Ok(None);
        }
        // A point that is new may begin in the running slot: nothing of it stands yet.
        let least = if point.is_none() { horizon.begun } else { horizon.begun.next() };
        if wanted.from < least {
            return Err(ConnectionRefusal::Begun { least, found: wanted.from });
        }
        if wanted.to <= wanted.from {
            return Err(ConnectionRefusal::Empty { from: wanted.from, found: wanted.to });
        }
        if point.is_none() && self.count() >= bounds::POINTS {
            return Err(ConnectionRefusal::PointsFull { most: bounds::POINTS });
        }
        self.judge_elsewhere(point, &wanted)?;
        let mut timeline = cut(old, wanted);
        if timeline.len() > bounds::RECORDS_PER_POINT {
            // No reading of the oldest record may still come, or it would find no record.
            let oldest = timeline.remove(0);
            if oldest.to.plus(horizon.lateness) > horizon.first_open {
                let most = bounds::RECORDS_PER_POINT;
                return Err(ConnectionRefusal::TimelineFull { most });
            }
        }
        Ok(Some(Change { point, timeline }))
    }

    /// The record as a stint; a name that is not known yet stands as [`u32::MAX`].
    fn stint(&self, record: &ConnectionRecord, tariff: Option<u32>) -> Stint {
        Stint {
            from: record.from_slot,
            to: record.to_slot.unwrap_or(Slot::MAX),
            account: self.accounts.number(&record.account).unwrap_or(u32::MAX),
            meter: self.meters.number(&record.meter).unwrap_or(u32::MAX),
            tariff: tariff.unwrap_or(u32::MAX),
            capacity_w: watts(record.capacity_w),
        }
    }

    /// Refuses a meter or an account that has another point in the same slots.
    fn judge_elsewhere(&self, here: Option<u32>, wanted: &Stint) -> Result<(), ConnectionRefusal> {
        let taken = |point: u32, same: fn(&Stint, &Stint) -> bool| {
            let mut timeline = self.timeline(point).iter();
            Some(point) != here && timeline.any(|stint| same(stint, wanted) && stint.meets(wanted))
        };
        let (meter, account) = (wanted.meter, wanted.account);
        let mut meters = self.meter_points.of(meter);
        if meters.any(|point| taken(point, |one, other| one.meter == other.meter)) {
            return Err(ConnectionRefusal::MeterElsewhere);
        }
        let mut accounts = self.account_points.of(account);
        if accounts.any(|point| taken(point, |one, other| one.account == other.account)) {
            return Err(ConnectionRefusal::AccountElsewhere);
        }
        Ok(())
    }

    /// Carries out what [`Self::judge`] allowed. Returns the point and the accounts that it had.
    ///
    /// `None` when numbers for names run out, which [`bounds::POINTS`] keeps from happening.
    pub(crate) fn put(
        &mut self,
        id: &PointId,
        record: &ConnectionRecord,
        tariff: u32,
        change: Change,
        begun: Slot,
    ) -> Option<(u32, Vec<u32>)> {
        let Change { point, mut timeline } = change;
        let account = self.accounts.learn(&record.account)?;
        let meter = self.meters.learn(&record.meter)?;
        if let Some(last) = timeline.last_mut() {
            (last.account, last.meter, last.tariff) = (account, meter, tariff);
        }
        let point = match point {
            Some(point) => point,
            None => self.add_point(id)?,
        };
        let place = self.timelines.get_mut(index(point))?;
        let old = core::mem::replace(place, Few::of(timeline));
        for stint in old.all() {
            self.turns.remove(&(stint.from, point));
            self.turns.remove(&(stint.to, point));
            self.meter_points.remove(stint.meter, point);
            self.account_points.remove(stint.account, point);
        }
        for stint in place.all() {
            let slots = [stint.from, stint.to].into_iter();
            let ahead = slots.filter(|&slot| slot > begun && slot < Slot::MAX);
            self.turns.extend(ahead.map(|slot| (slot, point)));
            self.meter_points.insert(stint.meter, point);
            self.account_points.insert(stint.account, point);
        }
        for stint in old.all() {
            self.forget_meter(stint.meter);
        }
        Some((point, old.all().iter().map(|stint| stint.account).collect()))
    }

    fn add_point(&mut self, id: &PointId) -> Option<u32> {
        let point = u32::try_from(self.count()).ok()?;
        self.timelines.push(Few::default());
        self.groups.push(0);
        self.numbers.insert(id.clone(), point);
        Some(point)
    }

    fn forget_meter(&mut self, meter: u32) {
        if !self.meter_points.any(meter) {
            self.meters.forget(meter);
        }
    }
}

fn watts(capacity: Watts) -> u32 {
    u32::try_from(capacity.get()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_points_are_bounded_and_a_known_one_still_changes() {
        let mut connections = Connections::new();
        let id = |text: &str| text.parse::<PointId>().expect("an identifier");
        let record = |slot: u64, meter: &str| ConnectionRecord {
            account: meter.parse().expect("an identifier"),
            meter: meter.parse().expect("an identifier"),
            supplier: "supplier".parse().expect("an identifier"),
            tariff: "flat".parse().expect("an identifier"),
            capacity_w: Watts::MAX,
            from_slot: Slot::new(slot).expect("in range"),
            to_slot: None,
        };
        let begun = Slot::default();
        let horizon = Horizon { begun, first_open: begun, lateness: 0 };
        let known = id("known");
        let change = connections.judge(&known, &record(0, "m"), None, horizon);
        let change = change.expect("allowed").expect("new");
        assert!(connections.put(&known, &record(0, "m"), 0, change, begun).is_some());
        connections.timelines.resize(bounds::POINTS, Few::default());
        let full = ConnectionRefusal::PointsFull { most: bounds::POINTS };
        let refused = connections.judge(&id("new"), &record(0, "n"), Some(0), horizon);
        assert_eq!(refused.map(|_| ()), Err(full));
        assert!(connections.judge(&known, &record(1, "n"), Some(0), horizon).is_ok());
    }
}
