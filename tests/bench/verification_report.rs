//! The figures of one verification: a table for people, integers for programs.

use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use tre_tests::table;

use crate::report::{median, thousandths};
use crate::verification::Round;

/// Longest processor time for one evidence that meets the goal. Unit: microseconds.
const GOAL_US: u64 = 1_000;

/// Prints the table and writes `out`.
///
/// # Errors
///
/// When `out` cannot be written.
#[expect(clippy::print_stdout, reason = "a command line")]
pub(crate) fn write(out: &Path, rounds: &[Round]) -> Result<()> {
    let of = |part: fn(&Round) -> u64| rounds.iter().map(part).collect::<Vec<u64>>();
    let (whole, appraisal) = (of(|round| round.whole), of(|round| round.appraisal));
    let (bare, tools) = (of(|round| round.bare), of(|round| round.tools));
    let by =
        |baseline: &[u64]| median(&whole)?.saturating_mul(1_000).checked_div(median(baseline)?);
    let (by_bare, by_tools) = (by(&bare), by(&tools));
    let met = median(&whole).is_some_and(|whole| whole < GOAL_US);
    let value = json!({
        "rounds": rounds.len(),
        "bytes_to_verdict": figures(&whole),
        "decoded_to_verdict": figures(&appraisal),
        "baseline_signature_checks_and_hashes": figures(&bare),
        "baseline_tpm2_checkquote_and_tpm2_eventlog": figures(&tools),
        "ratio_permille_to_signature_checks_and_hashes": by_bare,
        "ratio_permille_to_tools": by_tools,
        "goal": { "bytes_to_verdict_below_us": GOAL_US, "met": met },
    });
    table::write(out, &value)?;

    println!("\nOne evidence, processor time in us; the median of {} rounds.", rounds.len());
    for (name, all) in [
        ("from its bytes to the verdict", &whole),
        ("from the decoded evidence to the verdict", &appraisal),
        ("baseline: signature checks and hashes alone", &bare),
        ("baseline: tpm2_checkquote and tpm2_eventlog", &tools),
    ] {
        let median = median(all).map_or_else(String::new, |it| it.to_string());
        println!("{name:<46} {median:>8}");
    }
    for (name, ratio) in
        [("ratio to the signature checks and hashes", by_bare), ("ratio to the tools", by_tools)]
    {
        println!("{name:<46} {:>8}", ratio.map_or_else(String::new, thousandths));
    }
    println!("goal: below {GOAL_US}: {}", if met { "met" } else { "MISSED" });
    println!("Report: {}", out.display());
    Ok(())
}

fn figures(all: &[u64]) -> Value {
    json!({ "median_us": median(all), "rounds_us": all })
}
