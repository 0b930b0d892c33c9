//! Bills of households that move out, come back and bid, for any prices: each is what its slots,
//! credits and penalties come to, at the basis that the guard allows, and tells of enough slots.
//!
//! What a bill has to say is worked out here from the slots that it names and from what was done,
//! with nothing of the code that made it.

use alloc::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use tre_wire::message::supplier::{Basis, Bill};

/// Fewest slots of a price.
const LEAST: u64 = 3;

/// Slots in which something is done.
const LAST: u64 = 30;

/// Share of what a bid earned that is charged. Unit: thousandths.
const PENALTY: i128 = 1_500;

/// Billionths in a minor unit.
const UNIT: i128 = 10_000_000;

/// Home number, quantity in steps, price in steps, and whether it is accepted.
type Offer = (u64, (u64, i64), bool);

/// One home: its household moves out at the first slot and comes back at the second; import and
/// export of each slot.
type Home = ((u64, u64), Vec<Option<(u64, u64)>>);

#[derive(Clone, Debug)]
struct Case {
    /// Price of each slot.
    prices: Vec<i64>,
    homes: Vec<Home>,
    /// The slot in which the event is announced; what is offered.
    event: (u64, Vec<Offer>),
}

fn case() -> impl Strategy<Value = Case> {
    let runs = vec((0..3_usize, 2..9_usize), 16);
    let home = ((1..36_u64, 1..12_u64), vec(option::weighted(0.9, (0..4_000_u64, 0..900_u64)), 30));
    let offers = vec(((1..30_u64, 1..100_i64), any::<bool>()), 3);
    (vec(-900_000..900_000_i64, 3), runs, vec(home, 3), 3..24_u64, offers).prop_map(
        |(levels, runs, homes, notice, offers)| {
            let run = |(level, length): (usize, usize)| core::iter::repeat_n(levels[level], length);
            let prices = runs.into_iter().flat_map(run).take(30).collect();
            let homes = homes.into_iter().map(|((out, gap), it)| ((out, out + gap), it));
            let offers = (0..).zip(offers).map(|(home, (bid, won))| (home, bid, won));
            Case { prices, homes: homes.collect(), event: (notice, offers.collect()) }
        },
    )
}

/// What was done, beside the town.
struct Done<'a> {
    case: &'a Case,
    /// By account: the slot of each credit or penalty, and billionths.
    apart: BTreeMap<String, Vec<(u64, i128)>>,
}

