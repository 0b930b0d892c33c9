//! The network operator as attacker: two groups that differ by one home. `[TRE14 III-C]`
//!
//! With epsilon 1 nobody who sees one release of a home does better at telling nothing from Delta
//! than e / (1 + e) = 73.1 %, whatever else they know.

use super::*;

const ROUNDS: u64 = 1_000;

/// Plays the game: the victim's meter reads nothing or Delta by a fair coin. `guess` sees what the
/// operator sees and says whether it was Delta. Returns how often it was right.
fn play(guess: impl Fn(&Town) -> bool) -> u64 {
    let mut start = Town::with_homes(4);
    let all = ["home-0", "home-1", "home-2", "home-3"];
    assert_eq!(start.put_group("dno", "with", &all), Ok(Outcome::Done));
    assert_eq!(start.put_group("dno", "without", &all[..3]), Ok(Outcome::Done));
    let mut right = 0;
    for round in 0..ROUNDS {
        let mut town = Town {
            begun: start.grid.clone(),
            grid: start.grid.clone(),
            now: start.now,
            steps: 1_000 * (round + 1),
            journal: Vec::new(),
        };
        town.go(START + 1, 0);
        // The attacker knows all other readings; here they are its own meters.
        for home in 0..3 {
            town.read(&format!("home-{home}"), START + 1, 200, 1);
        }
        let consumed = seed(round).iter().map(|byte| u64::from(*byte)).sum::<u64>() % 2 == 1;
        town.read("home-3", START + 1, if consumed { 1_000 } else { 0 }, 1);
        town.close(START + 1);
        right += u64::from(guess(&town) == consumed);
    }
    right
}

fn released(town: &Town, group: &str) -> i64 {
    let rows = town.aggregates("dno");
    let row = rows.iter().find(|row| row.group == id(group)).expect("a row");
    row.released_wh.expect("released").get()
}

/// 73.1 % of the rounds and four standard deviations.
const BOUND: u64 = 731 + 56;

#[test]
fn the_difference_of_two_groups_does_not_tell_one_home() {
    let right = play(|town| released(town, "with") - released(town, "without") > 500);
    assert!(right < BOUND, "{right} of {ROUNDS}");
}

#[test]
fn the_sum_less_all_known_readings_does_not_tell_one_home() {
    let right = play(|town| released(town, "with") - 600 > 500);
    assert!(right < BOUND, "{right} of {ROUNDS}");
    // The game is not rigged: the best guess does reach what epsilon allows it.
    assert!(right > 600, "{right} of {ROUNDS}");
}

#[test]
fn asking_a_hundred_times_and_averaging_is_asking_once() {
    let right = play(|town| {
        let sum: i64 = (0..100).map(|_| released(town, "with")).sum();
        sum / 100 - 600 > 500
    });
    assert!(right < BOUND, "{right} of {ROUNDS}");
}
