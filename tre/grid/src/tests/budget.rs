//! The window ledger: what all releases together tell of one connection point.

use alloc::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use tre_wire::message::dno::Withheld;

const TRIO: [&str; 3] = ["home-0", "home-1", "home-2"];

/// A town of `homes` whose window pays for `releases` sums of one slot.
fn town(homes: usize, releases: u64) -> Town {
    let mut policy = policy();
    policy.monitoring.slot = spending(1_000_000, 1_000_000 * releases);
    Town::with_policy(policy, homes)
}

/// For each slot from [`START`] + 1 on, which of the operator's groups were released.
fn released(town: &Town) -> Vec<String> {
    let mut slots: BTreeMap<Slot, String> = BTreeMap::new();
    for row in town.aggregates("dno") {
        let line = slots.entry(row.slot).or_default();
        match row.withheld {
            None => line.push_str(row.group.as_str()),
            Some(Withheld::BudgetSpent) => line.push('-'),
            Some(other) => panic!("withheld for another reason: {other:?}"),
        }
    }
    slots.into_values().collect()
}

#[test]
fn overlapping_groups_share_one_budget_in_the_order_of_their_ids() {
    let mut town = town(3, 15);
    for group in ["g", "h"] {
        assert_eq!(town.put_group("dno", group, &TRIO), Ok(Outcome::Done));
    }
    town.close(START + 16);
    // 14 charges in seven slots, one more for `g`; nothing until the first slot leaves the window.
    let (both, none) = (["gh"; 7], ["--"; 4]);
    let expected = [&both[..], &["g-"], &none, &["gh"; 4]].concat();
    assert_eq!(released(&town), expected);
}

#[test]
fn a_withheld_sum_spends_nothing_and_says_what_is_left() {
    let mut town = town(3, 3);
    for group in ["g", "h"] {
        assert_eq!(town.put_group("dno", group, &TRIO), Ok(Outcome::Done));
    }
    town.close(START + 2);
    let rows = town.aggregates("dno").into_iter();
    let epsilons = rows.map(|row| {
        let (spent, left) = (row.epsilon_millionths, row.epsilon_left_millionths);
        (row.group.to_string(), spent.get(), left.get())
    });
    let row = |group: &str, spent, left| (group.to_string(), spent, left);
    let first = [row("g", 1_000_000, 2_000_000), row("h", 1_000_000, 1_000_000)];
    let second = [row("g", 1_000_000, 0), row("h", 0, 0)];
    assert_eq!(epsilons.collect::<Vec<_>>(), [first, second].concat());
}

#[test]
fn one_spent_member_withholds_its_group_and_no_other() {
    let mut town = town(6, 1);
    assert_eq!(town.put_group("dno", "a", &TRIO), Ok(Outcome::Done));
    let (with, without) = (["home-2", "home-3", "home-4"], ["home-3", "home-4", "home-5"]);
    assert_eq!(town.put_group("dno", "b", &with), Ok(Outcome::Done));
    assert_eq!(town.put_group("dno", "c", &without), Ok(Outcome::Done));
    town.close(START + 1);
    assert_eq!(released(&town), ["a-c"]);
}

#[test]
fn the_groups_of_two_operators_spend_one_budget() {
    let mut town = town(3, 1);
    assert_eq!(town.put_group("dno", "a", &TRIO), Ok(Outcome::Done));
    assert_eq!(town.put_group("other", "b", &TRIO), Ok(Outcome::Done));
    town.close(START + 1);
    assert_eq!(released(&town), ["a"]);
    assert_eq!(town.aggregates("other")[0].withheld, Some(Withheld::BudgetSpent));
}

#[test]
fn a_member_is_charged_whether_a_reading_came_or_not() {
    let run = |reads: bool| {
        let mut town = town(3, 2);
        assert_eq!(town.put_group("dno", "g", &TRIO), Ok(Outcome::Done));
        for number in 1..20 {
            town.go(START + number, 0);
            if reads {
                for home in TRIO {
                    town.read(home, START + number, 9_999, number);
                }
            }
        }
        town.close(START + 19);
        let rows = town.aggregates("dno").into_iter();
        rows.map(|row| (row.withheld, row.epsilon_left_millionths)).collect::<Vec<_>>()
    };
    assert_eq!(run(true), run(false));
    assert_eq!(run(true).iter().filter(|(withheld, _)| withheld.is_none()).count(), 4);
}

/// What is done at the point `home-2` while its budget is spent, and what it gives the operator.
fn after(change: impl FnOnce(&mut Town)) -> Vec<String> {
    let mut town = town(6, 2);
    assert_eq!(town.put_group("dno", "g", &TRIO), Ok(Outcome::Done));
    town.close(START + 2);
    change(&mut town);
    town.close(START + 5);
    released(&town)
}

#[test]
fn nothing_that_happens_at_a_point_refills_its_budget() {
    let spent = ["g", "g", "-", "-", "-"];
    assert_eq!(after(|_| {}), spent);
    // Another meter, another household, a smaller capacity.
    let renewed = after(|town| {
        let mut record = Town::home("home-2", START + 4, None);
        (record.meter, record.account) = (id("meter-new"), id("account-new"));
        record.capacity_w = Watts::new(9_000).expect("in range");
        assert_eq!(town.put("home-2", record), Ok(Outcome::Done));
    });
    assert_eq!(renewed, spent);
    // The record ends, and the point is registered again.
    let again = after(|town| {
        town.connect("home-2", START + 4, Some(START + 5));
        town.connect("home-2", START + 5, None);
    });
    assert_eq!(again, spent);
    // The meter and the household move to another point; the point that they left stays spent.
    let moved = after(|town| {
        assert_eq!(town.put("home-2", Town::home("away", START + 4, None)), Ok(Outcome::Done));
        assert_eq!(town.put("new", Town::home("home-2", START + 4, None)), Ok(Outcome::Done));
    });
    assert_eq!(moved, spent);
}