impl Done<'_> {
    /// The account of a home in a slot.
    fn account(&self, home: u64, slot: u64) -> String {
        let (out, back) = self.case.homes[usize::try_from(home).expect("small")].0;
        let who = if (out..back).contains(&slot) { "next" } else { "home" };
        format!("account-{who}-{home}")
    }

    fn home(account: &str) -> u64 {
        account.rsplit('-').next().and_then(|number| number.parse().ok()).expect("a number")
    }

    fn holds(&self, account: &str, slot: u64) -> bool {
        self.account(Self::home(account), slot) == account
    }

    /// Net energy of a home in a slot, if a reading came.
    fn net(&self, home: u64, slot: u64) -> Option<i128> {
        let readings = &self.case.homes[usize::try_from(home).expect("small")].1;
        let reading = usize::try_from(slot).ok().and_then(|it| readings.get(it).copied().flatten());
        reading.map(|(import, export)| i128::from(import) - i128::from(export))
    }

    /// The price of a slot; none had been published for the first.
    fn price(&self, slot: u64) -> Option<i128> {
        let last = self.case.prices.len() - 1;
        let place = usize::try_from(slot).expect("small").min(last);
        (slot > 0).then(|| i128::from(self.case.prices[place]))
    }

    /// Announces, bids, decides; notes what each winner is credited and charged.
    fn play(&mut self, town: &mut Town) {
        let (notice, offers) = &self.case.event;
        let notice = *notice;
        let (from, to) = (START + notice + 2, START + notice + 4);
        assert_eq!(town.open("e", from, to, 1_000), Ok(Outcome::Done));
        let mut placed = BTreeMap::new();
        for &(home, (steps, price), won) in offers {
            let (quantity, price) = (100 * steps, 10_000 * price);
            if town.bid(&format!("home-{home}"), "e", Some((quantity, price))).is_ok() {
                placed.insert((quantity, price, home), won);
            }
        }
        town.go(START + notice, 1_000);
        let (dsm, event) = (id("dsm"), id("e"));
        let shown = town.grid.pseudo_bids(&dsm, &event).expect("after the deadline").pseudo_bids;
        let mut ids = Vec::new();
        for (&(quantity, price, home), _) in placed.iter().filter(|(_, won)| **won) {
            let said = |it: &&tre_wire::message::dsm::PseudoBid| {
                let bid = (it.bid.quantity_wh.get(), it.bid.price.get());
                bid == (quantity, price) && !ids.contains(&it.id)
            };
            ids.push(shown.iter().find(said).expect("the bid").id);
            self.note(home, notice, (quantity, price));
        }
        assert_eq!(town.decide("e", &ids), Ok(Outcome::Done));
    }

    /// A home won: its credit, and its penalty if it will not deliver.
    fn note(&mut self, home: u64, notice: u64, (quantity, price): (u64, i64)) {
        let account = self.account(home, notice);
        let earned = i128::from(quantity) * i128::from(price);
        let before = [notice - 2, notice - 1].map(|slot| self.net(home, slot).expect("a bid"));
        let usual = (before[0] + before[1]).div_euclid(2);
        let event = [notice + 2, notice + 3];
        let drawn = event
            .map(|slot| self.net(home, slot).filter(|_| slot < LAST && self.holds(&account, slot)));
        let delivered = match drawn {
            // No more than a tenth may be missing.
            [Some(one), Some(two)] => 10 * (2 * usual - one - two) >= 9 * i128::from(quantity),
            _ => false,
        };
        let apart = self.apart.entry(account).or_default();
        apart.push((notice, -earned));
        if !delivered {
            apart.push((notice + 3, earned * PENALTY / 1_000));
        }
    }

    /// What the bill has to say, by the slots that it names. `next` is where the next bill of its
    /// account begins.
    fn expected(&self, bill: &Bill, next: Option<u64>) -> (i64, Basis) {
        let account = bill.account.as_str();
        let (from, to) = (bill.from_slot.get() - START, bill.to_slot.get() - START);
        let (mut levels, mut absent) = (BTreeMap::<i128, u64>::new(), 0);
        let (mut cost, mut energy) = (0, 0);
        for slot in from..to {
            absent += u64::from(!self.holds(account, slot));
            let Some(price) = self.price(slot) else { continue };
            *levels.entry(price).or_default() += 1;
            let net = self.net(Self::home(account), slot).filter(|_| self.holds(account, slot));
            cost += price * net.unwrap_or(0);
            energy += net.unwrap_or(0);
        }
        // What arose in a slot is in the last bill that had begun by then.
        let own = |at: u64| at >= from && next.is_none_or(|next| at < next);
        let apart = self.apart.get(account).into_iter().flatten();
        let apart: i128 = apart.filter(|(at, _)| own(*at)).map(|(_, amount)| amount).sum();
        let priced: u64 = levels.values().sum();
        let enough = levels.values().all(|&slots| slots >= LEAST);
        if priced == 0 || (absent == 0 && enough) {
            return (half_to_even(cost + apart, UNIT), Basis::Slots);
        }
        let late = priced < to - from && priced.saturating_sub(absent) < LEAST;
        let energy = if late { 0 } else { energy };
        let mean: i128 = levels.iter().map(|(price, &slots)| price * i128::from(slots)).sum();
        let priced = i128::from(priced);
        (half_to_even(mean * energy + apart * priced, UNIT * priced), Basis::Mean)
    }

    /// A bill tells of enough slots, or else of whole stays, which it cuts nowhere.
    fn tells_of_enough(&self, bill: &Bill) {
        let account = bill.account.as_str();
        let (from, to) = (bill.from_slot.get() - START, bill.to_slot.get() - START);
        let held = (from..to).filter(|&slot| self.holds(account, slot)).count();
        let cut = (from > 0 && self.holds(account, from - 1)) || self.holds(account, to);
        assert!(u64::try_from(held).expect("small") >= LEAST || !cut, "{held} slots: {bill:?}");
    }
}

/// Nearest multiple, ties to the even one.
fn half_to_even(nano: i128, unit: i128) -> i64 {
    let up = (2 * nano + unit).div_euclid(2 * unit);
    let tie = (2 * nano + unit).rem_euclid(2 * unit) == 0;
    i64::try_from(if tie && up.rem_euclid(2) == 1 { up - 1 } else { up }).expect("small")
}

fn judging() -> Policy {
    let mut policy = policy();
    policy.grace_ms = 0;
    policy.billing.min_slots_per_level = LEAST;
    policy.demand_response.penalty_millionths = u64::try_from(PENALTY).expect("small") * 1_000;
    policy
}

