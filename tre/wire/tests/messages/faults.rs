//! One fault at a time, in every place of every message.

use serde_json::Value;

use crate::case::{Case, Leaf, Unknown, replaced};
use crate::golden::all;
use crate::lenient::ABSENT_IS_NULL;

/// Asserts that `case` with `raw` at `place` is refused.
fn refused(case: &Case, place: &str, raw: &str) {
    if let Ok(bytes) = case.with(place, raw) {
        let read = String::from_utf8_lossy(&bytes);
        panic!("{}{place}: expected {raw} to be refused, was read as {read}", case.name);
    }
}

/// Asserts that `case` with `raw` at `place` is accepted.
fn accepted(case: &Case, place: &str, raw: &str) {
    if let Err(error) = case.with(place, raw) {
        panic!("{}{place}: expected {raw} to be accepted, found {error}", case.name);
    }
}

/// Objects with one field, whose name says which of several things it is: no field of theirs is
/// missing, or unknown, by its name.
const CHOICES: &[(&str, &str)] = &[("kept", "/content")];

fn is_choice(case: &Case, place: &str) -> bool {
    CHOICES.contains(&(case.name, place))
}

#[test]
fn an_object_that_is_a_choice_holds_exactly_one_known_field() {
    for (name, place) in CHOICES {
        let case = all().find(|case| case.name == *name).expect("a message");
        let mut two = case.tree().pointer(place).expect("an object").clone();
        two.as_object_mut().expect("an object").insert("surprise".into(), Value::from(1));
        for other in ["{}", "{\"surprise\":{}}", &two.to_string()] {
            assert!(case.with(place, other).is_err(), "{name}{place}: {other}");
        }
    }
}

#[test]
fn a_missing_field_is_refused_by_its_name() {
    for case in all() {
        for (place, field) in case.fields().into_iter().filter(|(place, _)| !is_choice(case, place))
        {
            if ABSENT_IS_NULL.contains(&(case.name, field.as_str())) {
                continue;
            }
            let mut tree = case.tree();
            let object = tree.pointer_mut(&place).and_then(Value::as_object_mut);
            assert!(object.and_then(|object| object.remove(&field)).is_some());
            let found = (case.recode)(tree.to_string().as_bytes()).expect_err("a field is missing");
            let expected = format!("missing field `{field}`");
            assert!(found.contains(&expected), "{}{place}: {found}", case.name);
        }
    }
}

#[test]
fn a_field_given_twice_is_refused_by_its_name() {
    const SECOND: &str = "\u{1f}second";
    for case in all() {
        for (place, field) in case.fields().into_iter().filter(|(place, _)| !is_choice(case, place))
        {
            let mut tree = case.tree();
            let object = tree.pointer_mut(&place).and_then(Value::as_object_mut);
            let object = object.expect("an object");
            let value = object.get(&field).expect("a field").clone();
            object.insert(SECOND.into(), value);
            let second = Value::from(SECOND).to_string();
            let text = tree.to_string().replacen(&second, &format!("\"{field}\""), 1);
            let found = (case.recode)(text.as_bytes()).expect_err("a field is given twice");
            let expected = format!("duplicate field `{field}`");
            assert!(found.contains(&expected), "{}{place}: {found}", case.name);
        }
    }
}

#[test]
fn an_unknown_field_is_refused_in_what_is_asked_and_signed_and_ignored_elsewhere() {
    for case in all() {
        for place in case.container_places().into_iter().filter(|place| !is_choice(case, place)) {
            let mut tree = case.tree();
            let Some(object) = tree.pointer_mut(&place).and_then(Value::as_object_mut) else {
                continue;
            };
            object.insert("surprise".into(), Value::from(1));
            let found = (case.recode)(tree.to_string().as_bytes());
            match case.unknown {
                Unknown::Refused => {
                    let found = found.expect_err("an unknown field");
                    assert!(found.contains("unknown field `surprise`"), "{}: {found}", case.name);
                }
                Unknown::Ignored if refuses_by_itself(case, &place) => {
                    let found = found.expect_err("an unknown field");
                    assert!(found.contains("unknown field `surprise`"), "{}: {found}", case.name);
                }
                Unknown::Ignored => {
                    assert_eq!(found, (case.recode)(case.golden.as_bytes()), "{}", case.name);
                }
            }
        }
    }
}

/// Objects that answers share with requests, which refuse unknown fields.
fn refuses_by_itself(case: &Case, place: &str) -> bool {
    let shared = [
        ("events", "/terms"),
        ("pseudo-bids", "/bid"),
        ("connections", "/record"),
        ("account", "/record"),
        ("account", "/readings/0"),
        ("account", "/bid"),
    ];
    shared.iter().any(|(name, end)| case.name == *name && place.ends_with(end))
}

#[test]
fn both_ends_of_every_range_are_accepted_and_one_beyond_is_refused() {
    for case in all() {
        for place in case.leaf_places() {
            if let Leaf::Integer(least, most) | Leaf::MaybeInteger(least, most) =
                case.leaf_at(&place)
            {
                accepted(case, &place, &least.to_string());
                accepted(case, &place, &most.to_string());
                refused(case, &place, &(least - 1).to_string());
                refused(case, &place, &(most + 1).to_string());
                refused(case, &place, &u128::MAX.to_string());
            }
        }
    }
}

