//! The TRE's peers on the command line. Every command of a role verifies the TRE first.
//!
//! Exit codes: 0 done, 1 refused or failed, 2 wrong usage.

#![forbid(unsafe_code)]

mod account;
mod advise;
mod check_bill;
mod dno;
mod dsm;
mod keep;
mod meter;
mod operator;
mod options;
mod output;
mod registrar;
mod replay;
mod revocations;
mod supplier;
mod time;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tre_wire::cause::in_one_line;

/// Speaks to a Trustworthy Remote Entity as one of its peers, once it is proven.
///
/// Before anything else is sent, the TRE must show, on the very connection, a quote over exactly
/// the measurements of the reference manifest. Exit code 0 done, 1 refused or failed, 2 wrong usage.
#[derive(Debug, Parser)]
#[command(name = "tre-client", version)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// A household's meter: readings, prices, bids, bills.
    #[command(subcommand)]
    Meter(meter::Command),
    /// The network operator: groups and noisy sums.
    #[command(subcommand)]
    Dno(dno::Command),
    /// A supplier: prices and bills.
    #[command(subcommand)]
    Supplier(supplier::Command),
    /// The demand side manager: events, pseudo-bids, decisions.
    #[command(subcommand)]
    Dsm(dsm::Command),
    /// The grid authority's desk: what stands at each connection point.
    #[command(subcommand)]
    Registrar(registrar::Command),
    /// The operator of the box: counts.
    #[command(subcommand)]
    Operator(operator::Command),
    /// Whoever carries the time: what a TRE asks, and the status key's answer. Verifies nothing.
    #[command(subcommand)]
    Time(time::Command),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(cli.role)),
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tre-client: {}", in_one_line(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(role: Role) -> anyhow::Result<()> {
    match role {
        Role::Meter(command) => meter::run(command).await,
        Role::Dno(command) => dno::run(command).await,
        Role::Supplier(command) => supplier::run(command).await,
        Role::Dsm(command) => dsm::run(command).await,
        Role::Registrar(command) => registrar::run(command).await,
        Role::Operator(command) => operator::run(command).await,
        Role::Time(command) => time::run(command).await,
    }
}
