//! Shows that each check is what stops its attack: `make teeth`.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command line prints its results")]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;
use tre_tests::table;
use tre_tests::teeth::{self, Outcome};

/// Takes each check out of a scratch copy and sees its attack succeed
#[derive(Debug, Parser)]
struct Arguments {
    /// Only mutants whose name holds one of these words
    words: Vec<String>,
    /// Only mutants whose attack is a game; how often each is right goes to FILE
    #[arg(long, value_name = "FILE")]
    scores: Option<PathBuf>,
}

fn main() -> Result<ExitCode> {
    let Arguments { words, scores: out } = Arguments::parse();
    let mut mutants = teeth::mutants()?;
    mutants.retain(|mutant| out.is_none() || mutant.is_scored());
    mutants.retain(|mutant| {
        words.is_empty() || words.iter().any(|word| mutant.name().contains(word.as_str()))
    });
    ensure!(!mutants.is_empty(), "no mutant's name holds one of {words:?}; see tests/mutants/");
    let mut failed = 0_usize;
    let mut won = Vec::new();
    println!("{:<32} {:<10} {:>9} check", "mutant", "attack", "in");
    teeth::run(&mutants, |mutant, outcome, took| {
        let (name, seconds) = (mutant.name(), took.as_secs());
        let row = |word: &str| println!("{name:<32} {word:<10} {seconds:>7} s {}", mutant.check());
        match outcome {
            Outcome::Bites(scores) => {
                row("gets in");
                for (attack, right) in scores {
                    println!("{:<32} {attack}: right {}.{} %", "", right / 10, right % 10);
                }
                won.push((mutant.name(), scores.clone()));
            }
            Outcome::NotRefused(said) => println!("{}: not refused:\n{said}", mutant.name()),
            Outcome::DoesNotApply(said) => println!("{}: does not apply:\n{said}", mutant.name()),
            Outcome::StillStopped(said) => println!("{}: still stopped:\n{said}", mutant.name()),
        }
        failed = failed.saturating_add(usize::from(!matches!(outcome, Outcome::Bites(_))));
    })?;
    if let Some(out) = out {
        table::write(&out, &teeth::best(&won))?;
    }
    let all = mutants.len();
    println!("{} of {all} attacks get in once their check is gone", all.saturating_sub(failed));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
