//! Options that commands share, and what they lead to.

use core::str::FromStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{ArgGroup, Args};
use tre_client::clock::Clock;
use tre_client::identity;
use tre_client::link::{Link, Target};
use tre_client::own::Own;
use tre_client::wire::id::PeerId;
use tre_client::wire::role::Role;
use tre_client::wire::units::{Slot, UnixMillis};
use tre_client::{DenyListFiles, Memory, RevocationFiles, Trust};

/// Where the TRE is, what it must be, and who we are.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("lists").args(["revocations", "denylist"]).multiple(true)))]
pub(crate) struct Peer {
    /// Where the TRE listens.
    #[arg(long, value_name = "HOST:PORT")]
    tre: String,
    /// The TRE's name, as its certificates say it.
    #[arg(long, value_name = "ID")]
    tre_id: PeerId,
    /// The deployment file: who is trusted, and the privacy policy.
    #[arg(long, value_name = "FILE")]
    deployment: PathBuf,
    /// A reference manifest: what the TRE must measure to, with its signature in FILE.sig. Repeat
    /// it for each release that the TRE may have.
    #[arg(long, value_name = "FILE", required = true)]
    manifest: Vec<PathBuf>,
    /// The public release key that signed the manifests: release.pem of the domain.
    #[arg(long, value_name = "FILE.pem")]
    release_key: PathBuf,
    /// Remembers the TRE in this file, which is made if it is missing, and refuses it when it shows
    /// an older TPM, state or release than before.
    #[arg(long, value_name = "FILE")]
    remember: Option<PathBuf>,
    /// The newest revocation list, with its signature in FILE.sig; FILE.seen remembers it.
    #[arg(long, value_name = "FILE", requires = "status_key")]
    revocations: Option<PathBuf>,
    /// The public status key that signs these lists: status.pem of the domain.
    #[arg(long, value_name = "FILE.pem", requires = "lists")]
    status_key: Option<PathBuf>,
    /// The newest denylist of TPM firmware, with its signature in FILE.sig; FILE.seen remembers it.
    #[arg(long, value_name = "FILE", requires = "status_key")]
    denylist: Option<PathBuf>,
    /// Our private key, or what names it in a TPM, and our certificates, in PEM, as `tre-pki issue`
    /// and `tre-pki request` write them.
    #[arg(long, value_name = "FILE.pem")]
    identity: PathBuf,
}

/// How to print.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Output {
    /// Print JSON, as the interface has it.
    #[arg(long)]
    pub(crate) json: bool,
}

impl Peer {
    /// Reads the files, and checks that our certificate is for `role`. Nobody has been connected
    /// to yet.
    pub(crate) fn load(&self, role: Role) -> anyhow::Result<(Target, Own)> {
        let credential = identity::load(&self.identity)?;
        let own = Own::new(credential, role)?;
        let mut trust = Trust::load(&self.deployment, &self.manifest, &self.release_key)?;
        if let Some(file) = &self.remember {
            trust = trust.remembering(Memory::at(file)?);
        }
        if let (Some(list), Some(status_key)) = (self.denylist.clone(), self.status_key.clone()) {
            let files = DenyListFiles { list, status_key };
            trust = trust.denying(&files, WallClock.now())?;
        }
        if let (Some(list), Some(status_key)) = (self.revocations.clone(), self.status_key.clone())
        {
            let files = RevocationFiles { list, status_key };
            trust = trust.revoking(&files, WallClock.now())?;
        }
        let (address, tre_id) = (self.tre.clone(), self.tre_id.clone());
        Ok((Target { address, tre_id, trust, clock: Arc::new(WallClock) }, own))
    }

    /// The same, and attests the TRE.
    pub(crate) async fn link(&self, role: Role) -> anyhow::Result<Link> {
        let (target, own) = self.load(role)?;
        Ok(Link::open(target, own).await?)
    }
}

/// This machine's time of day.
#[derive(Clone, Copy, Debug)]
struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> UnixMillis {
        now()
    }
}

/// This machine's time.
#[expect(clippy::disallowed_methods, reason = "a command line is where time is read")]
pub(crate) fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let since = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    UnixMillis::new(since).unwrap_or(UnixMillis::MAX)
}

/// A slot as a command names it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SlotChoice {
    /// The slot that is running, by the TRE's time.
    Now,
    /// The one after it.
    Next,
    /// This one.
    Number(Slot),
}

/// A text that names no slot.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("expected a slot number, `now` or `next`")]
pub(crate) struct NotASlot;

impl FromStr for SlotChoice {
    type Err = NotASlot;

    fn from_str(text: &str) -> Result<Self, NotASlot> {
        match text {
            "now" => Ok(Self::Now),
            "next" => Ok(Self::Next),
            number => {
                let number = number.parse().map_err(|_| NotASlot)?;
                Slot::new(number).map(Self::Number).map_err(|_| NotASlot)
            }
        }
    }
}

impl SlotChoice {
    /// The slot, after asking the TRE for its time if need be.
    pub(crate) async fn resolve(self, link: &mut Link) -> anyhow::Result<Slot> {
        let running = match self {
            Self::Number(slot) => return Ok(slot),
            Self::Now | Self::Next => link.health().await?.slot,
        };
        Ok(if self == Self::Next { running.next() } else { running })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_named_by_number_or_word() {
        let parse = |text: &str| text.parse::<SlotChoice>().map_err(|_| ());
        assert_eq!(parse("now"), Ok(SlotChoice::Now));
        assert_eq!(parse("next"), Ok(SlotChoice::Next));
        let seven = Slot::new(7).expect("in range");
        assert_eq!(parse("7"), Ok(SlotChoice::Number(seven)));
        for bad in ["", "-1", "9007199254740992", "soon", "7.0"] {
            assert_eq!(parse(bad), Err(()), "{bad}");
        }
    }
}
