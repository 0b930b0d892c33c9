//! A household that follows at a point where the meter stays, and a meter that follows in a
//! household: bids belong to the account.

use super::*;
use tre_wire::message::meter::{BidOutcome, Delivery};

/// `home-0` bids 300 Wh on an event and moves out with slot START + 3; `account-new` follows with
/// the same meter before the deadline.
fn followed() -> Town {
    let mut town = Town::with_homes(2);
    assert_eq!(town.open("e", START + 6, START + 8, 4 * SLOT_MS), Ok(Outcome::Done));
    assert_eq!(town.bid("home-0", "e", Some((300, 250_000))), Ok(Outcome::Done));
    let mut record = Town::home("home-0", START + 3, None);
    record.account = id("account-new");
    assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
    town.go(START + 3, 0);
    town
}

/// What the meter of `home-0` is shown of the event.
fn shown(town: &Town) -> (Option<u64>, BidOutcome, BidOutcome, Delivery) {
    let meter = id("meter-home-0");
    let event = town.grid.account(&meter).expect("a connection").events.remove(0);
    let outcome = town.grid.outcomes(&meter).outcomes[0].outcome;
    (event.bid.map(|bid| bid.quantity_wh.get()), event.outcome, outcome, event.delivery)
}

/// Ids of the pseudo-bids, by quantity.
fn ids(town: &Town) -> Vec<(u64, Hex32)> {
    let mut ids: Vec<_> = town.pseudo_bids("e").into_iter().map(|(id, wh)| (wh, id)).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn who_follows_with_the_same_meter_is_shown_no_bid_and_no_outcome_of_the_one_before() {
    let nothing = (None, BidOutcome::NoBid, BidOutcome::NoBid, Delivery::None);
    let mut town = followed();
    assert_eq!(shown(&town), nothing);
    town.go(START + 4, 0);
    assert_eq!(shown(&town), nothing);
    let winner = town.pseudo_bids("e")[0].0;
    assert_eq!(town.decide("e", &[winner]), Ok(Outcome::Done));
    assert_eq!(shown(&town), nothing);
    assert_eq!(town.running("home-0"), 0);
    // Who bid is credited all the same: 300 Wh at 25 pence.
    town.close(START + PERIOD);
    assert_eq!(town.bills(), [("account-home-0".into(), START, START + 3, -8)]);
}

#[test]
fn who_follows_with_the_same_meter_withdraws_and_changes_no_bid_but_its_own() {
    let mut town = followed();
    assert_eq!(town.bid("home-0", "e", None), Ok(Outcome::Done));
    assert_eq!(town.bid("home-0", "e", Some((500, 250_000))), Ok(Outcome::Done));
    assert_eq!(shown(&town).0, Some(500));
    town.go(START + 4, 0);
    let ids = ids(&town);
    assert_eq!(ids.iter().map(|bid| bid.0).collect::<Vec<_>>(), [300, 500]);
    assert_eq!(town.decide("e", &[ids[1].1]), Ok(Outcome::Done));
    assert_eq!(shown(&town).2, BidOutcome::Accepted);
    assert_eq!(town.running("home-0"), -125_000_000);
    town.close(START + PERIOD);
    assert_eq!(town.bills(), [("account-home-0".into(), START, START + 3, 0)]);
}

#[test]
fn a_household_with_another_meter_has_the_one_bid_that_it_had() {
    let mut town = Town::with_homes(1);
    assert_eq!(town.open("e", START + 6, START + 8, 4 * SLOT_MS), Ok(Outcome::Done));
    assert_eq!(town.bid("home-0", "e", Some((300, 250_000))), Ok(Outcome::Done));
    let mut record = Town::home("home-0", START + 3, None);
    record.meter = id("meter-second");
    assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
    town.go(START + 3, 0);
    let outcomes = town.grid.outcomes(&id("meter-second")).outcomes;
    assert_eq!(outcomes[0].outcome, BidOutcome::Pending);
    assert_eq!(town.bid("second", "e", Some((500, 250_000))), Ok(Outcome::Done));
    town.go(START + 4, 0);
    assert_eq!(ids(&town).iter().map(|bid| bid.0).collect::<Vec<_>>(), [500]);
    let winner = town.pseudo_bids("e")[0].0;
    assert_eq!(town.decide("e", &[winner]), Ok(Outcome::Done));
    assert_eq!(town.running("second"), -125_000_000);
}

#[test]
fn who_gets_the_number_of_an_erased_account_is_shown_no_outcome_of_it() {
    let number = |town: &Town, account: &str| town.grid.connections.accounts.number(&id(account));
    let mut town = followed();
    let freed = number(&town, "account-home-0").expect("in use");
    town.go(START + 4, 0);
    let winner = town.pseudo_bids("e")[0].0;
    assert_eq!(town.decide("e", &[winner]), Ok(Outcome::Done));
    // Its final bill has gone out and could be read; then three more accounts crowd its record out.
    town.close(START + PERIOD);
    for next in 0..3 {
        let mut record = Town::home("home-0", START + 2 * PERIOD + next, None);
        record.account = id(format!("next-{next}"));
        assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
    }
    town.close(START + 3 * PERIOD);
    town.connect("fresh", START + 3 * PERIOD + 1, None);
    assert_eq!(number(&town, "account-fresh"), Some(freed));
    let outcome = town.grid.outcomes(&id("meter-fresh")).outcomes[0].outcome;
    assert_eq!(outcome, BidOutcome::NoBid);
    // To the manager its event is what it was.
    assert_eq!(town.grid.event_outcome(&id("dsm"), &id("e")).map(|seen| seen.accepted), Ok(1));
}
