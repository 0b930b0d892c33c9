//! The price guard: what a bill may tell of single readings. `[TRE14 III-D, not followed: there a
//! supplier chooses every price]`
//!
//! A supplier that chooses every price reads single readings out of bills: nothing costs anything
//! but one slot, or slot i costs B^i. So a period has at most L different prices, each over at
//! least so many slots, and a supplier learns at most L sums over that many slots each. Who was on
//! the tariff in a part of the period alone, in which some price covers fewer slots, is billed at
//! the mean price of that part: one sum over all of it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use tre_wire::policy::Billing;
use tre_wire::units::{NanoCurrency, NetWattHours, PricePerKwh, Slot};

use crate::refusal::{PeriodRefusal, PriceRefusal};

/// The prices of a tariff: each holds from its slot on until the next.
pub(crate) type Prices = BTreeMap<Slot, PricePerKwh>;

/// How the prices of some slots are spread. Slots before the first price are not among them: they
/// cost nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Coverage {
    /// How many slots each price covers.
    levels: BTreeMap<PricePerKwh, u64>,
    /// Each run of slots with one price: first slot, price.
    pub(crate) runs: Vec<(Slot, PricePerKwh)>,
}

impl Coverage {
    /// Of the slots `from..to`.
    pub(crate) fn of(prices: &Prices, from: Slot, to: Slot) -> Self {
        let mut coverage = Self::default();
        let before = prices.range(..=from).next_back().map(|(_, &price)| (from, price));
        let within = prices.range(from.next()..to.max(from.next()));
        let mut marks = before.into_iter().chain(within.map(|(&slot, &price)| (slot, price)));
        let mut running = marks.next();
        while let Some((slot, price)) = running {
            running = marks.next();
            let end = running.map_or(to, |(next, _)| next);
            let slots = coverage.levels.entry(price).or_insert(0);
            *slots = slots.saturating_add(end.since(slot));
            if coverage.runs.last().is_none_or(|&(_, last)| last != price) {
                coverage.runs.push((slot, price));
            }
        }
        coverage
    }

    /// How many slots have a price.
    pub(crate) fn slots(&self) -> u64 {
        self.levels.values().fold(0, |sum, &slots| sum.saturating_add(slots))
    }

    /// Whether a bill of these slots tells no more than the policy allows.
    pub(crate) fn allowed(&self, rules: &Billing) -> bool {
        self.levels.len() <= most(rules) && self.short(rules).is_none()
    }

    /// The first price that covers too few slots.
    fn short(&self, rules: &Billing) -> Option<(PricePerKwh, u64)> {
        let mut levels = self.levels.iter();
        let short = levels.find(|&(_, &slots)| slots < rules.min_slots_per_level);
        short.map(|(&price, &slots)| (price, slots))
    }

    /// What `energy` costs at the mean price, times the number of slots; and that number. The
    /// division comes with the rounding.
    pub(crate) fn at_mean(&self, energy: NetWattHours) -> Option<(NanoCurrency, u64)> {
        let mut levels = self.levels.iter();
        levels.try_fold((NanoCurrency::ZERO, 0_u64), |(sum, all), (price, &slots)| {
            let cost = price.cost_of(energy).checked_mul(i128::from(slots))?;
            Some((sum.checked_add(cost)?, all.checked_add(slots)?))
        })
    }
}

/// Judges prices that are to be published together with those that stand, for the running period
/// and what follows its end if that has been set.
pub(crate) fn judge_prices(
    all: &Prices,
    batch: &[(Slot, PricePerKwh)],
    period: (Slot, Option<Slot>),
    rules: &Billing,
) -> Result<(), PriceRefusal> {
    let (floor, ceiling) = (rules.price_floor, rules.price_ceiling);
    let outside = |&&(_, price): &&(Slot, PricePerKwh)| price < floor || price > ceiling;
    if let Some(&(_, found)) = batch.iter().find(outside) {
        return Err(PriceRefusal::Range { floor, ceiling, found });
    }
    let (from, end) = period;
    let end_or_last = end.unwrap_or(Slot::MAX);
    for (from, to) in [(from, end_or_last), (end_or_last, Slot::MAX)] {
        let levels: BTreeSet<_> = Coverage::of(all, from, to).levels.into_keys().collect();
        if levels.len() > most(rules) {
            return Err(PriceRefusal::Levels { most: rules.levels_most, found: levels.len() });
        }
    }
    let short = end.and_then(|end| Coverage::of(all, from, end).short(rules));
    short.map_or(Ok(()), |(price, found)| {
        Err(PriceRefusal::ShortLevel { least: rules.min_slots_per_level, price, found })
    })
}

/// Judges the end of a period by the prices that stand.
pub(crate) fn judge_period(
    prices: &Prices,
    (from, end): (Slot, Slot),
    rules: &Billing,
) -> Result<(), PeriodRefusal> {
    let short = Coverage::of(prices, from, end).short(rules);
    short.map_or(Ok(()), |(price, found)| {
        Err(PeriodRefusal::ShortLevel { least: rules.min_slots_per_level, price, found })
    })
}

fn most(rules: &Billing) -> usize {
    usize::try_from(rules.levels_most).unwrap_or(usize::MAX)
}
