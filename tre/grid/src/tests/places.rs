//! Places for events and groups of several companies: each has its share, an event for a bounded
//! time, and open events share their baselines.

use super::*;
use crate::compliance::Baselines;
use crate::{EventRefusal, GroupRefusal};
use alloc::sync::Arc;
use tre_wire::bounds;

const LEAD: u64 = 10_000;

const TRIO: [&str; 3] = ["home-0", "home-1", "home-2"];

const SHARE: usize = bounds::EVENTS_PER_MANAGER;

/// `count` events of `dsm`: the second begins with slot START + 5, the others with START + 10.
fn fill(town: &mut Town, dsm: &str, count: usize) {
    for number in 0..count {
        let from = START + 10 - u64::from(number == 1) * 5;
        let opened = town.open_as(dsm, &format!("{dsm}-{number}"), from, from + 1, LEAD);
        assert_eq!(opened, Ok(Outcome::Done));
    }
}

fn open(town: &mut Town, dsm: &str, event: &str) -> Result<Outcome, Refusal> {
    town.open_as(dsm, event, START + 20, START + 21, LEAD)
}

fn names(town: &Town) -> Vec<String> {
    let events = town.grid.events(&id("meter-home-0")).events;
    assert!(events.is_sorted_by(|one, other| one.event < other.event));
    events.into_iter().map(|event| event.event.to_string()).collect()
}

#[test]
fn one_manager_fills_its_own_places_alone() {
    let mut town = Town::with_homes(1);
    fill(&mut town, "dsm", SHARE);
    let share = Err(Refusal::Event(EventRefusal::Share { most: SHARE }));
    assert_eq!(open(&mut town, "dsm", "new"), share);
    assert_eq!(open(&mut town, "second", "new"), Ok(Outcome::Done));
    town.go(START + 5, 0);
    assert_eq!(open(&mut town, "dsm", "newer"), Ok(Outcome::Done));
    let names = names(&town);
    assert_eq!(names.len(), SHARE + 1);
    assert!(!names.contains(&String::from("dsm-1")), "{names:?}");
    assert_eq!(open(&mut town, "dsm", "again"), share);
}

#[test]
fn who_opens_and_takes_back_drives_out_its_own_events_alone() {
    let mut town = Town::with_homes(1);
    assert_eq!(open(&mut town, "second", "other"), Ok(Outcome::Done));
    assert_eq!(
        town.act(Command::CancelEvent { dsm: id("second"), event: id("other") }),
        Ok(Outcome::Done)
    );
    for number in 0..3 * bounds::EVENTS {
        let event = format!("e{number}");
        assert_eq!(open(&mut town, "dsm", &event), Ok(Outcome::Done));
        assert_eq!(town.cancel(&event), Ok(Outcome::Done));
    }
    let names = names(&town);
    assert_eq!(names.len(), SHARE + 1);
    assert!(names.contains(&String::from("other")));
}

#[test]
fn when_there_is_no_room_the_oldest_event_that_is_over_goes() {
    let mut town = Town::with_homes(1);
    for dsm in ["a", "b", "c", "d"] {
        fill(&mut town, dsm, SHARE);
    }
    let full = Err(Refusal::Event(EventRefusal::Full { most: bounds::EVENTS }));
    assert_eq!(open(&mut town, "dsm", "new"), full);
    town.go(START + 5, 0);
    assert_eq!(open(&mut town, "dsm", "new"), Ok(Outcome::Done));
    let names = names(&town);
    assert_eq!(names.len(), bounds::EVENTS);
    assert!(!names.contains(&String::from("a-1")), "{names:?}");
}

