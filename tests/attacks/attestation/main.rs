//! Attacks on attestation, each a running program against a running TRE or in its place.
//!
//! The victim is what every peer uses, [`attest_verifier::AttestedStream`], with a meter's
//! identity. The attacker either stands before genuine hosted TREs, or has a TPM of its own, in
//! which it measured what an honest boot measures, the tools of `tpm2-tools`, and whatever
//! certificates the attack grants it. Each attack must be refused by its own error: refused by
//! another it would show nothing. Two controls must get in: a genuine TRE, and the attacker's box
//! while it lies about nothing; so each refusal is due to the one thing that the attack changes.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command line")]

mod attack;
mod genuine;
mod impostor;
mod keys;
mod later;
mod logs;
mod quotes;
mod resume;
mod rogue;
mod stage;
mod tpm;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use serde_json::json;
use tre_tests::table;

use attack::{Attack, Row};
use stage::Stage;

/// Plays attacks on attestation.
#[derive(Debug, Parser)]
#[command(name = "attestation-attacks")]
struct Arguments {
    /// Only these; all without any.
    names: Vec<String>,
    /// Where the table goes, for programs.
    #[arg(long)]
    out: Option<PathBuf>,
    /// List the attacks and play none.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            println!("attestation-attacks: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Every attack, by what the attacker has.
fn all() -> Vec<&'static Attack> {
    [genuine::ATTACKS, keys::ATTACKS, quotes::ATTACKS, logs::ATTACKS, later::ATTACKS]
        .into_iter()
        .flatten()
        .collect()
}

fn run(arguments: &Arguments) -> Result<bool> {
    let attacks = table::choose(all(), &arguments.names, |attack| attack.name)?;
    if arguments.list {
        attacks.iter().for_each(|attack| println!("{:<24} {}", attack.name, attack.what));
        return Ok(true);
    }
    let stage = Stage::make()?;
    println!("{:<24} {:<17} by", "name", "outcome");
    let mut rows = Vec::new();
    for attack in attacks {
        let row = attack.row(&stage).with_context(|| format!("playing {}", attack.name))?;
        println!("{}", row.line());
        rows.push(row);
    }
    let held = rows.iter().filter(|row| row.held()).count();
    let got_in = rows.iter().filter(|row| row.got_in()).count();
    println!("{held} of {} as they must be, {got_in} got in.", rows.len());
    if let Some(out) = &arguments.out {
        let rows: Vec<_> = rows.iter().map(Row::to_json).collect();
        table::write(out, &json!({ "attestation": rows }))?;
    }
    Ok(held == rows.len())
}
