//! Who leaves a tariff is billed once, never for less than the minimum period, and never together
//! with who follows.

use super::*;
use tre_wire::message::meter::ReceiptStatus as Status;

const MINOR_A_WH: i64 = 10_000_000;

/// `home-0` is of account `account-home-0` until START + `until`, then of `account-new`, on the
/// same meter.
fn moving(until: u64) -> Town {
    let mut town = Town::with_homes(1);
    assert_eq!(town.post_prices(START + 1, &[MINOR_A_WH]), Ok(Outcome::Done));
    let mut record = Town::home("home-0", START + until, None);
    record.account = id("account-new");
    assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
    town
}

fn final_bill(to: u64, total: i64) -> (String, u64, u64, i64) {
    ("account-home-0".into(), START, START + to, total)
}

#[test]
fn a_leaver_is_billed_once_when_the_minimum_period_has_elapsed() {
    let mut town = moving(3);
    town.go(START + 1, 0);
    town.read("home-0", START + 1, 40, 1);
    town.close(START + PERIOD - 2);
    assert_eq!(town.bills(), []);
    town.close(START + PERIOD - 1);
    assert_eq!(town.bills(), [final_bill(3, 40)]);
    town.close(START + 5 * PERIOD);
    assert_eq!(town.bills(), [final_bill(3, 40)]);
}

#[test]
fn who_leaves_after_the_minimum_is_billed_when_no_reading_may_still_come() {
    let mut town = moving(15);
    town.go(START + 14, 0);
    town.read("home-0", START + 14, 1, 1);
    town.close(START + 15 + LATENESS - 2);
    assert_eq!(town.read("home-0", START + 13, 600, 2), Status::Closed);
    town.close(START + 15 + LATENESS - 1);
    assert_eq!(town.bills(), [final_bill(15, 1)]);
    assert_eq!(town.read("home-0", START + 14, 5, 9), Status::Closed);
}

#[test]
fn a_late_reading_of_a_leaver_is_in_the_final_bill() {
    let mut town = moving(15);
    town.close(START + 14 + LATENESS - 1);
    assert_eq!(town.read("home-0", START + 14, 5, 1), Status::AcceptedLate);
    assert_eq!(town.running("home-0"), 0);
    town.close(START + 15 + LATENESS - 1);
    assert_eq!(town.bills(), [final_bill(15, 5)]);
}

#[test]
fn who_follows_at_the_point_sees_nothing_of_the_leaver() {
    let mut town = moving(3);
    town.go(START + 1, 0);
    assert_eq!(town.read("home-0", START + 1, 40, 1), Status::Accepted);
    assert_eq!(town.read("home-0", START + 1, 9_000, 2), Status::OverCapacity);
    town.close(START + 2 * PERIOD);
    let account = town.grid.account(&id("meter-home-0")).expect("connected");
    assert_eq!((account.period_from, account.over_capacity), (slot(START + 3), 0));
    assert_eq!(account.running_nano, "0");
    assert_eq!(town.grid.bills_of_meter(&id("meter-home-0")), Ok(Vec::new()));
    assert_eq!(town.bills().len(), 1);
}

#[test]
fn a_leaver_has_no_part_in_the_end_of_the_period() {
    for until in [3, 5, PERIOD - 1, PERIOD] {
        let mut town = moving(until);
        assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
        town.close(START + PERIOD + LATENESS - 1);
        assert_eq!(town.bills(), [final_bill(until, 0)], "{until}");
    }
}

#[test]
fn who_leaves_after_the_end_of_a_period_has_a_bill_for_it_and_a_final_one() {
    let mut town = moving(PERIOD + 1);
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    town.go(START + PERIOD - 1, 0);
    town.read("home-0", START + PERIOD - 1, 11, 1);
    town.close(START + PERIOD - 1);
    assert_eq!(town.read("home-0", START + PERIOD, 22, 2), Status::Accepted);
    town.settle(START + PERIOD);
    assert_eq!(town.bills(), [final_bill(PERIOD, 11)]);
    town.close(START + 2 * PERIOD - 2);
    assert_eq!(town.bills().len(), 1);
    town.close(START + 2 * PERIOD - 1);
    let last = ("account-home-0".into(), START + PERIOD, START + PERIOD + 1, 22);
    assert_eq!(town.bills(), [final_bill(PERIOD, 11), last]);
}

#[test]
fn the_grace_changes_nothing_in_what_a_leaver_is_billed() {
    let run = |until: u64, grace_ms: u64| {
        let mut policy = policy();
        policy.grace_ms = grace_ms;
        let mut town = Town::with_policy(policy, 1);
        let mut record = Town::home("home-0", START + until, None);
        record.account = id("account-new");
        assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
        assert_eq!(town.post_prices(START + 1, &[MINOR_A_WH]), Ok(Outcome::Done));
        assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
        for number in 1..20 {
            town.go(START + number, 0);
            town.read("home-0", START + number, number, number);
        }
        town.close(START + 3 * PERIOD);
        town.bills()
    };
    for (until, expected) in [(PERIOD - 1, 1), (PERIOD, 1), (PERIOD + 1, 2)] {
        let bills = run(until, 0);
        assert_eq!(bills.len(), expected, "{until}");
        assert_eq!(run(until, GRACE_MS), bills);
        assert_eq!(run(until, 2 * SLOT_MS + 1), bills);
    }
}