#[test]
fn a_deadline_is_at_most_one_window_ahead() {
    let mut town = Town::with_homes(1);
    town.go(START, 7);
    let most = UnixMillis::new((START + WINDOW) * SLOT_MS).expect("in range");
    let from = START + WINDOW + 2;
    let found = most.plus(1);
    let far = Err(Refusal::Event(EventRefusal::DeadlineTooFar { most, found }));
    assert_eq!(town.open("e", from, from + 1, WINDOW * SLOT_MS - 6), far);
    assert_eq!(town.open("e", from, from + 1, WINDOW * SLOT_MS - 7), Ok(Outcome::Done));
}

#[test]
fn an_event_begins_at_most_seven_windows_ahead() {
    let mut town = Town::with_homes(1);
    let most = START + 7 * WINDOW;
    let (last, found) = (slot(most), slot(most + 1));
    let late = Err(Refusal::Event(EventRefusal::StartsTooLate { most: last, found }));
    assert_eq!(town.open("e", most + 1, most + 2, LEAD), late);
    assert_eq!(town.open("e", most, most + 1, LEAD), Ok(Outcome::Done));
}

/// A town of three homes whose readings came in every slot, in slot START + 2, under a policy that
/// judges.
fn judging() -> Town {
    let mut policy = policy();
    (policy.grace_ms, policy.demand_response.penalty_millionths) = (0, 1_000_000);
    let mut town = Town::with_policy(policy, 3);
    (0..2).for_each(|offset| pass(&mut town, offset));
    town
}

/// Goes into a slot in which every home draws as many Wh as its number.
fn pass(town: &mut Town, offset: u64) {
    town.go(START + offset, 0);
    for home in 0..3 {
        town.read(&format!("home-{home}"), START + offset, START + offset, 1);
    }
}

/// Different sets of baselines that are kept.
fn kept(town: &Town) -> usize {
    let mut kept: Vec<_> = Vec::new();
    for event in &town.grid.events.0 {
        if let Baselines::Frozen(means) = &event.baselines {
            kept.push(Arc::as_ptr(means));
        }
    }
    kept.sort_unstable();
    kept.dedup();
    kept.len()
}

#[test]
fn any_number_of_open_events_keeps_four_sets_of_baselines_at_most() {
    let mut town = judging();
    let mut most = 0;
    // An event of each of two managers in every slot, each with the latest deadline that there is.
    for offset in 2..4 * WINDOW {
        pass(&mut town, offset);
        for dsm in ["dsm", "second"] {
            let from = START + offset + WINDOW + 1;
            let event = format!("{dsm}-{offset}");
            let opened = town.open_as(dsm, &event, from, from + 1, WINDOW * SLOT_MS);
            assert!(
                opened == Ok(Outcome::Done)
                    || matches!(opened, Err(Refusal::Event(EventRefusal::Share { .. })))
            );
        }
        most = most.max(kept(&town));
    }
    assert_eq!(most, 4);
}

#[test]
fn events_that_are_announced_soon_after_each_other_share_their_baselines() {
    let mut town = judging();
    for offset in 2..=6 {
        pass(&mut town, offset);
        let (from, lead) = (START + offset + 10, 9 * SLOT_MS);
        assert_eq!(town.open(&format!("e{offset}"), from, from + 1, lead), Ok(Outcome::Done));
        // A third of the window of twelve slots.
        assert_eq!(kept(&town), if offset < 6 { 1 } else { 2 }, "{offset}");
    }
    // What each is held to is of before it was announced.
    let bid = |town: &mut Town, event: &str| {
        assert_eq!(town.bid("home-0", event, Some((100, 10_000))), Ok(Outcome::Done));
    };
    bid(&mut town, "e3");
    bid(&mut town, "e6");
    let baseline = |town: &Town, number: usize| match &town.grid.events.0[number].stage {
        crate::event::Stage::Open(bids) => bids.values().next().and_then(|bid| bid.baseline),
        crate::event::Stage::Closed(_) | crate::event::Stage::Settled { .. } => None,
    };
    // The means of the slots 0 and 1, and of the slots 4 and 5.
    assert_eq!((baseline(&town, 1), baseline(&town, 4)), (Some(1_000), Some(1_004)));
}

