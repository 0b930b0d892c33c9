//! One bill before it goes out: what an account owes under one tariff for one period.
//! `[TRE14 III-D]`
//!
//! It grows exactly, in billionths of the currency, and is rounded once. What it may say follows
//! from how its prices are spread over its slots ([`crate::guard`]). When it may go out follows from
//! what may still come: readings of its slots, and the news that the account left too soon after
//! them for the rest to have a bill of its own.

use tre_wire::document::price_series;
use tre_wire::message::supplier::Basis;
use tre_wire::policy::Policy;
use tre_wire::units::{MinorUnits, NanoCurrency, NetWattHours, PricePerKwh, Slot};

use crate::guard::Coverage;
use crate::prices::Tariff;

/// What one account owes under one tariff for one period: for the one that runs, or for one that
/// has ended and of which a reading may still come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Running {
    pub(crate) tariff: u32,
    /// Whether the period has ended.
    pub(crate) ended: bool,
    /// Slots between `from` and `left` in which the account was off the tariff; [`u16::MAX`] for
    /// more than can be counted.
    absent: u16,
    /// First slot of the period.
    pub(crate) from: Slot,
    /// Of a period that has ended the first slot after it. Of the one that runs the first in which
    /// the account was off the tariff; [`Slot::MAX`] while it is on it.
    pub(crate) left: Slot,
    /// The energy of the period's slots, each at its own price.
    cost: NanoCurrency,
    /// That energy, import minus export. Unit: Wh.
    energy_wh: i64,
    /// Credits and penalties.
    apart: NanoCurrency,
}

/// A bill that went out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Issued {
    pub(crate) tariff: u32,
    pub(crate) from: Slot,
    pub(crate) to: Slot,
    pub(crate) total: MinorUnits,
    pub(crate) basis: Basis,
    /// What it was made with.
    pub(crate) series: [u8; 32],
}

impl Running {
    pub(crate) const fn new(tariff: u32, from: Slot) -> Self {
        let (cost, apart) = (NanoCurrency::ZERO, NanoCurrency::ZERO);
        Self { tariff, ended: false, absent: 0, from, left: Slot::MAX, cost, energy_wh: 0, apart }
    }

    /// The bill of the period that begins where this one ends.
    pub(crate) const fn next(&self, end: Slot) -> Self {
        let mut next = Self::new(self.tariff, end);
        next.left = self.left;
        next
    }

    /// Whether the slot is in the period.
    pub(crate) fn holds(&self, slot: Slot) -> bool {
        self.from <= slot && (!self.ended || slot < self.left)
    }

    /// Slots before `end` in which the account was on the tariff.
    pub(crate) fn held(&self, end: Slot) -> u64 {
        let slots = self.left.min(end).since(self.from);
        match self.absent {
            u16::MAX => 0,
            absent => slots.saturating_sub(u64::from(absent)),
        }
    }

    /// What is owed so far, each slot at its own price.
    pub(crate) fn total(&self) -> NanoCurrency {
        // Either alone is far below half of what it could hold: see [`Self::charge`].
        self.cost.checked_add(self.apart).unwrap_or_default()
    }

    /// Adds the energy of one slot.
    ///
    /// Cannot overflow: a slot adds at most 10^9 Wh x 10^12, there are 2^53 slots, and
    /// 10^21 x 2^53 < 2^123. The energy of 2^33 slots fits as well: 400,000 years.
    pub(crate) fn charge(&mut self, price: PricePerKwh, energy: NetWattHours) {
        self.cost = self.cost.checked_add(price.cost_of(energy)).unwrap_or(self.cost);
        self.energy_wh = self.energy_wh.saturating_add(energy.get());
    }

    /// Adds a credit, which is negative, or a penalty.
    pub(crate) fn credit(&mut self, amount: NanoCurrency) {
        self.apart = self.apart.checked_add(amount).unwrap_or(self.apart);
    }

    /// The account is on the tariff again from `slot` on.
    pub(crate) fn come_back(&mut self, slot: Slot) {
        let absent = u16::try_from(slot.since(self.left)).unwrap_or(u16::MAX);
        self.absent = self.absent.saturating_add(absent);
        self.left = Slot::MAX;
    }

    /// Takes in the period before, which has no bill of its own.
    pub(crate) fn take_in(&mut self, before: &Self) {
        self.from = before.from;
        self.absent = self.absent.saturating_add(before.absent);
        self.cost = self.cost.checked_add(before.cost).unwrap_or(self.cost);
        self.energy_wh = self.energy_wh.saturating_add(before.energy_wh);
        self.apart = self.apart.checked_add(before.apart).unwrap_or(self.apart);
    }

    /// The bill up to `to`; `None` if no bill can state the total.
    pub(crate) fn bill(&self, to: Slot, tariff: &Tariff, policy: &Policy) -> Option<Issued> {
        let coverage = tariff.coverage(self.from, to);
        let unit = policy.billing.minor_unit_nano;
        // By slots only if each level has as many as it seems: nobody was there in the absent ones.
        let there = self.absent == 0 || coverage.slots() == 0;
        let (basis, total) = if there && coverage.allowed(&policy.billing) {
            (Basis::Slots, self.total().to_minor_units(unit))
        } else {
            let energy = if self.priced_late(to, &coverage, policy) { 0 } else { self.energy_wh };
            let (cost, slots) = coverage.at_mean(NetWattHours::new(energy).ok()?)?;
            let all = cost.checked_add(self.apart.checked_mul(i128::from(slots))?)?;
            (Basis::Mean, all.part_to_minor_units(slots, unit))
        };
        let names = (&tariff.supplier, &tariff.id);
        let series = price_series(names, (self.from, to), &coverage.runs);
        let total = total.ok()?;
        Some(Issued { tariff: self.tariff, from: self.from, to, total, basis, series })
    }

    /// Whether the supplier published its first price so late that the bill would tell of fewer
    /// slots than a price has to cover. That is its own doing, so it is owed nothing for them: or it
    /// could pick the last slot of whoever is about to leave.
    fn priced_late(&self, to: Slot, coverage: &Coverage, policy: &Policy) -> bool {
        let priced = coverage.slots();
        let held = priced.saturating_sub(u64::from(self.absent));
        priced < to.since(self.from) && held < policy.billing.min_slots_per_level
    }
}

/// When every slot before this one has closed, the bill of a period that ended at `to` may go out:
/// no reading of a slot before `to` may come any more, and whether the account stayed on long
/// enough for its next bill to tell of enough slots is known.
pub(crate) fn settled(to: Slot, policy: &Policy) -> Slot {
    to.plus(policy.lateness_slots.max(policy.billing.min_slots_per_level))
}

/// The final bill of someone who left may go out when every slot before this one has closed: the
/// minimum period has elapsed, and the period before has settled.
pub(crate) fn final_slot(running: &Running, policy: &Policy) -> Slot {
    let elapsed = running.from.plus(policy.billing.minimum_period_slots);
    elapsed.max(settled(running.left, policy))
}
