//! Every known pitfall of attestation has its negative tests, and they are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tre_tests::place;

/// Names of all functions in all Rust files that git knows.
fn functions() -> BTreeSet<String> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(place::root())
        .output()
        .expect("git");
    let names = String::from_utf8(listed.stdout).expect("names");
    let files = names.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from);
    let mut functions = BTreeSet::new();
    for file in files.filter(|file| place::root().join(file).is_file()) {
        let text = fs::read_to_string(place::root().join(&file)).expect("a source file");
        for line in text.lines() {
            let line = line.trim_start().trim_start_matches("async ");
            let name = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next());
            functions.extend(name.map(ToOwned::to_owned));
        }
    }
    functions
}

fn docs() -> String {
    let path = place::root().join("docs/ATTESTATION.md");
    fs::read_to_string(Path::new(&path)).expect("docs/ATTESTATION.md")
}

#[test]
fn every_pitfall_names_a_test_that_is_there() {
    let (docs, functions) = (docs(), functions());
    let mut numbers = Vec::new();
    for row in docs.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let Ok(number) = cells[1].parse::<usize>() else { continue };
        numbers.push(number);
        let mut tests = cells[3].split('`').skip(1).step_by(2).filter(|name| !name.contains('/'));
        let first = tests.next();
        assert!(first.is_some(), "expected the name of a test: {row}");
        for test in first.into_iter().chain(tests) {
            assert!(functions.contains(test), "pitfall {number}: no test is called {test}");
        }
    }
    assert_eq!(numbers, (1..=25).collect::<Vec<_>>());
}

/// Pitfall 17. That the kernel has these options, and that one held off is off in the kernel that
/// is built, is held where the kernel is configured.
#[test]
fn no_other_kernel_and_no_sleep_is_held_off_by_name() {
    let path = place::root().join("image/kernel/tre.config");
    let config = fs::read_to_string(path).expect("the kernel's options");
    for option in ["KEXEC", "KEXEC_FILE", "HIBERNATION", "SUSPEND", "MODULES"] {
        let line = format!("# CONFIG_{option} is not set");
        assert!(config.lines().any(|found| found == line), "{line}");
    }
}

/// Pitfall 25: a name that a peer chose would be a key or a text here.
#[test]
fn metrics_are_a_fixed_set_of_numbers() {
    let path = place::root().join("tests/vectors/v1/messages/metrics.json");
    let metrics: Value = serde_json::from_slice(&fs::read(path).expect("a vector")).expect("JSON");
    let metrics = metrics.as_object().expect("an object");
    assert!(!metrics.is_empty());
    for (name, value) in metrics {
        let digits = value.as_str().is_some_and(|text| text.parse::<u64>().is_ok());
        assert!(value.is_u64() || digits, "{name}: {value}");
    }
}
