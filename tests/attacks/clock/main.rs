//! Attacks on the time of a TRE: a host that moves its clocks by a day, both ways.
//!
//! Each is played many times against a running TRE. It succeeds if the TRE is ever in a slot that
//! is not: none may, so its bound is none. The table is of the form that `attacks` takes up.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command line")]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;
use serde_json::{Value, json};
use tre_tests::moved_clock::{ATTACKS, Host, MovedClock, Stopped};
use tre_tests::table;

/// Plays a host that moves its TRE's clocks.
#[derive(Debug, Parser)]
#[command(name = "clock-attacks")]
struct Arguments {
    /// Only these; all without any.
    names: Vec<String>,
    /// Times that each is played, with the TRE started anew each time.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
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
            println!("clock-attacks: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    let attacks = table::choose(ATTACKS, &arguments.names, |attack| attack.name)?;
    if arguments.list {
        attacks.iter().for_each(|attack| println!("{:<14} {}", attack.name, attack.what));
        return Ok(true);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let host = runtime.block_on(Host::make())?;
    let mut rows = Vec::new();
    for attack in attacks {
        let mut said = Vec::new();
        for _ in 0..arguments.rounds {
            let played = runtime.block_on(host.play(attack));
            said.extend(played.with_context(|| format!("playing {}", attack.name))?);
        }
        rows.push(row(attack, arguments.rounds, &said)?);
    }
    let held = rows.iter().filter(|row| row.get("held") == Some(&Value::Bool(true))).count();
    println!("{held} of {} held, {} rounds each.", rows.len(), arguments.rounds);
    if let Some(out) = &arguments.out {
        table::write(out, &json!({ "rounds": arguments.rounds, "attacks": rows }))?;
    }
    Ok(held == rows.len())
}

/// Prints how an attack went, and returns its row of the table.
fn row(attack: &MovedClock, rounds: u32, said: &[String]) -> Result<Value> {
    let MovedClock { name, what, stopped, .. } = attack;
    let succeeded = u32::try_from(said.len()).context("rounds")?;
    let verdict = if said.is_empty() { "held" } else { "GOT IN" };
    println!("{name:<14} succeeded {succeeded} of {rounds}  {verdict:<7} {what}");
    said.iter().for_each(|said| println!("  {said}"));
    let (mutant, construction) = match stopped {
        Stopped::By(mutant) => (Some(mutant), None),
        Stopped::ByConstruction(reason) => (None, Some(reason)),
    };
    let permille = u64::from(succeeded).saturating_mul(1_000).checked_div(u64::from(rounds));
    Ok(json!({
        "name": name,
        "what": format!("{what} {rounds} starts"),
        "right_permille": permille,
        "bound_permille": 0,
        "held": said.is_empty(),
        "mutant": mutant,
        "stopped_by_construction": construction,
    }))
}
