//! Takes one check at a time out of a scratch copy and runs its attack, which must then succeed.
//!
//! A mutant is a patch under `tests/mutants/`. It names the check that it takes out, the attack
//! (arguments of cargo) and what the attack prints once it gets in. On the unchanged sources the
//! attack must be refused; on the patched ones it must get in. Anything else is a failure: a patch
//! that no longer applies, a copy that does not compile, an attack that another check still stops.

mod mutant;
mod scratch;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};

pub use mutant::{Fault, Mutant};
pub use scratch::Scratch;

use crate::place;

/// What became of one mutant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Refused with the check, succeeded without it.
    Bites,
    /// The attack fails to be refused by the sources as they are: a hole, or a broken test.
    NotRefused(String),
    /// The patch no longer fits the sources.
    DoesNotApply(String),
    /// Without the check the attack still does not get in: the check is not what stops it.
    StillStopped(String),
}

/// Every mutant, in the order of their names.
///
/// # Errors
///
/// When a file cannot be read or is no mutant.
pub fn mutants() -> Result<Vec<Mutant>> {
    let folder = place::root().join("tests/mutants");
    let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .context("listing the mutants")?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "patch"));
    paths.sort();
    ensure!(!paths.is_empty(), "expected *.patch files in {}", folder.display());
    paths.iter().map(|path| Mutant::read(path)).collect()
}

/// Runs the attacks of `mutants`, each with its check and without, and tells each outcome as it
/// comes.
///
/// # Errors
///
/// When the scratch copy cannot be made or cargo not be started; what an attack does is an outcome.
pub fn run(mutants: &[Mutant], mut tell: impl FnMut(&Mutant, &Outcome)) -> Result<()> {
    let scratch = Scratch::of_checkout()?;
    // Attacks share programs: with the check, each is run once.
    let mut refused: BTreeMap<&str, Option<String>> = BTreeMap::new();
    for mutant in mutants {
        if !refused.contains_key(mutant.attack()) {
            let output = cargo(&scratch, mutant)?;
            let said = (!was_refused(mutant, &output)).then(|| last_lines(&output));
            refused.insert(mutant.attack(), said);
        }
    }
    for mutant in mutants {
        let outcome = match refused.get(mutant.attack()) {
            Some(None) => without_check(&scratch, mutant)?,
            Some(Some(said)) => Outcome::NotRefused(said.clone()),
            None => Outcome::NotRefused("the attack was not run".into()),
        };
        tell(mutant, &outcome);
    }
    Ok(())
}

fn without_check(scratch: &Scratch, mutant: &Mutant) -> Result<Outcome> {
    if let Err(said) = scratch.apply(mutant.path())? {
        return Ok(Outcome::DoesNotApply(said));
    }
    let output = cargo(scratch, mutant);
    scratch.restore(mutant)?;
    let output = output?;
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    let got_in = String::from_utf8_lossy(&said).contains(mutant.succeeds());
    Ok(if !output.status.success() && got_in {
        Outcome::Bites
    } else {
        Outcome::StillStopped(last_lines(&output))
    })
}

/// Whether the attack ran and was refused. A test that cargo did not find passes, too.
fn was_refused(mutant: &Mutant, output: &Output) -> bool {
    let ran = !mutant.attack().starts_with("test ")
        || String::from_utf8_lossy(&output.stdout).contains("test result: ok. 1 passed");
    output.status.success() && ran
}

fn cargo(scratch: &Scratch, mutant: &Mutant) -> Result<Output> {
    let mut command = Command::new("cargo");
    command.args(mutant.attack().split_whitespace());
    command.current_dir(scratch.tree()).env("CARGO_TARGET_DIR", scratch.target());
    // Nobody debugs a mutant: without line tables every one of them is linked sooner.
    command.env("RUST_BACKTRACE", "0").env("CARGO_PROFILE_DEV_DEBUG", "none");
    command.output().context("running cargo")
}

/// The end of what a run said: enough to see why.
fn last_lines(output: &Output) -> String {
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(LINES);
    lines.get(from..).unwrap_or_default().join("\n")
}

/// How many lines of a run that went wrong are shown.
const LINES: usize = 30;
