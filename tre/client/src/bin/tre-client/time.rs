//! `tre-client time`: from the TRE to the status key's desk, and back.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tre_client::time;

use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print what a token must answer, for `tre-pki sign-time`. It is good for five minutes at
    /// least.
    Challenge(Address),
    /// Bring a token: the TRE has the time from then on.
    Put(Put),
}

#[derive(Debug, Args)]
pub(crate) struct Address {
    /// Where the TRE listens.
    #[arg(long, value_name = "HOST:PORT")]
    tre: String,
}

#[derive(Debug, Args)]
pub(crate) struct Put {
    #[command(flatten)]
    address: Address,
    /// What `tre-pki sign-time --out TOKEN` wrote; its signature is beside it in `TOKEN.sig`.
    #[arg(value_name = "TOKEN")]
    token: PathBuf,
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Challenge(Address { tre }) => output::json(&time::challenge(&tre).await?),
        Command::Put(Put { address: Address { tre }, token }) => {
            time::put(&tre, &time::load(&token)?).await?;
            let time = time::challenge(&tre).await?.time;
            output::line(&format!("the TRE has the time: {time} (ms since 1970)"))
        }
    }
}
