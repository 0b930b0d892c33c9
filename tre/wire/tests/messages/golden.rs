//! The golden files themselves.

use std::collections::BTreeSet;
use std::path::Path;

use crate::answers::ANSWERS;
use crate::case::{Case, pattern_of};
use crate::requests::REQUESTS;

/// Requests and answers.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    REQUESTS.iter().chain(ANSWERS)
}

#[test]
fn every_literal_decodes_and_encodes_back_to_the_same_bytes() {
    for case in all() {
        let golden = case.golden.strip_suffix('\n').expect("one line and its end");
        let bytes = (case.recode)(golden.as_bytes());
        assert_eq!(bytes.map(String::from_utf8), Ok(Ok(golden.into())), "{}", case.name);
    }
}

#[test]
fn every_leaf_of_every_literal_is_described_and_nothing_else() {
    for case in all() {
        let found: BTreeSet<_> = case.leaf_places().iter().map(|place| pattern_of(place)).collect();
        let described: BTreeSet<_> =
            case.leaves.iter().map(|(place, _)| String::from(*place)).collect();
        assert_eq!(found, described, "{}", case.name);
    }
}

#[test]
fn every_golden_file_belongs_to_a_message() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/v1/messages");
    let found: BTreeSet<_> = std::fs::read_dir(folder)
        .expect("the golden files lie in tests/vectors/v1/messages")
        .map(|entry| entry.expect("readable").file_name().into_string().expect("plain name"))
        .collect();
    let expected: BTreeSet<_> = all().map(|case| format!("{}.json", case.name)).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_message_type_has_a_golden_file() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/message");
    let named: BTreeSet<_> = all().map(|case| String::from(case.name)).collect();
    let mut found = 0;
    for file in std::fs::read_dir(folder).expect("the messages lie in src/message") {
        let source = std::fs::read_to_string(file.expect("readable").path()).expect("text");
        for item in source.split("\n\n") {
            // What is sent whole says so in the first line of its documentation.
            if !["/// Body of", "/// Answer"].iter().any(|start| item.starts_with(start)) {
                continue;
            }
            let (_, name) = item.split_once("pub struct ").expect("a message is a struct");
            let name = name.split_once([' ', '{']).map_or(name, |(name, _)| name);
            assert!(named.contains(&kebab(name)), "{name} has no golden file");
            found += 1;
        }
    }
    assert!(found > 25, "expected every message of the interface, found {found}");
}

/// `LikeThis` as `like-this`.
fn kebab(name: &str) -> String {
    let letter = |letter: char| match letter {
        'A'..='Z' => format!("-{}", letter.to_ascii_lowercase()),
        _ => String::from(letter),
    };
    let words: String = name.chars().map(letter).collect();
    String::from(words.trim_start_matches('-'))
}
