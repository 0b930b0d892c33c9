//! Who gets a place, and who loses one.

use super::*;

const MOST: Most = Most { all: 8, anonymous: 6, leaving: 2 };

fn from(address: &str) -> Holder {
    Holder::at(address.parse().expect("an address"))
}

fn is_lost(place: &mut Place) -> bool {
    place.lost.try_recv() == Err(oneshot::error::TryRecvError::Closed)
}

/// Comes from `address` and finishes the handshake without a certificate.
fn stranger(places: &Rc<Places>, address: &str) -> Option<Place> {
    let mut place = places.take(from(address))?;
    place.stays_anonymous().then_some(place)
}

/// Comes from `address` and shows a certificate of this key.
fn meter(places: &Rc<Places>, address: &str, key: u8) -> Place {
    let mut place = places.take(from(address)).expect("room");
    place.belongs_to([key; 32]);
    place
}

/// Strangers from `address` until there is no place for one.
fn crowd(places: &Rc<Places>, address: &str) -> Vec<Place> {
    core::iter::from_fn(|| stranger(places, address)).collect()
}

/// One connection of each of `count` addresses, `finished` or still at its handshake.
fn from_everywhere(places: &Rc<Places>, count: usize, finished: bool) -> Vec<Place> {
    let address = |last| format!("192.0.2.{last}");
    let come = |address: &str| match finished {
        true => stranger(places, address),
        false => places.take(from(address)),
    };
    (0..count).map(|last| come(&address(last)).expect("room")).collect()
}

#[test]
fn a_flood_from_one_address_loses_its_oldest_place_to_another_address() {
    let places = Places::new(MOST);
    let mut flood = crowd(&places, "192.0.2.1");
    assert_eq!(flood.len(), MOST.anonymous);
    let mut verifier = stranger(&places, "192.0.2.2").expect("a fair share");
    let lost: Vec<bool> = flood.iter_mut().map(is_lost).collect();
    assert_eq!(lost, [true, false, false, false, false, false]);
    assert!(stranger(&places, "192.0.2.1").is_none(), "the flood does not get it back");
    assert!(!is_lost(&mut verifier));
}

#[test]
fn who_holds_one_place_keeps_it_and_a_crowd_of_such_turns_strangers_away() {
    let places = Places::new(MOST);
    let mut crowd = from_everywhere(&places, MOST.anonymous, true);
    assert!(stranger(&places, "198.51.100.1").is_none());
    assert!(!crowd.iter_mut().any(is_lost));
    crowd.pop();
    assert!(stranger(&places, "198.51.100.1").is_some(), "a place that was given back");
}

/// What part of the places is kept for.
#[test]
fn a_crowd_of_strangers_that_stays_turns_no_certificate_away() {
    let places = Places::new(MOST);
    let address = |last| format!("192.0.2.{last}");
    let all = (0..MOST.all).filter_map(|last| stranger(&places, &address(last)));
    let mut crowd: Vec<Place> = all.collect();
    assert_eq!(crowd.len(), MOST.anonymous);
    let mut meters: Vec<Place> = (1..=2).map(|key| meter(&places, "198.51.100.1", key)).collect();
    assert!(!crowd.iter_mut().chain(&mut meters).any(is_lost));
}

/// A certificate cannot be shown before the handshake: the door itself must stay open.
#[test]
fn a_crowd_that_finishes_no_handshake_turns_nobody_away() {
    let places = Places::new(MOST);
    let mut crowd = from_everywhere(&places, MOST.all, false);
    let mut newcomer = meter(&places, "198.51.100.1", 1);
    let lost: Vec<bool> = crowd.iter_mut().map(is_lost).collect();
    assert_eq!(lost, [true, false, false, false, false, false, false, false]);
    assert!(!is_lost(&mut newcomer));
    drop(crowd.remove(0));
    let again = places.take(from("203.0.113.1")).expect("the next oldest");
    assert!(is_lost(&mut crowd[0]) && !is_lost(&mut newcomer));
    drop(again);
}

/// However fast it comes again.
#[test]
fn a_flood_that_finishes_no_handshake_pushes_nobody_out() {
    let places = Places::new(MOST);
    let mut slow = places.take(from("192.0.2.1")).expect("room");
    let mut flood: Vec<Place> =
        (1..MOST.all).map(|_| places.take(from("192.0.2.9")).expect("room")).collect();
    assert!(places.take(from("192.0.2.9")).is_none());
    assert!(!is_lost(&mut slow) && !flood.iter_mut().any(is_lost));
}

/// Strangers that stay and strangers that never finish, each from an address of its own.
#[test]
fn a_place_that_is_full_of_both_lets_certificates_in() {
    let places = Places::new(MOST);
    let mut stay = from_everywhere(&places, MOST.anonymous, true);
    let mut enter: Vec<Place> = (1..=2)
        .map(|last| places.take(from(&format!("198.51.100.{last}"))).expect("room"))
        .collect();
    let newcomer = meter(&places, "203.0.113.1", 1);
    assert_eq!(enter.iter_mut().map(is_lost).collect::<Vec<_>>(), [true, false]);
    assert!(!stay.iter_mut().any(is_lost));
    drop(newcomer);
}

/// Once everybody has finished, nobody who holds one place loses it.
#[test]
fn a_box_full_of_holders_of_one_place_turns_newcomers_away() {
    let places = Places::new(MOST);
    let mut all: Vec<Place> = (1..=8).map(|key| meter(&places, "192.0.2.1", key)).collect();
    assert!(places.take(from("198.51.100.1")).is_none());
    assert!(!all.iter_mut().any(is_lost));
}

#[test]
fn a_certificate_takes_its_place_out_of_the_reach_of_strangers() {
    let places = Places::new(MOST);
    let mut meters: Vec<Place> = (1..4).map(|key| meter(&places, "192.0.2.1", key)).collect();
    // Strangers behind the same address fill what is left, and lose it to others.
    let mut strangers = crowd(&places, "192.0.2.1");
    assert_eq!(strangers.len(), MOST.all - meters.len());
    let other = places.take(from("192.0.2.2")).expect("a fair share");
    assert!(is_lost(&mut strangers[0]) && !meters.iter_mut().any(is_lost));
    drop((other, strangers));
    // Nor does one key keep the others out.
    let mut greedy: Vec<Place> =
        (meters.len()..MOST.all).map(|_| meter(&places, "192.0.2.9", 9)).collect();
    let newcomer = places.take(from("192.0.2.2")).expect("a fair share");
    assert!(greedy.iter_mut().any(is_lost) && !meters.iter_mut().any(is_lost));
    drop(newcomer);
}

#[test]
fn no_more_connections_are_being_closed_than_there_are_descriptors_for() {
    let places = Places::new(MOST);
    let mut flood: Vec<Place> =
        (0..MOST.all).map(|_| places.take(from("192.0.2.1")).expect("room")).collect();
    let others: Vec<Option<Place>> =
        (2..5).map(|last| places.take(from(&format!("192.0.2.{last}")))).collect();
    assert_eq!(others.iter().flatten().count(), MOST.leaving);
    drop(flood.remove(0));
    assert!(places.take(from("192.0.2.5")).is_some(), "one has been closed");
}

#[test]
fn one_line_is_one_holder_whichever_of_its_addresses_it_takes() {
    assert_eq!(from("2001:db8::1"), from("2001:db8::2:3:4"));
    assert_ne!(from("2001:db8::1"), from("2001:db8:0:1::1"));
    assert_eq!(from("192.0.2.1"), from("::ffff:192.0.2.1"));
    assert_ne!(from("192.0.2.1"), from("192.0.2.2"));
}
