//! Counts for the operator, by day: that something was wrong, never with whom. `[TRE14 III-C]`

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use tre_wire::bounds;
use tre_wire::message::operator::AlertDay;
use tre_wire::policy::Policy;
use tre_wire::units::Slot;

/// Readings above capacity, by the day of their slot (days since 1970). The oldest are dropped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct AlertDays(BTreeMap<u64, u64>);

const DAY_MS: u64 = 86_400_000;

impl AlertDays {
    pub(crate) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Counts one reading of `slot`.
    pub(crate) fn count(&mut self, slot: Slot, policy: &Policy) {
        let day = policy.start_of(slot).get().checked_div(DAY_MS).unwrap_or(0);
        let count = self.0.entry(day).or_insert(0);
        *count = count.saturating_add(1);
        if self.0.len() > bounds::ROWS {
            self.0.pop_first();
        }
    }

    /// One row a day, latest last.
    pub(crate) fn rows(&self, policy: &Policy) -> Vec<AlertDay> {
        let row = |(&day, &over_capacity): (&u64, &u64)| {
            let start = day.saturating_mul(DAY_MS).div_ceil(policy.slot_ms);
            let from_slot = Slot::new(start).unwrap_or(Slot::MAX);
            AlertDay { from_slot, over_capacity }
        };
        self.0.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_are_bounded_and_the_latest_are_kept() {
        let mut days = AlertDays::new();
        let policy = crate::tests::policy();
        for day in 0..1_003_u64 {
            let slot = Slot::new(day.saturating_mul(48)).expect("in range");
            days.count(slot, &policy);
        }
        let rows = days.rows(&policy);
        assert_eq!(rows.len(), bounds::ROWS);
        assert_eq!(rows.first().map(|row| row.from_slot.get()), Some(3 * 48));
        assert_eq!(rows.last().map(|row| row.from_slot.get()), Some(1_002 * 48));
    }
}
