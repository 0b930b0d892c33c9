//! What time does by itself, and what it may not do.

use super::*;
use crate::ClockRefusal;
use tre_wire::bounds;
use tre_wire::message::dno::Withheld;

#[test]
fn time_never_goes_back() {
    let mut town = Town::with_homes(1);
    town.go(START + 1, 5);
    town.now -= 1;
    let least = UnixMillis::new(town.now + 1).expect("in range");
    let found = UnixMillis::new(town.now).expect("in range");
    let refused = Err(Refusal::Clock(ClockRefusal::WentBack { least, found }));
    assert_eq!(town.act(Command::Tick), refused);
    assert_eq!(town.grid.now(), least);
}

#[test]
fn a_clock_that_jumps_is_refused_and_one_slot_less_is_not() {
    let mut town = Town::with_homes(1);
    let most = bounds::SLOTS_PER_STEP;
    town.now = (START + most + 1) * SLOT_MS;
    let refused = Err(Refusal::Clock(ClockRefusal::Jumped { most, found: most + 1 }));
    assert_eq!(town.act(Command::Tick), refused);
    town.go(START + most, 0);
}

#[test]
fn a_record_of_another_format_is_refused() {
    let mut town = Town::with_homes(1);
    let mut record = town.record(Command::Tick);
    record.format = 2;
    let refused = Err(Refusal::Clock(ClockRefusal::Format { expected: 1, found: 2 }));
    assert_eq!(town.grid.apply(&record), refused);
}

#[test]
fn a_policy_that_cannot_govern_makes_no_grid() {
    let mut policy = policy();
    policy.monitoring.minimum_group = 1;
    assert!(Grid::new(policy, UnixMillis::default()).is_err());
}

#[test]
fn the_next_deadline_is_the_first_thing_that_happens() {
    let mut town = Town::with_homes(3);
    let close = (START + 1) * SLOT_MS + GRACE_MS;
    // The slot before the first is still open at the start of the first, for the grace.
    assert_eq!(town.grid.next_deadline().map(UnixMillis::get), Some(START * SLOT_MS + GRACE_MS));
    town.close(START - 1);
    assert_eq!(town.grid.next_deadline().map(UnixMillis::get), Some(close));
    assert_eq!(town.open("e", START + 1, START + 2, 1_000), Ok(Outcome::Done));
    let deadline = town.now + 1_000;
    assert_eq!(town.grid.next_deadline().map(UnixMillis::get), Some(deadline));
    town.now = deadline;
    town.must(Command::Tick);
    // Undecided, the event lapses when its first slot begins.
    let lapse = (START + 1) * SLOT_MS;
    assert_eq!(town.grid.next_deadline().map(UnixMillis::get), Some(lapse));
    town.now = lapse;
    town.must(Command::Tick);
    assert_eq!(town.grid.next_deadline().map(UnixMillis::get), Some(close));
    town.connect("late", START + 2, None);
    town.close(START);
    assert_eq!(town.grid.next_deadline().map(UnixMillis::get), Some((START + 2) * SLOT_MS));
}

#[test]
fn nothing_is_due_before_the_next_deadline() {
    let mut town = Town::with_homes(3);
    assert_eq!(town.put_group("dno", "g", &["home-0", "home-1", "home-2"]), Ok(Outcome::Done));
    for _ in 0..20 {
        let due = town.grid.next_deadline().expect("a slot closes");
        let (first_open, events) = (town.grid.first_open, town.grid.events.clone());
        town.now = due.get() - 1;
        town.must(Command::Tick);
        assert_eq!((town.grid.first_open, &town.grid.events), (first_open, &events));
        town.now = due.get();
        town.must(Command::Tick);
        assert!(town.grid.next_deadline() > Some(due));
    }
}

#[test]
fn one_long_step_does_what_many_short_ones_do_to_bills_and_events() {
    let run = |stride: u64| {
        let mut town = Town::with_homes(3);
        assert_eq!(town.post_prices(START + 1, &[100_000]), Ok(Outcome::Done));
        assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
        assert_eq!(town.open("e", START + 3, START + 4, 1_000), Ok(Outcome::Done));
        assert_eq!(town.put("home-0", Town::home("other", START + 4, None)), Ok(Outcome::Done));
        town.go(START + 1, 0);
        town.read("home-1", START + 1, 5_000, 1);
        let mut next = START + 1;
        while next < START + 40 {
            next += stride;
            town.go(next, GRACE_MS);
        }
        let grid = town.grid.clone();
        (town.bills(), grid.accounts, grid.events, grid.first_open, grid.begun)
    };
    assert_eq!(run(1), run(39));
    assert_eq!(run(1), run(13));
}

/// Reasons that the group's releases were withheld, by slot from [`START`] on.
fn withheld(town: &Town) -> Vec<(u64, Option<Withheld>)> {
    let rows = town.aggregates("dno").into_iter();
    rows.map(|row| (row.slot.get() - START, row.withheld)).collect()
}

#[test]
fn slots_that_were_jumped_over_are_not_metered() {
    let mut town = Town::with_homes(3);
    assert_eq!(town.put_group("dno", "g", &["home-0", "home-1", "home-2"]), Ok(Outcome::Done));
    town.close(START + 1);
    // The last step lies in slot START + 2, the next in START + 5 when START + 4 has closed.
    town.go(START + 5, GRACE_MS);
    town.close(START + 5);
    let gone = Some(Withheld::NotMetered);
    assert_eq!(withheld(&town), [(1, None), (2, None), (3, gone), (4, gone), (5, None)]);
}

#[test]
fn a_gap_longer_than_the_history_leaves_its_last_slots() {
    let mut town = Town::with_homes(3);
    assert_eq!(town.put_group("dno", "g", &["home-0", "home-1", "home-2"]), Ok(Outcome::Done));
    town.close(START + 5);
    town.go(START + 3_000, GRACE_MS);
    let releases = &town.group("g").releases;
    assert_eq!(releases.len(), bounds::RELEASES_PER_GROUP);
    assert_eq!(releases.back().map(|release| release.slot), Some(slot(START + 2_999)));
    let consecutive = releases.iter().zip(releases.iter().skip(1));
    assert!(consecutive.into_iter().all(|(one, next)| one.slot.next() == next.slot));
}

#[test]
fn debug_shows_the_time_and_nobody() {
    let mut town = Town::with_homes(1);
    town.read("home-0", START, 123, 1);
    assert_eq!(format!("{:?}", town.grid), "Grid { now: UnixMillis(1800000000), .. }");
}