#[test]
fn every_word_is_accepted_and_no_other() {
    for case in all() {
        for place in case.leaf_places() {
            if let Leaf::Word(words) | Leaf::MaybeWord(words) = case.leaf_at(&place) {
                words.iter().for_each(|word| accepted(case, &place, &format!("\"{word}\"")));
                let capital = words[0].to_uppercase();
                for other in ["", "surprise", capital.as_str()] {
                    refused(case, &place, &format!("\"{other}\""));
                }
            }
        }
    }
}

#[test]
fn identifiers_are_bounded_and_plain() {
    for case in all() {
        for place in case.leaf_places() {
            if let Leaf::Id(most) = case.leaf_at(&place) {
                accepted(case, &place, &format!("\"{}\"", "a".repeat(most)));
                refused(case, &place, &format!("\"{}\"", "a".repeat(most + 1)));
                for other in ["", "A", "a/b", "-a", ".a", "a b", "\u{e9}", "a\\u0000"] {
                    refused(case, &place, &format!("\"{other}\""));
                }
            }
        }
    }
}

#[test]
fn bytes_are_lower_case_hexadecimal_of_the_right_length() {
    for case in all() {
        for place in case.leaf_places() {
            let leaf = case.leaf_at(&place);
            if let Leaf::Hex32 | Leaf::Hex = leaf {
                for other in ["0", "0A", "0g", "0x00", " 00"] {
                    refused(case, &place, &format!("\"{other}\""));
                }
            }
            if let Leaf::Hex32 = leaf {
                for digits in [0, 62, 63, 65, 66] {
                    refused(case, &place, &format!("\"{}\"", "0".repeat(digits)));
                }
            }
        }
    }
}

#[test]
fn a_value_of_another_type_is_refused() {
    for case in all() {
        for place in case.leaf_places() {
            for raw in strangers(case.leaf_at(&place)) {
                refused(case, &place, raw);
            }
        }
        for place in case.container_places() {
            let is_array = matches!(case.tree().pointer(&place), Some(Value::Array(_)));
            for raw in
                if is_array { ["true", "1", "\"\"", "{}"] } else { ["true", "1", "\"\"", "[1]"] }
            {
                refused(case, &place, raw);
            }
            // An object that may be absent is the one place for `null`: a bid.
            let maybe = ["bid-request", "account"].contains(&case.name) && place.ends_with("/bid");
            if !maybe {
                refused(case, &place, "null");
            }
        }
    }
}

/// Values of every type that cannot stand at `leaf`.
fn strangers(leaf: Leaf) -> &'static [&'static str] {
    match leaf {
        Leaf::Integer(..) => &["null", "true", "1.5", "1.0", "1e0", "\"1\"", "[]", "{}", "01"],
        Leaf::MaybeInteger(..) => &["true", "1.5", "1.0", "1e0", "\"1\"", "[]", "{}"],
        Leaf::Id(_) | Leaf::Word(_) | Leaf::Hex32 | Leaf::Hex | Leaf::Text => {
            &["null", "true", "1", "1.5", "[]", "{}"]
        }
        Leaf::MaybeWord(_) => &["true", "1", "1.5", "[]", "{}"],
        Leaf::Flag => &["null", "0", "1", "\"true\"", "[]", "{}"],
        Leaf::Absent => &["true", "1", "\"null\"", "[]", "{}"],
    }
}

#[test]
fn a_body_one_byte_too_long_is_refused_by_its_length() {
    for case in all() {
        let mut body = case.golden.as_bytes().to_vec();
        body.resize(case.longest, b' ');
        assert!((case.recode)(&body).is_ok(), "{}", case.name);
        body.push(b' ');
        let expected = format!("expected at most {} bytes, found {}", case.longest, body.len());
        let found = (case.recode)(&body).expect_err("a body that is too long");
        assert!(found.ends_with(&expected), "{}: {found}", case.name);
    }
}

#[test]
fn half_a_body_and_two_bodies_are_refused() {
    for case in all() {
        let golden = case.golden.trim_end();
        for end in 0..golden.len() {
            assert!((case.recode)(&golden.as_bytes()[..end]).is_err(), "{} {end}", case.name);
        }
        let twice = format!("{golden}{golden}");
        let found = (case.recode)(twice.as_bytes()).expect_err("two bodies");
        assert!(found.contains("trailing characters"), "{}: {found}", case.name);
    }
}

#[test]
fn a_change_of_a_leaf_is_a_change_of_the_message() {
    for case in all() {
        for place in case.leaf_places() {
            let Leaf::Integer(least, most) = case.leaf_at(&place) else { continue };
            let [low, high] = [least, most].map(|value| {
                let text = replaced(case.tree(), &place, &value.to_string());
                (case.recode)(text.as_bytes()).expect("both ends are accepted")
            });
            assert_eq!(low == high, least == most, "{}{place}", case.name);
        }
    }
}
