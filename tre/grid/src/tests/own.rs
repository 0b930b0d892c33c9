//! What a household sees of itself, while it is there and after it has left.

use super::*;
use crate::ViewRefusal;

/// Three homes in one group, and a reading of `home-0` that is still open.
fn town() -> Town {
    let mut town = Town::with_homes(3);
    assert_eq!(town.put_group("dno", "street", &["home-0", "home-1", "home-2"]), Ok(Outcome::Done));
    town.close(START + 1);
    town.read("home-0", START + 2, 400, 7);
    town
}

#[test]
fn a_household_sees_all_that_is_held_on_it() {
    let account = town().grid.account(&id("meter-home-0")).expect("a connection");
    assert_eq!(account.record, Town::home("home-0", START, None));
    let readings: Vec<_> =
        account.readings.iter().map(|it| (it.slot.get(), it.import_wh)).collect();
    assert_eq!(readings, [(START + 2, wh(400))]);
    assert_eq!(account.missing, [slot(START), slot(START + 1)]);
    let groups: Vec<_> =
        account.groups.iter().map(|it| (it.group.as_str(), it.from_slot)).collect();
    assert_eq!(groups, [("street", slot(START + 1))]);
    // One sum of epsilon 1, of a window of 100.
    let left: Vec<_> = account.budget.iter().map(|it| it.left_millionths.get()).collect();
    assert_eq!(left, [99_000_000, 1_000_000, 250_000]);
}

#[test]
fn a_household_that_changed_its_tariff_sees_what_runs_under_the_one_before() {
    let mut town = Town::with_homes(1);
    assert_eq!(town.post_prices(START + 1, &[10_000_000]), Ok(Outcome::Done));
    town.go(START + 1, 0);
    town.read("home-0", START + 1, 40, 1);
    let mut record = Town::home("home-0", START + 3, None);
    record.tariff = id("another");
    assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
    town.close(START + 3);
    let account = town.grid.account(&id("meter-home-0")).expect("a connection");
    assert_eq!(account.record.tariff, id("another"));
    assert_eq!(account.period_from, slot(START));
    assert_ne!(account.running_nano, "0");
    assert_eq!(account.missing, [START, START + 2, START + 3].map(slot));
}

#[test]
fn nobody_sees_a_reading_of_another() {
    let account = town().grid.account(&id("meter-home-1")).expect("a connection");
    assert_eq!(account.readings, []);
}

#[test]
fn a_household_sees_its_own_bid_and_no_other() {
    let mut town = town();
    assert_eq!(town.open("e", START + 10, START + 11, 10_000), Ok(Outcome::Done));
    assert_eq!(town.bid("home-0", "e", Some((300, 10_000))), Ok(Outcome::Done));
    let bid = |town: &Town, name: &str| {
        let account = town.grid.account(&id(name)).expect("a connection");
        account.events[0].bid.map(|bid| bid.quantity_wh.get())
    };
    assert_eq!((bid(&town, "meter-home-0"), bid(&town, "meter-home-1")), (Some(300), None));
    assert_eq!(town.cancel("e"), Ok(Outcome::Done));
    assert_eq!(bid(&town, "meter-home-0"), None, "the TRE no longer knows whose bid it was");
}

#[test]
fn who_has_left_sees_its_final_bill_and_no_group_or_reading_of_who_follows() {
    let mut town = town();
    assert_eq!(town.post_prices(START + 3, &[10_000_000]), Ok(Outcome::Done));
    let mut record = Town::home("home-0", START + 5, None);
    (record.account, record.meter) = (id("account-new"), id("meter-new"));
    assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
    town.go(START + 5, 0);
    town.read("new", START + 5, 900, 1);
    let left = town.grid.account(&id("meter-home-0")).expect("what is kept of who left");
    assert_eq!(left.record.to_slot, Some(slot(START + 5)));
    assert_eq!((left.groups.len(), left.readings.len()), (0, 0));
    town.close(START + PERIOD);
    let bills = town.grid.bills_of_meter(&id("meter-home-0")).expect("bills");
    assert_eq!(bills.len(), 1);
    assert_eq!(bills[0].to_slot, slot(START + 5));
    let follower = town.grid.bills_of_meter(&id("meter-new")).expect("a connection");
    assert_eq!(follower, []);
}

#[test]
fn a_meter_that_is_to_have_another_connection_shows_nothing_of_the_one_before() {
    let mut town = Town::with_homes(1);
    town.connect("home-0", START + 2, Some(START + 3));
    let mut record = Town::home("home-0", START + 8, None);
    record.account = id("account-new");
    assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
    town.go(START + 4, 0);
    let none = Err(Refusal::View(ViewRefusal::NoConnection));
    assert_eq!(town.grid.account(&id("meter-home-0")).map(|_| ()), none);
    assert_eq!(town.grid.bills_of_meter(&id("meter-home-0")).map(|_| ()), none);
}

#[test]
fn who_moves_out_and_in_again_finds_its_budget_spent() {
    let mut town = town();
    let left = |town: &Town, name: &str| {
        let account = town.grid.account(&id(name)).expect("a connection");
        account.budget[0].left_millionths.get()
    };
    let before = left(&town, "meter-home-0");
    let mut record = Town::home("home-0", START + 3, None);
    (record.account, record.meter) = (id("account-new"), id("meter-new"));
    assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
    town.go(START + 3, 0);
    assert!(left(&town, "meter-new") <= before, "moving refilled the budget");
}
