//! Totals of days and weeks: what they sum, what they cost, what begins them anew.

use super::*;
use crate::releases::noise;
use tre_wire::message::dno::Withheld;

const TRIO: [&str; 3] = ["home-0", "home-1", "home-2"];

/// First slot of the first day that begins in these tests.
const DAY: u64 = START / WINDOW * WINDOW + WINDOW;

/// A town whose group `g` stands from the first slot of a day on.
fn grouped() -> Town {
    let mut town = Town::with_homes(6);
    town.go(DAY - 1, 0);
    assert_eq!(town.put_group("dno", "g", &TRIO), Ok(Outcome::Done));
    town
}

/// Closes every slot up to `number`, the last one in a step of its own; returns that step's seed.
fn close(town: &mut Town, number: u64) -> [u8; 32] {
    town.close(number - 1);
    let seed = seed(town.steps);
    town.close(number);
    seed
}

/// The last total of a span, without its noise, and how many slots it sums.
fn total(town: &Town, span: Span, seed: &[u8; 32]) -> (i64, u32) {
    let row = town.releases("dno", span).pop().expect("a total");
    let noise =
        noise(&town.grid.policy().monitoring, span, seed, row.slot, &key("dno", &row.group));
    (row.released_wh.expect("released").get() - noise.expect("drawn"), row.slots)
}

#[test]
fn a_day_total_is_the_sum_of_its_clipped_slots_and_one_noise() {
    let mut town = grouped();
    for offset in 0..WINDOW {
        town.go(DAY + offset, 0);
        town.read("home-0", DAY + offset, 100 + offset, 1);
        town.read_both("home-1", DAY + offset, (0, 10), 1);
        town.read("home-2", DAY + offset, 1_500, 1);
    }
    let seed = close(&mut town, DAY + WINDOW - 1);
    let expected = (0..WINDOW).map(|offset| 100 + offset).sum::<u64>() + WINDOW * (1_000 - 10);
    assert_eq!(total(&town, Span::Day, &seed), (expected.cast_signed(), 12));
    let row = town.releases("dno", Span::Day).pop().expect("a total");
    assert_eq!((row.slot, row.members), (slot(DAY + WINDOW - 1), 3));
    // w Delta / epsilon: 12 slots of 1,000 Wh at a half.
    assert_eq!(row.lambda_milli_wh.get(), 24_000_000);
    assert_eq!(
        (row.epsilon_millionths.get(), row.epsilon_left_millionths.get()),
        (500_000, 500_000)
    );
    assert_eq!(town.releases("dno", Span::Week), []);
}

#[test]
fn a_week_has_seven_days_and_begins_where_a_monday_does() {
    let mut town = Town::with_homes(3);
    assert_eq!(town.put_group("dno", "g", &TRIO), Ok(Outcome::Done));
    town.close(START + 8 * WINDOW);
    let rows = town.releases("dno", Span::Week);
    assert_eq!(rows.len(), 1);
    // Slot 0 is the first of a Thursday, so a week ends with day 3 after a multiple of 7.
    assert_eq!((rows[0].slot.get() + 1) / WINDOW % 7, 4);
    assert_eq!((rows[0].slot.get() + 1) % WINDOW, 0);
    assert_eq!(u64::from(rows[0].slots), rows[0].slot.get() - START);
    assert_eq!(town.releases("dno", Span::Day).len(), 8);
}

#[test]
fn a_change_of_members_begins_a_total_anew() {
    let mut town = grouped();
    town.go(DAY, 0);
    town.read("home-0", DAY, 700, 1);
    town.go(DAY + 4, 0);
    assert_eq!(town.put_group("dno", "g", &["home-1", "home-2", "home-3"]), Ok(Outcome::Done));
    town.go(DAY + 5, 0);
    town.read("home-3", DAY + 5, 30, 1);
    let seed = close(&mut town, DAY + WINDOW - 1);
    assert_eq!(total(&town, Span::Day, &seed), (30, 7));
}

#[test]
fn a_change_of_members_begins_a_total_anew_across_any_gap() {
    let mut policy = policy();
    policy.monitoring.window_slots = 400;
    let mut town = Town::with_policy(policy, 6);
    assert_eq!(town.put_group("dno", "g", &TRIO), Ok(Outcome::Done));
    town.go(START + 1, 0);
    town.read("home-0", START + 1, 700, 1);
    town.close(START + 1);
    assert_eq!(town.put_group("dno", "g", &["home-3", "home-4", "home-5"]), Ok(Outcome::Done));
    // Longer than the history, so the slot in which the members changed is never looked at, and
    // yet within the week.
    town.go(START + 1_100, GRACE_MS);
    town.close(START + 1_101);
    let week = town.group("g").week;
    assert_eq!(format!("{week:?}").matches("sum: 0").count(), 1, "{week:?}");
}

