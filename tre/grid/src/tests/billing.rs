//! Running bills, periods and the bills that go out.

use super::*;
use crate::PeriodRefusal;
use tre_wire::bounds;
use tre_wire::message::meter::ReceiptStatus as Status;

/// One micro-currency a Wh is 1,000 nano; at this price a Wh is one minor unit.
const MINOR_A_WH: i64 = 10_000_000;

/// A town in slot START + 1, where a Wh costs one minor unit.
fn priced(homes: usize) -> Town {
    let mut town = Town::with_homes(homes);
    assert_eq!(town.post_prices(START + 1, &[MINOR_A_WH]), Ok(Outcome::Done));
    town.go(START + 1, 0);
    town
}

fn refused(town: &mut Town, end: u64) -> PeriodRefusal {
    match town.end_period(end) {
        Err(Refusal::Period(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn every_account_of_the_tariff_gets_one_bill_at_the_end_of_the_period() {
    let mut town = priced(2);
    town.read("home-0", START + 1, 40, 1);
    town.close(START + 1);
    town.read("home-0", START + 2, 2, 2);
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    town.close(START + PERIOD + LATENESS - 2);
    assert_eq!(town.bills(), []);
    town.settle(START + PERIOD);
    let bill = |home: &str, total| (format!("account-{home}"), START, START + PERIOD, total);
    assert_eq!(town.bills(), [bill("home-0", 42), bill("home-1", 0)]);
    assert_eq!((town.running("home-0"), town.running("home-1")), (0, 0));
    town.close(START + 3 * PERIOD);
    assert_eq!(town.bills().len(), 2);
}

#[test]
fn the_next_period_begins_where_the_last_one_ended() {
    let mut town = priced(1);
    assert_eq!(town.end_period(START + PERIOD + 2), Ok(Outcome::Done));
    town.close(START + PERIOD + 1);
    town.settle(START + PERIOD + 2);
    let account = town.grid.account(&id("meter-home-0")).expect("connected");
    assert_eq!(account.period_from, slot(START + PERIOD + 2));
    // A reading of the first slot of the next period is in the next bill.
    assert_eq!(town.read("home-0", START + PERIOD + 2, 7, 1), Status::AcceptedLate);
    assert_eq!(town.end_period(START + 2 * PERIOD + 2), Ok(Outcome::Done));
    town.settle(START + 2 * PERIOD + 2);
    let totals: Vec<_> =
        town.bills().into_iter().map(|(_, from, _, total)| (from, total)).collect();
    assert_eq!(totals, [(START, 0), (START + PERIOD + 2, 7)]);
}

#[test]
fn the_end_of_a_period_is_announced_before_its_slot_begins() {
    let mut town = priced(1);
    town.go(START + PERIOD, 0);
    let (least, found) = (slot(START + PERIOD + 1), slot(START + PERIOD));
    assert_eq!(refused(&mut town, START + PERIOD), PeriodRefusal::Begun { least, found });
    assert_eq!(town.end_period(START + PERIOD + 1), Ok(Outcome::Done));
}

#[test]
fn a_period_below_the_minimum_is_refused() {
    let mut town = priced(1);
    let least = slot(START + PERIOD);
    let short = PeriodRefusal::TooShort { least, found: slot(START + PERIOD - 1) };
    assert_eq!(refused(&mut town, START + PERIOD - 1), short);
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    town.close(START + PERIOD - 1);
    // The minimum counts from the end of the last period, not from its announcement.
    let least = slot(START + 2 * PERIOD);
    let short = PeriodRefusal::TooShort { least, found: slot(START + 2 * PERIOD - 1) };
    assert_eq!(refused(&mut town, START + 2 * PERIOD - 1), short);
}

#[test]
fn one_end_may_be_pending() {
    let mut town = priced(1);
    assert_eq!(town.end_period(START + 20), Ok(Outcome::Done));
    let pending = PeriodRefusal::Pending { pending: slot(START + 20) };
    assert_eq!(refused(&mut town, START + 30), pending);
    town.close(START + 18);
    // Slot START + 20 has not begun, but START + 19 is yet to close.
    assert_eq!(refused(&mut town, START + 30), pending);
    town.close(START + 19);
    assert_eq!(town.end_period(START + 30), Ok(Outcome::Done));
}

#[test]
fn the_first_period_of_a_tariff_begins_with_the_first_who_is_on_it() {
    let mut town = Town::new(policy());
    town.connect("far", START + 1_000, None);
    let least = slot(START + 1_000 + PERIOD);
    let found = slot(START + PERIOD + 3);
    assert_eq!(refused(&mut town, START + PERIOD + 3), PeriodRefusal::TooShort { least, found });
    town.connect("near", START + 3, None);
    assert_eq!(town.end_period(START + PERIOD + 3), Ok(Outcome::Done));
    town.settle(START + PERIOD + 3);
    assert_eq!(town.bills(), [("account-near".into(), START + 3, START + PERIOD + 3, 0)]);
}

#[test]
fn an_unknown_tariff_and_that_of_another_supplier_are_refused_alike() {
    let mut town = priced(1);
    let mut ask = |supplier: &str, tariff: &str| {
        let body = EndPeriod { tariff: id(tariff), end_slot: slot(START + PERIOD) };
        town.act(Command::EndPeriod { supplier: id(supplier), body })
    };
    let unknown = Err(Refusal::Period(PeriodRefusal::UnknownTariff));
    assert_eq!(ask("supplier", "nothing"), unknown);
    assert_eq!(ask("other", "flat"), unknown);
}

#[test]
fn who_joined_late_is_billed_with_the_next_period() {
    let mut town = priced(1);
    town.connect("late", START + 3, None);
    town.go(START + 3, 0);
    assert_eq!(town.read("late", START + 3, 30, 1), Status::Accepted);
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    town.go(START + PERIOD, GRACE_MS);
    assert_eq!(town.read("late", START + PERIOD, 3, 2), Status::Accepted);
    town.settle(START + PERIOD);
    assert_eq!(town.bills().len(), 1);
    assert_eq!(town.running("late"), 330_000_000);
    assert_eq!(town.end_period(START + 2 * PERIOD), Ok(Outcome::Done));
    town.settle(START + 2 * PERIOD);
    let late: Vec<_> = town.bills().into_iter().filter(|bill| bill.0 == "account-late").collect();
    assert_eq!(late, [("account-late".into(), START + 3, START + 2 * PERIOD, 33)]);
}

#[test]
fn a_late_reading_is_in_the_bill_of_its_own_period_which_waits_for_it() {
    let mut town = Town::with_homes(1);
    let mut prices = alloc::vec![MINOR_A_WH; 9];
    prices.push(5 * MINOR_A_WH);
    assert_eq!(town.post_prices(START + 1, &prices), Ok(Outcome::Done));
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    town.close(START + PERIOD - 1 + LATENESS);
    assert_eq!(town.bills(), [("account-home-0".into(), START, START + PERIOD, 0)]);
    // The bill stands: of what came too late for it nothing is owed, then or later.
    assert_eq!(town.read("home-0", START + PERIOD - 1, 9, 1), Status::Closed);
    assert_eq!(town.running("home-0"), 0);

    let mut town = Town::with_homes(1);
    assert_eq!(town.post_prices(START + 1, &prices), Ok(Outcome::Done));
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    town.close(START + PERIOD - 2 + LATENESS);
    assert_eq!(town.bills(), []);
    assert_eq!(town.read("home-0", START + PERIOD - 1, 9, 1), Status::AcceptedLate);
    // A slot of the next period, at its own price.
    assert_eq!(town.read("home-0", START + PERIOD, 7, 1), Status::AcceptedLate);
    assert_eq!(town.running("home-0"), 440_000_000);
    town.settle(START + PERIOD);
    assert_eq!(town.bills(), [("account-home-0".into(), START, START + PERIOD, 9)]);
    assert_eq!(town.running("home-0"), 350_000_000);
}

#[test]
fn two_periods_settle_each_for_itself_when_they_are_shorter_than_the_horizon() {
    let mut policy = policy();
    policy.billing.minimum_period_slots = 2;
    let mut town = Town::with_policy(policy, 1);
    assert_eq!(town.post_prices(START + 1, &[MINOR_A_WH]), Ok(Outcome::Done));
    for (number, end) in [(1, 2), (3, 4), (5, 6)] {
        assert_eq!(town.end_period(START + end), Ok(Outcome::Done));
        town.close(START + number);
    }
    assert_eq!(town.read("home-0", START + 3, 30, 1), Status::AcceptedLate);
    assert_eq!(town.read("home-0", START + 5, 5, 2), Status::AcceptedLate);
    town.settle(START + 6);
    let totals: Vec<_> = town.bills().into_iter().map(|bill| (bill.1, bill.3)).collect();
    assert_eq!(totals, [(START, 0), (START + 2, 30), (START + 4, 5)]);
}

#[test]
fn what_is_credited_after_a_period_ended_is_in_the_next_bill() {
    let mut town = priced(1);
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    assert_eq!(town.open("e", START + 30, START + 31, SLOT_MS), Ok(Outcome::Done));
    assert_eq!(town.bid("home-0", "e", Some((100, 1_000_000))), Ok(Outcome::Done));
    town.close(START + PERIOD);
    let winner = town.pseudo_bids("e")[0].0;
    assert_eq!(town.decide("e", &[winner]), Ok(Outcome::Done));
    assert_eq!(town.end_period(START + 2 * PERIOD), Ok(Outcome::Done));
    town.settle(START + 2 * PERIOD);
    let totals: Vec<_> = town.bills().into_iter().map(|bill| bill.3).collect();
    assert_eq!(totals, [0, -10]);
}

#[test]
fn a_bill_is_rounded_once_half_to_even() {
    for (energy, micro, expected) in [
        (5, 1_000_000, 0),
        (15, 1_000_000, 2),
        (25, 1_000_000, 2),
        (15, -1_000_000, -2),
        (3, 3_333_333, 1),
    ] {
        let mut town = Town::with_homes(1);
        assert_eq!(town.post_prices(START + 1, &[micro]), Ok(Outcome::Done));
        // In three readings, so that rounding each would give another total.
        for (number, part) in (1..).zip([energy / 3, energy / 3, energy - 2 * (energy / 3)]) {
            town.go(START + number, 0);
            town.read("home-0", START + number, part, number);
        }
        assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
        town.settle(START + PERIOD);
        assert_eq!(town.bills()[0].3, expected, "{energy} Wh at {micro}");
    }
}

#[test]
fn export_and_negative_prices_lower_a_bill() {
    let mut town = priced(1);
    town.read_both("home-0", START + 1, (10, 25), 1);
    town.close(START + 1);
    assert_eq!(town.running("home-0"), -150_000_000);
}

#[test]
fn a_total_that_no_bill_can_state_is_in_the_next_one() {
    let mut policy = policy();
    policy.billing.minor_unit_nano = MinorUnit::try_from(1).expect("in range");
    let mut town = Town::new(policy);
    let mut record = Town::home("home-0", START, None);
    record.capacity_w = Watts::MAX;
    assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
    assert_eq!(town.post_prices(START + 1, &[1_000_000_000_000]), Ok(Outcome::Done));
    town.go(START + 1, 0);
    town.read("home-0", START + 1, 400_000_000, 1);
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    town.settle(START + PERIOD);
    assert_eq!(town.bills(), []);
    assert_eq!(town.running("home-0"), 400_000_000_000_000_000_000);
    // All but one Wh of it is fed in again: the next bill is of both periods.
    town.go(START + PERIOD + LATENESS + 1, 0);
    town.read_both("home-0", START + PERIOD + LATENESS + 1, (0, 399_999_999), 2);
    assert_eq!(town.end_period(START + 2 * PERIOD), Ok(Outcome::Done));
    town.settle(START + 2 * PERIOD);
    let bill = ("account-home-0".into(), START, START + 2 * PERIOD, 1_000_000_000_000);
    assert_eq!(town.bills(), [bill]);
}

#[test]
fn the_bills_of_an_account_are_bounded_and_the_latest_are_kept() {
    let mut policy = policy();
    policy.billing.minimum_period_slots = 1;
    let mut town = Town::with_policy(policy, 1);
    for number in 1..30 {
        assert_eq!(town.end_period(START + number), Ok(Outcome::Done));
        town.close(START + number - 1);
    }
    town.settle(START + 29);
    let bills = town.bills();
    assert_eq!(bills.len(), bounds::BILLS_PER_ACCOUNT);
    assert_eq!((bills[0].2, bills[23].2), (START + 6, START + 29));
    let own = town.grid.bills_of_meter(&id("meter-home-0")).expect("connected");
    assert_eq!(own.len(), bounds::BILLS_PER_ACCOUNT);
}

#[test]
fn a_supplier_sees_the_bills_of_its_own_tariffs_alone_by_period_and_account() {
    let mut town = Town::with_homes(3);
    let mut record = Town::home("other", START, None);
    record.supplier = id("second");
    assert_eq!(town.put("other", record), Ok(Outcome::Done));
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    let body = EndPeriod { tariff: id("flat"), end_slot: slot(START + PERIOD + 1) };
    town.must(Command::EndPeriod { supplier: id("second"), body });
    town.settle(START + PERIOD + 1);
    let accounts = |supplier| {
        let bills = town.bills_of(supplier).into_iter();
        bills.map(|bill| bill.0).collect::<Vec<_>>()
    };
    assert_eq!(accounts("supplier"), ["account-home-0", "account-home-1", "account-home-2"]);
    assert_eq!(accounts("second"), ["account-other"]);
    assert_eq!(accounts("stranger"), [""; 0]);
}

#[test]
fn the_end_of_a_period_under_a_long_grace_bills_its_own_slots_alone() {
    let mut policy = policy();
    policy.grace_ms = 3 * SLOT_MS;
    let mut town = Town::with_policy(policy, 1);
    assert_eq!(town.post_prices(START + 1, &[MINOR_A_WH]), Ok(Outcome::Done));
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    // Three slots are open at once; their readings come in one go.
    town.go(START + PERIOD + 1, 0);
    for (number, energy) in [(PERIOD - 1, 1), (PERIOD, 10), (PERIOD + 1, 100)] {
        assert_eq!(town.read("home-0", START + number, energy, 1), Status::Accepted);
    }
    town.settle(START + PERIOD);
    assert_eq!(town.bills()[0].3, 1);
    assert_eq!(town.running("home-0"), 1_100_000_000);
}
