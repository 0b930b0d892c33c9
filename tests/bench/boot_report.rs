//! The figures of the starts: a table for people, integers for programs.

use core::time::Duration;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use tre_tests::table;

use crate::boot::Round;
use crate::report::{median, thousandths};

/// Longest share of ours that meets the goal, on an idle machine. Unit: milliseconds.
const GOAL_MS: u64 = 2_500;

/// Prints the table and writes `out`.
///
/// # Errors
///
/// When `out` cannot be written.
#[expect(clippy::print_stdout, reason = "a command line")]
pub(crate) fn write(out: &Path, rounds: &[Round]) -> Result<()> {
    let of = |part: fn(&Round) -> Duration| -> Vec<u64> {
        rounds.iter().map(|round| milliseconds(part(round))).collect()
    };
    let whole =
        of(|round| round.firmware.saturating_add(round.ours).saturating_add(round.attestation));
    let parts = [
        ("firmware", of(|round| round.firmware)),
        ("kernel and PID 1", of(|round| round.ours)),
        ("attestation", of(|round| round.attestation)),
        ("power-on to first verified quote", whole),
        ("baseline: firmware alone", of(|round| round.bare_firmware)),
    ];
    let [firmware, ours, attestation, whole, bare] =
        [0, 1, 2, 3, 4].map(|at| parts.get(at).map(|(_, all)| all.as_slice()).unwrap_or_default());
    let ratio =
        median(whole).and_then(|whole| whole.saturating_mul(1_000).checked_div(median(bare)?));
    let met = median(ours).is_some_and(|ours| ours <= GOAL_MS);
    let value = json!({
        "rounds": rounds.len(),
        "power_on_to_first_verified_quote": figures(whole),
        "firmware": figures(firmware),
        "kernel_and_pid_1": figures(ours),
        "attestation": figures(attestation),
        "baseline_firmware_alone": figures(bare),
        "ratio_permille": ratio,
        "goal": { "kernel_and_pid_1_at_most_ms": GOAL_MS, "on": "an idle machine", "met": met },
    });
    table::write(out, &value)?;

    println!("\nStart of an enrolled box under TCG, in ms; the median of {} starts.", rounds.len());
    for (name, all) in &parts {
        let median = median(all).map_or_else(String::new, |it| it.to_string());
        println!("{name:<36} {median:>8}");
    }
    let ratio = ratio.map_or_else(String::new, thousandths);
    let goal = if met { "met" } else { "MISSED" };
    println!("{:<36} {ratio:>8}", "ratio to the baseline");
    println!("goal for kernel and PID 1, on an idle machine: at most {GOAL_MS}: {goal}");
    println!("Report: {}", out.display());
    Ok(())
}

fn figures(all: &[u64]) -> Value {
    json!({ "median_ms": median(all), "rounds_ms": all })
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