#[test]
fn leaving_a_group_and_coming_back_refills_nothing() {
    let back = after(|town| {
        let others = ["home-3", "home-4", "home-5"];
        assert_eq!(town.put_group("dno", "g", &others), Ok(Outcome::Done));
        town.go(START + 4, 0);
        assert_eq!(town.put_group("dno", "g", &TRIO), Ok(Outcome::Done));
    });
    assert_eq!(back, ["g", "g", "-", "g", "-"]);
    let renamed = after(|town| {
        assert_eq!(town.put_group("dno", "x", &TRIO), Ok(Outcome::Done));
    });
    assert_eq!(renamed, ["g", "g", "-", "--", "--"]);
}

#[test]
fn a_membership_said_again_is_no_other_membership() {
    let mut town = town(3, 100);
    assert_eq!(town.put_group("dno", "g", &TRIO), Ok(Outcome::Done));
    town.close(START + 2);
    assert_eq!(town.put_group("dno", "g", &["home-2", "home-0", "home-1"]), Ok(Outcome::Done));
    let groups = town.grid.groups(&id("dno"), None, 100).groups;
    assert_eq!(groups[0].from_slot, slot(START + 1));
    assert_eq!(town.group("g").memberships.len(), 1);
}

/// What an operator does in one slot: which group, which of the points; what becomes of a point;
/// how long time goes on after it.
type Move = (u8, u8, u8, u64);

const POINTS: u64 = 6;

/// Who was in which group in which slot, kept beside the town.
type Memberships = BTreeMap<(String, u64), BTreeSet<u64>>;

/// Two operators have two groups each.
fn operator(group: &str) -> &'static str {
    if group < "g2" { "dno" } else { "second" }
}

/// Carries out one move; returns the group and the members that it has from the next slot on.
fn carry_out(town: &mut Town, (group, members, point, _): Move) -> Option<(String, BTreeSet<u64>)> {
    let (group, begun) = (format!("g{}", group % 4), town.grid.begun.get());
    let members: BTreeSet<u64> = (0..POINTS).filter(|bit| members >> bit & 1 == 1).collect();
    let names: Vec<String> = members.iter().map(|member| format!("home-{member}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if point.is_multiple_of(3) {
        let mut record =
            Town::home(&format!("home-{}", u64::from(point) % POINTS), begun + 1, None);
        record.meter = id(format!("meter-{begun}-{point}"));
        record.account = id(format!("account-{begun}-{point}"));
        let name = format!("home-{}", u64::from(point) % POINTS);
        drop(town.put(&name, record));
    }
    let put = town.put_group(operator(&group), &group, &names);
    put.is_ok().then_some((group, members))
}

/// Epsilon that `rows` of one span spend on the readings of `point` in the window from `first` on,
/// times w: a total spends as much of its epsilon as the window has of its range.
fn spent((rows, span): (&[Aggregate], Span), was: &Memberships, point: u64, first: u64) -> u64 {
    let mut spent = 0;
    for row in rows.iter().filter(|row| row.span == span && row.released_wh.is_some()) {
        let last = row.slot.get();
        let holds = was[&(row.group.to_string(), last)].contains(&point);
        let begins = match row.span {
            Span::Slot => last,
            Span::Day => last / WINDOW * WINDOW,
            Span::Week => (last + 3 * WINDOW) / (7 * WINDOW) * (7 * WINDOW) - 3 * WINDOW,
        };
        let meets = (first + WINDOW).min(last + 1).saturating_sub(first.max(begins));
        let weight = if row.span == Span::Slot { WINDOW } else { 1 };
        spent += if holds { row.epsilon_millionths.get() * meets * weight } else { 0 };
    }
    spent
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Any groups of any operators, overlapping, regrouped, with any change at the points between:
    /// in no window does any point spend more than the policy's, of any kind of release. What one
    /// kind leaves no other may use.
    #[test]
    fn no_window_of_any_point_is_over_budget(
        moves in vec((any::<u8>(), any::<u8>(), any::<u8>(), 0_u64..5), 1..60),
        releases in 1_u64..20,
    ) {
        let mut town = town(6, releases);
        let mut was = Memberships::new();
        let mut now: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
        for step in moves {
            let changed = carry_out(&mut town, step);
            // What is asked in a slot holds from the next one on.
            now.extend(changed);
            let begun = town.grid.begun.get();
            for passed in begun + 1..=begun + step.3 {
                was.extend(now.iter().map(|(id, set)| ((id.clone(), passed), set.clone())));
                town.go(passed, 0);
            }
        }
        let end = town.grid.begun.get();
        town.close(end - 1);
        let seen = |dno: &str| town.grid.aggregates(&id(dno), slot(0), None, 1_000_000).aggregates;
        let rows = [seen("dno"), seen("second")].concat();
        for span in [Span::Slot, Span::Day, Span::Week] {
            let share = town.grid.policy().monitoring.spending(span).window_millionths;
            let most = WINDOW * share.get();
            for first in START - WINDOW..=end {
                for point in 0..POINTS {
                    let spent = spent((&rows, span), &was, point, first);
                    let at = format!("{span:?}, point {point}, window {first}");
                    prop_assert!(spent <= most, "{at}: {spent} of {most}");
                }
            }
        }
    }
}
