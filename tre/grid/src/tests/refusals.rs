//! Every refusal as the peer sees it: its kind and its text.

use expect_test::expect;

use super::*;
use crate::{
    BidRefusal as B, ClockRefusal as C, ConnectionRefusal as N, DecisionRefusal as D,
    EventRefusal as E, GroupRefusal as G, PeriodRefusal as P, PriceRefusal as Q,
    ReadingRefusal as R, ViewRefusal as V,
};

/// Every variant once. That each is reached is shown by the tests of its module.
fn all() -> Vec<Refusal> {
    [registry(), tariffs(), events()].concat()
}

fn registry() -> Vec<Refusal> {
    let (least, found) = (slot(1), slot(3));
    let time = UnixMillis::new(7).expect("in range");
    let share = Share::new(150_000).expect("in range");
    let clock = [
        C::WentBack { least: time, found: time },
        C::Jumped { most: 1, found: 2 },
        C::Format { expected: 1, found: 2 },
    ];
    let connection = [
        N::Begun { least, found },
        N::Empty { from: least, found },
        N::MeterElsewhere,
        N::AccountElsewhere,
        N::PointsFull { most: 1 },
        N::TariffsFull { most: 1 },
        N::TimelineFull { most: 1 },
    ];
    let group = [
        G::TooFew { least: 3, found: 2 },
        G::TooMany { most: 3, found: 4 },
        G::UnknownMember { position: 1 },
        G::Twice { position: 1 },
        G::Dominance { most: share, position: 1 },
        G::MemberFull { most: 8, position: 1 },
        G::GroupsFull { most: 1 },
        G::MemberShare { most: 8, position: 1 },
        G::Share { most: 1 },
    ];
    let clock = clock.map(Refusal::from).into_iter();
    let registry = clock.chain(connection.map(Refusal::from)).chain(group.map(Refusal::from));
    registry.chain([R::BatchSize { most: 1, found: 0 }.into()]).collect()
}

fn tariffs() -> Vec<Refusal> {
    let (least, most, found) = (slot(1), slot(2), slot(3));
    let prices = [
        Q::UnknownTariff,
        Q::BatchSize { most: 1, found: 0 },
        Q::TooLate { least, found },
        Q::TooFar { most, found },
        Q::Published { slot: least, published: price(10), found: price(20) },
        Q::Full { most: 1 },
        Q::Range { floor: price(0), ceiling: price(10), found: price(20) },
        Q::Levels { most: 4, found: 5 },
        Q::ShortLevel { least: 96, price: price(10), found: 1 },
        Q::TooFew { least: 15, found: 1 },
    ];
    let periods = [
        P::UnknownTariff,
        P::Begun { least, found },
        P::TooShort { least, found },
        P::Pending { pending: least },
        P::ShortLevel { least: 96, price: price(10), found: 1 },
    ];
    prices.map(Refusal::from).into_iter().chain(periods.map(Refusal::from)).collect()
}

fn events() -> Vec<Refusal> {
    let (least, found) = (slot(1), slot(3));
    let time = UnixMillis::new(7).expect("in range");
    let (cheap, dear) = (price(10), price(20));
    let event = [
        E::Used,
        E::DeadlinePassed { now: time, found: time },
        E::StartsTooEarly { least, found },
        E::Length { most: 1, from: least, to: found },
        E::Full { most: 1 },
        E::DeadlineTooFar { most: time, found: time },
        E::StartsTooLate { most: least, found },
        E::Share { most: 1 },
    ];
    let bid = [
        B::NoConnection,
        B::UnknownEvent,
        B::TooLate { deadline: time },
        B::QuantityStep { step: wh(100), found: wh(1) },
        B::QuantityRange { most: wh(100), found: wh(200) },
        B::PriceStep { step: cheap, found: dear },
        B::PriceRange { most: cheap, found: dear },
        B::Full { most: 1 },
    ];
    let decision = [
        D::UnknownEvent,
        D::TooEarly { deadline: time },
        D::Decided,
        D::Lapsed { from: least },
        D::UnknownId { position: 1 },
        D::Twice { position: 1 },
    ];
    let view = [V::NoConnection, V::UnknownEvent, V::TooEarly { deadline: time }];
    let events = event.map(Refusal::from).into_iter().chain(bid.map(Refusal::from));
    events.chain(decision.map(Refusal::from)).chain(view.map(Refusal::from)).collect()
}

