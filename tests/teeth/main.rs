//! Shows that each check is what stops its attack: `make teeth`.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command line prints its results")]

use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Parser;
use tre_tests::teeth::{self, Outcome};

/// Takes each check out of a scratch copy and sees its attack succeed
#[derive(Debug, Parser)]
struct Arguments {
    /// Only mutants whose name holds one of these words
    words: Vec<String>,
}

fn main() -> Result<ExitCode> {
    let Arguments { words } = Arguments::parse();
    let mut mutants = teeth::mutants()?;
    mutants.retain(|mutant| {
        words.is_empty() || words.iter().any(|word| mutant.name().contains(word.as_str()))
    });
    ensure!(!mutants.is_empty(), "no mutant's name holds one of {words:?}; see tests/mutants/");
    let mut failed = 0_usize;
    println!("{:<32} {:<10} check", "mutant", "attack");
    teeth::run(&mutants, |mutant, outcome| {
        let row = |word: &str| println!("{:<32} {word:<10} {}", mutant.name(), mutant.check());
        match outcome {
            Outcome::Bites => row("gets in"),
            Outcome::NotRefused(said) => println!("{}: not refused:\n{said}", mutant.name()),
            Outcome::DoesNotApply(said) => println!("{}: does not apply:\n{said}", mutant.name()),
            Outcome::StillStopped(said) => println!("{}: still stopped:\n{said}", mutant.name()),
        }
        failed = failed.saturating_add(usize::from(*outcome != Outcome::Bites));
    })?;
    let all = mutants.len();
    println!("{} of {all} attacks get in once their check is gone", all.saturating_sub(failed));
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
