//! Timelines of connection points.

use alloc::vec::Vec;

use tre_wire::bounds;
use tre_wire::units::Slot;

use super::*;
use crate::ConnectionRefusal;

/// (account, from, to) of a point's records.
fn timeline(town: &Town, point: &str) -> Vec<(String, u64, Option<u64>)> {
    let all = town.grid.connections(None, 1_000).connections.into_iter();
    all.filter(|row| row.point == id(point))
        .map(|row| {
            let to = row.record.to_slot.map(Slot::get);
            (row.record.account.to_string(), row.record.from_slot.get(), to)
        })
        .collect()
}

fn refused(town: &mut Town, point: &str, record: ConnectionRecord) -> ConnectionRefusal {
    match town.put(point, record) {
        Err(Refusal::Connection(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_record_reads_back_as_it_was_put() {
    let mut town = Town::new(policy());
    let record = Town::home("a", START, Some(START + 7));
    assert_eq!(town.put("a", record.clone()), Ok(Outcome::Done));
    let found = town.grid.connections(None, 10).connections;
    assert_eq!(found.into_iter().map(|row| row.record).collect::<Vec<_>>(), [record]);
}

#[test]
fn the_first_record_of_a_point_may_begin_in_the_running_slot_and_not_before() {
    let mut town = Town::new(policy());
    town.connect("a", START, None);
    let least = slot(START);
    let found = slot(START - 1);
    assert_eq!(
        refused(&mut town, "b", Town::home("b", START - 1, None)),
        ConnectionRefusal::Begun { least, found }
    );
}

#[test]
fn what_has_begun_is_not_rewritten() {
    let mut town = Town::with_homes(1);
    let (least, found) = (slot(START + 1), slot(START));
    let mut record = Town::home("home-0", START, None);
    record.capacity_w = Watts::new(20_000).expect("in range");
    assert_eq!(refused(&mut town, "home-0", record), ConnectionRefusal::Begun { least, found });
}

#[test]
fn the_very_same_record_again_changes_nothing_even_when_it_has_begun() {
    let mut town = Town::with_homes(1);
    town.go(START + 3, 0);
    let before = town.grid.clone();
    town.connect("home-0", START, None);
    assert_eq!(town.grid, before);
}

#[test]
fn a_new_record_cuts_an_open_one_and_replaces_those_to_come() {
    let mut town = Town::new(policy());
    town.connect("a", START, None);
    assert_eq!(town.put("a", Town::home("b", START + 9, None)), Ok(Outcome::Done));
    assert_eq!(town.put("a", Town::home("c", START + 5, Some(START + 8))), Ok(Outcome::Done));
    assert_eq!(
        timeline(&town, "a"),
        [
            ("account-a".into(), START, Some(START + 5)),
            ("account-c".into(), START + 5, Some(START + 8))
        ]
    );
}

#[test]
fn a_record_must_hold_for_at_least_one_slot() {
    let mut town = Town::new(policy());
    let from = slot(START + 2);
    for to in [START + 1, START + 2] {
        assert_eq!(
            refused(&mut town, "a", Town::home("a", START + 2, Some(to))),
            ConnectionRefusal::Empty { from, found: slot(to) }
        );
    }
}

#[test]
fn one_meter_serves_one_point_at_a_time() {
    let mut town = Town::new(policy());
    town.connect("a", START, Some(START + 5));
    let mut record = Town::home("b", START + 4, None);
    record.meter = id("meter-a");
    assert_eq!(refused(&mut town, "b", record.clone()), ConnectionRefusal::MeterElsewhere);
    record.from_slot = slot(START + 5);
    assert_eq!(town.put("b", record), Ok(Outcome::Done));
}

#[test]
fn one_account_has_one_point_at_a_time() {
    let mut town = Town::new(policy());
    town.connect("a", START, None);
    let mut record = Town::home("b", START + 4, None);
    record.account = id("account-a");
    assert_eq!(refused(&mut town, "b", record.clone()), ConnectionRefusal::AccountElsewhere);
    // The account moves: its old point is given up first.
    town.connect("a", START + 1, Some(START + 4));
    assert_eq!(town.put("b", record), Ok(Outcome::Done));
}

#[test]
fn a_timeline_is_full_until_its_oldest_record_is_past_the_lateness_horizon() {
    let mut town = Town::new(policy());
    for offset in 0..4 {
        let record = Town::home(&format!("a{offset}"), START + offset, None);
        assert_eq!(town.put("p", record), Ok(Outcome::Done));
    }
    let fifth = Town::home("a4", START + 20, None);
    let most = bounds::RECORDS_PER_POINT;
    // The oldest ended with slot START; its readings may come until LATENESS slots have closed.
    town.close(START + LATENESS - 1);
    assert_eq!(refused(&mut town, "p", fifth.clone()), ConnectionRefusal::TimelineFull { most });
    town.close(START + LATENESS);
    assert_eq!(town.put("p", fifth), Ok(Outcome::Done));
    assert_eq!(timeline(&town, "p").len(), most);
}

#[test]
fn the_tariffs_are_bounded_and_a_known_one_still_fits() {
    let mut town = Town::new(policy());
    for number in 0..bounds::TARIFFS {
        town.grid.tariffs.learn((&id("s"), &id(format!("t{number}"))), slot(START), slot(START));
    }
    town.begun = town.grid.clone();
    let most = bounds::TARIFFS;
    let mut record = Town::home("a", START, None);
    assert_eq!(refused(&mut town, "a", record.clone()), ConnectionRefusal::TariffsFull { most });
    (record.supplier, record.tariff) = (id("s"), id("t0"));
    assert_eq!(town.put("a", record), Ok(Outcome::Done));
}

#[test]
fn a_meter_that_no_record_names_any_more_is_forgotten() {
    let mut town = Town::new(policy());
    town.connect("a", START, None);
    for number in 0..50 {
        let mut record = Town::home("a", START + 1, None);
        (record.meter, record.account) = (id(format!("m{number}")), id(format!("n{number}")));
        assert_eq!(town.put("a", record), Ok(Outcome::Done));
    }
    assert_eq!(town.grid.connections.meters.number(&id("m48")), None);
    assert_eq!(town.grid.connections.accounts.number(&id("n48")), None);
    // The first record, the last, and at most one more while a record replaces another.
    let mut connections = town.grid.connections.clone();
    assert!(connections.meters.learn(&id("new")) < Some(3));
    assert!(connections.accounts.learn(&id("new")) < Some(3));
}

#[test]
fn nothing_is_due_for_a_record_that_was_replaced_before_it_ended() {
    let mut town = Town::new(policy());
    town.connect("a", START, Some(START + 50));
    assert_eq!(town.grid.connections.next_turn(), Some(slot(START + 50)));
    town.connect("a", START + 1, None);
    assert_eq!(town.grid.connections.next_turn(), Some(slot(START + 1)));
    town.go(START + 1, 0);
    assert_eq!(town.grid.connections.next_turn(), None);
}

#[test]
fn a_listing_goes_on_after_the_last_point_and_never_splits_one() {
    let mut town = Town::new(policy());
    for name in ["c", "a", "b"] {
        town.connect(name, START, Some(START + 5));
        town.connect(name, START + 5, None);
    }
    let page = |after: Option<&str>, rows| {
        let after = after.map(id);
        let found = town.grid.connections(after.as_ref(), rows).connections;
        found.iter().map(|row| row.point.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 5), ["a", "a", "b", "b"]);
    assert_eq!(page(Some("b"), 5), ["c", "c"]);
    assert_eq!(page(Some("c"), 5), [""; 0]);
    assert_eq!(page(None, 1), ["a", "a"]);
}
