//! The figures: a table for people, integers for programs.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use tre_tests::{place, table};

/// Largest image that meets the goal. Unit: bytes.
const IMAGE_GOAL: u64 = 5 * 1024 * 1024;

/// All figures of a run.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    /// Connections at once.
    pub(crate) connections: u32,
    /// Length of each measurement, in seconds.
    pub(crate) seconds: u64,
    /// Readings against echoes, over kept-alive connections.
    pub(crate) kept_alive: Comparison,
    /// Connections with one reading against bare handshakes.
    pub(crate) fresh: Comparison,
    /// Of what is shipped.
    pub(crate) sizes: Sizes,
}

/// Rates of both servers, round by round. Unit: per second.
#[derive(Clone, Debug, Default)]
pub(crate) struct Comparison {
    /// The TRE's.
    pub(crate) tre: Vec<u64>,
    /// The bare server's.
    pub(crate) baseline: Vec<u64>,
}

/// Sizes of what `make image` made. Unit: bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    image: u64,
    efi: u64,
    tred: u64,
}

impl Comparison {
    /// The TRE's median by the baseline's, rounded down. Unit: thousandths.
    fn permille(&self) -> Option<u64> {
        median(&self.tre)?.saturating_mul(1_000).checked_div(median(&self.baseline)?)
    }

    fn to_json(&self) -> Value {
        json!({
            "tre_per_second": median(&self.tre),
            "baseline_per_second": median(&self.baseline),
            "ratio_permille": self.permille(),
            "tre_rounds": self.tre,
            "baseline_rounds": self.baseline,
        })
    }

    #[expect(clippy::print_stdout, reason = "a command line")]
    fn print(&self, what: &str) {
        let shown = |figure: Option<u64>| figure.map_or_else(String::new, |it| it.to_string());
        let ratio = self.permille().map_or_else(String::new, thousandths);
        let (tre, baseline) = (shown(median(&self.tre)), shown(median(&self.baseline)));
        println!("{what:<52} {tre:>8} {baseline:>9} {ratio:>7}");
    }
}

/// Reads the sizes of what `make image` made.
///
/// # Errors
///
/// When it has not.
pub(crate) fn sizes() -> Result<Sizes> {
    let len = |name| Ok::<_, anyhow::Error>(fs::metadata(place::built(name)?)?.len());
    Ok(Sizes { image: len("tre.img")?, efi: len("tre.efi")?, tred: len("tred")? })
}

/// Prints the table and writes `out`.
///
/// # Errors
///
/// When `out` cannot be written.
#[expect(clippy::print_stdout, reason = "a command line")]
pub(crate) fn write(out: &Path, figures: &Figures) -> Result<()> {
    let Figures { connections, seconds, kept_alive, fresh, sizes } = figures;
    let Sizes { image, efi, tred } = *sizes;
    let met = image <= IMAGE_GOAL;
    let value = json!({
        "durable": false,
        "connections": connections,
        "seconds": seconds,
        "rounds": kept_alive.tre.len(),
        "readings_against_echoes": kept_alive.to_json(),
        "fresh_readings_against_handshakes": fresh.to_json(),
        "bytes": { "image": image, "efi": efi, "tred": tred },
        "image_goal": { "at_most_bytes": IMAGE_GOAL, "met": met },
    });
    table::write(out, &value)?;

    println!("\nHosted TRE, mutual TLS 1.3, durable: false, {connections} connections at once.");
    println!("Clients and both servers share this machine; only ratios compare across machines.");
    println!("\n{:<52} {:>8} {:>9} {:>7}", "per second, median", "TRE", "baseline", "ratio");
    kept_alive.print("readings, kept alive / echoes of the same body");
    fresh.print("connection and one reading / bare handshakes");
    let goal = if met { "met" } else { "MISSED" };
    println!("\n{:<20} {:>10}", "size", "bytes");
    println!("{:<20} {image:>10}   goal of at most {IMAGE_GOAL}: {goal}", "tre.img");
    println!("{:<20} {efi:>10}", "tre.efi");
    println!("{:<20} {tred:>10}", "tred (as shipped)");
    println!("\nReport: {}", out.display());
    Ok(())
}

/// The middle one; of two the lower, `None` of none.
pub(crate) fn median(figures: &[u64]) -> Option<u64> {
    let mut sorted = figures.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len().checked_sub(1)?.checked_div(2)?;
    sorted.get(middle).copied()
}

/// Thousandths with a point.
pub(crate) fn thousandths(value: u64) -> String {
    let (whole, rest) = (value.checked_div(1_000), value.checked_rem(1_000));
    format!("{}.{:03}", whole.unwrap_or_default(), rest.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_odd_round_does_not_move_the_median() {
        assert_eq!(median(&[900, 10, 1_000]), Some(900));
        assert_eq!(median(&[4, 2]), Some(2));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_ratio_is_of_medians_and_rounded_down() {
        let comparison = Comparison { tre: vec![1, 2, 2], baseline: vec![3, 3, 9] };
        assert_eq!(comparison.permille(), Some(666));
        assert_eq!(thousandths(1_066), "1.066");
    }
}
