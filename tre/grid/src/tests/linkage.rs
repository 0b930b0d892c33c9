//! The demand side manager as attacker: who is behind a pseudo-bid? `[TRE14 III-E]`
//!
//! Neither the order nor the id may say anything. In each round four homes bid distinct quantities
//! in a known order, so the place of each home among the pseudo-bids is known here.

use alloc::collections::{BTreeMap, BTreeSet};

use super::*;

const ROUNDS: u64 = 2_400;

/// Plays rounds with fresh seeds; homes bid in the order given. Returns for each round the
/// (id, home) pairs in the order in which they went out.
fn rounds(order: &[u64], count: u64) -> Vec<Vec<(Hex32, u64)>> {
    let mut start = Town::with_homes(4);
    assert_eq!(start.open("e", START + 2, START + 4, 10_000), Ok(Outcome::Done));
    for &home in order {
        let bid = Some((100 * (home + 1), 10_000));
        assert_eq!(start.bid(&format!("home-{home}"), "e", bid), Ok(Outcome::Done));
    }
    start.now += 10_000;
    let play = |round| {
        start.steps = 1_000 + round;
        let tick = start.record(Command::Tick);
        let mut grid = start.grid.clone();
        assert_eq!(grid.apply(&tick), Ok(Outcome::Done));
        let bids = grid.pseudo_bids(&id("dsm"), &id("e")).expect("after the deadline").pseudo_bids;
        bids.iter().map(|bid| (bid.id, bid.bid.quantity_wh.get() / 100 - 1)).collect()
    };
    let out = (0..count).map(play).collect();
    // The town itself stays before the deadline; its journal is whole without these steps.
    out
}

#[test]
fn every_order_of_the_pseudo_bids_is_equally_likely_whatever_the_order_of_the_bids() {
    for order in [[0, 1, 2, 3], [3, 1, 0, 2]] {
        let mut counts = BTreeMap::new();
        for round in rounds(&order, ROUNDS) {
            let homes: Vec<u64> = round.into_iter().map(|(_, home)| home).collect();
            *counts.entry(homes).or_insert(0_u64) += 1;
        }
        assert_eq!(counts.len(), 24);
        // Chi-square with 23 degrees of freedom: 58.6 is passed once in 10,000 times.
        let squares: u64 = counts.values().map(|count| count.abs_diff(ROUNDS / 24).pow(2)).sum();
        assert!(squares < 5_860, "{squares}");
    }
}

#[test]
fn no_id_ever_comes_twice() {
    let rounds = rounds(&[0, 1, 2, 3], 200);
    let ids: BTreeSet<Hex32> = rounds.iter().flatten().map(|&(id, _)| id).collect();
    assert_eq!(ids.len(), 800);
}

#[test]
fn the_order_of_ids_says_nothing_of_the_homes() {
    // If an id were made from the identity, or ids counted up, one home would come first more
    // often when sorted by id.
    let mut first = [0_u64; 4];
    for mut round in rounds(&[0, 1, 2, 3], ROUNDS) {
        round.sort_unstable();
        first[usize::try_from(round[0].1).expect("small")] += 1;
    }
    // Six standard deviations of a count whose mean is 600.
    assert!(first.iter().all(|count| count.abs_diff(600) < 128), "{first:?}");
}

#[test]
fn one_home_in_two_events_of_one_step_has_two_ids() {
    let mut town = Town::with_homes(1);
    for event in ["e", "f"] {
        assert_eq!(town.open(event, START + 2, START + 4, 10_000), Ok(Outcome::Done));
        assert_eq!(town.bid("home-0", event, Some((100, 10_000))), Ok(Outcome::Done));
    }
    town.go(START, 10_000);
    assert_ne!(town.pseudo_bids("e"), town.pseudo_bids("f"));
}

#[test]
fn after_the_decision_no_state_links_an_id_to_its_bidder() {
    // Two homes with the same bid: swapping whose id is whose leaves the settled state equal.
    let settled = |order: [&str; 2]| {
        let mut town = Town::with_homes(2);
        assert_eq!(town.open("e", START + 2, START + 4, 10_000), Ok(Outcome::Done));
        for home in order {
            assert_eq!(town.bid(home, "e", Some((100, 10_000))), Ok(Outcome::Done));
        }
        town.go(START, 10_000);
        let shown = town.pseudo_bids("e");
        assert_eq!(town.decide("e", &[]), Ok(Outcome::Done));
        assert_eq!(town.pseudo_bids("e"), shown);
        format!("{:?}", town.grid.events)
    };
    let debug = settled(["home-0", "home-1"]);
    assert!(!debug.contains("Placed"), "{debug}");
    assert_eq!(debug, settled(["home-1", "home-0"]));
}

#[test]
fn no_promise_stands_where_its_id_stood() {
    // Four homes that bid alike and all win, under a policy that judges them: what is kept of them
    // is the same whichever random order their ids went out in.
    let settled = |round: u64| {
        let mut policy = policy();
        (policy.grace_ms, policy.demand_response.penalty_millionths) = (0, 1_000_000);
        let mut town = Town::with_policy(policy, 4);
        for slot in START..START + 2 {
            town.go(slot, 0);
            for home in 0..4 {
                town.read(&format!("home-{home}"), slot, 2_000, 1);
            }
        }
        town.go(START + 2, 0);
        assert_eq!(town.open("e", START + 4, START + 6, 1_000), Ok(Outcome::Done));
        for home in 0..4 {
            let bid = Some((100 * (home + 1), 10_000));
            assert_eq!(town.bid(&format!("home-{home}"), "e", bid), Ok(Outcome::Done));
        }
        town.steps = 1_000 * (round + 1);
        town.go(START + 2, 1_000);
        let shown = town.pseudo_bids("e");
        let ids: Vec<Hex32> = shown.iter().map(|bid| bid.0).collect();
        assert_eq!(town.decide("e", &ids), Ok(Outcome::Done));
        let promises = &town.grid.events.0[0].promises;
        assert_eq!(promises.len(), 4);
        let order: Vec<u64> = shown.into_iter().map(|bid| bid.1).collect();
        (order, promises.iter().map(|promise| promise.account).collect::<Vec<_>>())
    };
    let rounds: Vec<_> = (0..20).map(settled).collect();
    let orders: BTreeSet<_> = rounds.iter().map(|(order, _)| order).collect();
    assert!(orders.len() > 5, "the ids went out in {} orders", orders.len());
    let kept: BTreeSet<_> = rounds.iter().map(|(_, promises)| promises).collect();
    assert_eq!(kept.len(), 1, "promises stand in the order of the ids");
}
