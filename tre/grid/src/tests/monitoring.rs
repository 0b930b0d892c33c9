//! Groups, sums, noise and what is withheld.

use super::*;
use crate::GroupRefusal;
use crate::releases::{noise, noisy};
use tre_wire::bounds;
use tre_wire::message::dno::Withheld;
use tre_wire::units::NetWattHours;

const TRIO: [&str; 3] = ["home-0", "home-1", "home-2"];

/// Three homes in group `g` of `dno`, effective in slot START + 1, which has begun.
fn grouped() -> Town {
    let mut town = Town::with_homes(3);
    assert_eq!(town.put_group("dno", "g", &TRIO), Ok(Outcome::Done));
    town.go(START + 1, 0);
    town
}

/// Closes slot `number` in one step and returns the released value of group `g` without noise.
fn sum_without_noise(town: &mut Town, number: u64) -> i64 {
    town.close(number - 1);
    let seed = seed(town.steps);
    town.go(number + 1, GRACE_MS);
    let row = town.aggregates("dno").pop().expect("a release");
    assert_eq!(row.slot, slot(number));
    let noise =
        noise(&town.grid.policy().monitoring, Span::Slot, &seed, row.slot, &key("dno", &row.group))
            .expect("drawn");
    row.released_wh.expect("released").get() - noise
}

