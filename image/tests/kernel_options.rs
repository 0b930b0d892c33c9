//! The kernel's options are the reviewed ones, or there is no kernel: `kernel/check.sh` compares a
//! configuration with the committed lists. Nothing is compiled here.

#![forbid(unsafe_code)]
#![expect(clippy::expect_used, reason = "the lint's exemption for tests leaves out their helpers")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The scripts and lists of this package.
const KERNEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/kernel");

/// What a check reads, in a folder of its own: the committed lists, a tiny configuration, the one
/// that the lists describe, and sources that know exactly the options of the lists.
struct Case(TempDir);

impl Case {
    fn new() -> Self {
        let case = Self(tempfile::tempdir().expect("temporary folder"));
        for list in ["tre.config", "implied.config"] {
            fs::copy(Path::new(KERNEL).join(list), case.path(list)).expect("committed");
        }
        let (asked, implied) = (case.read("tre.config"), case.read("implied.config"));
        let set = |list: &str| -> String {
            list.lines().filter(|line| line.starts_with("CONFIG_")).flat_map(ended).collect()
        };
        case.write("tiny", "CONFIG_TINY=y\n# CONFIG_SMP is not set\n");
        case.write("final", &format!("CONFIG_TINY=y\n{}{}", set(&asked), set(&implied)));
        let known: BTreeSet<&str> = asked.lines().filter_map(option).collect();
        let kconfig =
            known.iter().map(|name| format!("config {name}\n\tbool\n")).collect::<String>();
        fs::create_dir(case.path("sources")).expect("makes");
        case.write("sources/Kconfig", &kconfig);
        case
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("reads")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("writes");
    }

    /// Changes the one place of a file where `from` stands.
    fn change(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert_eq!(text.matches(from).count(), 1, "{name}: '{from}'");
        self.write(name, &text.replace(from, to));
    }

    fn check(&self) -> Output {
        Command::new(Path::new(KERNEL).join("check.sh"))
            .args(["tiny", "tre.config", "implied.config", "final", "sources"])
            .current_dir(self.0.path())
            .output()
            .expect("starts")
    }

    /// Demands that the check fails with this complaint and no other.
    fn refused(&self, complaint: &str) {
        let output = self.check();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let (first, rest) = said.split_once('\n').expect("two lines");
        assert_eq!(first, complaint);
        assert_eq!(
            rest,
            "kernel: these options of the kernel are not the reviewed ones: \
             change the lists, with reasons\n",
        );
    }
}

fn ended(line: &str) -> [&str; 2] {
    [line, "\n"]
}

/// The name in a line that sets an option, or holds it off.
fn option(line: &str) -> Option<&str> {
    let held_off = line.strip_prefix("# CONFIG_").and_then(|rest| rest.strip_suffix(" is not set"));
    let set = line.strip_prefix("CONFIG_").and_then(|rest| rest.split_once('='));
    held_off.or(set.map(|(name, _)| name))
}

#[test]
fn the_committed_lists_are_whole() {
    let output = Case::new().check();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_new_option_is_refused_by_name() {
    let case = Case::new();
    case.change("final", "CONFIG_TINY=y\n", "CONFIG_TINY=y\nCONFIG_DEBUG_RODATA_TEST=y\n");
    case.refused("new, neither asked for nor implied: CONFIG_DEBUG_RODATA_TEST=y");
}

#[test]
fn an_option_with_another_value_is_refused() {
    let case = Case::new();
    case.change("final", "CONFIG_LOG_BUF_SHIFT=17\n", "CONFIG_LOG_BUF_SHIFT=18\n");
    case.change("implied.config", "CONFIG_LOG_BUF_SHIFT=17", "CONFIG_LOG_BUF_SHIFT=18");
    assert!(case.check().status.success());
    case.change("final", "CONFIG_LOG_BUF_SHIFT=18\n", "");
    case.refused("implied, and not there any more: CONFIG_LOG_BUF_SHIFT=18");
}

#[test]
fn an_option_that_the_kernel_refuses_is_named() {
    let case = Case::new();
    case.change("final", "CONFIG_SECURITY_YAMA=y\n", "");
    case.refused("asked for, and refused: CONFIG_SECURITY_YAMA=y");
}

#[test]
fn an_option_that_is_held_off_must_be_off() {
    let case = Case::new();
    // Where tinyconfig has it on, nothing else would complain.
    case.change("tiny", "CONFIG_TINY=y\n", "CONFIG_TINY=y\nCONFIG_DEVMEM=y\n");
    case.change("final", "CONFIG_TINY=y\n", "CONFIG_TINY=y\nCONFIG_DEVMEM=y\n");
    case.refused("held off, and on: CONFIG_DEVMEM");
}

#[test]
fn an_option_held_off_under_a_name_that_nobody_knows_is_refused() {
    let case = Case::new();
    case.change("sources/Kconfig", "config DEVMEM\n", "config DEV_MEM\n");
    case.refused("held off, and unknown to these sources: CONFIG_DEVMEM");
}

#[test]
fn an_option_without_a_reason_is_refused() {
    for list in ["tre.config", "implied.config"] {
        let case = Case::new();
        let text = format!("{}\n## A heading gives none\n\nCONFIG_EXTRA=y\n", case.read(list));
        case.write(list, &text);
        case.change("final", "CONFIG_TINY=y\n", "CONFIG_TINY=y\nCONFIG_EXTRA=y\n");
        case.refused("without a reason above it: CONFIG_EXTRA=y");
    }
}

#[test]
fn an_option_is_asked_for_or_implied_but_not_both() {
    let case = Case::new();
    let text = format!("{}\n# ACPI: again.\nCONFIG_ACPI=y\n", case.read("implied.config"));
    case.write("implied.config", &text);
    case.refused("asked for, and listed as implied: CONFIG_ACPI=y");
}
