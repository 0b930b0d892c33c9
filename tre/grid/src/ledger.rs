//! The window ledger: how many releases each connection point has been charged for.
//!
//! A point is charged for every release of a group that names it, whether a reading came or not,
//! so what the ledger says is public. It is keyed by connection point, and no point is ever
//! forgotten: a move, another meter, a new account, a renewed record, another group refill
//! nothing.
//!
//! Releases of one kind cost the same, so counting them is exact. In any window of w slots a point
//! is charged for at most as many sums of one slot as its share of the window pays for: slots close
//! in their order, so the fullest window is always the one that ends with the slot that closes,
//! and [`Ledger`] holds that one. Totals need no memory: all totals of one range are released at
//! its end, and a window that reaches into two ranges reaches into both together no more than w
//! slots, so what it can spend on them is at most what the dearer range spent on its own.
//! `docs/PRIVACY.md` has the argument.
//!
//! State: two bytes a point, and half a byte for each slot of the window in which something was
//! released.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use tre_wire::bounds;
use tre_wire::policy::Spending;
use tre_wire::units::{Budget, Slot};

use crate::names::index;

/// How many releases each point is charged for, by point.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Charges(Vec<u16>);

/// The charges of one slot, half a byte a point.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Column {
    slot: Slot,
    charges: Vec<u8>,
}

/// The charges for sums of one slot in the window that ends with the slot that closed last.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Ledger {
    /// In order of slots; slots in which nothing was charged have none.
    columns: VecDeque<Column>,
    /// The sum of all columns.
    charges: Charges,
}

/// What is left to a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Account {
    spending: Spending,
    /// Most charges that any of its members has.
    charged: u64,
}

// A point is charged once a slot for each group that it is in, and half a byte holds that.
const _: () = assert!(bounds::GROUPS_PER_POINT <= 15, "half a byte counts to 15");

impl Account {
    /// Whether every member can pay for one release more.
    pub(crate) const fn affords_one(self) -> bool {
        let next = self.charged.saturating_add(1);
        let cost = next.saturating_mul(self.spending.epsilon_millionths.get());
        cost <= self.spending.window_millionths.get()
    }

    /// The same after one release more.
    pub(crate) const fn after_one(self) -> Self {
        Self { spending: self.spending, charged: self.charged.saturating_add(1) }
    }

    /// What is left to the member that has least.
    pub(crate) fn left(self) -> Budget {
        let spent = self.charged.saturating_mul(self.spending.epsilon_millionths.get());
        let left = self.spending.window_millionths.get().saturating_sub(spent);
        Budget::new(left).unwrap_or_default()
    }
}

impl Charges {
    /// Where a group with these members stands.
    pub(crate) fn account(&self, members: &[u32], spending: Spending) -> Account {
        let charges = members.iter().filter_map(|&member| self.0.get(index(member)));
        let charged = charges.copied().max().unwrap_or(0);
        Account { spending, charged: u64::from(charged) }
    }

    /// Charges every member for one release. `points` is how many points there are.
    pub(crate) fn charge(&mut self, members: &[u32], points: usize) {
        if self.0.len() < points {
            self.0.resize(points, 0);
        }
        for &member in members {
            if let Some(charged) = self.0.get_mut(index(member)) {
                *charged = charged.saturating_add(1);
            }
        }
    }

    fn take_back(&mut self, column: &Column) {
        for (pair, both) in self.0.chunks_mut(2).zip(&column.charges) {
            for (charged, half) in pair.iter_mut().zip([both & 0x0f, both >> 4]) {
                *charged = charged.saturating_sub(u16::from(half));
            }
        }
    }
}

impl Column {
    fn charge(&mut self, members: &[u32], points: usize) {
        let bytes = points.div_ceil(2);
        if self.charges.len() < bytes {
            self.charges.reserve_exact(bytes.saturating_sub(self.charges.len()));
            self.charges.resize(bytes, 0);
        }
        for &member in members {
            let one = if member.is_multiple_of(2) { 0x01 } else { 0x10 };
            if let Some(both) = self.charges.get_mut(index(member >> 1)) {
                *both = both.saturating_add(one);
            }
        }
    }
}

