//! Ratios against named baselines, measured in one run on one machine.
//!
//! A figure alone says how fast the machine is. A ratio against a bare hyper and rustls server,
//! spoken to by the same client with the same certificates and bodies, says what the TRE costs.
//! Rounds of both alternate, and the median counts.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command line")]

mod attestation;
mod attestation_crowd;
mod attestation_report;
mod attestation_usage;
mod baseline;
mod boot;
mod boot_report;
mod load;
mod report;
mod stage;
mod verification;
mod verification_report;

use core::time::Duration;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use attestation::Plan;
use report::{Comparison, Figures};
use tre_tests::descriptors;

/// Compares the hosted TRE with bare servers, and its sizes with their goal.
#[derive(Clone, Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
    /// What to measure; all of it if nothing is named.
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Connections at once, each of a meter of its own.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=256))]
    connections: u32,
    /// Length of one measurement, in seconds.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=30))]
    seconds: u64,
    /// Measurements of each kind; the median counts.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=9))]
    rounds: u32,
    /// Where the figures go, for programs.
    #[arg(long, default_value = "target/bench/readings.json")]
    out: PathBuf,
    /// Connections of verifiers that stay, fewer in proportion at the faster of two delayed quotes.
    /// The TRE takes 8,192 at once, those included that have just ended: these and those that come
    /// anew must fit together.
    #[arg(long, default_value_t = 5_900, value_parser = clap::value_parser!(u32).range(1..))]
    verifiers: u32,
    /// Connections at once of verifiers that come anew each time.
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..))]
    comers: u32,
    /// Length of one measurement of attestations, in seconds.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60))]
    attestation_seconds: u64,
    /// Where the figures of the attestations go, for programs.
    #[arg(long, default_value = "target/bench/attestations.json")]
    attestations_out: PathBuf,
    /// Where the figures of the starts go, for programs.
    #[arg(long, default_value = "target/bench/boot.json")]
    boot_out: PathBuf,
    /// Where the figures of one verification go, for programs.
    #[arg(long, default_value = "target/bench/verification.json")]
    verification_out: PathBuf,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Part {
    /// Readings, fresh connections and sizes.
    Readings,
    /// Attestations on slow TPMs.
    Attestations,
    /// From power-on to the first verified quote.
    Boot,
    /// One evidence, against other tools.
    Verification,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let wanted = |part| arguments.parts.is_empty() || arguments.parts.contains(&part);
    if wanted(Part::Readings) {
        let figures = runtime.block_on(measure(arguments))?;
        report::write(&arguments.out, &figures)?;
    }
    if wanted(Part::Attestations) {
        let plan = Plan {
            connections: arguments.verifiers,
            fresh: arguments.comers,
            window: Duration::from_secs(arguments.attestation_seconds),
        };
        // One thread: a crowd goes in turn. Of two, each with a queue of its own, one takes from the
        // other's, and who stood in front may come out last.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        descriptors::allow(usize::try_from(plan.connections.saturating_add(plan.fresh))?)?;
        let figures = runtime.block_on(attestation::measure(plan))?;
        attestation_report::write(&arguments.attestations_out, &figures)?;
    }
    if wanted(Part::Boot) {
        let rounds = runtime.block_on(boot::measure(arguments.rounds))?;
        boot_report::write(&arguments.boot_out, &rounds)?;
    }
    if wanted(Part::Verification) {
        let rounds = verification::measure(arguments.rounds)?;
        verification_report::write(&arguments.verification_out, &rounds)?;
    }
    Ok(())
}

async fn measure(arguments: &Arguments) -> Result<Figures> {
    let stage = stage::set(arguments.connections).await?;
    let window = Duration::from_secs(arguments.seconds);
    let mut kept_alive = Comparison::default();
    let mut fresh = Comparison::default();
    for round in 1..=arguments.rounds {
        println!("round {round} of {} ...", arguments.rounds);
        kept_alive.tre.push(load::kept_alive(&stage.tre, &stage.meters, window).await?);
        kept_alive.baseline.push(load::kept_alive(&stage.echo, &stage.meters, window).await?);
        fresh.tre.push(load::fresh(&stage.tre, &stage.meters, window).await?);
        fresh.baseline.push(load::handshakes(&stage.baseline, &stage.meters, window).await?);
    }
    Ok(Figures {
        connections: arguments.connections,
        seconds: arguments.seconds,
        kept_alive,
        fresh,
        sizes: report::sizes()?,
    })
}
