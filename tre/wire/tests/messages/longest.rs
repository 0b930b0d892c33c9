//! How long a message can get: every bound on its rows keeps it within a body, and every row within
//! its share of a length that says nothing.

use serde_json::{Number, Value};
use tre_wire::bounds::{
    AGGREGATE_ROWS, BIDS, BILL_BYTES, BILL_ROWS, BODY_BYTES, CONNECTION_ROWS, EVENTS,
    GROUP_MEMBERS, GROUP_ROWS, PRICES, READING_BYTES, READINGS, RECEIPT_BYTES, ROWS,
};
use tre_wire::message::meter::{Readings, Receipts};
use tre_wire::message::supplier::Bills;

use crate::case::{Case, Leaf};
use crate::golden::all;

/// Every message with rows: its golden file, where they are, and how many there may be.
const LISTINGS: &[(&str, &str, usize)] = &[
    ("aggregates", "/document/aggregates", AGGREGATE_ROWS),
    ("alerts", "/days", ROWS),
    ("bills", "/bills", BILL_ROWS),
    ("connections", "/connections", CONNECTION_ROWS),
    ("decision", "/accepted", BIDS),
    ("events", "/events", EVENTS),
    ("groups", "/groups", GROUP_ROWS),
    ("meter-prices", "/document/prices", ROWS),
    ("outcomes", "/outcomes", EVENTS),
    ("post-prices", "/prices", PRICES),
    ("pseudo-bids", "/document/pseudo_bids", BIDS),
    ("put-group", "/members", GROUP_MEMBERS),
    ("readings", "/readings", READINGS),
    ("receipts", "/receipts", READINGS),
];

/// The longest ECDSA P-256 signature in ASN.1. Unit: hexadecimal digits.
const SIGNATURE: usize = 144;

fn case(name: &str) -> &'static Case {
    all().find(|case| case.name == name).expect("a message")
}

/// What takes most room at a leaf.
fn longest(leaf: Leaf) -> Value {
    let digits = |number: i128| number.to_string().len();
    match leaf {
        Leaf::Integer(least, most) | Leaf::MaybeInteger(least, most) => {
            let number = if digits(least) > digits(most) { least } else { most };
            let number = u64::try_from(number).map(Number::from);
            let negative = || i64::try_from(least).expect("a number of JSON").into();
            Value::Number(number.unwrap_or_else(|_| negative()))
        }
        Leaf::Id(most) => "x".repeat(most).into(),
        Leaf::Word(words) | Leaf::MaybeWord(words) => {
            let word = words.iter().max_by_key(|word| word.len()).expect("a word");
            Value::from(*word)
        }
        Leaf::Hex32 => "0".repeat(64).into(),
        // The one kind of bytes in a row.
        Leaf::Hex => "0".repeat(SIGNATURE).into(),
        Leaf::Flag => false.into(),
        Leaf::Absent | Leaf::Text => panic!("no row has one"),
    }
}

/// The message with `count` of its longest rows. Unit: bytes.
fn length(case: &Case, rows: &str, count: usize) -> usize {
    let mut tree = case.tree();
    let inner = |place: &str| place.starts_with(&format!("{rows}/0")) || !place.starts_with(rows);
    for place in case.leaf_places().into_iter().filter(|place| inner(place)) {
        *tree.pointer_mut(&place).expect("a leaf") = longest(case.leaf_at(&place));
    }
    let all = tree.pointer_mut(rows).and_then(Value::as_array_mut).expect("rows");
    let row = all.first().cloned().expect("a row");
    *all = vec![row; count];
    tree.to_string().len()
}

#[test]
fn a_message_of_the_longest_rows_fits_a_body() {
    for (name, rows, most) in LISTINGS {
        let found = length(case(name), rows, *most);
        assert!(found <= BODY_BYTES, "{name}: {most} rows have {found} bytes");
    }
}

#[test]
fn every_message_whose_rows_have_a_bound_of_their_own_is_held_to_it() {
    // Their lists are bounded by certificates, members or slots, and have tests of their own.
    let others = [
        "account",
        "attestation-request",
        "certificates",
        "complete-enrolment",
        "deployment",
        "enrolment-keys",
        "evidence",
        "kept",
        "renew-certificates",
    ];
    for case in all() {
        let lists = case.container_places();
        let tree = case.tree();
        let lists = lists.iter().filter(|place| tree.pointer(place).is_some_and(Value::is_array));
        for place in lists.filter(|_| !others.contains(&case.name)) {
            let listed = LISTINGS.iter().any(|(name, rows, _)| case.name == *name && place == rows);
            assert!(listed, "{}{place}: no bound on its rows is tested", case.name);
        }
    }
}

#[test]
fn the_longest_rows_fit_their_share_of_a_length_that_says_nothing() {
    let row = |name: &str, rows: &str| length(case(name), rows, 2) - length(case(name), rows, 1);
    let (reading, receipt) = (row("readings", "/readings"), row("receipts", "/receipts"));
    assert_eq!((reading, receipt, row("bills", "/bills")), (99, 125, 619));
    assert!(reading <= READING_BYTES && receipt <= RECEIPT_BYTES && 619 <= BILL_BYTES);
    for count in [1, 2, READINGS] {
        assert!(length(case("readings"), "/readings", count) <= Readings::bytes(count));
        assert!(length(case("receipts"), "/receipts", count) <= Receipts::bytes(count));
    }
    for count in [1, BILL_ROWS] {
        assert!(length(case("bills"), "/bills", count) <= Bills::bytes(count));
    }
    assert!(Bills::bytes(BILL_ROWS) <= BODY_BYTES);
}
