//! `completions` and `man`: made from the very options that the program has.

use std::fs;

use anyhow::Context as _;
use clap::CommandFactory as _;

use crate::{Cli, Completions, Ending, Man, answer};

/// The program, as its user calls it.
const NAME: &str = "attest-verifier";

pub(crate) fn completions(completions: &Completions) -> anyhow::Result<Ending> {
    // Into memory first: the library ends the process where it cannot write.
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut Cli::command(), NAME, &mut script);
    answer(core::str::from_utf8(&script).context("the script")?.trim_end())?;
    Ok(Ending::Accepted)
}

pub(crate) fn man(man: &Man) -> anyhow::Result<Ending> {
    let folder = || man.out.display().to_string();
    fs::create_dir_all(&man.out).with_context(folder)?;
    clap_mangen::generate_to(Cli::command(), &man.out).with_context(folder)?;
    answer(&format!("manual pages written to {}", folder()))?;
    Ok(Ending::Accepted)
}
