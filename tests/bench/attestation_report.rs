//! The figures of the attestations: a table for people, integers for programs.

use core::time::Duration;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use tre_tests::table;

use crate::attestation_crowd::Outcome;
use crate::report::thousandths;

/// One answer in so many is verified whole; the others are taken in whole, and not read.
pub(crate) const SAMPLE: u64 = 50;

/// The goal, at each quote time. Unit: attestations per second.
const GOAL: u64 = 5_000;

/// Longest wait of the goal, in quotes as long as they were on average. Unit: thousandths.
const MOST_QUOTES_PERMILLE: u64 = 2_000;

/// All figures of a run.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    /// Bare handshakes per second.
    pub(crate) handshakes: u64,
    /// At each quote time.
    pub(crate) speeds: Vec<OneSpeed>,
}

/// What was measured at one quote time.
#[derive(Clone, Debug)]
pub(crate) struct OneSpeed {
    /// The quote time asked for.
    pub(crate) quote: Duration,
    /// One request in flight.
    pub(crate) alone: Outcome,
    /// Many connections, kept alive.
    pub(crate) many: Outcome,
    /// A connection for each attestation.
    pub(crate) anew: Outcome,
    /// What the slow TPM counted, from start to end.
    pub(crate) counted: Value,
}

impl OneSpeed {
    /// How long a quote took, from the command's arrival at the TPM to its answer, on average.
    /// Unit: microseconds.
    fn quote_us(&self) -> Option<u64> {
        let quote = self.counted.get("00000158")?;
        let figure = |name| quote.get(name).and_then(Value::as_u64);
        figure("took_us")?.checked_div(figure("answered")?)
    }

    /// Whether it is as fast as the goal. Undelayed quotes take less time than the processors need
    /// for those who share one: what they wait for is no quote, and only their rate is judged.
    fn is_met(&self) -> bool {
        let rate = per_second_permille(&self.many);
        let longest = quantile(&self.many, 1_000)
            .and_then(|wait| wait.saturating_mul(1_000).checked_div(self.quote_us()?));
        rate.is_some_and(|rate| rate >= GOAL.saturating_mul(1_000))
            && (self.quote.is_zero()
                || longest.is_some_and(|quotes| quotes <= MOST_QUOTES_PERMILLE))
    }

    fn to_json(&self, handshakes: u64) -> Value {
        let quote_us = self.quote_us();
        // What one quote for each verifier would allow at best.
        let one_each = quote_us.and_then(|quote| 1_000_000_000_u64.checked_div(quote));
        json!({
            "injected_quote_ms": u64::try_from(self.quote.as_millis()).ok(),
            "met": self.is_met(),
            "quote_us": quote_us,
            "one_quote_each_per_second_permille": one_each,
            "one_request_in_flight": outcome(&self.alone, quote_us),
            "kept_alive": outcome(&self.many, quote_us),
            "fresh_connections": outcome(&self.anew, quote_us),
            "fresh_connections_by_handshakes_permille":
                per_second_permille(&self.anew).and_then(|rate| rate.checked_div(handshakes)),
        })
    }
}

fn outcome(outcome: &Outcome, quote_us: Option<u64>) -> Value {
    let quotes = |wait: Option<u64>| wait?.saturating_mul(1_000).checked_div(quote_us?);
    let each = |us: u64| us.checked_div(outcome.answers);
    json!({
        "connections": outcome.connections,
        "seconds_permille": outcome.window_us.checked_div(1_000),
        "attestations": outcome.answers,
        "per_second_permille": per_second_permille(outcome),
        "verified_whole": outcome.verified,
        "answer_bytes": outcome.answer_bytes,
        "wait_us": {
            "median": quantile(outcome, 500),
            "p99": quantile(outcome, 990),
            "max": quantile(outcome, 1_000),
        },
        "longest_wait_in_quotes_permille": quotes(quantile(outcome, 1_000)),
        "cpu_us_each": { "tred": each(outcome.tred.cpu_us), "crowd": each(outcome.crowd.cpu_us) },
        "tred_resident_kib": outcome.tred.resident_kib,
    })
}

