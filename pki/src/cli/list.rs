//! What the commands share that make the next list of some kind: `revoke` and `deny`.

use std::path::{Path, PathBuf};

use clap::Args;
use pki::domain::{Domain, KeyName};
use pki::numbered;
use serde::Serialize;

use super::{Unlock, answer};

/// Where a list is made, for how long it is good, and where it goes.
#[derive(Args, Debug)]
pub(crate) struct NextList {
    /// The domain's folder.
    #[arg(long)]
    domain: PathBuf,
    /// For how many days the list is good; a newer one must be out by then.
    #[arg(long, default_value_t = numbered::DEFAULT_DAYS)]
    pub(crate) days: u32,
    /// A copy of the list, with its signature in OUT.sig, in the place of older ones.
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    unlock: Unlock,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

impl NextList {
    /// The domain, with its status key at hand.
    pub(crate) fn open(&self) -> anyhow::Result<Domain> {
        self.unlock.open(&self.domain, KeyName::Status)
    }

    /// Hands out the list at `path`, of at most `most` bytes, and tells what it says.
    pub(crate) fn tell(
        &self,
        path: &Path,
        most: usize,
        facts: &impl Serialize,
        said: &str,
    ) -> anyhow::Result<()> {
        if let Some(out) = &self.out {
            numbered::hand_out(path, out, most)?;
        }
        let text = format!(
            "{said}: {}\ngive it with its .sig to all who verify; the next one is due within {} days",
            path.display(),
            self.days
        );
        answer(self.json, facts, &text)
    }
}