#[test]
fn baselines_go_with_the_last_deadline_of_their_events() {
    let mut town = judging();
    pass(&mut town, 2);
    assert_eq!(town.open("e", START + 10, START + 11, SLOT_MS), Ok(Outcome::Done));
    assert_eq!(town.open("f", START + 10, START + 11, 2 * SLOT_MS), Ok(Outcome::Done));
    pass(&mut town, 3);
    assert_eq!(kept(&town), 1);
    pass(&mut town, 4);
    assert_eq!(kept(&town), 0);
}

#[test]
fn another_meter_changes_no_baseline_and_another_household_has_none() {
    let mut town = judging();
    pass(&mut town, 2);
    assert_eq!(town.open("e", START + 10, START + 11, 4 * SLOT_MS), Ok(Outcome::Done));
    let mut record = Town::home("home-0", START + 3, None);
    record.meter = id("meter-second");
    assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
    let mut record = Town::home("home-1", START + 3, None);
    record.account = id("account-new");
    assert_eq!(town.put("home-1", record), Ok(Outcome::Done));
    town.go(START + 3, 0);
    assert_eq!(town.bid("second", "e", Some((100, 10_000))), Ok(Outcome::Done));
    let none = Err(Refusal::Bid(crate::BidRefusal::NoBaseline { slots: 2 }));
    assert_eq!(town.bid("home-1", "e", Some((100, 10_000))), none);
}

#[test]
fn no_operator_fills_all_places_of_a_point() {
    let mut town = Town::with_homes(3);
    let share = bounds::GROUPS_PER_POINT_AND_OPERATOR;
    for group in 0..share {
        assert_eq!(town.put_group("dno", &format!("g{group}"), &TRIO), Ok(Outcome::Done));
    }
    let refused = Err(Refusal::Group(GroupRefusal::MemberShare { most: share, position: 0 }));
    assert_eq!(town.put_group("dno", "more", &TRIO), refused);
    for group in share..bounds::GROUPS_PER_POINT {
        assert_eq!(town.put_group("second", &format!("g{group}"), &TRIO), Ok(Outcome::Done));
    }
    let most = bounds::GROUPS_PER_POINT;
    let refused = Err(Refusal::Group(GroupRefusal::MemberFull { most, position: 0 }));
    assert_eq!(town.put_group("second", "more", &TRIO), refused);
}

/// A town in which `operators` have as many groups as one may have, one of them `g` of `dno`.
fn filled(operators: &[&str]) -> Town {
    let mut town = Town::with_homes(3);
    assert_eq!(town.put_group("dno", "g", &TRIO), Ok(Outcome::Done));
    let group = town.group("g").clone();
    for operator in operators {
        for number in usize::from(*operator == "dno")..bounds::GROUPS_PER_OPERATOR {
            let key = key(operator, &id(format!("x{number}")));
            town.grid.groups.0.insert(key, group.clone());
        }
    }
    town.begun = town.grid.clone();
    town.journal.clear();
    town
}

#[test]
fn the_groups_of_an_operator_are_bounded_and_a_known_one_still_changes() {
    let mut town = filled(&["dno"]);
    let refused = town.put_group("dno", "new", &TRIO);
    let share = GroupRefusal::Share { most: bounds::GROUPS_PER_OPERATOR };
    assert_eq!(refused, Err(Refusal::Group(share)));
    assert_eq!(town.put_group("dno", "g", &TRIO), Ok(Outcome::Done));
    assert_eq!(town.put_group("second", "new", &TRIO), Ok(Outcome::Done));
}

#[test]
fn the_groups_of_all_operators_together_are_bounded() {
    let mut town = filled(&["dno", "second"]);
    let full = GroupRefusal::GroupsFull { most: bounds::GROUPS };
    assert_eq!(town.put_group("third", "new", &TRIO), Err(Refusal::Group(full)));
}
