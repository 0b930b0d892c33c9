//! `completions` and `man`: made from the very options that the program has.

use std::fs;
use std::io;

use anyhow::Context as _;
use clap::CommandFactory as _;

use crate::{Cli, Completions, Ending, Man, answer};

pub(crate) fn completions(completions: &Completions) -> anyhow::Result<Ending> {
    clap_complete::generate(
        completions.shell,
        &mut Cli::command(),
        "attest-verifier",
        &mut io::stdout(),
    );
    Ok(Ending::Accepted)
}

pub(crate) fn man(man: &Man) -> anyhow::Result<Ending> {
    let folder = || man.out.display().to_string();
    fs::create_dir_all(&man.out).with_context(folder)?;
    clap_mangen::generate_to(Cli::command(), &man.out).with_context(folder)?;
    answer(&format!("manual pages written to {}", folder()))?;
    Ok(Ending::Accepted)
}