fn per_second_permille(outcome: &Outcome) -> Option<u64> {
    outcome.answers.saturating_mul(1_000_000_000).checked_div(outcome.window_us)
}

/// The wait that `permille` of all did not exceed.
fn quantile(outcome: &Outcome, permille: usize) -> Option<u64> {
    let last = outcome.waits_us.len().checked_sub(1)?;
    let index = last.saturating_mul(permille).checked_div(1_000)?;
    outcome.waits_us.get(index).copied()
}

/// Prints the table and writes `out`.
///
/// # Errors
///
/// When `out` cannot be written.
#[expect(clippy::print_stdout, reason = "a command line")]
pub(crate) fn write(out: &Path, figures: &Figures) -> Result<()> {
    let Figures { handshakes, speeds } = figures;
    let value = json!({
        "sampled_one_in": SAMPLE,
        "paper_one_at_a_time_per_second_permille": 1_368,
        "goal": {
            "at_least_per_second": GOAL,
            "longest_wait_in_quotes_permille_at_most": MOST_QUOTES_PERMILLE,
            "met": speeds.iter().all(OneSpeed::is_met),
        },
        "bare_handshakes_per_second": handshakes,
        "speeds": speeds.iter().map(|speed| speed.to_json(*handshakes)).collect::<Vec<_>>(),
    });
    table::write(out, &value)?;

    println!("\nHosted TRE, mutual TLS 1.3; verifiers on the same processors, fresh nonces.");
    println!(
        "One answer in {SAMPLE} is verified whole. The paper, one quote each: 1.368 a second."
    );
    println!(
        "\n{:<30} {:>6} {:>9} {:>8} {:>9} {:>8} {:>7} {:>7} {:>8}",
        "attestations",
        "conns",
        "a second",
        "verified",
        "max wait",
        "in",
        "CPU us",
        "CPU us",
        "tred"
    );
    println!(
        "{:<30} {:>6} {:>9} {:>8} {:>9} {:>8} {:>7} {:>7} {:>8}",
        "", "", "", "whole", "ms", "quotes", "tred", "crowd", "KiB"
    );
    for speed in speeds {
        let quote = speed.quote_us();
        let ms = speed.quote.as_millis();
        row(&format!("{ms} ms, one in flight"), &speed.alone, quote);
        row(&format!("{ms} ms, kept alive"), &speed.many, quote);
        row(&format!("{ms} ms, fresh connections"), &speed.anew, quote);
    }
    println!("{:<30} {:>6} {handshakes:>9}", "bare handshakes", "");
    println!(
        "\nGoal of {GOAL} a second, kept alive, and, where quotes are delayed, nobody waiting"
    );
    println!("more than two (here as the TPM took them):");
    for speed in speeds {
        let goal = if speed.is_met() { "met" } else { "MISSED" };
        println!("  {} ms: {goal}", speed.quote.as_millis());
    }
    println!("Report: {}", out.display());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a command line")]
fn row(what: &str, outcome: &Outcome, quote_us: Option<u64>) {
    let shown = |figure: Option<u64>| figure.map_or_else(String::new, thousandths);
    let each = |us: u64| us.checked_div(outcome.answers).unwrap_or_default();
    let longest = quantile(outcome, 1_000);
    let in_quotes = longest
        .zip(quote_us)
        .and_then(|(wait, quote)| wait.saturating_mul(1_000).checked_div(quote));
    println!(
        "{what:<30} {:>6} {:>9} {:>8} {:>9} {:>8} {:>7} {:>7} {:>8}",
        outcome.connections,
        shown(per_second_permille(outcome)),
        outcome.verified,
        shown(longest),
        shown(in_quotes),
        each(outcome.tred.cpu_us),
        each(outcome.crowd.cpu_us),
        outcome.tred.resident_kib,
    );
}
