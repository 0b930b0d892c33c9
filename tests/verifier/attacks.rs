//! Attacks on attestation as running programs: all are refused, each by its own error.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::Value;
use tre_tests::place;
use tre_tests::teeth::Mutant;

#[test]
fn every_attack_on_attestation_is_refused_by_its_own_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("attestation.json");
    let program = place::program("attestation-attacks").expect("built");
    let mut attacks = Command::new(program);
    // The TPM's refusals are results here; its software stack would print each as an error.
    attacks.arg("--out").arg(&out).env("TSS2_LOG", "all+none");
    let output = attacks.output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let table: Value = serde_json::from_slice(&fs::read(out).expect("a table")).expect("JSON");
    let rows = table["attestation"].as_array().expect("rows");
    assert!(rows.iter().all(|row| row["held"] == true), "{table:#}");
    let names: BTreeSet<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
    assert_eq!(names.len(), rows.len(), "each attack has a name of its own");
    let controls = names.iter().filter(|name| name.starts_with("control-")).count();
    assert_eq!(controls, 2, "without its controls a refusal shows little: {names:?}");
    for row in rows {
        let name = row["name"].as_str().expect("a name");
        let Some(mutant) = row["mutant"].as_str() else {
            assert!(name.starts_with("control-"), "{name}: no patch lets it in");
            continue;
        };
        let path = place::root().join("tests/mutants").join(mutant).with_extension("patch");
        let patch = Mutant::read(&path).expect(mutant);
        let played = patch.attack().split_once("run attestation-attacks -- ").expect(mutant).1;
        let played: BTreeSet<&str> = played.split(' ').collect();
        assert!(played.contains(name), "{mutant} does not play {name}");
        // Each of them must get in, not one of them.
        let count = played.len();
        let all = format!("0 of {count} as they must be, {count} got in");
        let expected = if count == 1 { "GOT IN" } else { &all };
        assert_eq!(patch.succeeds(), expected, "{mutant}");
    }
}
