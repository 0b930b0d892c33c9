//! Attacks on the three flows, played many times on real readings.
//!
//! Each attack is a game: a fair coin decides which of two things happens in a household, the
//! attacker does and sees whatever its role may, and guesses. Its stated bound is how often the
//! best attacker may be right. The program prints the table and ends with 1 if any attack did
//! better than its bound by more than chance explains: against a TRE whose check was removed it
//! must.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command line")]

mod billing;
mod demand;
mod game;
mod monitoring;
mod readings;
mod town;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use serde_json::{Value, json};

use game::Attack;
use readings::Readings;

/// Plays attacks against their bounds.
#[derive(Debug, Parser)]
#[command(name = "attacks")]
struct Arguments {
    /// Only these; all without any.
    names: Vec<String>,
    /// Times that each is played.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    rounds: u32,
    /// Wide CSV of readings: a first column, then one column a home, whole Wh a quarter hour.
    #[arg(long, default_value = "tests/data/sceaux_weeks_15min_wh.csv")]
    readings: PathBuf,
    /// Where the table goes, for programs.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Tables of attacks that were played elsewhere, to stand in this one: on the wire.
    #[arg(long, value_name = "FILE")]
    also: Vec<PathBuf>,
    /// How often each is right once its check is gone, from `teeth --scores`: one column more.
    #[arg(long, value_name = "FILE")]
    without: Option<PathBuf>,
    /// List the attacks and play none.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            println!("attacks: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Every attack, by flow.
fn all() -> Vec<&'static Attack> {
    [monitoring::ATTACKS, billing::ATTACKS, demand::ATTACKS].into_iter().flatten().collect()
}

fn run(arguments: &Arguments) -> Result<bool> {
    let mut attacks = all();
    for name in &arguments.names {
        ensure!(attacks.iter().any(|attack| attack.name == name), "no attack is called {name:?}");
    }
    attacks.retain(|attack| {
        arguments.names.is_empty() || arguments.names.iter().any(|name| name == attack.name)
    });
    if arguments.list {
        attacks.iter().for_each(|attack| println!("{:<12} {}", attack.name, attack.what));
        return Ok(true);
    }
    let text = fs::read_to_string(&arguments.readings)
        .with_context(|| format!("reading {}", arguments.readings.display()))?;
    let readings = Readings::parse(&text)?;
    let unchecked = arguments.without.as_deref().map(without).transpose()?;
    println!("{}", game::HEAD);
    let mut scores = Vec::new();
    for attack in attacks {
        scores.push(attack.score(&readings, arguments.rounds)?.to_json());
        show_last(&mut scores, unchecked.as_ref());
    }
    for path in &arguments.also {
        for row in also(path).with_context(|| format!("reading {}", path.display()))? {
            scores.push(row);
            show_last(&mut scores, unchecked.as_ref());
        }
    }
    let held = scores.iter().filter(|row| row.get("held") == Some(&Value::Bool(true))).count();
    println!("{held} of {} held, {} rounds each.", scores.len(), arguments.rounds);
    if let Some(out) = &arguments.out {
        let folder = out.parent().context("expected a file to write to")?;
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let table = json!({ "rounds": arguments.rounds, "attacks": scores });
        fs::write(out, serde_json::to_vec_pretty(&table)?)
            .with_context(|| format!("writing {}", out.display()))?;
    }
    Ok(held == scores.len())
}

/// Adds to the last row how often it is right without its check, and prints it.
fn show_last(rows: &mut [Value], unchecked: Option<&Value>) {
    let Some(row) = rows.last_mut() else { return };
    let name = row.get("name").and_then(Value::as_str).unwrap_or_default();
    let found = unchecked.and_then(|all| all.get(name)).cloned();
    if let (Some(found), Some(row)) = (found, row.as_object_mut()) {
        row.insert("without".into(), found);
    }
    println!("{}", game::line(row));
}

/// What `teeth --scores` wrote.
fn without(path: &Path) -> Result<Value> {
    let bytes = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("reading {}", path.display()))
}

/// The rows of another program's table.
fn also(path: &Path) -> Result<Vec<Value>> {
    let table: Value = serde_json::from_slice(&fs::read(path)?)?;
    let rows = table.get("attacks").and_then(Value::as_array).context("expected attacks")?;
    Ok(rows.clone())
}
