//! The price guard: no bill tells of few slots, whatever the supplier chooses.

use super::*;
use crate::{PeriodRefusal, PriceRefusal};
use tre_wire::message::supplier::Basis;

/// At this price a Wh is one minor unit.
const UNIT: i64 = 10_000_000;

/// Three slots to a level, two levels, prices from 0 to 4 units.
fn guarded() -> Policy {
    let mut policy = policy();
    policy.billing.price_floor = price(0);
    policy.billing.price_ceiling = price(4 * UNIT);
    policy.billing.levels_most = 2;
    policy.billing.min_slots_per_level = 3;
    policy
}

fn prices_refused(town: &mut Town, from: u64, prices: &[i64]) -> PriceRefusal {
    match town.post_prices(from, prices) {
        Err(Refusal::Price(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

fn period_refused(town: &mut Town, end: u64) -> PeriodRefusal {
    match town.end_period(end) {
        Err(Refusal::Period(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// (from, to, total, basis) of every bill.
fn bills(town: &Town) -> Vec<(u64, u64, i64, Basis)> {
    let bills = town.all_bills("supplier").into_iter();
    let start = |slot: Slot| slot.get() - START;
    bills
        .map(|it| (start(it.from_slot), start(it.to_slot), it.total_minor.get(), it.basis))
        .collect()
}

#[test]
fn a_price_outside_the_floor_and_the_ceiling_is_refused_and_at_them_is_not() {
    let mut town = Town::with_policy(guarded(), 1);
    for found in [-1, 4 * UNIT + 1] {
        let refused = prices_refused(&mut town, START + 1, &[0, found]);
        let (floor, ceiling) = (price(0), price(4 * UNIT));
        assert_eq!(refused, PriceRefusal::Range { floor, ceiling, found: price(found) });
    }
    assert_eq!(town.post_prices(START + 1, &[0, 4 * UNIT]), Ok(Outcome::Done));
}

#[test]
fn a_third_price_in_one_period_is_refused_and_in_the_next_is_not() {
    let mut town = Town::with_policy(guarded(), 1);
    assert_eq!(town.post_prices(START + 1, &[1, 1, 1, 2, 2, 2]), Ok(Outcome::Done));
    let levels = PriceRefusal::Levels { most: 2, found: 3 };
    assert_eq!(prices_refused(&mut town, START + 9, &[3]), levels);
    assert_eq!(prices_refused(&mut town, START + PERIOD, &[3]), levels);
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    // The price that holds when the next period begins is one of its prices.
    assert_eq!(town.post_prices(START + PERIOD + 5, &[3]), Ok(Outcome::Done));
    assert_eq!(prices_refused(&mut town, START + PERIOD + 6, &[4]), levels);
}

#[test]
fn a_period_in_which_a_price_covers_too_few_slots_does_not_end() {
    let mut town = Town::with_policy(guarded(), 1);
    assert_eq!(town.post_prices(START + 1, &[0, 0, 0, UNIT, 0]), Ok(Outcome::Done));
    let short = |found| PeriodRefusal::ShortLevel { least: 3, price: price(UNIT), found };
    assert_eq!(period_refused(&mut town, START + PERIOD), short(1));
    assert_eq!(town.post_prices(START + 8, &[UNIT]), Ok(Outcome::Done));
    // From slot 8 on it holds: two slots of it before slot 10, and the one before.
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
}

#[test]
fn prices_that_would_leave_too_few_slots_to_one_are_refused_once_the_end_is_set() {
    let mut town = Town::with_policy(guarded(), 1);
    assert_eq!(town.post_prices(START + 1, &[0]), Ok(Outcome::Done));
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    let short = PriceRefusal::ShortLevel { least: 3, price: price(UNIT), found: 2 };
    assert_eq!(prices_refused(&mut town, START + 8, &[UNIT]), short);
    assert_eq!(prices_refused(&mut town, START + 3, &[UNIT, UNIT, 0]), short);
    assert_eq!(town.post_prices(START + 3, &[UNIT, UNIT, UNIT, 0]), Ok(Outcome::Done));
}

#[test]
fn a_tariff_of_too_few_connections_has_no_prices_and_of_enough_it_has() {
    let mut policy = guarded();
    policy.billing.minimum_tariff = 3;
    let mut town = Town::with_policy(policy, 2);
    let few = PriceRefusal::TooFew { least: 3, found: 2 };
    assert_eq!(prices_refused(&mut town, START + 1, &[1]), few);
    // Another tariff's connections do not count.
    let mut other = Town::home("other", START, None);
    other.tariff = id("another");
    assert_eq!(town.put("other", other), Ok(Outcome::Done));
    assert_eq!(prices_refused(&mut town, START + 1, &[1]), few);
    // Nor do those who have left.
    town.connect("gone", START + 1, Some(START + 2));
    assert_eq!(town.post_prices(START + 1, &[1]), Ok(Outcome::Done));
    town.go(START + 2, 0);
    assert_eq!(prices_refused(&mut town, START + 3, &[2]), few);
    town.connect("third", START + 5, None);
    assert_eq!(town.post_prices(START + 3, &[2]), Ok(Outcome::Done));
}

#[test]
fn who_was_there_for_a_part_of_a_period_is_billed_at_the_mean_of_its_prices() {
    let mut town = Town::with_policy(guarded(), 1);
    // Nothing costs anything but the slots 4, 5 and 6; the leaver is there for one of them.
    let prices = [0, 0, 0, 4 * UNIT, 4 * UNIT, 4 * UNIT, 0];
    assert_eq!(town.post_prices(START + 1, &prices), Ok(Outcome::Done));
    let mut record = Town::home("home-0", START + 5, None);
    record.account = id("account-new");
    assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
    for (number, energy) in [(1, 10), (2, 20), (3, 30), (4, 41)] {
        town.go(START + number, 0);
        town.read("home-0", START + number, energy, 1);
    }
    town.close(START + PERIOD - 1);
    // 101 Wh in four slots that cost 0, 0, 0 and 4: at one unit each.
    assert_eq!(bills(&town), [(0, 5, 101, Basis::Mean)]);
}

#[test]
fn a_mean_price_is_rounded_once_half_to_even_and_credits_are_taken_off_whole() {
    for (energy, expected) in [(1, 0), (3, 2), (5, 2), (7, 4)] {
        let mut policy = guarded();
        policy.billing.min_slots_per_level = 2;
        let mut town = Town::with_policy(policy, 1);
        // Half a unit on average, over two of the three slots.
        assert_eq!(town.post_prices(START + 1, &[0, UNIT, UNIT, UNIT, 0]), Ok(Outcome::Done));
        let mut record = Town::home("home-0", START + 3, None);
        record.account = id("account-new");
        assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
        town.go(START + 1, 0);
        town.read("home-0", START + 1, energy, 1);
        town.close(START + PERIOD - 1);
        assert_eq!(bills(&town), [(0, 3, expected, Basis::Mean)], "{energy} Wh");
    }
}

#[test]
fn whoever_was_there_for_the_whole_period_is_billed_slot_by_slot() {
    let mut town = Town::with_policy(guarded(), 1);
    let prices = [0, 0, 0, 4 * UNIT, 4 * UNIT, 4 * UNIT, 0];
    assert_eq!(town.post_prices(START + 1, &prices), Ok(Outcome::Done));
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    for number in 1..PERIOD {
        town.go(START + number, 0);
        town.read("home-0", START + number, number, 1);
    }
    town.settle(START + PERIOD);
    assert_eq!(bills(&town), [(0, PERIOD, 4 * (4 + 5 + 6), Basis::Slots)]);
}

#[test]
fn a_bill_names_its_prices_and_its_policy() {
    let mut town = Town::with_policy(guarded(), 2);
    // The same prices, said in two ways: what counts is which holds where.
    assert_eq!(town.post_prices(START + 1, &[1, 1, 1, 2]), Ok(Outcome::Done));
    assert_eq!(town.post_prices(START + 7, &[2]), Ok(Outcome::Done));
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    town.settle(START + PERIOD);
    let runs = [(slot(START + 1), price(1)), (slot(START + 4), price(2))];
    let names = (&id("supplier"), &id("flat"));
    let period = (slot(START), slot(START + PERIOD));
    let series = Hex32(tre_wire::document::price_series(names, period, &runs));
    let bills = town.all_bills("supplier");
    assert_eq!(bills.len(), 2);
    for bill in bills {
        assert_eq!((bill.price_series, bill.policy), (series, Hex32(guarded().digest())));
    }
}
