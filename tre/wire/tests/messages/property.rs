//! Whatever decodes encodes back to the same value.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::Value;

use crate::case::{Case, Leaf};
use crate::golden::all;

/// Runs `property` for one message; a failure shows the smallest body it found.
fn check<S: Strategy>(
    case: &Case,
    strategy: &S,
    property: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    // No file of failures: a case that was once wrong becomes a named test.
    let config = Config { cases: 128, failure_persistence: None, ..Config::default() };
    if let Err(failure) = TestRunner::new(config).run(strategy, property) {
        panic!("{}: {failure}", case.name);
    }
}

/// Any value that may stand at `leaf`.
fn any_at(leaf: Leaf) -> BoxedStrategy<Value> {
    let integer = |least: i128, most: i128| {
        let value = prop_oneof![Just(least), Just(most), least..=most];
        value.prop_map(|value| match u64::try_from(value) {
            Ok(value) => Value::from(value),
            Err(_) => Value::from(i64::try_from(value).expect("no integer is below 64 bits")),
        })
    };
    let bytes = |lengths: core::ops::RangeInclusive<usize>| {
        let bytes = proptest::collection::vec(any::<u8>(), lengths);
        bytes.prop_map(|bytes| Value::from(tre_wire::hex::encode(&bytes)))
    };
    match leaf {
        Leaf::Integer(least, most) => integer(least, most).boxed(),
        Leaf::MaybeInteger(least, most) => {
            prop_oneof![Just(Value::Null), integer(least, most)].boxed()
        }
        Leaf::Id(_) => "[a-z0-9_][a-z0-9_.-]{0,47}".prop_map(Value::from).boxed(),
        Leaf::Word(words) => select(words).prop_map(Value::from).boxed(),
        Leaf::MaybeWord(words) => {
            prop_oneof![Just(Value::Null), select(words).prop_map(Value::from)].boxed()
        }
        Leaf::Hex32 => bytes(32..=32).boxed(),
        Leaf::Hex => bytes(0..=80).boxed(),
        Leaf::Text => any::<String>().prop_map(Value::from).boxed(),
        Leaf::Flag => any::<bool>().prop_map(Value::from).boxed(),
        Leaf::Absent => Just(Value::Null).boxed(),
    }
}

#[test]
fn every_message_within_its_ranges_decodes_and_encodes_to_the_same_tree() {
    for case in all() {
        let places = case.leaf_places();
        let values: Vec<_> = places.iter().map(|place| any_at(case.leaf_at(place))).collect();
        check(case, &values, |values| {
            let mut tree = case.tree();
            for (place, value) in places.iter().zip(values) {
                *tree.pointer_mut(place).expect("a leaf") = value;
            }
            let bytes = (case.recode)(tree.to_string().as_bytes());
            let bytes = bytes.map_err(TestCaseError::fail)?;
            let found: Value = serde_json::from_slice(&bytes).expect("JSON");
            prop_assert_eq!(found, tree);
            Ok(())
        });
    }
}

#[test]
fn lists_of_any_length_decode_and_encode_to_the_same_tree() {
    for case in all().filter(|case| case.name != "deployment") {
        let lists = case.container_places();
        let lists =
            lists.iter().filter(|place| case.tree().pointer(place).is_some_and(Value::is_array));
        let lists: Vec<_> = lists.cloned().collect();
        if lists.is_empty() {
            continue;
        }
        check(case, &(any::<Index>(), 0_usize..40), |(list, length)| {
            let mut tree = case.tree();
            let list = tree.pointer_mut(list.get::<String>(&lists)).and_then(Value::as_array_mut);
            let list = list.expect("a list");
            let first = list[0].clone();
            list.resize(length, first);
            let bytes = (case.recode)(tree.to_string().as_bytes());
            let bytes = bytes.map_err(TestCaseError::fail)?;
            let found: Value = serde_json::from_slice(&bytes).expect("JSON");
            prop_assert_eq!(found, tree);
            Ok(())
        });
    }
}

/// Bytes that are likely to leave something readable behind.
fn any_byte() -> impl Strategy<Value = u8> {
    prop_oneof![select(b"0123456789-\"{}[],: aefn.".as_slice()), any::<u8>()]
}

#[test]
fn a_damaged_message_is_refused_or_reads_as_what_it_encodes_to() {
    for case in all() {
        let damage = proptest::collection::vec((any::<Index>(), any_byte()), 1..4);
        check(case, &damage, |damage| {
            let mut body = case.golden.as_bytes().to_vec();
            for (place, byte) in damage {
                let place = place.index(body.len());
                body[place] = byte;
            }
            // `recode` itself compares what it read with what its encoding reads as.
            if let Ok(bytes) = (case.recode)(&body) {
                prop_assert_eq!((case.recode)(&bytes), Ok(bytes.clone()));
            }
            Ok(())
        });
    }
}
