//! Events, bids, pseudo-bids and decisions.

use expect_test::expect;

use super::*;
use crate::{BidRefusal, CancelRefusal, DecisionRefusal, EventRefusal, ViewRefusal};
use tre_wire::bounds;
use tre_wire::message::meter::BidOutcome;

const LEAD: u64 = 10_000;

/// Four homes, and event `e` over START + 2 to START + 4 with a deadline [`LEAD`] ms from now.
pub(super) fn opened() -> Town {
    let mut town = Town::with_homes(4);
    assert_eq!(town.open("e", START + 2, START + 4, LEAD), Ok(Outcome::Done));
    town
}

pub(super) fn pass_deadline(town: &mut Town) {
    town.go(START, LEAD);
}

pub(super) fn outcome(town: &Town, name: &str) -> BidOutcome {
    let outcomes = town.grid.outcomes(&id(format!("meter-{name}"))).outcomes;
    outcomes[0].outcome
}

fn bid_refused(town: &mut Town, bid: (u64, i64)) -> BidRefusal {
    match town.bid("home-0", "e", Some(bid)) {
        Err(Refusal::Bid(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// An event `e` in one of its states.
fn in_state(name: &str) -> Town {
    let mut town = opened();
    if name == "Open" {
        return town;
    }
    assert_eq!(town.bid("home-0", "e", Some((100, 10_000))), Ok(Outcome::Done));
    pass_deadline(&mut town);
    match name {
        "Decided" => assert_eq!(town.decide("e", &[]), Ok(Outcome::Done)),
        "Lapsed" => town.go(START + 2, 0),
        "Cancelled" => assert_eq!(town.cancel("e"), Ok(Outcome::Done)),
        _ => {}
    }
    town
}

/// Does one thing and returns the answer.
fn input(town: &mut Town, name: &str) -> String {
    let bid = Some((100, 10_000));
    let answer = match name {
        "OpenAgain" => town.open("e", START + 5, START + 6, LEAD),
        "Bid" => town.bid("home-1", "e", bid),
        "Withdraw" => town.bid("home-0", "e", None),
        "Decide" => town.decide("e", &[]),
        "Cancel" => town.cancel("e"),
        "Deadline" => {
            town.now = town.now.max(START * SLOT_MS + LEAD);
            town.act(Command::Tick)
        }
        _ => {
            town.now = (START + 2) * SLOT_MS;
            town.act(Command::Tick)
        }
    };
    answer.map_or_else(|refusal| format!("{refusal:?}"), |_| String::new())
}

/// The whole machine on one screen: a change of behaviour is a change of this table.
#[test]
fn transition_table() {
    let state =
        |town: &Town| town.grid.event_outcome(&id("dsm"), &id("e")).expect("own event").state;
    let inputs = ["OpenAgain", "Bid", "Withdraw", "Decide", "Cancel", "Deadline", "Start"];
    let mut table = String::new();
    for name in ["Open", "Closed", "Decided", "Lapsed", "Cancelled"] {
        for act in inputs {
            let mut town = in_state(name);
            assert_eq!(format!("{:?}", state(&town)), name);
            let answer = input(&mut town, act);
            let line = format!("{name} + {act} -> {:?} {answer}", state(&town));
            table += line.trim_end();
            table += "\n";
        }
    }
    expect![[r#"
        Open + OpenAgain -> Open Event(Used)
        Open + Bid -> Open
        Open + Withdraw -> Open
        Open + Decide -> Open Decision(TooEarly { deadline: UnixMillis(1800010000) })
        Open + Cancel -> Cancelled
        Open + Deadline -> Closed
        Open + Start -> Lapsed
        Closed + OpenAgain -> Closed Event(Used)
        Closed + Bid -> Closed Bid(TooLate { deadline: UnixMillis(1800010000) })
        Closed + Withdraw -> Closed Bid(TooLate { deadline: UnixMillis(1800010000) })
        Closed + Decide -> Decided
        Closed + Cancel -> Cancelled
        Closed + Deadline -> Closed
        Closed + Start -> Lapsed
        Decided + OpenAgain -> Decided Event(Used)
        Decided + Bid -> Decided Bid(TooLate { deadline: UnixMillis(1800010000) })
        Decided + Withdraw -> Decided Bid(TooLate { deadline: UnixMillis(1800010000) })
        Decided + Decide -> Decided Decision(Decided)
        Decided + Cancel -> Decided Cancel(Decided)
        Decided + Deadline -> Decided
        Decided + Start -> Decided
        Lapsed + OpenAgain -> Lapsed Event(Used)
        Lapsed + Bid -> Lapsed Bid(TooLate { deadline: UnixMillis(1800010000) })
        Lapsed + Withdraw -> Lapsed Bid(TooLate { deadline: UnixMillis(1800010000) })
        Lapsed + Decide -> Lapsed Decision(Lapsed { from: Slot(1002) })
        Lapsed + Cancel -> Lapsed Cancel(Lapsed { from: Slot(1002) })
        Lapsed + Deadline -> Lapsed
        Lapsed + Start -> Lapsed
        Cancelled + OpenAgain -> Cancelled Event(Used)
        Cancelled + Bid -> Cancelled Bid(TooLate { deadline: UnixMillis(1800010000) })
        Cancelled + Withdraw -> Cancelled Bid(TooLate { deadline: UnixMillis(1800010000) })
        Cancelled + Decide -> Cancelled Decision(Cancelled)
        Cancelled + Cancel -> Cancelled
        Cancelled + Deadline -> Cancelled
        Cancelled + Start -> Cancelled
    "#]]
    .assert_eq(&table);
}

#[test]
fn every_bid_becomes_one_pseudo_bid_that_says_the_same() {
    let mut town = opened();
    let bids = [(100, 10_000), (200, 990_000), (200, 990_000), (5_000, 1_000_000)];
    for (home, bid) in bids.into_iter().enumerate() {
        assert_eq!(town.bid(&format!("home-{home}"), "e", Some(bid)), Ok(Outcome::Done));
    }
    pass_deadline(&mut town);
    let out = town.grid.pseudo_bids(&id("dsm"), &id("e")).expect("after the deadline").pseudo_bids;
    let mut said: Vec<_> =
        out.iter().map(|out| (out.bid.quantity_wh.get(), out.bid.price.get())).collect();
    said.sort_unstable();
    assert_eq!(said, bids);
}

#[test]
fn nobody_sees_a_bid_before_the_deadline() {
    let mut town = opened();
    let deadline = UnixMillis::new(START * SLOT_MS + LEAD).expect("in range");
    let early = Err(Refusal::View(ViewRefusal::TooEarly { deadline }));
    let before = town.grid.event_outcome(&id("dsm"), &id("e"));
    assert_eq!(town.bid("home-0", "e", Some((100, 10_000))), Ok(Outcome::Done));
    town.go(START, LEAD - 1);
    assert_eq!(town.grid.pseudo_bids(&id("dsm"), &id("e")), early);
    assert_eq!(town.grid.event_outcome(&id("dsm"), &id("e")), before);
    pass_deadline(&mut town);
    assert_eq!(town.pseudo_bids("e").len(), 1);
    assert_eq!(town.grid.event_outcome(&id("dsm"), &id("e")).map(|seen| seen.pseudo_bids), Ok(1));
}

#[test]
fn the_pseudo_bids_read_the_same_before_and_after_the_decision() {
    let mut town = opened();
    for home in 0..4 {
        let bid = Some((100 * (home + 1), 10_000));
        assert_eq!(town.bid(&format!("home-{home}"), "e", bid), Ok(Outcome::Done));
    }
    pass_deadline(&mut town);
    let first = town.pseudo_bids("e");
    town.go(START + 1, 0);
    assert_eq!(town.pseudo_bids("e"), first);
    assert_eq!(town.decide("e", &[first[2].0]), Ok(Outcome::Done));
    assert_eq!(town.pseudo_bids("e"), first);
}

#[test]
fn a_bid_is_replaced_or_withdrawn_until_the_deadline() {
    let mut town = opened();
    assert_eq!(town.bid("home-0", "e", Some((100, 10_000))), Ok(Outcome::Done));
    assert_eq!(town.bid("home-0", "e", Some((700, 20_000))), Ok(Outcome::Done));
    assert_eq!(town.bid("home-1", "e", Some((300, 10_000))), Ok(Outcome::Done));
    assert_eq!(town.bid("home-1", "e", None), Ok(Outcome::Done));
    assert_eq!(town.bid("home-2", "e", None), Ok(Outcome::Done));
    pass_deadline(&mut town);
    assert_eq!(town.pseudo_bids("e").into_iter().map(|bid| bid.1).collect::<Vec<_>>(), [700]);
    assert_eq!(outcome(&town, "home-0"), BidOutcome::Pending);
    assert_eq!(outcome(&town, "home-1"), BidOutcome::NoBid);
}

#[test]
fn the_winner_is_credited_what_it_asked_and_nobody_else_anything() {
    let mut town = opened();
    assert_eq!(town.bid("home-0", "e", Some((300, 250_000))), Ok(Outcome::Done));
    assert_eq!(town.bid("home-1", "e", Some((400, 250_000))), Ok(Outcome::Done));
    pass_deadline(&mut town);
    let winner = town.pseudo_bids("e").into_iter().find(|bid| bid.1 == 300).expect("the bid");
    assert_eq!(town.decide("e", &[winner.0]), Ok(Outcome::Done));
    let running: Vec<_> = (0..4).map(|home| town.running(&format!("home-{home}"))).collect();
    assert_eq!(running, [-75_000_000, 0, 0, 0]);
    let fared: Vec<_> = (0..3).map(|home| outcome(&town, &format!("home-{home}"))).collect();
    assert_eq!(fared, [BidOutcome::Accepted, BidOutcome::Rejected, BidOutcome::NoBid]);
    let seen = town.grid.event_outcome(&id("dsm"), &id("e")).expect("own event");
    assert_eq!((seen.pseudo_bids, seen.accepted), (2, 1));
}

#[test]
fn the_account_in_force_at_the_bid_is_credited_whoever_follows() {
    let mut town = opened();
    assert_eq!(town.bid("home-0", "e", Some((300, 250_000))), Ok(Outcome::Done));
    let mut record = Town::home("home-0", START + 1, None);
    (record.account, record.meter) = (id("account-new"), id("meter-new"));
    assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
    town.go(START + 1, 0);
    let winner = town.pseudo_bids("e")[0].0;
    assert_eq!(town.decide("e", &[winner]), Ok(Outcome::Done));
    assert_eq!(town.running("new"), 0);
    assert_eq!(outcome(&town, "new"), BidOutcome::NoBid);
    town.close(START + PERIOD);
    assert_eq!(town.bills(), [("account-home-0".into(), START, START + 1, -8)]);
}

#[test]
fn an_event_nobody_decides_lapses_and_every_bid_loses() {
    let mut town = opened();
    assert_eq!(town.bid("home-0", "e", Some((300, 250_000))), Ok(Outcome::Done));
    town.go(START + 1, SLOT_MS - 1);
    assert_eq!(outcome(&town, "home-0"), BidOutcome::Pending);
    town.go(START + 2, 0);
    assert_eq!(outcome(&town, "home-0"), BidOutcome::Rejected);
    let from = slot(START + 2);
    let lapsed = Err(Refusal::Decision(DecisionRefusal::Lapsed { from }));
    assert_eq!(town.decide("e", &[]), lapsed);
    assert_eq!(town.running("home-0"), 0);
}

#[test]
fn a_decision_is_refused_whole_for_one_wrong_id() {
    let mut town = opened();
    assert_eq!(town.open("other", START + 2, START + 3, LEAD), Ok(Outcome::Done));
    for event in ["e", "other"] {
        assert_eq!(town.bid("home-0", event, Some((300, 250_000))), Ok(Outcome::Done));
    }
    pass_deadline(&mut town);
    let (own, foreign) = (town.pseudo_bids("e")[0].0, town.pseudo_bids("other")[0].0);
    let refused = |refusal| Err(Refusal::Decision(refusal));
    let unknown = refused(DecisionRefusal::UnknownId { position: 1 });
    assert_eq!(town.decide("e", &[own, foreign]), unknown);
    assert_eq!(town.decide("e", &[own, Hex32([9; 32])]), unknown);
    assert_eq!(town.decide("e", &[own, own]), refused(DecisionRefusal::Twice { position: 1 }));
    assert_eq!(town.running("home-0"), 0);
    assert_eq!(town.decide("e", &[own]), Ok(Outcome::Done));
    assert_eq!(town.decide("e", &[own]), refused(DecisionRefusal::Decided));
    assert_eq!(town.running("home-0"), -75_000_000);
}

#[test]
fn a_foreign_event_and_an_unknown_one_answer_alike() {
    let mut town = opened();
    for stage in 0..3 {
        let decide = |town: &mut Town, event: &str| {
            let body = Decision { accepted: Vec::new() };
            town.act(Command::Decide { dsm: id("second"), event: id(event), body })
        };
        let unknown = Err(Refusal::Decision(DecisionRefusal::UnknownEvent));
        assert_eq!(decide(&mut town, "e"), unknown);
        assert_eq!(decide(&mut town, "nothing"), unknown);
        for event in ["e", "nothing"] {
            let cancel = Command::CancelEvent { dsm: id("second"), event: id(event) };
            assert_eq!(town.act(cancel), Err(Refusal::Cancel(CancelRefusal::UnknownEvent)));
        }
        for event in ["e", "nothing"] {
            let (dsm, event) = (id("second"), id(event));
            let unknown = Refusal::View(ViewRefusal::UnknownEvent);
            assert_eq!(town.grid.pseudo_bids(&dsm, &event), Err(unknown));
            assert_eq!(town.grid.event_outcome(&dsm, &event), Err(unknown));
        }
        match stage {
            0 => pass_deadline(&mut town),
            _ => drop(town.decide("e", &[])),
        }
    }
}

#[test]
fn a_bid_is_on_the_public_steps_and_within_what_the_connection_carries() {
    let mut town = opened();
    let step = wh(100);
    for found in [0, 50, 150, 101] {
        let refusal = BidRefusal::QuantityStep { step, found: wh(found) };
        assert_eq!(bid_refused(&mut town, (found, 10_000)), refusal);
    }
    // 10 kW over two half hours are 10 kWh.
    let range = BidRefusal::QuantityRange { most: wh(10_000), found: wh(10_100) };
    assert_eq!(bid_refused(&mut town, (10_100, 10_000)), range);
    let most = price(1_000_000);
    for found in [0, -10_000, 1_010_000] {
        let refusal = BidRefusal::PriceRange { most, found: price(found) };
        assert_eq!(bid_refused(&mut town, (100, found)), refusal);
    }
    let steps = BidRefusal::PriceStep { step: price(10_000), found: price(10_001) };
    assert_eq!(bid_refused(&mut town, (100, 10_001)), steps);
    assert_eq!(town.bid("home-0", "e", Some((10_000, 1_000_000))), Ok(Outcome::Done));
}

#[test]
fn a_bid_needs_a_connection_in_force_an_event_and_time() {
    let mut town = opened();
    town.connect("later", START + 1, None);
    let refused = |refusal| Err(Refusal::Bid(refusal));
    assert_eq!(town.bid("later", "e", Some((100, 10_000))), refused(BidRefusal::NoConnection));
    assert_eq!(town.bid("nobody", "e", None), refused(BidRefusal::NoConnection));
    assert_eq!(town.bid("home-0", "f", None), refused(BidRefusal::UnknownEvent));
    pass_deadline(&mut town);
    let deadline = UnixMillis::new(town.now).expect("in range");
    assert_eq!(town.bid("home-0", "e", None), refused(BidRefusal::TooLate { deadline }));
}

#[test]
fn an_event_takes_a_bounded_number_of_bids_and_a_bidder_may_still_change_its_own() {
    let mut town = Town::with_homes(2);
    for home in 2..=bounds::BIDS {
        let record = Town::home(&format!("home-{home}"), START, None);
        let point = id(format!("home-{home}"));
        let record = town.record(Command::PutConnection { point, record });
        assert_eq!(town.grid.apply(&record), Ok(Outcome::Done));
    }
    assert_eq!(town.open("e", START + 2, START + 4, LEAD), Ok(Outcome::Done));
    let bid = |home: usize| {
        let bid = Bid { quantity_wh: wh(100), price: price(10_000) };
        let body = BidRequest { event: id("e"), bid: Some(bid) };
        Command::Bid { meter: id(format!("meter-home-{home}")), body }
    };
    for home in 0..bounds::BIDS {
        let record = town.record(bid(home));
        assert_eq!(town.grid.apply(&record), Ok(Outcome::Done));
    }
    (town.begun, town.journal) = (town.grid.clone(), Vec::new());
    let full = Err(Refusal::Bid(BidRefusal::Full { most: bounds::BIDS }));
    assert_eq!(town.act(bid(bounds::BIDS)), full);
    assert_eq!(town.act(bid(7)), Ok(Outcome::Done));
    assert_eq!(town.bid("home-7", "e", None), Ok(Outcome::Done));
    assert_eq!(town.act(bid(bounds::BIDS)), Ok(Outcome::Done));
}

#[test]
fn an_event_has_a_deadline_to_come_and_begins_after_it() {
    let mut town = Town::with_homes(1);
    let now = UnixMillis::new(town.now).expect("in range");
    let refused = |refusal| Err(Refusal::Event(refusal));
    let passed = refused(EventRefusal::DeadlinePassed { now, found: now });
    assert_eq!(town.open("e", START + 2, START + 3, 0), passed);
    let early = |least: u64, found: u64| {
        let (least, found) = (slot(START + least), slot(START + found));
        refused(EventRefusal::StartsTooEarly { least, found })
    };
    assert_eq!(town.open("e", START, START + 3, 1), early(1, 0));
    // A deadline at the very start of a slot is not before it.
    assert_eq!(town.open("e", START + 1, START + 3, SLOT_MS), early(2, 1));
    assert_eq!(town.open("e", START + 1, START + 3, SLOT_MS - 1), Ok(Outcome::Done));
}

#[test]
fn an_event_has_at_least_one_slot_and_no_more_than_the_policy_allows() {
    let mut town = Town::with_homes(1);
    for to in [START + 1, START + 2, START + 11] {
        let (from, to) = (slot(START + 2), slot(to));
        let refused = Err(Refusal::Event(EventRefusal::Length { most: 8, from, to }));
        assert_eq!(town.open("e", from.get(), to.get(), LEAD), refused);
    }
    assert_eq!(town.open("e", START + 2, START + 10, LEAD), Ok(Outcome::Done));
}

#[test]
fn an_event_id_is_used_once_whoever_used_it() {
    let mut town = opened();
    let used = Err(Refusal::Event(EventRefusal::Used));
    assert_eq!(town.open("e", START + 2, START + 4, LEAD), used);
    assert_eq!(town.open_as("second", "e", START + 2, START + 4, LEAD), used);
}
