//! The records of one connection point, in the order of their slots.

use alloc::vec::Vec;

use tre_wire::bounds;
use tre_wire::policy::Policy;
use tre_wire::units::{Slot, Watts};

/// One record of a timeline, names as numbers. It holds in slots `from..to`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stint {
    pub(crate) from: Slot,
    /// [`Slot::MAX`] while open.
    pub(crate) to: Slot,
    pub(crate) account: u32,
    pub(crate) meter: u32,
    pub(crate) tariff: u32,
    pub(crate) capacity_w: u32,
}

impl Stint {
    /// Whether the stint holds in `slot`.
    pub(crate) fn holds(&self, slot: Slot) -> bool {
        self.from <= slot && slot < self.to
    }

    /// Whether both hold in some slot.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.from < other.to && other.from < self.to
    }

    /// Power that the connection is built for. At most 10^9 by [`Watts`].
    pub(crate) fn capacity_w(&self) -> u64 {
        u64::from(self.capacity_w)
    }

    /// The same as it was declared.
    pub(crate) fn capacity(&self) -> Watts {
        Watts::new(self.capacity_w()).unwrap_or(Watts::MAX)
    }

    /// Most energy that the connection can carry over `slots` slots, rounded down. Unit: Wh.
    pub(crate) fn most_wh(&self, policy: &Policy, slots: u64) -> u64 {
        // 10^9 W times 8.64 10^7 ms times 10^4 slots: past 64 bits only where no bid reaches.
        let milliwatt_seconds = self.capacity_w().saturating_mul(policy.slot_ms);
        milliwatt_seconds.saturating_mul(slots).checked_div(MS_PER_HOUR).unwrap_or(0)
    }

    /// Whether `energy_wh` in one slot is above the installed capacity. `[TRE14 III-C]`
    ///
    /// Exact: energy is whole, so it is above the quotient if and only if it is above its floor.
    pub(crate) fn exceeded_by(&self, policy: &Policy, energy_wh: u64) -> bool {
        energy_wh > self.most_wh(policy, 1)
    }
}

const MS_PER_HOUR: u64 = 3_600_000;

/// The timeline with `wanted` from its first slot on: what begins later goes, what runs is cut.
pub(crate) fn cut(old: &[Stint], wanted: Stint) -> Vec<Stint> {
    let mut timeline: Vec<Stint> = Vec::with_capacity(bounds::RECORDS_PER_POINT);
    timeline.extend(old.iter().filter(|stint| stint.from < wanted.from));
    if let Some(last) = timeline.last_mut() {
        last.to = last.to.min(wanted.from);
    }
    timeline.push(wanted);
    timeline
}
