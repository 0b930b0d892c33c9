//! Events that the demand side manager takes back.

use super::demand_response::{opened, outcome, pass_deadline};
use super::*;
use crate::{CancelRefusal, DecisionRefusal};
use tre_wire::message::meter::BidOutcome;

#[test]
fn an_event_taken_back_before_the_deadline_never_shows_a_bid() {
    let mut town = opened();
    assert_eq!(town.bid("home-0", "e", Some((300, 250_000))), Ok(Outcome::Done));
    assert_eq!(town.cancel("e"), Ok(Outcome::Done));
    pass_deadline(&mut town);
    town.go(START + 4, 0);
    assert_eq!(town.pseudo_bids("e"), []);
    let seen = town.grid.event_outcome(&id("dsm"), &id("e")).expect("own event");
    assert_eq!((seen.pseudo_bids, seen.accepted), (0, 0));
    assert_eq!(outcome(&town, "home-0"), BidOutcome::Rejected);
    assert_eq!(outcome(&town, "home-1"), BidOutcome::NoBid);
    assert_eq!(town.running("home-0"), 0);
}

#[test]
fn an_event_taken_back_after_the_deadline_shows_its_bids_as_they_were_and_nobody_wins() {
    let mut town = opened();
    assert_eq!(town.bid("home-0", "e", Some((300, 250_000))), Ok(Outcome::Done));
    pass_deadline(&mut town);
    let shown = town.pseudo_bids("e");
    assert_eq!(town.cancel("e"), Ok(Outcome::Done));
    assert_eq!(town.pseudo_bids("e"), shown);
    let cancelled = Err(Refusal::Decision(DecisionRefusal::Cancelled));
    assert_eq!(town.decide("e", &[shown[0].0]), cancelled);
    assert_eq!(outcome(&town, "home-0"), BidOutcome::Rejected);
    assert_eq!(town.running("home-0"), 0);
}

#[test]
fn what_is_owed_is_not_taken_back() {
    let mut town = opened();
    assert_eq!(town.bid("home-0", "e", Some((300, 250_000))), Ok(Outcome::Done));
    pass_deadline(&mut town);
    let winner = town.pseudo_bids("e")[0].0;
    assert_eq!(town.decide("e", &[winner]), Ok(Outcome::Done));
    assert_eq!(town.cancel("e"), Err(Refusal::Cancel(CancelRefusal::Decided)));
    assert_eq!(town.running("home-0"), -75_000_000);
}
