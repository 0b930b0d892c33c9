//! The TRE's peers on the command line. Every command verifies the TRE first.
//!
//! Exit codes: 0; 1 if the TRE refuses, is refused or cannot be reached; 2 for a command, file or
//! certificate that cannot be used.

#![forbid(unsafe_code)]

mod account;
mod advise;
mod check_bill;
mod dno;
mod dsm;
mod failure;
mod keep;
mod meter;
mod operator;
mod options;
mod output;
mod registrar;
mod replay;
mod revocations;
mod supplier;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

/// Speaks to a Trustworthy Remote Entity as one of its peers, once it is proven.
///
/// Before anything else is sent, the TRE must show, on the very connection, a quote over exactly
/// the measurements of the reference manifest. Exit code 0; 1 if the TRE refuses or is refused;
/// 2 for a wrong command or file.
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
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(cli.role)),
        Err(error) => Err(Failure::Refused(error.into())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("tre-client: {failure}");
            failure.exit_code()
        }
    }
}

async fn run(role: Role) -> Result<(), Failure> {
    match role {
        Role::Meter(command) => meter::run(command).await,
        Role::Dno(command) => dno::run(command).await,
        Role::Supplier(command) => supplier::run(command).await,
        Role::Dsm(command) => dsm::run(command).await,
        Role::Registrar(command) => registrar::run(command).await,
        Role::Operator(command) => operator::run(command).await,
    }
}

/// Help and version are not failures; everything else is.
fn usage(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    match (printed, error.use_stderr()) {
        (Ok(()), false) => ExitCode::SUCCESS,
        (Ok(()), true) => ExitCode::from(2),
        (Err(_), _) => ExitCode::FAILURE,
    }
}