#[test]
fn a_slot_that_was_missed_is_missing_in_the_total() {
    let mut town = grouped();
    town.go(DAY + 3, 0);
    town.go(DAY + 6, GRACE_MS);
    town.go(DAY + 7, 0);
    town.read("home-0", DAY + 7, 5, 1);
    let seed = close(&mut town, DAY + WINDOW - 1);
    // Slots 0 to 2 of the day were jumped over on the way to 3; then 4 and 5.
    let reasons: Vec<_> = town.aggregates("dno").iter().map(|row| row.withheld).collect();
    let missed = reasons.iter().filter(|reason| **reason == Some(Withheld::NotMetered)).count();
    assert_eq!(total(&town, Span::Day, &seed), (5, 12 - u32::try_from(missed).expect("small")));
    assert_eq!(missed, 4);
}

#[test]
fn a_total_never_speaks_of_fewer_than_k() {
    let mut town = Town::with_homes(2);
    town.connect("leaves", START, Some(DAY + 3));
    assert_eq!(town.put_group("dno", "g", &["home-0", "home-1", "leaves"]), Ok(Outcome::Done));
    town.close(DAY + 4);
    town.read("home-0", DAY + 5, 700, 1);
    let seed = close(&mut town, DAY + WINDOW - 1);
    // The three slots before somebody left, without what came when only two were there.
    assert_eq!(total(&town, Span::Day, &seed), (0, 3));
    let row = town.releases("dno", Span::Day).pop().expect("a total");
    assert_eq!((row.members, row.withheld), (3, None));
}

#[test]
fn a_total_without_one_slot_fit_to_be_released_is_withheld() {
    let mut town = Town::with_homes(2);
    town.connect("leaves", START, Some(DAY));
    assert_eq!(town.put_group("dno", "g", &["home-0", "home-1", "leaves"]), Ok(Outcome::Done));
    town.close(DAY + WINDOW - 1);
    let rows = town.releases("dno", Span::Day);
    let few = Some(Withheld::TooFewMembers);
    assert_eq!(
        (rows[0].withheld, rows[0].slots),
        (None, u32::try_from(DAY - START - 1).expect("small"))
    );
    assert_eq!((rows[1].withheld, rows[1].slots, rows[1].epsilon_millionths.get()), (few, 0, 0));
}

#[test]
fn totals_of_overlapping_groups_share_one_budget_that_slots_do_not_touch() {
    let mut policy = policy();
    policy.monitoring.slot = spending(1_000_000, 1_000_000);
    let mut town = Town::with_policy(policy, 3);
    for group in ["a", "b", "c"] {
        assert_eq!(town.put_group("dno", group, &TRIO), Ok(Outcome::Done));
    }
    town.close(DAY + 2 * WINDOW - 1);
    let rows = town.releases("dno", Span::Day);
    let reasons: Vec<_> = rows.iter().map(|row| row.withheld).collect();
    let spent = Some(Withheld::BudgetSpent);
    // Two of a half each a day, and the next day again.
    assert_eq!(reasons, [None, None, spent].repeat(3));
    let slots = town.aggregates("dno");
    assert!(slots.iter().filter(|row| row.withheld == spent).count() > slots.len() / 2);
}

#[test]
fn totals_are_listed_with_the_slot_that_ends_them() {
    let mut town = grouped();
    town.close(DAY + WINDOW);
    let rows = town.grid.aggregates(&id("dno"), slot(DAY + WINDOW - 1), None, 100).aggregates;
    let rows: Vec<_> = rows.iter().map(|row| (row.slot.get() - DAY, row.span)).collect();
    assert_eq!(rows, [(11, Span::Slot), (11, Span::Day), (12, Span::Slot)]);
    let page = town.grid.aggregates(&id("dno"), slot(DAY + WINDOW - 1), None, 2).aggregates;
    assert_eq!(page.len(), 2);
}

#[test]
fn totals_are_dropped_with_the_slots_beside_them() {
    let mut policy = policy();
    policy.grace_ms = 0;
    let mut town = Town::with_policy(policy, 3);
    assert_eq!(town.put_group("dno", "g", &TRIO), Ok(Outcome::Done));
    town.close(START + 1_300);
    let group = town.group("g");
    let oldest = group.releases.front().map(|oldest| oldest.slot).expect("a release");
    assert!(group.totals.iter().all(|total| total.slot >= oldest));
    assert!(group.totals.front().expect("a total").slot.since(oldest) < WINDOW);
}
