//! Who leaves soon after a bill, who comes back, and who was there while a tariff had no price: no
//! bill tells of few slots that a supplier could have picked.

use super::*;
use tre_wire::message::supplier::Basis;

/// At this price a Wh is one minor unit.
const UNIT: i64 = 10_000_000;

/// Fewest slots that a price covers.
const LEAST: u64 = 3;

/// A town of one home whose readings may come for `lateness` slots.
fn town(lateness: u64) -> Town {
    let mut policy = policy();
    policy.lateness_slots = lateness;
    policy.billing.min_slots_per_level = LEAST;
    Town::with_policy(policy, 1)
}

/// (from, to, total, basis) of every bill of `account`, in slots after [`START`].
fn bills(town: &Town, account: &str) -> Vec<(u64, u64, i64, Basis)> {
    let bills = town.all_bills("supplier").into_iter();
    let own = bills.filter(|bill| bill.account == id(account));
    let start = |slot: Slot| slot.get() - START;
    own.map(|it| (start(it.from_slot), start(it.to_slot), it.total_minor.get(), it.basis)).collect()
}

/// `home-0` leaves `tail` slots after the end of a period, having drawn 11 Wh in the last slot of it
/// and 22 in the first after it.
fn leaver(lateness: u64, tail: u64) -> Town {
    let mut town = town(lateness);
    assert_eq!(town.post_prices(START + 1, &[UNIT]), Ok(Outcome::Done));
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    let mut record = Town::home("home-0", START + PERIOD + tail, None);
    record.account = id("account-new");
    assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
    for (number, energy) in [(PERIOD - 1, 11), (PERIOD, 22)] {
        town.go(START + number, 0);
        town.read("home-0", START + number, energy, 1);
    }
    town
}

#[test]
fn who_leaves_soon_after_the_end_of_a_period_has_one_bill_of_both() {
    for lateness in [0, 1, LEAST, 4 * PERIOD] {
        for tail in 1..LEAST {
            let mut town = leaver(lateness, tail);
            town.close(START + 8 * PERIOD);
            let bill = (0, PERIOD + tail, 33, Basis::Slots);
            assert_eq!(bills(&town, "account-home-0"), [bill], "{lateness}, {tail}");
        }
        let mut town = leaver(lateness, LEAST);
        town.close(START + 8 * PERIOD);
        let both = [(0, PERIOD, 11, Basis::Slots), (PERIOD, PERIOD + LEAST, 22, Basis::Slots)];
        assert_eq!(bills(&town, "account-home-0"), both, "{lateness}");
    }
}

#[test]
fn a_long_gap_of_the_clock_parts_no_bill_that_would_be_one() {
    let mut town = leaver(LATENESS, 1);
    town.go(START + 8 * PERIOD, 0);
    assert_eq!(bills(&town, "account-home-0"), [(0, PERIOD + 1, 33, Basis::Slots)]);
}

#[test]
fn no_bill_goes_out_while_its_account_may_still_leave_too_soon_after_it() {
    let mut town = leaver(0, LEAST);
    town.close(START + PERIOD + LEAST - 2);
    assert_eq!(bills(&town, "account-home-0"), []);
    town.close(START + PERIOD + LEAST - 1);
    assert_eq!(bills(&town, "account-home-0"), [(0, PERIOD, 11, Basis::Slots)]);
}

#[test]
fn who_leaves_soon_after_the_end_of_a_period_and_comes_back_has_one_bill_of_two_periods() {
    let mut town = town(LEAST);
    town.connect("a", START, Some(START + PERIOD + 1));
    assert_eq!(town.put("b", Town::home("a", START + PERIOD + 2, None)), Ok(Outcome::Done));
    assert_eq!(town.post_prices(START + 1, &[UNIT]), Ok(Outcome::Done));
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    town.go(START + PERIOD, 0);
    town.read("a", START + PERIOD, 22, 1);
    town.settle(START + PERIOD);
    assert_eq!(bills(&town, "account-a"), []);
    assert_eq!(town.end_period(START + 2 * PERIOD), Ok(Outcome::Done));
    town.settle(START + 2 * PERIOD);
    assert_eq!(bills(&town, "account-a"), [(0, 2 * PERIOD, 22, Basis::Mean)]);
}

#[test]
fn a_price_of_slots_in_which_nobody_was_there_covers_too_few() {
    let mut town = town(LATENESS);
    town.connect("a", START, Some(START + 5));
    assert_eq!(town.put("b", Town::home("a", START + 7, None)), Ok(Outcome::Done));
    // The slots 4, 5 and 6 are dear, as the guard allows; the account is there for the first.
    let prices = [0, 0, 0, UNIT, UNIT, UNIT, 0];
    assert_eq!(town.post_prices(START + 1, &prices), Ok(Outcome::Done));
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    for (number, energy) in [(3, 50), (4, 10)] {
        town.go(START + number, 0);
        town.read("a", START + number, energy, 1);
    }
    town.settle(START + PERIOD);
    // A third of a unit on average.
    assert_eq!(bills(&town, "account-a"), [(0, PERIOD, 20, Basis::Mean)]);
    // Who was there all the time is billed slot by slot.
    assert_eq!(bills(&town, "account-home-0"), [(0, PERIOD, 0, Basis::Slots)]);
}

#[test]
fn who_was_there_for_few_slots_has_no_bill_at_the_end_of_a_period() {
    let mut town = town(LATENESS);
    town.connect("a", START, Some(START + 1));
    assert_eq!(town.put("b", Town::home("a", START + PERIOD - 1, None)), Ok(Outcome::Done));
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    town.settle(START + PERIOD);
    assert_eq!(bills(&town, "account-a"), []);
    assert_eq!(bills(&town, "account-home-0").len(), 1);
}

#[test]
fn a_first_price_just_before_a_move_out_earns_its_supplier_nothing() {
    for (first, total) in [(11, 0), (10, 0), (9, 7)] {
        let mut town = town(LATENESS);
        assert_eq!(town.post_prices(START + first, &[UNIT]), Ok(Outcome::Done));
        let mut record = Town::home("home-0", START + 12, None);
        record.account = id("account-new");
        assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
        town.go(START + 11, 0);
        town.read("home-0", START + 11, 7, 1);
        town.close(START + 3 * PERIOD);
        let basis = if total == 0 { Basis::Mean } else { Basis::Slots };
        assert_eq!(bills(&town, "account-home-0"), [(0, 12, total, basis)], "{first}");
    }
}

#[test]
fn who_is_on_a_tariff_for_few_slots_in_all_is_billed_for_them() {
    let mut town = town(LATENESS);
    assert_eq!(town.post_prices(START + 1, &[UNIT]), Ok(Outcome::Done));
    town.connect("guest", START + 4, Some(START + 5));
    town.go(START + 4, 0);
    town.read("guest", START + 4, 9, 1);
    town.close(START + 3 * PERIOD);
    assert_eq!(bills(&town, "account-guest"), [(4, 5, 9, Basis::Mean)]);
}
