//! Ratios against named baselines, measured in one run on one machine.
//!
//! A figure alone says how fast the machine is. A ratio against a bare hyper and rustls server,
//! spoken to by the same client with the same certificates and bodies, says what the TRE costs.
//! Rounds of both alternate, and the median counts.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command line")]

mod baseline;
mod load;
mod report;
mod stage;

use core::time::Duration;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use report::{Comparison, Figures};

/// Compares the hosted TRE with bare servers, and its sizes with their goal.
#[derive(Clone, Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
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
    let figures = runtime.block_on(measure(arguments))?;
    report::write(&arguments.out, &figures)
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
