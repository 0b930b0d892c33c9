//! The kernel's configuration, counted, against the smallest that it could have.

use std::collections::BTreeSet;

use measured_boot::manifest::tcb::KernelOptions;

/// Counts a configuration; `smallest` is what `make tinyconfig` gives for the same source.
pub(super) fn options(configuration: &str, smallest: &str) -> KernelOptions {
    let set = |text, value| -> BTreeSet<String> { options_with(text, value) };
    let built_in = set(configuration, "y");
    let smallest = set(smallest, "y");
    let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
    KernelOptions {
        built_in: count(built_in.len()),
        beyond_smallest: count(built_in.difference(&smallest).count()),
        modules: count(set(configuration, "m").len()),
    }
}

/// Names of the options with this value.
fn options_with(configuration: &str, value: &str) -> BTreeSet<String> {
    let option = |line: &str| match line.split_once('=') {
        Some((name, found)) if found == value && name.starts_with("CONFIG_") => Some(name.into()),
        _ => None,
    };
    configuration.lines().filter_map(option).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_options_that_are_switched_on_count() {
        let smallest = "CONFIG_64BIT=y\nCONFIG_GONE=y\n# CONFIG_NET is not set\n";
        let configuration = "# a comment\nCONFIG_64BIT=y\nCONFIG_NET=y\nCONFIG_USB=m\n\
                             # CONFIG_SMP is not set\nCONFIG_HZ=250\nCONFIG_NAME=\"y\"\n";
        let expected = KernelOptions { built_in: 2, beyond_smallest: 1, modules: 1 };
        assert_eq!(options(configuration, smallest), expected);
    }
}
