//! Whether winners deliver: baseline before the notice, readings of the event, the penalty.

use super::*;
use crate::BidRefusal;
use tre_wire::message::meter::Delivery;

/// Slots that the baseline is the mean of, before [`NOTICE`].
const BEFORE: u64 = 2;

/// The slot in which the event is announced; it lasts from two slots later on, for two slots.
const NOTICE: u64 = START + 2;

const FROM: u64 = NOTICE + 2;

/// Three homes that draw `usual` in each slot before the notice, under a policy that charges who
/// misses a tenth of what it offered all that it earned.
fn announced(usual: [u64; 3]) -> Town {
    let mut policy = policy();
    (policy.grace_ms, policy.demand_response.penalty_millionths) = (0, 1_000_000);
    let mut town = Town::with_policy(policy, 3);
    for slot in START..NOTICE {
        town.go(slot, 0);
        for (home, energy) in usual.into_iter().enumerate() {
            town.read(&format!("home-{home}"), slot, energy, 1);
        }
    }
    town.go(NOTICE, 0);
    assert_eq!(town.open("e", FROM, FROM + 2, 1_000), Ok(Outcome::Done));
    town
}

/// The home bids 1,000 Wh at 10 pence, wins, and draws `energy` in each slot of the event.
fn played(mut town: Town, energy: [Option<u64>; 2]) -> Town {
    assert_eq!(town.bid("home-0", "e", Some((1_000, 100_000))), Ok(Outcome::Done));
    town.go(NOTICE, 1_000);
    let winner = town.pseudo_bids("e")[0].0;
    assert_eq!(town.decide("e", &[winner]), Ok(Outcome::Done));
    assert_eq!(delivery(&town), Delivery::Pending);
    for (slot, energy) in (FROM..).zip(energy) {
        town.go(slot, 0);
        if let Some(energy) = energy {
            town.read("home-0", slot, energy, 1);
        }
    }
    town.go(FROM + 2, 0);
    town
}

fn delivery(town: &Town) -> Delivery {
    town.grid.account(&id("meter-home-0")).expect("a connection").events[0].delivery
}

/// What a bid of 1,000 Wh at 10 pence earns, in billionths.
const EARNED: i128 = 100_000_000;

#[test]
fn who_draws_less_by_what_it_offered_keeps_what_it_earned() {
    let town = played(announced([2_000; 3]), [Some(1_500), Some(1_500)]);
    assert_eq!((delivery(&town), town.running("home-0")), (Delivery::Delivered, -EARNED));
}

#[test]
fn who_misses_no_more_than_the_tolerance_delivered_and_who_misses_more_did_not() {
    let town = played(announced([2_000; 3]), [Some(1_500), Some(1_600)]);
    assert_eq!((delivery(&town), town.running("home-0")), (Delivery::Delivered, -EARNED));
    let town = played(announced([2_000; 3]), [Some(1_500), Some(1_601)]);
    assert_eq!((delivery(&town), town.running("home-0")), (Delivery::Short, 0));
}

#[test]
fn a_winner_that_changes_nothing_is_charged_what_it_earned() {
    let town = played(announced([2_000; 3]), [Some(2_000), Some(2_000)]);
    assert_eq!((delivery(&town), town.running("home-0")), (Delivery::Short, 0));
}

#[test]
fn a_reading_that_does_not_come_delivers_nothing() {
    let town = played(announced([2_000; 3]), [Some(0), None]);
    assert_eq!((delivery(&town), town.running("home-0")), (Delivery::Short, 0));
}

#[test]
fn what_is_drawn_after_the_notice_is_no_baseline() {
    let mut town = announced([600; 3]);
    // The home draws much as soon as it knows, and then as always.
    town.read("home-0", NOTICE, 4_000, 1);
    assert_eq!(town.bid("home-0", "e", Some((1_000, 100_000))), Ok(Outcome::Done));
    town.go(NOTICE, 1_000);
    let winner = town.pseudo_bids("e")[0].0;
    assert_eq!(town.decide("e", &[winner]), Ok(Outcome::Done));
    for slot in [FROM, FROM + 1] {
        town.go(slot, 0);
        town.read("home-0", slot, 600, 1);
    }
    town.go(FROM + 2, 0);
    assert_eq!(delivery(&town), Delivery::Short, "a baseline of after the notice");
}