fn refused(town: &mut Town, homes: &[&str]) -> GroupRefusal {
    match town.put_group("dno", "g", homes) {
        Err(Refusal::Group(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_release_is_the_clipped_sum_and_the_noise_of_the_step_that_closed_the_slot() {
    let mut town = grouped();
    town.read("home-0", START + 1, 300, 1);
    town.read_both("home-1", START + 1, (50, 250), 1);
    town.read("home-2", START + 1, 1, 1);
    assert_eq!(sum_without_noise(&mut town, START + 1), 300 - 200 + 1);
}

#[test]
fn one_home_counts_at_most_delta_either_way() {
    let mut town = grouped();
    town.read("home-0", START + 1, 4_900, 1);
    town.read("home-1", START + 1, 999, 1);
    assert_eq!(sum_without_noise(&mut town, START + 1), 1_999);
    town.read_both("home-0", START + 2, (0, 1_001), 2);
    assert_eq!(sum_without_noise(&mut town, START + 2), -1_000);
}

#[test]
fn a_reading_above_capacity_counts_like_a_missing_one() {
    let mut town = grouped();
    town.read("home-0", START + 1, 5_001, 1);
    town.read_both("home-1", START + 1, (5_001, 5_001), 1);
    town.read("home-2", START + 1, 70, 1);
    assert_eq!(sum_without_noise(&mut town, START + 1), 70);
}

#[test]
fn a_replaced_reading_counts_once_with_its_last_value() {
    let mut town = grouped();
    town.read("home-0", START + 1, 100, 1);
    town.read("home-0", START + 1, 400, 2);
    town.read("home-0", START + 1, 400, 2);
    assert_eq!(sum_without_noise(&mut town, START + 1), 400);
}

#[test]
fn a_home_outside_the_group_does_not_count() {
    let mut town = Town::with_homes(4);
    assert_eq!(town.put_group("dno", "g", &TRIO), Ok(Outcome::Done));
    town.go(START + 1, 0);
    town.read("home-3", START + 1, 800, 1);
    assert_eq!(sum_without_noise(&mut town, START + 1), 0);
}

#[test]
fn lambda_is_delta_over_epsilon_and_the_deviation_its_root_two_fold() {
    let mut town = grouped();
    town.close(START + 1);
    let row = town.aggregates("dno").pop().expect("a release");
    assert_eq!(row.lambda_milli_wh.get(), 1_000_000);
    assert_eq!(row.standard_deviation_milli_wh.get(), 1_414_213);
    assert_eq!(row.mean_error_milli_wh, row.lambda_milli_wh);
    assert_eq!(row.epsilon_millionths.get(), 1_000_000);
    assert_eq!(row.epsilon_left_millionths.get(), 99_000_000);
    assert_eq!((row.span, row.slots), (Span::Slot, 1));
    assert_eq!((row.members, row.withheld), (3, None));
}

#[test]
fn a_release_is_drawn_once_and_reads_the_same_for_ever() {
    let mut town = grouped();
    town.close(START + 1);
    let first = town.aggregates("dno");
    town.go(START + 2, GRACE_MS + 5);
    town.close(START + 3);
    let later = town.aggregates("dno");
    assert_eq!(later[..1], first);
}

#[test]
fn two_groups_of_the_same_homes_have_noise_of_their_own() {
    let mut town = grouped();
    assert_eq!(town.put_group("dno", "h", &TRIO), Ok(Outcome::Done));
    town.close(START + 6);
    let rows = town.aggregates("dno");
    let of = |group: &str| {
        let rows = rows.iter().filter(|row| row.group == id(group) && row.slot > slot(START + 1));
        rows.map(|row| row.released_wh).collect::<Vec<_>>()
    };
    assert_eq!(of("g").len(), 5);
    assert!(of("g").iter().zip(of("h")).all(|(one, other)| *one != other));
}

#[test]
fn two_slots_closed_in_one_step_have_noise_of_their_own() {
    let mut policy = policy();
    policy.grace_ms = 3 * SLOT_MS;
    let mut town = Town::with_policy(policy, 3);
    assert_eq!(town.put_group("dno", "g", &TRIO), Ok(Outcome::Done));
    town.go(START + 3, 0);
    town.go(START + 9, 0);
    let rows = town.aggregates("dno");
    let released: Vec<_> = rows.iter().filter_map(|row| row.released_wh).collect();
    assert_eq!(released.len(), 3);
    assert!(released[0] != released[1] && released[1] != released[2]);
}

#[test]
fn a_membership_takes_effect_with_the_next_slot_and_not_before() {
    let mut town = Town::with_homes(6);
    assert_eq!(town.put_group("dno", "g", &TRIO), Ok(Outcome::Done));
    town.go(START + 1, 0);
    for home in 0..6 {
        town.read(&format!("home-{home}"), START + 1, 1 << home, 1);
    }
    // After the readings, and while slot START + 1 is open, the operator asks for others.
    assert_eq!(town.put_group("dno", "g", &["home-3", "home-4", "home-5"]), Ok(Outcome::Done));
    let present = town.grid.groups(&id("dno"), None, 100).groups.pop().expect("a group");
    assert_eq!((present.members, present.from_slot), (3, slot(START + 1)));
    assert_eq!(sum_without_noise(&mut town, START + 1), 0b000_111);
    for home in 0..6 {
        town.read(&format!("home-{home}"), START + 2, 1 << home, 2);
    }
    assert_eq!(sum_without_noise(&mut town, START + 2), 0b111_000);
    let present = town.grid.groups(&id("dno"), None, 100).groups.pop().expect("a group");
    assert_eq!((present.members, present.from_slot), (3, slot(START + 2)));
}

#[test]
fn a_membership_that_no_open_slot_needs_is_dropped() {
    let mut town = Town::with_homes(3);
    for number in 0..10 {
        town.go(START + number, GRACE_MS);
        assert_eq!(town.put_group("dno", "g", &TRIO), Ok(Outcome::Done));
        assert_eq!(town.put_group("dno", "g", &TRIO), Ok(Outcome::Done));
        // That of the running slot, and that of the next.
        assert!(town.group("g").memberships.len() <= 2);
    }
}

#[test]
fn the_slot_in_which_a_group_is_defined_is_not_released() {
    let mut town = Town::with_homes(3);
    assert_eq!(town.put_group("dno", "g", &TRIO), Ok(Outcome::Done));
    town.close(START);
    assert_eq!(town.aggregates("dno"), []);
    town.close(START + 1);
    assert_eq!(town.aggregates("dno").len(), 1);
}

#[test]
fn a_group_below_k_is_refused_and_one_of_k_is_not() {
    let mut town = Town::with_homes(3);
    let few = GroupRefusal::TooFew { least: 3, found: 2 };
    assert_eq!(refused(&mut town, &TRIO[..2]), few);
    assert_eq!(refused(&mut town, &[]), GroupRefusal::TooFew { least: 3, found: 0 });
    assert_eq!(town.put_group("dno", "g", &TRIO), Ok(Outcome::Done));
}

#[test]
fn naming_a_member_twice_does_not_reach_k() {
    let mut town = Town::with_homes(3);
    let twice = refused(&mut town, &["home-0", "home-1", "home-0"]);
    assert_eq!(twice, GroupRefusal::Twice { position: 2 });
}

#[test]
fn a_member_must_be_a_known_point() {
    let mut town = Town::with_homes(3);
    let unknown = refused(&mut town, &["home-0", "nowhere", "home-1"]);
    assert_eq!(unknown, GroupRefusal::UnknownMember { position: 1 });
}

#[test]
fn a_member_above_its_share_of_declared_capacity_is_refused_and_at_it_is_not() {
    let mut town = Town::with_homes(2);
    for (name, watts) in [("half", 20_000), ("more", 20_001)] {
        let mut record = Town::home(name, START, None);
        record.capacity_w = Watts::new(watts).expect("in range");
        assert_eq!(town.put(name, record), Ok(Outcome::Done));
    }
    let most = town.grid.policy().monitoring.dominance_millionths;
    let dominance = refused(&mut town, &["home-0", "more", "home-1"]);
    assert_eq!(dominance, GroupRefusal::Dominance { most, position: 1 });
    assert_eq!(town.put_group("dno", "g", &["home-0", "half", "home-1"]), Ok(Outcome::Done));
}

#[test]
fn a_group_has_a_bounded_number_of_members() {
    let mut town = Town::with_homes(3);
    let (most, found) = (bounds::GROUP_MEMBERS, bounds::GROUP_MEMBERS + 1);
    let members = alloc::vec!["home-0"; found];
    assert_eq!(refused(&mut town, &members), GroupRefusal::TooMany { most, found });
}

#[test]
fn a_point_is_in_a_bounded_number_of_groups_and_leaving_one_frees_it() {
    let mut town = Town::with_homes(6);
    for group in 0..bounds::GROUPS_PER_POINT_AND_OPERATOR {
        assert_eq!(town.put_group("dno", &format!("g{group}"), &TRIO), Ok(Outcome::Done));
    }
    let most = bounds::GROUPS_PER_POINT_AND_OPERATOR;
    let full = GroupRefusal::MemberShare { most, position: 1 };
    let mixed = ["home-3", "home-0", "home-4"];
    assert_eq!(refused(&mut town, &mixed), full);
    // The same group again is no group more, and another membership gives the homes free.
    assert_eq!(town.put_group("dno", "g0", &TRIO), Ok(Outcome::Done));
    assert_eq!(refused(&mut town, &mixed), full);
    let others = ["home-3", "home-4", "home-5"];
    assert_eq!(town.put_group("dno", "g0", &others), Ok(Outcome::Done));
    assert_eq!(town.put_group("dno", "g", &mixed), Ok(Outcome::Done));
}

#[test]
fn the_group_of_another_operator_can_be_neither_changed_nor_seen_nor_noticed() {
    let mut town = grouped();
    town.close(START + 1);
    assert_eq!(town.aggregates("other"), []);
    assert_eq!(town.grid.groups(&id("other"), None, 100).groups, []);
    // The same name is another group: it is taken like any other, with noise of its own.
    assert_eq!(town.put_group("other", "g", &TRIO), Ok(Outcome::Done));
    town.close(START + 3);
    assert_eq!(town.aggregates("dno").len(), 3);
    let [own, others] = [town.aggregates("dno").pop(), town.aggregates("other").pop()];
    let [own, others] = [own, others].map(|row| row.expect("a release").released_wh);
    assert_ne!(own, others);
    assert_eq!(town.group("g").memberships.len(), 1);
}

#[test]
fn a_group_that_fell_below_k_is_withheld_in_the_same_shape() {
    let mut town = Town::with_homes(2);
    town.connect("leaves", START, Some(START + 2));
    assert_eq!(town.put_group("dno", "g", &["home-0", "home-1", "leaves"]), Ok(Outcome::Done));
    town.close(START + 2);
    let rows = town.aggregates("dno");
    assert_eq!((rows[0].members, rows[0].withheld), (3, None));
    assert_eq!((rows[1].members, rows[1].withheld), (2, Some(Withheld::TooFewMembers)));
    assert_eq!(rows[1].released_wh, None);
    assert_eq!(
        (rows[0].lambda_milli_wh, rows[0].standard_deviation_milli_wh),
        (rows[1].lambda_milli_wh, rows[1].standard_deviation_milli_wh)
    );
    assert_eq!(
        (rows[0].epsilon_millionths.get(), rows[1].epsilon_millionths.get()),
        (1_000_000, 0)
    );
}

#[test]
fn a_group_in_which_one_home_grew_dominant_is_withheld() {
    let mut town = grouped();
    let mut record = Town::home("home-0", START + 2, None);
    record.capacity_w = Watts::new(20_001).expect("in range");
    assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
    town.close(START + 2);
    let reasons: Vec<_> = town.aggregates("dno").iter().map(|row| row.withheld).collect();
    assert_eq!(reasons, [None, Some(Withheld::Dominance)]);
}

#[test]
fn whether_a_sum_is_withheld_says_nothing_of_readings() {
    let reasons = |readings: &[(&str, u64)]| {
        let mut town = grouped();
        town.connect("home-2", START + 3, Some(START + 4));
        for number in 1..6 {
            town.go(START + number, 0);
            for &(home, energy) in readings {
                town.read(home, START + number, energy, number);
            }
        }
        town.close(START + 5);
        let rows = town.aggregates("dno").into_iter();
        rows.map(|row| (row.members, row.withheld, row.released_wh.is_some())).collect::<Vec<_>>()
    };
    let nobody = reasons(&[]);
    assert_eq!(nobody.len(), 5);
    assert_eq!(nobody[4], (2, Some(Withheld::TooFewMembers), false));
    assert_eq!(reasons(&[("home-0", 1)]), nobody);
    assert_eq!(reasons(&[("home-0", 9_999), ("home-1", 9_999), ("home-2", 9_999)]), nobody);
    assert_eq!(reasons(&[("home-0", 0), ("home-1", 500), ("home-2", 5_000)]), nobody);
}

#[test]
fn a_listing_holds_whole_slots_from_the_asked_one_on() {
    let mut town = grouped();
    for group in ["e", "f"] {
        assert_eq!(town.put_group("dno", group, &TRIO), Ok(Outcome::Done));
    }
    assert_eq!(town.put_group("other", "o", &TRIO), Ok(Outcome::Done));
    town.close(START + 4);
    let page = |from, rows| {
        let found = town.grid.aggregates(&id("dno"), slot(from), None, rows).aggregates;
        assert!(found.iter().all(|row| row.span == Span::Slot), "no range ends here");
        found
            .iter()
            .map(|row| format!("{}{}", row.group, row.slot.get() - START))
            .collect::<Vec<_>>()
    };
    assert_eq!(page(0, 5), ["g1", "e2", "f2", "g2"]);
    assert_eq!(page(START + 3, 100), ["e3", "f3", "g3", "e4", "f4", "g4"]);
    assert_eq!(page(START + 3, 5), ["e3", "f3", "g3"]);
    assert_eq!(page(START + 3, 2), ["e3", "f3"]);
    assert_eq!(page(START + 5, 100), [""; 0]);
}

#[test]
fn the_history_of_a_group_is_bounded() {
    let mut policy = policy();
    policy.grace_ms = 0;
    let mut town = Town::with_policy(policy, 3);
    assert_eq!(town.put_group("dno", "g", &TRIO), Ok(Outcome::Done));
    let most = u64::try_from(bounds::RELEASES_PER_GROUP).expect("small");
    town.close(START + most + 10);
    let rows = town.aggregates("dno");
    assert_eq!(rows.len(), bounds::RELEASES_PER_GROUP);
    assert_eq!(rows[0].slot, slot(START + 11));
}

#[test]
fn a_noisy_sum_stays_within_what_can_be_sent() {
    assert_eq!(noisy(5, i64::MAX), NetWattHours::MAX);
    assert_eq!(noisy(-5, i64::MIN).get(), -NetWattHours::MAX.get());
    assert_eq!(noisy(-5, 3).get(), -2);
}
