//! `forget`: what is remembered of a TRE, struck out by name.

use std::path::PathBuf;

use anyhow::Context as _;
use attest_verifier::Memory;
use attest_verifier::core::wire::id::PeerId;
use clap::Args;

use crate::{Ending, answer, complain};

/// Which TRE, and where it is remembered.
#[derive(Args, Debug)]
pub(crate) struct Forget {
    /// The name of the TRE.
    #[arg(long)]
    tre_id: PeerId,
    /// The file of `--remember`. It must be there.
    #[arg(long, value_name = "FILE")]
    remember: PathBuf,
}

/// Ends with 1 where there was nothing to forget: a name with a slip in it must not pass.
pub(crate) fn run(Forget { tre_id, remember }: &Forget) -> anyhow::Result<Ending> {
    let named = || format!("{}: expected remembered TREs", remember.display());
    let there = std::fs::metadata(remember).with_context(named)?;
    anyhow::ensure!(there.is_file(), "{}, found no file", named());
    let memory = Memory::at(remember)?;
    if let Some(past) = memory.forget(tre_id)? {
        answer(&format!(
            "{tre_id}: forgotten. It was last seen with attestation key {}, {} TPM resets, state \
             epoch {}.",
            past.attestation_key, past.reset_count, past.state_epoch
        ))?;
        return Ok(Ending::Accepted);
    }
    let known: Vec<String> = memory.known()?.iter().map(ToString::to_string).collect();
    let known = if known.is_empty() { "nobody".to_owned() } else { known.join(", ") };
    complain(format_args!("expected {tre_id} to be remembered, found {known}"));
    Ok(Ending::Refused)
}
