//! Closing a slot of a full TRE, what a connection takes, and noise beside `opendp`'s.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command line")]

mod full;

use core::time::Duration;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::Parser;
use serde_json::json;
use tre_oracles::{OpenDp, Ours, Sampler};

/// Longest that closing a slot may take. Unit: ms.
const CLOSING_GOAL_MS: u128 = 1_000;

/// Most memory of one connection. Unit: bytes.
const STATE_GOAL: u64 = 512;

/// Measures the state machine alone, on one core.
#[derive(Debug, Parser)]
#[command(name = "grid-bench")]
struct Arguments {
    /// Connection points.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1_000..=1_000_000))]
    points: u64,
    /// Members of each group.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(15..=4_096))]
    members: u64,
    /// Samples of each sampler.
    #[arg(long, default_value_t = 200_000)]
    samples: u32,
    /// Where the figures go, for programs.
    #[arg(long, default_value = "target/bench/grid.json")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("grid-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// How long `work` takes.
#[expect(clippy::disallowed_methods, reason = "a benchmark is where time is read")]
pub(crate) fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let begun = Instant::now();
    let done = work()?;
    Ok((done, begun.elapsed()))
}

fn per_second(count: u32, took: Duration) -> u128 {
    u128::from(count).saturating_mul(1_000_000_000).checked_div(took.as_nanos()).unwrap_or(0)
}

fn samples_a_second(sampler: &mut dyn Sampler, samples: u32) -> Result<u128> {
    let draw = || (0..samples).try_for_each(|_| sampler.draw().map(drop));
    let ((), took) = timed(draw)?;
    Ok(per_second(samples, took))
}

fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { points, members, samples, ref out } = *arguments;
    // The noise of one sum in production: 5,000 Wh at a sixteenth.
    let ours = samples_a_second(&mut Ours::new(80_000, 1, 1)?, samples)?;
    let theirs = samples_a_second(&mut OpenDp::new(80_000, 1), samples)?;
    let permille = ours.saturating_mul(1_000).checked_div(theirs).unwrap_or(0);
    println!("{:<44} {:>12} {:>12} {:>7}", "per second", "TRE", "opendp", "ratio");
    let ratio = format!("{}.{:03}", permille / 1_000, permille % 1_000);
    println!("{:<44} {ours:>12} {theirs:>12} {ratio:>7}", "samples of discrete Laplace noise");

    let figures = full::measure(points, members)?;
    let (closing, bytes) = (figures.closing.as_millis(), figures.bytes_a_point);
    let verdict = |met: bool| if met { "met" } else { "MISSED" };
    println!("\n{points} connections in groups of {members}, one core:");
    println!(
        "{:<44} {closing:>12}   goal of at most {CLOSING_GOAL_MS}: {}",
        "closing one slot, ms",
        verdict(closing <= CLOSING_GOAL_MS)
    );
    let totals = figures.closing_with_totals.as_millis();
    println!("{:<44} {totals:>12}", "closing the last slot of a week, ms");
    println!(
        "{:<44} {bytes:>12}   goal of at most {STATE_GOAL}: {}",
        "state, bytes a connection",
        verdict(bytes <= STATE_GOAL)
    );
    let readings = figures.readings_a_second;
    println!("{:<44} {readings:>12}", "readings taken by the state machine, per s");
    let value = json!({
        "points": points,
        "members": members,
        "noise": { "tre_per_second": u64::try_from(ours)?, "opendp_per_second": u64::try_from(theirs)?,
            "ratio_permille": u64::try_from(permille)? },
        "closing_ms": u64::try_from(closing)?,
        "closing_goal": { "at_most_ms": 1_000, "met": closing <= CLOSING_GOAL_MS },
        "closing_with_totals_ms": u64::try_from(totals)?,
        "bytes_a_connection": bytes,
        "bytes_goal": { "at_most": STATE_GOAL, "met": bytes <= STATE_GOAL },
        "readings_per_second": readings,
    });
    let folder = out.parent().context("expected a file to write to")?;
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    fs::write(out, serde_json::to_vec_pretty(&value)?)
        .with_context(|| format!("writing {}", out.display()))?;
    println!("\nReport: {}", out.display());
    Ok(())
}
