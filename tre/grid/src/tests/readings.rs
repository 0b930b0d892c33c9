//! One value a meter and slot, replaceable until the close.

use super::*;
use crate::ReadingRefusal;
use tre_wire::bounds;
use tre_wire::message::meter::ReceiptStatus as Status;

/// A town whose tariff costs 1 a kWh, so that the running bill in nano is Wh times a million.
fn priced(homes: usize) -> Town {
    let mut town = Town::with_homes(homes);
    assert_eq!(town.post_prices(START + 1, &[1_000_000]), Ok(Outcome::Done));
    town.go(START + 1, 0);
    town
}

#[test]
fn a_value_counts_until_a_higher_counter_replaces_it() {
    let mut town = priced(1);
    assert_eq!(town.read("home-0", START + 1, 100, 5), Status::Accepted);
    assert_eq!(town.read("home-0", START + 1, 200, 6), Status::Replaced);
    town.close(START + 1);
    assert_eq!(town.running("home-0"), 200_000_000);
}

#[test]
fn the_very_same_reading_again_is_repeated_and_changes_nothing() {
    let mut town = priced(1);
    assert_eq!(town.read("home-0", START + 1, 100, 5), Status::Accepted);
    let before = town.grid.clone();
    assert_eq!(town.read("home-0", START + 1, 100, 5), Status::Repeated);
    assert_eq!(town.grid, before);
}

#[test]
fn a_counter_that_is_not_higher_cannot_change_a_value() {
    let mut town = priced(1);
    assert_eq!(town.read("home-0", START + 1, 100, 5), Status::Accepted);
    assert_eq!(town.read("home-0", START + 1, 101, 5), Status::StaleSequence);
    assert_eq!(town.read("home-0", START + 1, 100, 4), Status::StaleSequence);
    assert_eq!(town.read_both("home-0", START + 1, (100, 1), 5), Status::StaleSequence);
    town.close(START + 1);
    assert_eq!(town.running("home-0"), 100_000_000);
}

#[test]
fn a_slot_takes_readings_from_its_beginning_to_the_end_of_its_grace() {
    let mut town = priced(1);
    assert_eq!(town.read("home-0", START + 2, 1, 1), Status::NotYet);
    town.go(START + 2, 0);
    assert_eq!(town.read("home-0", START + 2, 1, 1), Status::Accepted);
    town.go(START + 3, GRACE_MS - 1);
    assert_eq!(town.read("home-0", START + 2, 2, 2), Status::Replaced);
    town.go(START + 3, GRACE_MS);
    assert_eq!(town.read("home-0", START + 2, 3, 3), Status::Closed);
}

#[test]
fn a_missing_reading_may_come_late_once_and_only_within_the_horizon() {
    let mut town = priced(2);
    town.close(START + 1);
    assert_eq!(town.read("home-0", START + 1, 100, 1), Status::AcceptedLate);
    assert_eq!(town.running("home-0"), 100_000_000);
    assert_eq!(town.read("home-0", START + 1, 100, 1), Status::Closed);
    assert_eq!(town.read("home-0", START + 1, 900, 2), Status::Closed);
    assert_eq!(town.running("home-0"), 100_000_000);
    town.close(START + LATENESS);
    assert_eq!(town.read("home-1", START + 1, 100, 1), Status::AcceptedLate);
    let mut town = priced(2);
    town.close(START + LATENESS + 1);
    assert_eq!(town.read("home-1", START + 1, 100, 1), Status::Closed);
}

#[test]
fn a_late_reading_never_touches_a_released_sum() {
    let mut town = priced(3);
    assert_eq!(town.put_group("dno", "g", &["home-0", "home-1", "home-2"]), Ok(Outcome::Done));
    town.close(START + 2);
    let before = town.aggregates("dno");
    assert_eq!(town.read("home-0", START + 2, 900, 1), Status::AcceptedLate);
    town.go(START + 3, GRACE_MS + 1);
    assert_eq!(town.aggregates("dno"), before);
}

#[test]
fn a_meter_without_a_record_for_the_slot_is_told_so() {
    let mut town = Town::new(policy());
    town.connect("a", START + 2, Some(START + 3));
    assert_eq!(town.read("stranger", START, 1, 1), Status::NoConnection);
    assert_eq!(town.read("a", START, 1, 1), Status::NoConnection);
    town.go(START + 3, 0);
    assert_eq!(town.read("a", START + 3, 1, 1), Status::NoConnection);
    assert_eq!(town.read("a", START + 2, 1, 1), Status::Accepted);
}

#[test]
fn a_meter_that_was_swapped_reads_for_its_own_slots_alone() {
    let mut town = priced(1);
    let mut record = Town::home("home-0", START + 2, None);
    record.meter = id("meter-new");
    assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
    town.go(START + 2, 0);
    assert_eq!(town.read("new", START + 1, 50, 1), Status::NoConnection);
    assert_eq!(town.read("home-0", START + 1, 100, 9), Status::Accepted);
    assert_eq!(town.read("home-0", START + 2, 100, 10), Status::NoConnection);
    assert_eq!(town.read("new", START + 2, 7, 1), Status::Accepted);
    town.close(START + 2);
    assert_eq!(town.running("new"), 107_000_000);
}