impl Ledger {
    pub(crate) const fn new() -> Self {
        Self { columns: VecDeque::new(), charges: Charges(Vec::new()) }
    }

    /// `slot` closes: what was charged before the window of `window` slots that ends with it no
    /// longer counts.
    pub(crate) fn turn(&mut self, slot: Slot, window: u64) {
        while let Some(oldest) =
            self.columns.pop_front_if(|column| slot.since(column.slot) >= window)
        {
            self.charges.take_back(&oldest);
        }
    }

    /// Where a group with these members stands in the window that ends now.
    pub(crate) fn account(&self, members: &[u32], spending: Spending) -> Account {
        self.charges.account(members, spending)
    }

    /// Charges every member for one release of `slot`, which closes.
    pub(crate) fn charge(&mut self, slot: Slot, members: &[u32], points: usize) {
        self.charges.charge(members, points);
        if self.columns.back().is_none_or(|column| column.slot != slot) {
            self.columns.push_back(Column { slot, charges: Vec::new() });
        }
        if let Some(column) = self.columns.back_mut() {
            column.charge(members, points);
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

    use super::*;
    use alloc::collections::BTreeMap;
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;
    use tre_wire::units::Epsilon;

    fn slot(number: u64) -> Slot {
        Slot::new(number).expect("in range")
    }

    fn spending(epsilon: u64, window: u64) -> Spending {
        let [epsilon_millionths, window_millionths] =
            [epsilon, window].map(|it| Epsilon::new(it).expect("in range"));
        Spending { epsilon_millionths, window_millionths }
    }

    #[test]
    fn a_release_is_paid_to_the_last_millionth_and_not_beyond() {
        let charged = |spending, charged| Account { spending, charged };
        assert!(charged(spending(2, 6), 2).affords_one());
        assert!(!charged(spending(2, 5), 2).affords_one());
        assert_eq!(charged(spending(2, 5), 2).left().get(), 1);
        assert!(!charged(spending(2, 6), 3).affords_one());
        assert_eq!(charged(spending(2, 6), 3).left().get(), 0);
    }

    #[test]
    fn a_charge_counts_for_as_long_as_a_window_reaches_it() {
        let mut ledger = Ledger::new();
        ledger.turn(slot(10), 3);
        ledger.charge(slot(10), &[1, 4], 6);
        for (now, charged) in [(11, 1), (12, 1), (13, 0)] {
            ledger.turn(slot(now), 3);
            assert_eq!(ledger.account(&[0, 1], spending(1, 1)).charged, charged, "slot {now}");
        }
        assert!(ledger.columns.is_empty());
    }

    #[test]
    fn a_clock_that_leaps_frees_what_lies_behind_the_window_and_no_more() {
        let mut ledger = Ledger::new();
        ledger.charge(slot(10), &[0], 1);
        ledger.charge(slot(500), &[0], 1);
        ledger.turn(slot(502), 3);
        assert_eq!(ledger.account(&[0], spending(1, 1)).charged, 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// The ring against a plain list of charges, with points that are added on the way.
        #[test]
        fn what_is_charged_is_the_sum_over_the_window(
            window in 1_u64..6,
            steps in vec((0_u64..3, vec(btree_set(0_u32..9, 0..6), 0..4)), 1..30),
        ) {
            let mut ledger = Ledger::new();
            let mut all: BTreeMap<(u64, u32), u64> = BTreeMap::new();
            let mut now = 0;
            for (leap, groups) in steps {
                now += 1 + leap;
                ledger.turn(slot(now), window);
                for members in groups {
                    let members: Vec<u32> = members.into_iter().collect();
                    ledger.charge(slot(now), &members, 9);
                    for member in members {
                        *all.entry((now, member)).or_insert(0) += 1;
                    }
                }
                for point in 0..9 {
                    let within = all.iter().filter(|((at, who), _)| *who == point && now - at < window);
                    let expected: u64 = within.map(|(_, count)| count).sum();
                    prop_assert_eq!(ledger.account(&[point], spending(1, 1)).charged, expected);
                }
            }
        }
    }
}
