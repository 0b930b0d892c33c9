//! `put-revocations`, of the roles that may carry a list.

use std::path::PathBuf;

use clap::Args;
use tre_client::revocations;
use tre_client::wire::role::Role;

use crate::options::Peer;
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    peer: Peer,
    /// What `tre-pki revoke --out LIST` wrote; its signature is beside it in `LIST.sig`.
    #[arg(value_name = "LIST")]
    list: PathBuf,
}

pub(crate) async fn run(Options { peer, list }: Options, role: Role) -> anyhow::Result<()> {
    let files = revocations::load(&list)?;
    let mut link = peer.link(role).await?;
    revocations::put(&mut link, &files).await?;
    output::line(&format!("revocation list {} in force", link.health().await?.revocations))
}
