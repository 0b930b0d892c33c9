//! Readings: one value a point and slot, replaceable until the slot closes. `[TRE14 III-C]`
//!
//! While a slot is open its values stand in one vector, indexed by point. At the close they are
//! summed and billed and then dropped, at once or with the baselines of
//! a few slots ([`crate::compliance`]); what stays is one bit a point for as long as a missing
//! reading may still come.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use tre_wire::message::meter::{Reading, ReceiptStatus};
use tre_wire::policy::Policy;
use tre_wire::units::{NetWattHours, Slot, WattHours};

use crate::connections::Stint;
use crate::names::index;

/// The value of one point in one slot. Energy is at most 10^9 Wh by [`WattHours`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Value {
    import_wh: u32,
    export_wh: u32,
    seq: u64,
}

/// A set of points, one bit each.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Points(Vec<u64>);

/// The values of one slot.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Slotful {
    values: Vec<Value>,
    received: Points,
}

/// The readings of all slots that still take some.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Readings {
    open: BTreeMap<Slot, Slotful>,
    /// Points that were metered, for each closed slot within the lateness horizon.
    closed: BTreeMap<Slot, Points>,
}

impl Value {
    fn of(reading: &Reading) -> Self {
        let narrow = |energy: WattHours| u32::try_from(energy.get()).unwrap_or(u32::MAX);
        let (import_wh, export_wh) = (narrow(reading.import_wh), narrow(reading.export_wh));
        Self { import_wh, export_wh, seq: reading.seq }
    }

    /// As its meter sent it.
    pub(crate) fn reading(self, slot: Slot) -> Reading {
        let wide = |energy: u32| WattHours::new(u64::from(energy)).unwrap_or_default();
        let (import_wh, export_wh) = (wide(self.import_wh), wide(self.export_wh));
        Reading { slot, import_wh, export_wh, seq: self.seq }
    }

    /// Import minus export.
    pub(crate) fn net(self) -> NetWattHours {
        let net = i64::from(self.import_wh).saturating_sub(i64::from(self.export_wh));
        NetWattHours::new(net).unwrap_or_default()
    }

    /// Whether either direction is above the installed capacity.
    pub(crate) fn exceeds(self, stint: &Stint, policy: &Policy) -> bool {
        stint.exceeded_by(policy, u64::from(self.import_wh.max(self.export_wh)))
    }
}

impl Points {
    fn contains(&self, point: u32) -> bool {
        let word = self.0.get(index(point >> 6)).copied().unwrap_or(0);
        word & bit(point) != 0
    }

    fn insert(&mut self, point: u32) {
        let place = index(point >> 6);
        if self.0.len() <= place {
            self.0.resize(place.saturating_add(1), 0);
        }
        if let Some(word) = self.0.get_mut(place) {
            *word |= bit(point);
        }
    }
}

fn bit(point: u32) -> u64 {
    1_u64.rotate_left(point & 63)
}

impl Slotful {
    /// The value of a point, if one came.
    pub(crate) fn value(&self, point: u32) -> Option<Value> {
        self.values.get(index(point)).filter(|_| self.received.contains(point)).copied()
    }

    /// Whether no value came at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// All values that came, by point.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, Value)> {
        let values = (0_u32..).zip(self.values.iter().copied());
        values.filter(|&(point, _)| self.received.contains(point))
    }

    /// Takes one value; `points` is how many points there are.
    fn put(&mut self, point: u32, value: Value, points: usize) -> ReceiptStatus {
        let status = match self.value(point) {
            Some(counts) if counts == value => return ReceiptStatus::Repeated,
            Some(counts) if value.seq <= counts.seq => return ReceiptStatus::StaleSequence,
            Some(_) => ReceiptStatus::Replaced,
            None => ReceiptStatus::Accepted,
        };
        let place = index(point);
        if self.values.len() <= place {
            let length = points.max(place.saturating_add(1));
            self.values.reserve_exact(length.saturating_sub(self.values.len()));
            self.values.resize(length, Value::default());
        }
        if let Some(found) = self.values.get_mut(place) {
            *found = value;
            self.received.insert(point);
        }
        status
    }
}

/// What became of a reading, and what is to be billed at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Taken {
    /// Nothing more to do.
    Settled(ReceiptStatus),
    /// Came after the close where none was: the bill takes it now.
    Late(Value),
}

impl Readings {
    pub(crate) const fn new() -> Self {
        Self { open: BTreeMap::new(), closed: BTreeMap::new() }
    }

    /// What is held of one point, by slot.
    pub(crate) fn of(&self, point: u32) -> impl Iterator<Item = Reading> {
        let open = self.open.iter();
        open.filter_map(move |(slot, slotful)| Some(slotful.value(point)?.reading(*slot)))
    }

    /// Whether a reading of a closed slot came, as far as that is known.
    pub(crate) fn metered(&self, slot: Slot, point: u32) -> bool {
        self.closed.get(&slot).is_some_and(|received| received.contains(point))
    }

    /// Takes a reading of a slot that has not closed.
    pub(crate) fn take(
        &mut self,
        point: u32,
        stint: &Stint,
        reading: &Reading,
        points: usize,
        policy: &Policy,
    ) -> ReceiptStatus {
        let value = Value::of(reading);
        let status = self.open.entry(reading.slot).or_default().put(point, value, points);
        let counts = matches!(status, ReceiptStatus::Accepted | ReceiptStatus::Replaced);
        if counts && value.exceeds(stint, policy) { ReceiptStatus::OverCapacity } else { status }
    }

    /// Takes a reading of a slot that has closed, within the lateness horizon.
    pub(crate) fn take_late(&mut self, point: u32, reading: &Reading) -> Taken {
        let received = self.closed.entry(reading.slot).or_default();
        if received.contains(point) {
            return Taken::Settled(ReceiptStatus::Closed);
        }
        received.insert(point);
        Taken::Late(Value::of(reading))
    }

    /// Closes a slot: hands out its values and keeps who was metered while it may matter.
    pub(crate) fn close(&mut self, slot: Slot, policy: &Policy) -> Slotful {
        let slotful = self.open.remove(&slot).unwrap_or_default();
        if policy.lateness_slots > 0 && !slotful.received.0.is_empty() {
            self.closed.insert(slot, slotful.received.clone());
        }
        let first_open = slot.next();
        while let Some((&oldest, _)) = self.closed.first_key_value() {
            if takes_late(oldest, first_open, policy) {
                break;
            }
            self.closed.pop_first();
        }
        slotful
    }
}

/// Whether a closed slot still takes a reading that is missing.
pub(crate) fn takes_late(slot: Slot, first_open: Slot, policy: &Policy) -> bool {
    first_open.since(slot) <= policy.lateness_slots
}
