//! Figures of a usual kernel and of another attestation agent, beside ours.
//!
//! They are committed, with the versions they are of: what others ship does not change with our
//! builds. [`super::compare`] counts them anew.

use std::collections::BTreeMap;

use measured_boot::manifest::tcb::{Origin, TcbReport};

use super::document::{distinct, grouped, line, lines_of_c, lines_of_kernel, sums};

/// Where the figures are committed, in the checkout: a name, a tab, a value.
pub(super) const FILE: &str = "image/tcb/comparison.tsv";

/// Values by name.
#[derive(Debug)]
pub(super) struct Comparison(BTreeMap<String, String>);

/// What an image's own kernel amounts to.
#[derive(Clone, Copy, Debug)]
pub(super) struct KernelSizes {
    /// The EFI file, with the kernel and `tred` in it. Unit: byte.
    pub(super) file: u64,
}

impl Comparison {
    /// Reads the committed figures.
    pub(super) fn parse(text: &str) -> Self {
        let pair =
            |line: &str| line.split_once('\t').map(|(name, value)| (name.into(), value.into()));
        Self(text.lines().filter_map(pair).collect())
    }

    /// A committed value; a dash where there is none.
    fn value(&self, name: &str) -> String {
        let value = self.0.get(name).map_or("-", String::as_str);
        value.parse().map_or_else(|_| value.to_owned(), grouped)
    }

    /// Both comparisons as tables.
    pub(super) fn tables(&self, tcb: &TcbReport, sizes: KernelSizes) -> String {
        let mut text = format!(
            "The kernel, beside Debian's for virtual machines\n(package {} {}).\n\n\
             | figure | this image | Debian's cloud kernel |\n|---|---:|---:|\n",
            self.value("kernel package"),
            self.value("kernel version"),
        );
        let kernel = &tcb.kernel;
        for (figure, ours, theirs) in [
            ("options built in (`=y`)", u64::from(kernel.built_in), "kernel options built in"),
            ("options as modules (`=m`)", kernel.modules.into(), "kernel options as modules"),
            ("kernel file, bytes (ours with `tred` in it)", sizes.file, "kernel file"),
            ("module files, bytes", 0, "kernel modules"),
        ] {
            line(&mut text, &[figure, &grouped(ours), &self.value(theirs)]);
        }
        let theirs = "not counted: its package does not say which files were compiled";
        line(&mut text, &["C and assembly", &lines_of_kernel(&tcb.native), theirs]);
        text.push_str(&format!(
            "\n`tred`, beside the Keylime agent (keylime/rust-keylime {}), counted in the same \
             way: the program that\nmakes evidence on a usual attested host. The agent does less (it \
             keeps no readings and computes no\nbills) and runs beside everything else on that \
             host.\n\n\
             | figure | `tred` | Keylime agent |\n|---|---:|---:|\n",
            self.value("agent version"),
        ));
        let (own, own_lines, own_unsafe) = sums(&tcb.rust, Origin::Own);
        let (others, others_lines, others_unsafe) = sums(&tcb.rust, Origin::ThirdParty);
        let count = |count| u64::try_from(count).unwrap_or(u64::MAX);
        for (figure, ours, theirs) in [
            ("crates of its own", count(own), "agent own crates"),
            ("lines of Rust of its own", own_lines, "agent own lines"),
            ("unsafe in them", own_unsafe, "agent own unsafe"),
            ("crates of others", count(others), "agent other crates"),
            ("lines of Rust of others", others_lines, "agent other lines"),
            ("unsafe in them", others_unsafe, "agent other unsafe"),
        ] {
            line(&mut text, &[figure, &grouped(ours), &self.value(theirs)]);
        }
        let calls = format!("{}, by a filter", distinct(&tcb.system_calls));
        line(&mut text, &["system calls it may make", &calls, "all: it has no filter of its own"]);
        let ports: Vec<String> = tcb.ports.iter().map(u16::to_string).collect();
        let port = self.0.get("agent port").map_or("-", String::as_str);
        line(&mut text, &["TCP port", &ports.join(", "), port]);
        let c = "in shared libraries (OpenSSL, tpm2-tss): not counted";
        line(&mut text, &["C", &format!("{} lines", grouped(lines_of_c(&tcb.native))), c]);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_what_is_missing_is_a_dash() {
        let comparison = Comparison::parse("kernel file\t12345678\nagent version\tv1\n");
        assert_eq!(comparison.value("kernel file"), "12,345,678");
        assert_eq!(comparison.value("agent version"), "v1");
        assert_eq!(comparison.value("agent port"), "-");
    }

    /// A dash is for figures that nobody has, not for names that do not fit.
    #[test]
    fn every_figure_is_committed() {
        let committed = Comparison::parse(include_str!("../../tcb/comparison.tsv"));
        let kernel = measured_boot::manifest::tcb::KernelOptions {
            built_in: 1,
            beyond_smallest: 1,
            modules: 0,
        };
        let tcb = TcbReport {
            rust: Vec::new(),
            native: Vec::new(),
            kernel,
            system_calls: Vec::new(),
            ports: Vec::new(),
        };
        let text = committed.tables(&tcb, KernelSizes { file: 1 });
        assert!(!text.contains("| - |") && !text.contains(" - "), "{text}");
    }
}