/// Plays the case; every bill of it must be as worked out. Returns all bills.
fn bills_are_what_was_done(case: &Case) -> Vec<Bill> {
    let mut town = Town::with_policy(judging(), 3);
    for (number, ((out, back), _)) in case.homes.iter().enumerate() {
        for (from, who) in [(*out, "next"), (*back, "home")] {
            let mut record = Town::home(&format!("home-{number}"), START + from, None);
            record.account = id(format!("account-{who}-{number}"));
            assert_eq!(town.put(&format!("home-{number}"), record), Ok(Outcome::Done));
        }
    }
    assert_eq!(town.post_prices(START + 1, &case.prices[1..]), Ok(Outcome::Done));
    let mut done = Done { case, apart: BTreeMap::new() };
    for now in 0..LAST {
        town.go(START + now, 0);
        if now % PERIOD == 0 {
            // The guard may refuse it; then the period is a longer one.
            drop(town.end_period(START + now + PERIOD));
        }
        for (number, (_, readings)) in case.homes.iter().enumerate() {
            if let Some(both) = readings[usize::try_from(now).expect("small")] {
                town.read_both(&format!("home-{number}"), START + now, both, 1);
            }
        }
        if now == case.event.0 {
            done.play(&mut town);
        }
    }
    town.close(START + LAST + 4 * PERIOD);
    let bills = town.all_bills("supplier");
    let mut of: BTreeMap<_, Vec<Bill>> = BTreeMap::new();
    bills.iter().for_each(|bill| of.entry(bill.account.clone()).or_default().push(bill.clone()));
    for bills in of.values_mut() {
        bills.sort_by_key(|bill| bill.from_slot);
        assert!(bills.is_sorted_by(|one, two| one.to_slot <= two.from_slot), "{bills:?}");
        for bill in bills.iter() {
            let (total, basis) = done.expected(bill, next(&town, bills, bill));
            assert_eq!((bill.total_minor.get(), bill.basis), (total, basis), "{bill:?}");
            done.tells_of_enough(bill);
        }
    }
    bills
}

/// Where the next bill of the same account begins, or the one that has not gone out.
fn next(town: &Town, bills: &[Bill], bill: &Bill) -> Option<u64> {
    let number = town.grid.connections.accounts.number(&bill.account);
    let account = number.and_then(|number| town.grid.accounts.account(number)).expect("kept");
    let runs = account.unbilled(0).map(|running| running.from);
    let begins = bills.iter().map(|bill| bill.from_slot).chain(runs);
    let later = begins.filter(|&from| from > bill.from_slot);
    later.min().map(|from| from.get() - START)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_bill_is_what_its_slots_credits_and_penalties_come_to(case in case()) {
        bills_are_what_was_done(&case);
    }
}

#[test]
fn the_cases_hold_leavers_mean_prices_credits_and_penalties() {
    // Two win and deliver nothing: 25 minor units each, and 37.5 that they are charged. The first
    // leaves a slot after the period, the third is away for two.
    let prices = [[300_000; 20], [700_000; 20]].concat().into_iter().take(30).collect();
    let home = |out, back| ((out, back), alloc::vec![Some((1_000, 0)); 30]);
    let offers = [(0, (5, 50), true), (1, (5, 50), true)].into_iter().collect();
    let homes = [home(11, 40), home(40, 41), home(22, 24)].into_iter().collect();
    let bills = bills_are_what_was_done(&Case { prices, homes, event: (6, offers) });
    let line = |bill: &Bill| {
        let slots = [bill.from_slot, bill.to_slot].map(|slot| slot.get() - START);
        (bill.account.to_string(), slots, bill.total_minor.get(), bill.basis)
    };
    let lines: Vec<_> = bills.iter().map(line).collect();
    let row =
        |account: &str, slots, total, basis| (format!("account-{account}"), slots, total, basis);
    let expected = [
        row("home-1", [0, 10], 282, Basis::Slots),
        row("home-2", [0, 10], 270, Basis::Slots),
        row("home-0", [0, 11], 312, Basis::Slots),
        row("home-1", [10, 20], 300, Basis::Slots),
        row("next-2", [22, 24], 140, Basis::Mean),
        row("home-2", [10, 30], 900, Basis::Mean),
        row("next-0", [11, 30], 970, Basis::Slots),
        row("home-1", [20, 30], 700, Basis::Slots),
        row("next-0", [30, 40], 0, Basis::Slots),
        row("next-1", [40, 41], 0, Basis::Mean),
    ];
    assert_eq!(lines, expected);
}