#[test]
fn a_reading_above_capacity_is_flagged_from_the_first_watt_hour_on() {
    let mut town = priced(1);
    // 10 kW over half an hour are 5,000 Wh.
    assert_eq!(town.read("home-0", START + 1, 5_000, 1), Status::Accepted);
    assert_eq!(town.read("home-0", START + 1, 5_001, 2), Status::OverCapacity);
    assert_eq!(town.read_both("home-0", START + 1, (0, 5_001), 3), Status::OverCapacity);
    assert_eq!(town.read_both("home-0", START + 1, (0, 5_000), 4), Status::Replaced);
}

#[test]
fn a_capacity_that_is_no_whole_number_of_watt_hours_is_exact() {
    let mut town = Town::new(policy());
    let mut record = Town::home("a", START, None);
    // 3 W over half an hour are 1.5 Wh.
    record.capacity_w = Watts::new(3).expect("in range");
    assert_eq!(town.put("a", record), Ok(Outcome::Done));
    assert_eq!(town.read("a", START, 1, 1), Status::Accepted);
    assert_eq!(town.read("a", START, 2, 2), Status::OverCapacity);
}

#[test]
fn alerts_count_slots_whose_final_value_is_above_capacity() {
    let mut town = priced(2);
    for (number, energy) in [(1, 9_000), (2, 9_500), (3, 10)] {
        assert_ne!(town.read("home-0", START + 1, energy, number), Status::StaleSequence);
    }
    assert_eq!(town.read("home-1", START + 1, 8_000, 1), Status::OverCapacity);
    assert_eq!(town.grid.alerts().days, []);
    town.close(START + 1);
    town.go(START + 2, GRACE_MS);
    let rows = town.grid.alerts().days;
    let counts: Vec<_> = rows.iter().map(|day| (day.from_slot.get(), day.over_capacity)).collect();
    // 48 slots a day: slot 1,001 lies in day 20, which begins with slot 960.
    assert_eq!(counts, [(960, 1)]);
    let over = |name: &str| town.grid.account(&id(name)).expect("connected").over_capacity;
    assert_eq!((over("meter-home-0"), over("meter-home-1")), (0, 1));
}

#[test]
fn a_late_reading_above_capacity_is_counted_too() {
    let mut town = priced(1);
    town.close(START + 1);
    assert_eq!(town.read("home-0", START + 1, 6_000, 1), Status::OverCapacity);
    assert_eq!(town.grid.alerts().days.len(), 1);
    assert_eq!(town.running("home-0"), 6_000_000_000);
}

#[test]
fn the_policy_says_whether_a_reading_above_capacity_is_billed() {
    for (rule, expected) in
        [(OverCapacity::BilledAsRead, 6_000_000_000), (OverCapacity::LeftOut, 0)]
    {
        let mut policy = policy();
        policy.billing.over_capacity = rule;
        let mut town = Town::with_policy(policy, 1);
        assert_eq!(town.post_prices(START + 1, &[1_000_000]), Ok(Outcome::Done));
        town.go(START + 1, 0);
        assert_eq!(town.read("home-0", START + 1, 6_000, 1), Status::OverCapacity);
        town.close(START + 1);
        assert_eq!(town.running("home-0"), expected);
    }
}

#[test]
fn a_batch_has_one_to_192_readings_and_each_gets_its_receipt_in_order() {
    let mut town = priced(1);
    let reading = |number: u64, seq: u64| Reading {
        slot: slot(number),
        import_wh: wh(seq),
        export_wh: wh(0),
        seq,
    };
    let mut send = |readings: Vec<Reading>| {
        town.act(Command::Readings { meter: id("meter-home-0"), readings })
    };
    let most = bounds::READINGS;
    for found in [0, most + 1] {
        let batch = alloc::vec![reading(START + 1, 1); found];
        let refused = Err(Refusal::Reading(ReadingRefusal::BatchSize { most, found }));
        assert_eq!(send(batch), refused);
    }
    assert!(send(alloc::vec![reading(START + 1, 1); most]).is_ok());
    let batch = [(START + 9, 1), (START + 1, 3), (START + 1, 2), (START, 1), (START - 9, 1)];
    let Ok(Outcome::Receipts(receipts)) =
        send(batch.iter().map(|&(number, seq)| reading(number, seq)).collect())
    else {
        panic!("no receipts");
    };
    let statuses: Vec<Status> = receipts.iter().map(|receipt| receipt.status).collect();
    assert_eq!(
        statuses,
        [Status::NotYet, Status::Replaced, Status::StaleSequence, Status::Accepted, Status::Closed]
    );
    assert!(
        receipts.iter().zip(batch).all(|(receipt, sent)| (receipt.slot.get(), receipt.seq) == sent)
    );
}

#[test]
fn nothing_of_a_closed_slot_is_kept_but_that_it_was_metered() {
    let (mut one, mut other) = (priced(1), priced(1));
    for (town, energy) in [(&mut one, 100), (&mut other, 999)] {
        assert_eq!(town.read("home-0", START + 1, energy, 1), Status::Accepted);
        town.close(START + 1);
    }
    assert_eq!(one.grid.readings, other.grid.readings);
    assert_ne!(one.grid.accounts, other.grid.accounts);
    one.close(START + 1 + LATENESS);
    one.go(START + 20, 0);
    assert_eq!(one.grid.readings, crate::readings::Readings::new());
}
