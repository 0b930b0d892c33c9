//! Where one message can be written in more than one way, beyond white space and order.
//!
//! None of these changes what is read, and a request may use none of them.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tre_wire::json::{self, JsonError};
use tre_wire::message::dsm::Direction;
use tre_wire::message::meter::{BidRequest, Readings};

use crate::golden::all;

/// Fields that read as `null` when they are absent, by golden file.
pub(crate) const ABSENT_IS_NULL: &[(&str, &str)] = &[
    ("bid-request", "bid"),
    ("bid-request-none", "bid"),
    ("connection-record", "to_slot"),
    ("connection-record-open", "to_slot"),
    ("connections", "to_slot"),
    ("account", "to_slot"),
    ("account", "bid"),
    ("aggregates", "released_wh"),
    ("aggregates", "withheld"),
];

#[test]
fn an_absent_field_that_may_be_null_reads_as_null() {
    for (name, field) in ABSENT_IS_NULL {
        let case = all().find(|case| case.name == *name).expect("a case of that name");
        for (place, _) in case.fields().iter().filter(|(_, found)| found == field) {
            let mut tree = case.tree();
            let object = tree.pointer_mut(place).and_then(Value::as_object_mut);
            assert!(object.expect("an object").remove(*field).is_some());
            let absent = (case.recode)(tree.to_string().as_bytes());
            assert!(absent.is_ok(), "{name}{place}");
            assert_eq!(absent, case.with(&format!("{place}/{field}"), "null"), "{name}{place}");
        }
    }
}

#[test]
fn an_object_written_as_an_array_reads_by_position() {
    let by_name = br#"{"readings":[{"slot":1,"import_wh":2,"export_wh":3,"seq":4}]}"#;
    let by_place = br#"[[[1,2,3,4]]]"#;
    let read = |body: &[u8]| json::decode::<Readings>(body).expect("readings");
    assert_eq!(read(by_place), read(by_name));
    assert!(json::decode_request::<Readings>(by_name).is_ok());
    refused::<Readings>(by_place);
}

#[test]
fn a_word_written_as_an_object_of_nothing_reads_as_the_word() {
    let read = json::decode::<Direction>(br#"{"reduce":null}"#);
    assert_eq!(read.expect("a direction"), Direction::Reduce);
    refused::<Direction>(br#"{"reduce":null}"#);
}

#[test]
fn a_request_that_leaves_a_field_out_is_refused() {
    let with = br#"{"event":"e1","bid":null}"#;
    assert!(json::decode_request::<BidRequest>(with).is_ok());
    refused::<BidRequest>(br#"{"event":"e1"}"#);
}

fn refused<T: DeserializeOwned + Serialize + core::fmt::Debug>(body: &[u8]) {
    let refused = json::decode_request::<T>(body);
    assert!(matches!(refused, Err(JsonError::NotLiteral)), "{refused:?}");
}

#[test]
fn outcomes_have_one_length_whatever_they_say() {
    use tre_wire::message::meter::{BidOutcome, MeterOutcome, Outcomes};
    let event: tre_wire::id::EventId = "evening-peak".parse().expect("an id");
    let length = |outcome| {
        let outcomes = Outcomes { outcomes: vec![MeterOutcome { event: event.clone(), outcome }] };
        let bytes = json::encode(&outcomes).expect("encodes");
        let said = format!("\"{}\"", outcome.as_str());
        assert!(String::from_utf8_lossy(&bytes).contains(&said), "{said}");
        bytes.len() + outcomes.shorter_by()
    };
    let all = [BidOutcome::Pending, BidOutcome::Accepted, BidOutcome::Rejected, BidOutcome::NoBid];
    let lengths = all.map(length);
    assert_eq!(lengths, [lengths[0]; 4], "an outcome shows by its length");
}