#[test]
fn another_tariff_of_the_same_account_is_another_bill() {
    let mut town = Town::with_homes(1);
    assert_eq!(town.post_prices(START + 1, &[MINOR_A_WH]), Ok(Outcome::Done));
    let mut record = Town::home("home-0", START + 5, None);
    record.supplier = id("second");
    assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
    town.go(START + 4, 0);
    town.read("home-0", START + 4, 4, 4);
    town.go(START + 5, 0);
    town.read("home-0", START + 5, 5, 5);
    town.close(START + 2 * PERIOD);
    assert_eq!(town.bills(), [final_bill(5, 4)]);
    // Its new supplier has announced no price.
    assert_eq!((town.running("home-0"), town.bills_of("second")), (0, Vec::new()));
}

#[test]
fn who_comes_back_in_time_goes_on_with_the_bill_that_was_left() {
    let mut town = Town::new(policy());
    town.connect("a", START, Some(START + 3));
    assert_eq!(town.post_prices(START + 1, &[MINOR_A_WH]), Ok(Outcome::Done));
    town.go(START + 1, 0);
    town.read("a", START + 1, 10, 1);
    // The account moves to another point with a slot in between, and keeps its meter.
    assert_eq!(town.put("b", Town::home("a", START + 4, None)), Ok(Outcome::Done));
    town.go(START + 4, 0);
    town.read("a", START + 4, 3, 2);
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    town.close(START + 3 * PERIOD);
    assert_eq!(town.bills(), [("account-a".into(), START, START + PERIOD, 13)]);
}

#[test]
fn an_account_may_move_to_another_point_within_one_moment() {
    for (old, new) in [("a", "b"), ("b", "a")] {
        let mut town = Town::new(policy());
        for name in ["a", "b"] {
            town.connect(&format!("first-{name}"), START, Some(START + 1));
        }
        town.connect(old, START, Some(START + 3));
        let mut record = Town::home(old, START + 3, None);
        record.meter = id(format!("meter-{new}"));
        assert_eq!(town.put(new, record), Ok(Outcome::Done));
        assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
        town.settle(START + PERIOD);
        let bills: Vec<_> = town
            .bills()
            .into_iter()
            .filter(|bill| bill.1 == START && bill.2 == START + PERIOD)
            .collect();
        assert_eq!(bills, [(format!("account-{old}"), START, START + PERIOD, 0)]);
    }
}

#[test]
fn the_final_bill_waits_for_a_bid_that_may_still_win_and_holds_its_credit() {
    let mut town = moving(3);
    assert_eq!(town.open("e", START + 30, START + 31, SLOT_MS), Ok(Outcome::Done));
    assert_eq!(town.bid("home-0", "e", Some((100, 1_000_000))), Ok(Outcome::Done));
    town.go(START + 1, 0);
    town.read("home-0", START + 1, 40, 1);
    town.close(START + 25);
    assert_eq!(town.bills(), []);
    let winner = town.pseudo_bids("e")[0].0;
    assert_eq!(town.decide("e", &[winner]), Ok(Outcome::Done));
    town.close(START + 26);
    // 100 Wh at 1 a kWh are 10 minor units less; the newcomer has none of it.
    assert_eq!(town.bills(), [final_bill(3, 30)]);
    assert_eq!(town.running("home-0"), 0);
}

/// Three more accounts follow at the point from `from` on: its first record is dropped.
fn crowd_out(town: &mut Town, from: u64) {
    for number in 0..3 {
        let mut record = Town::home("home-0", START + from + number, None);
        record.account = id(format!("next-{number}"));
        assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
    }
}

#[test]
fn a_leaver_is_erased_once_no_record_names_it_and_its_bill_could_be_read() {
    let mut town = moving(3);
    town.close(START + PERIOD - 1);
    crowd_out(&mut town, 2 * PERIOD);
    town.close(START + 2 * PERIOD - 2);
    assert_eq!(town.bills(), [final_bill(3, 0)]);
    town.close(START + 2 * PERIOD - 1);
    assert_eq!(town.bills(), []);
    assert_eq!(town.grid.connections.accounts.number(&id("account-home-0")), None);
}

#[test]
fn who_gets_the_number_of_an_erased_account_sees_nothing_of_it() {
    let number = |town: &Town, account: &str| town.grid.connections.accounts.number(&id(account));
    let mut town = moving(3);
    town.go(START + 1, 0);
    assert_eq!(town.read("home-0", START + 1, 9_000, 1), Status::OverCapacity);
    let freed = number(&town, "account-home-0").expect("in use");
    town.close(START + PERIOD - 1);
    crowd_out(&mut town, 2 * PERIOD);
    town.close(START + 2 * PERIOD - 1);
    town.connect("fresh", START + 2 * PERIOD, None);
    assert_eq!(number(&town, "account-fresh"), Some(freed));
    let account = town.grid.account(&id("meter-fresh")).expect("connected");
    assert_eq!((account.over_capacity, account.bills), (0, 0));
}

#[test]
fn a_final_bill_goes_out_even_when_its_record_was_dropped_before() {
    let mut town = moving(1);
    town.go(START, 0);
    town.read("home-0", START, 9_000, 1);
    town.close(START + LATENESS);
    crowd_out(&mut town, 7);
    assert_eq!(town.grid.connections(None, 10).connections.len(), 4);
    town.close(START + PERIOD - 1);
    assert_eq!(town.bills(), [final_bill(1, 0)]);
}

#[test]
fn an_account_that_a_record_still_names_keeps_its_bills() {
    let mut town = moving(3);
    town.close(START + 5 * PERIOD);
    assert_eq!(town.bills(), [final_bill(3, 0)]);
    crowd_out(&mut town, 6 * PERIOD);
    assert_eq!(town.bills(), []);
}
