//! What is linked into the trusted program, and what must not be.

use std::fs;
use std::process::Command;

use image::checkout::Checkout;
use image::{reference, tcb};
use measured_boot::manifest::ReferenceManifest;
use measured_boot::manifest::tcb::{Origin, UnsafeCode};
use tre_tests::place;

/// Crates linked into `tred` as the appliance builds it, one a line, sorted.
fn linked_crates() -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--package", "tred", "--no-default-features"])
        .args(["--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"])
        .current_dir(place::root())
        .output()
        .expect("cargo tree");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let names = text.lines().filter_map(|line| line.split(' ').next());
    let names: std::collections::BTreeSet<&str> = names.filter(|name| !name.is_empty()).collect();
    names.into_iter().map(|name| format!("{name}\n")).collect()
}

/// The reviewed list: crate, tab, why it is in. Each with its reason.
fn reviewed() -> impl Iterator<Item = (&'static str, &'static str)> {
    let line = |line: &'static str| {
        let (name, reason) = line.split_once('\t').unwrap_or((line, ""));
        assert!(!reason.trim().is_empty(), "tests/house/tred-crates.txt: {name} has no reason");
        (name, reason)
    };
    include_str!("tred-crates.txt").lines().map(line)
}

/// What `make image` wrote down of the image.
fn manifest() -> ReferenceManifest {
    reference::read(&place::built("manifest.json").expect("an image")).expect("a manifest")
}

/// A new line is new code inside the trust boundary: a reviewed act.
#[test]
fn trusted_computing_base_of_the_daemon() {
    let expected: String = reviewed().map(|(name, _)| format!("{name}\n")).collect();
    let found = linked_crates();
    assert_eq!(found, expected, "tests/house/tred-crates.txt is not what cargo links");
}

/// The report counts what the compiler compiled; the list is what cargo would link.
#[test]
fn the_tcb_report_counts_every_reviewed_crate_and_no_other() {
    let report = manifest().release.expect("a report").tcb;
    let mut counted: Vec<&str> = report.rust.iter().map(|package| package.name.as_str()).collect();
    counted.dedup();
    assert_eq!(counted, reviewed().map(|(name, _)| name).collect::<Vec<_>>());
    for package in &report.rust {
        let ours = package.origin == Origin::Own;
        assert!(package.code_lines > 0, "{}: expected lines", package.name);
        let used = package.unsafe_code != UnsafeCode::default();
        assert!(!(ours && used), "{}: expected no unsafe code of ours", package.name);
    }
    assert_eq!(report.ports, [tre_wire::PORT]);
    assert_eq!(report.kernel.modules, 0);
}

/// An image of other inputs than the locked ones has other figures, and its manifest says so.
#[test]
fn the_committed_tcb_document_is_that_of_the_image() {
    let manifest = manifest();
    let found = tcb::document(&Checkout::own(), &manifest).expect("a document");
    let committed = fs::read_to_string(place::root().join(tcb::DOCUMENT)).expect("committed");
    if manifest.locked {
        assert!(found == committed, "{} is stale: {REFRESH}", tcb::DOCUMENT);
        return;
    }
    // What does not hang on packages of Debian must be right all the same.
    eprintln!(
        "trusted: skipped 1: the image's inputs moved; of {} only crates and calls are compared",
        tcb::DOCUMENT
    );
    for heading in ["## Rust crates in `tred`", "## System calls"] {
        let section = |text: &str| {
            let (_, after) = text.split_once(heading).expect("the section");
            after.split("\n## ").next().expect("its text").to_owned()
        };
        assert!(section(&found) == section(&committed), "{} is stale: {REFRESH}", tcb::DOCUMENT);
    }
}

/// How a stale document is made anew.
const REFRESH: &str = "run `cargo run --package image --bin tre-image -- tcb --write`";

#[test]
fn the_shipped_executable_has_no_hosted_mode() {
    let tred = fs::read(place::built("tred").expect("an image")).expect("a readable tred");
    let markers = [
        // The software TPM's connector, and the words of the hosted command line.
        "Tss2_Tcti_Swtpm_Init",
        "Socket of a running swtpm",
        "swtpm_setup",
        "--event-log",
    ];
    for marker in markers {
        let there = tred.windows(marker.len()).any(|window| window == marker.as_bytes());
        assert!(!there, "expected no {marker:?} in the image's tred");
    }
    // The search finds what is there.
    let line = b"enrolled; now serving";
    assert!(tred.windows(line.len()).any(|window| window == line));
}