#[test]
fn what_the_peer_is_told() {
    let mut table = String::new();
    for refusal in all() {
        table += &format!("{:?}: {refusal}\n", refusal.problem());
    }
    expect![[r#"
        Internal: expected a time from 7 ms on, found 7 ms
        Internal: expected at most 1 slots in one step, found 2
        Internal: expected record format 1, found 2
        TooLate: expected from_slot to be 1 or later, found 3
        OutOfBounds: expected to_slot after from_slot 1, found 3
        Conflict: expected a meter that serves no other point in these slots
        Conflict: expected an account that has no other point in these slots
        Full: expected at most 1 connection points
        Full: expected at most 1 tariffs
        Full: expected at most 1 records for a point within the lateness horizon
        PrivacyRule: smallest group: expected at least 3 members, found 2
        OutOfBounds: expected at most 3 members, found 4
        NotFound: expected known connection points, found another at position 1
        OutOfBounds: expected each member once, found one again at position 1
        PrivacyRule: dominance: expected no share above 150000 millionths of the capacity, found one at 1
        Full: expected members in fewer than 8 groups, found another at position 1
        Full: expected at most 1 groups
        Full: expected members in fewer than 8 groups of yours, found another at 1
        Full: expected at most 1 groups of one operator
        OutOfBounds: expected 1 to 1 readings, found 0
        NotFound: expected one of your tariffs
        OutOfBounds: expected 1 to 1 prices, found 0
        TooLate: expected from_slot to be 1 or later, found 3
        OutOfBounds: expected from_slot to be at most 2, found 3
        Conflict: expected 10 micro-currency/kWh, published for slot 1, found 20 micro-currency/kWh
        Full: expected at most 1 prices that no bill has been made of; end a period
        OutOfBounds: expected a price of 0 micro-currency/kWh to 10 micro-currency/kWh, found 20 micro-currency/kWh
        OutOfBounds: expected at most 4 different prices in one period, found 5
        OutOfBounds: expected each price to cover 96 slots or more of the period, found 1 at 10 micro-currency/kWh
        OutOfBounds: expected a tariff of 15 connections or more, found 1
        NotFound: expected one of your tariffs
        TooLate: expected end_slot to be 1 or later, found 3
        TooEarly: expected a minimum period: end_slot 1 or later, found 3
        Conflict: expected no end to be pending, found one at slot 1
        OutOfBounds: expected each price to cover 96 slots or more of the period, found 1 at 10 micro-currency/kWh
        Conflict: expected an event id that is not in use
        TooLate: expected a deadline after 7 ms, found 7 ms
        OutOfBounds: expected from_slot to be 1 or later, found 3
        OutOfBounds: expected 1 to 1 slots, found 1 to 3
        Full: expected at most 1 undecided events
        OutOfBounds: expected a deadline at 7 ms or before, found 7 ms
        OutOfBounds: expected from_slot to be at most 1, found 3
        Full: expected at most 1 events of one manager that are not over
        NotFound: expected a meter with a connection in force
        NotFound: expected an announced event
        TooLate: expected a bid before 7 ms
        OutOfBounds: expected a positive multiple of 100 Wh, found 1 Wh
        OutOfBounds: expected at most 100 Wh over the event, found 200 Wh
        OutOfBounds: expected a multiple of 10 micro-currency/kWh, found 20 micro-currency/kWh
        OutOfBounds: expected a price of 1 to 10 micro-currency/kWh, found 20 micro-currency/kWh
        Full: expected at most 1 bids for one event
        NotFound: expected an event of your own
        TooEarly: expected a decision at 7 ms or later
        Conflict: expected one decision, found a second
        TooLate: expected a decision before slot 1
        NotFound: expected ids of this event's pseudo-bids, found another at position 1
        OutOfBounds: expected each id once, found one again at position 1
        NotFound: expected a meter with a connection in force
        NotFound: expected an event of your own
        TooEarly: expected a question at 7 ms or later
    "#]]
    .assert_eq(&table);
}

#[test]
fn no_refusal_of_a_peer_is_called_internal() {
    use tre_wire::problem::ProblemType;
    for refusal in all() {
        let of_the_clock = matches!(refusal, Refusal::Clock(_));
        assert_eq!(refusal.problem() == ProblemType::Internal, of_the_clock, "{refusal:?}");
    }
}

#[test]
fn a_meter_without_a_connection_has_nothing_to_see() {
    let town = Town::with_homes(1);
    let nobody: PeerId = id("meter-nobody");
    let refused = Refusal::View(V::NoConnection);
    assert_eq!(town.grid.account(&nobody), Err(refused));
    assert_eq!(town.grid.prices(&nobody, slot(0)), Err(refused));
    assert_eq!(town.grid.bills_of_meter(&nobody), Err(refused));
    assert_eq!(town.grid.events(&nobody).events, []);
    assert_eq!(town.grid.outcomes(&nobody).outcomes, []);
}

#[test]
fn a_decision_before_the_deadline_is_too_early() {
    let mut town = Town::with_homes(1);
    assert_eq!(town.open("e", START + 2, START + 3, 1_000), Ok(Outcome::Done));
    let deadline = UnixMillis::new(town.now + 1_000).expect("in range");
    let early = Err(Refusal::Decision(D::TooEarly { deadline }));
    town.now += 999;
    assert_eq!(town.decide("e", &[]), early);
    town.now += 1;
    assert_eq!(town.decide("e", &[]), Ok(Outcome::Done));
}
