//! What is linked into the trusted program, and what must not be.

use std::fs;
use std::process::Command;

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

/// A new line is new code inside the trust boundary: a reviewed act.
#[test]
fn trusted_computing_base_of_the_daemon() {
    let expected = include_str!("tred-crates.txt");
    let found = linked_crates();
    assert_eq!(found, expected, "tests/house/tred-crates.txt is not what cargo links");
}

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
