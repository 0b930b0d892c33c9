//! Takes one check at a time out of a scratch copy and runs its attack, which must then succeed.
//!
//! A mutant is a patch under `tests/mutants/`. It names the check that it takes out, the attack
//! (a test, as arguments of cargo, or a program of ours with its own), what the attack prints once it
//! gets in, and, if cargo would not see to it by itself, what else is built for it. On the unchanged sources the
//! attack must be refused; on the patched ones it must get in. Anything else is a failure: a patch
//! that no longer applies, a copy that does not compile, an attack that another check still stops.

mod batch;
mod mutant;
mod scores;
mod scratch;
mod seed;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};
use batch::{Batch, Batches};

pub use mutant::{Fault, Mutant};
pub use scores::{Scores, best};
pub use scratch::Scratch;

use crate::place;

/// What became of one mutant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Refused with the check, succeeded without it: so often, if it is a game.
    Bites(Scores),
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
/// comes, with the time that it took. As many scratch copies work side by side as there are cores.
///
/// # Errors
///
/// When a scratch copy cannot be made or cargo not be started; what an attack does is an outcome.
pub fn run(mutants: &[Mutant], mut tell: impl FnMut(&Mutant, &Outcome, Duration)) -> Result<()> {
    let batches = Batches::of(mutants);
    let workers = thread::available_parallelism().context("counting the cores")?.get();
    let (sender, outcomes) = mpsc::channel();
    thread::scope(|scope| {
        let started: Vec<_> = (1..=workers)
            .map(|number| {
                let (batches, sender) = (&batches, sender.clone());
                scope.spawn(move || work(&Scratch::of_checkout(number)?, batches, &sender))
            })
            .collect();
        drop(sender);
        for (mutant, outcome, took) in outcomes {
            tell(mutant, &outcome, took);
        }
        let mut ended = started.into_iter().map(|worker| worker.join());
        ended.try_for_each(|end| end.unwrap_or_else(|_| Err(anyhow!("a worker panicked"))))
    })
}

/// One mutant's outcome and how long it took to see.
type Told<'a> = (&'a Mutant, Outcome, Duration);

fn work<'a>(scratch: &Scratch, batches: &Batches<'a>, tell: &Sender<Told<'a>>) -> Result<()> {
    let mut last = None;
    while let Some(batch) = batches.take(last) {
        play(scratch, &batch, tell)?;
        last = Some(batch.program);
    }
    Ok(())
}

/// Sees every attack of a batch refused, then each of them without its check.
#[expect(clippy::disallowed_methods, reason = "a command line that says how long it took")]
fn play<'a>(scratch: &Scratch, batch: &Batch<'a>, tell: &Sender<Told<'a>>) -> Result<()> {
    let not_refused = refusals(scratch, batch)?;
    for mutant in &batch.mutants {
        let started = Instant::now();
        let outcome = match not_refused.get(mutant.attack()) {
            Some(said) => Outcome::NotRefused(said.clone()),
            None => without_check(scratch, mutant)?,
        };
        tell.send((mutant, outcome, started.elapsed())).ok().context("nobody listens any more")?;
    }
    Ok(())
}

/// Plays a batch's attacks with every check in place: what those said that were not refused.
fn refusals<'a>(scratch: &Scratch, batch: &Batch<'a>) -> Result<BTreeMap<&'a str, String>> {
    let mut not_refused = BTreeMap::new();
    let tests: BTreeSet<&str> = batch.mutants.iter().filter_map(|mutant| mutant.test()).collect();
    // Tests are played together. One that cargo did not find passes, too: each must have its line.
    let together =
        [batch.program, " -- --exact"].into_iter().chain(tests).collect::<Vec<_>>().join(" ");
    let mut played: BTreeMap<&str, Output> = BTreeMap::new();
    for mutant in &batch.mutants {
        let attack = if mutant.test().is_some() { &together } else { mutant.attack() };
        if !played.contains_key(attack) {
            played.insert(attack, play_one(scratch, mutant, attack)?);
        }
        let Some(output) = played.get(attack) else { continue };
        let was_refused = match mutant.test() {
            Some(test) => {
                String::from_utf8_lossy(&output.stdout).contains(&format!("test {test} ... ok"))
            }
            None => output.status.success(),
        };
        if !was_refused {
            not_refused.insert(mutant.attack(), last_lines(output));
        }
    }
    Ok(not_refused)
}

fn without_check(scratch: &Scratch, mutant: &Mutant) -> Result<Outcome> {
    if let Err(said) = scratch.apply(mutant.path())? {
        return Ok(Outcome::DoesNotApply(said));
    }
    scores::clear(&scratch.tree())?;
    let output = play_one(scratch, mutant, mutant.attack());
    scratch.restore(mutant)?;
    let output = output?;
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    let got_in = String::from_utf8_lossy(&said).contains(mutant.succeeds());
    Ok(if !output.status.success() && got_in {
        Outcome::Bites(scores::read(&scratch.tree())?)
    } else {
        Outcome::StillStopped(last_lines(&output))
    })
}

/// What the attack said, or what it is built of if that does not build.
fn play_one(scratch: &Scratch, mutant: &Mutant, attack: &str) -> Result<Output> {
    let cargo = |arguments: &str| {
        let mut cargo = scratch.cargo()?;
        if mutant.is_scored() {
            // A game plays whole towns hundreds of times; what is compiled is little.
            cargo.args(["--config", "profile.dev.package.tre-grid.opt-level=2"]);
        }
        cargo
            .args(arguments.split_whitespace())
            .env("RUST_BACKTRACE", "0")
            .output()
            .context("running cargo")
    };
    let programs = mutant.programs();
    if !programs.is_empty() {
        let built =
            cargo(&format!("build --quiet --workspace --bin {}", programs.join(" --bin ")))?;
        if !built.status.success() {
            return Ok(built);
        }
    }
    let Some(name) = mutant.runs() else { return cargo(attack) };
    let mut program = Command::new(scratch.programs().join(name));
    program.args(attack.split_whitespace().skip_while(|word| *word != "--").skip(1));
    program.current_dir(scratch.tree()).env("RUST_BACKTRACE", "0");
    program.output().with_context(|| format!("running {name}"))
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
