//! Which package may depend on which. The table is the architecture.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;
use tre_tests::place;

/// Every allowed edge between our own packages. A new line is a reviewed act.
const ALLOWED: &[(&str, &[&str])] = &[
    ("attest-verifier", &["attest-verifier-core"]),
    ("attest-verifier-core", &["measured-boot", "tre-wire"]),
    ("image", &["measured-boot", "tre-wire"]),
    ("measured-boot", &[]),
    ("pki", &["attest-verifier", "measured-boot", "tre-tpm-key", "tre-wire"]),
    ("tre-attacks", &["tre-grid", "tre-wire"]),
    ("tre-client", &["attest-verifier", "tre-tpm-key", "tre-wire"]),
    (
        "tre-decoders",
        &["attest-verifier", "attest-verifier-core", "measured-boot", "pki", "tre-wire"],
    ),
    ("tre-grid", &["tre-wire"]),
    ("tre-interposer", &[]),
    ("tre-oracles", &["tre-grid", "tre-wire"]),
    ("tre-store", &["tre-tpm"]),
    ("tre-tpm", &["measured-boot"]),
    ("tre-tpm-key", &["measured-boot", "tre-tpm", "tre-wire"]),
    ("tre-tracer", &[]),
    ("tre-wire", &[]),
    ("tred", &["measured-boot", "tre-grid", "tre-store", "tre-tpm", "tre-wire"]),
];

/// What cargo says of the workspace.
pub(crate) fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(place::root())
        .output()
        .expect("cargo metadata");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Packages of the workspace with their normal dependencies, as cargo reads the manifests.
fn packages() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages");
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let normal = |package: &Value| -> BTreeSet<String> {
        let all = package["dependencies"].as_array().expect("dependencies").iter();
        all.filter(|dependency| dependency["kind"].is_null()).map(name).collect()
    };
    packages.iter().map(|package| (name(package), normal(package))).collect()
}

#[test]
fn packages_depend_only_along_the_allowed_edges() {
    let packages = packages();
    let ours: BTreeSet<String> = packages.keys().cloned().collect();
    for (package, dependencies) in &packages {
        if package == "tre-tests" {
            continue;
        }
        let allowed = ALLOWED.iter().find(|(name, _)| name == package);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{package} is not in the table"));
        for dependency in dependencies.intersection(&ours) {
            assert!(allowed.contains(&dependency.as_str()), "{package} -> {dependency}");
        }
    }
}

#[test]
fn every_allowed_edge_is_used() {
    let packages = packages();
    for (package, allowed) in ALLOWED {
        let found = packages.get(*package).unwrap_or_else(|| panic!("no package {package}"));
        for dependency in *allowed {
            assert!(found.contains(*dependency), "{package} -> {dependency} is not there");
        }
    }
}

#[test]
fn nothing_depends_on_the_tests_or_the_daemon() {
    for (package, dependencies) in packages() {
        for forbidden in ["tre-tests", "tred"] {
            assert!(!dependencies.contains(forbidden), "{package} -> {forbidden}");
        }
    }
}
