//! Who gets a place, and who loses one.

use super::*;

const MOST: Most = Most { all: 8, anonymous: 6, leaving: 2 };

fn from(address: &str) -> Holder {
    Holder::at(address.parse().expect("an address"))
}

fn is_lost(place: &mut Place) -> bool {
    place.lost.try_recv() == Err(oneshot::error::TryRecvError::Closed)
}

/// Takes places from `address` until there is none.
fn crowd(places: &Rc<Places>, address: &str) -> Vec<Place> {
    core::iter::from_fn(|| places.take(from(address))).collect()
}

#[test]
fn a_flood_from_one_address_loses_its_oldest_place_to_another_address() {
    let places = Places::new(MOST);
    let mut flood = crowd(&places, "192.0.2.1");
    assert_eq!(flood.len(), MOST.anonymous);
    let mut verifier = places.take(from("192.0.2.2")).expect("a fair share");
    let lost: Vec<bool> = flood.iter_mut().map(is_lost).collect();
    assert_eq!(lost, [true, false, false, false, false, false]);
    assert!(places.take(from("192.0.2.1")).is_none(), "the flood does not get it back");
    assert!(!is_lost(&mut verifier));
}

#[test]
fn who_holds_one_place_keeps_it_and_a_crowd_of_such_turns_newcomers_away() {
    let places = Places::new(MOST);
    let mut crowd: Vec<Place> = (0..MOST.anonymous)
        .map(|last| places.take(from(&format!("192.0.2.{last}"))).expect("room"))
        .collect();
    assert!(places.take(from("198.51.100.1")).is_none());
    assert!(!crowd.iter_mut().any(is_lost));
    crowd.pop();
    assert!(places.take(from("198.51.100.1")).is_some(), "a place that was given back");
}

#[test]
fn a_certificate_takes_its_place_out_of_the_reach_of_strangers() {
    let places = Places::new(MOST);
    let mut meters: Vec<Place> = (1..4)
        .map(|key| {
            let mut meter = places.take(from("192.0.2.1")).expect("room");
            meter.belongs_to([key; 32]);
            meter
        })
        .collect();
    // Strangers behind the same address fill what is left, and lose it to others.
    let mut strangers = crowd(&places, "192.0.2.1");
    assert_eq!(strangers.len(), MOST.all - meters.len());
    let other = places.take(from("192.0.2.2")).expect("a fair share");
    assert!(is_lost(&mut strangers[0]) && !meters.iter_mut().any(is_lost));
    drop((other, strangers));
    // Nor does one key keep the others out.
    let mut greedy: Vec<Place> = core::iter::from_fn(|| {
        let mut place = places.take(from("192.0.2.9"))?;
        place.belongs_to([9; 32]);
        Some(place)
    })
    .take(MOST.all - meters.len())
    .collect();
    assert_eq!(greedy.len(), MOST.all - meters.len());
    let newcomer = places.take(from("192.0.2.2")).expect("a fair share");
    assert!(greedy.iter_mut().any(is_lost) && !meters.iter_mut().any(is_lost));
    drop(newcomer);
}

#[test]
fn no_more_connections_are_being_closed_than_there_are_descriptors_for() {
    let places = Places::new(MOST);
    let mut flood = crowd(&places, "192.0.2.1");
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