#[test]
fn slots_that_close_between_the_notice_and_a_bid_are_no_baseline() {
    let mut town = announced([600; 3]);
    assert_eq!(town.open("f", FROM + 4, FROM + 6, 3 * SLOT_MS), Ok(Outcome::Done));
    for slot in [NOTICE, NOTICE + 1] {
        town.go(slot, 0);
        town.read("home-0", slot, 4_000, 1);
    }
    town.go(NOTICE + 2, 0);
    assert_eq!(town.bid("home-0", "f", Some((1_000, 100_000))), Ok(Outcome::Done));
    town.go(NOTICE + 3, 0);
    let winner = town.pseudo_bids("f")[0].0;
    assert_eq!(town.decide("f", &[winner]), Ok(Outcome::Done));
    for slot in [FROM + 4, FROM + 5] {
        town.go(slot, 0);
        town.read("home-0", slot, 600, 1);
    }
    town.go(FROM + 6, 0);
    let account = town.grid.account(&id("meter-home-0")).expect("a connection");
    assert_eq!((account.events[1].delivery, town.running("home-0")), (Delivery::Short, 0));
}

#[test]
fn a_bid_that_could_not_be_judged_is_not_taken() {
    let mut town = announced([2_000, 2_000, 20_000]);
    town.connect("new", NOTICE + 1, None);
    let refused = Err(Refusal::Bid(BidRefusal::NoBaseline { slots: BEFORE }));
    // Above the connection's capacity: no reading that counts.
    assert_eq!(town.bid("home-2", "e", Some((1_000, 100_000))), refused);
    assert_eq!(town.bid("home-2", "e", None), Ok(Outcome::Done));
    assert_eq!(town.bid("home-1", "e", Some((1_000, 100_000))), Ok(Outcome::Done));
}

#[test]
fn where_the_tre_did_not_run_nobody_is_judged() {
    let mut town = announced([2_000; 3]);
    assert_eq!(town.bid("home-0", "e", Some((1_000, 100_000))), Ok(Outcome::Done));
    town.go(NOTICE, 1_000);
    let winner = town.pseudo_bids("e")[0].0;
    assert_eq!(town.decide("e", &[winner]), Ok(Outcome::Done));
    // From before the event to after it in one step.
    town.go(FROM + 3, 0);
    assert_eq!((delivery(&town), town.running("home-0")), (Delivery::NotJudged, -EARNED));
}

#[test]
fn the_manager_is_shown_the_same_whether_a_winner_delivered_or_not() {
    let seen = |energy| {
        let town = played(announced([2_000; 3]), [Some(energy); 2]);
        let (dsm, event) = (id("dsm"), id("e"));
        let bids = town.grid.pseudo_bids(&dsm, &event);
        (bids, town.grid.event_outcome(&dsm, &event), town.grid.events(&id("meter-home-1")))
    };
    assert_eq!(seen(0), seen(2_000));
}

#[test]
fn a_final_bill_waits_for_what_was_promised() {
    let mut town = announced([2_000; 3]);
    assert_eq!(town.bid("home-0", "e", Some((1_000, 100_000))), Ok(Outcome::Done));
    town.go(NOTICE, 1_000);
    let winner = town.pseudo_bids("e")[0].0;
    assert_eq!(town.decide("e", &[winner]), Ok(Outcome::Done));
    let mut record = Town::home("home-0", NOTICE + 1, None);
    (record.account, record.meter) = (id("account-new"), id("meter-new"));
    assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
    town.close(START + PERIOD);
    // Nothing that the next household drew delivers for the one that left.
    assert_eq!(town.bills(), [("account-home-0".into(), START, NOTICE + 1, 0)]);
}
