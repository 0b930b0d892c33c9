//! Options that commands share, and what they lead to.

use core::str::FromStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{ArgGroup, Args};
use tre_client::clock::Clock;
use tre_client::link::{Link, Target};
use tre_client::renewal::{Files, Renewal};
use tre_client::wire::id::PeerId;
use tre_client::wire::role::Role;
use tre_client::wire::units::{Slot, UnixMillis};
use tre_client::{ListPlace, Lists, Memory, Sources, TrustError};

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
    /// an older TPM, state or release than before. By name: a file for each deployment.
    #[arg(long, value_name = "FILE")]
    remember: Option<PathBuf>,
    /// The newest revocation list, with its signature in FILE.sig; FILE.seen remembers it. Or
    /// http://HOST:PORT/PATH, where it is fetched with PATH.sig, and kept in --list-folder. Read
    /// again every minute while a command runs.
    #[arg(long, value_name = "FILE|URL", requires = "status_key")]
    revocations: Option<ListPlace>,
    /// The public status key that signs these lists: status.pem of the domain.
    #[arg(long, value_name = "FILE.pem", requires = "lists")]
    status_key: Option<PathBuf>,
    /// The newest denylist of TPM firmware, in a file or on a server like --revocations.
    #[arg(long, value_name = "FILE|URL", requires = "status_key")]
    denylist: Option<ListPlace>,
    /// The folder in which fetched lists are kept: a good copy serves until its own end when no
    /// newer one can be fetched.
    #[arg(long, value_name = "FOLDER", requires = "lists")]
    list_folder: Option<PathBuf>,
    /// Our private key, or what names it in a TPM, and our certificates, in PEM, as `tre-pki issue`
    /// and `tre-pki request` write them. Read again every minute while a command runs: move a
    /// renewed one here.
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
    /// to yet but servers of lists.
    pub(crate) async fn load(&self, role: Role) -> anyhow::Result<(Target, Renewal)> {
        let lists = self.status_key.clone().map(|status_key| Lists {
            status_key,
            revocations: self.revocations.clone(),
            denylist: self.denylist.clone(),
            folder: self.list_folder.clone(),
        });
        let sources = Sources {
            deployment: self.deployment.clone(),
            manifests: self.manifest.clone(),
            release_key: self.release_key.clone(),
            lists,
        };
        let memory = self.remember.as_deref().map(Memory::at).transpose()?;
        let (identity, tell) = (self.identity.clone(), not_fetched);
        let renewal = Files { sources, memory, identity, role, tell }.read(now()).await?;
        let (address, tre_id) = (self.tre.clone(), self.tre_id.clone());
        let trust = renewal.trust().clone();
        Ok((Target { address, tre_id, trust, clock: Arc::new(WallClock) }, renewal))
    }

    /// The same, and attests the TRE.
    pub(crate) async fn link(&self, role: Role) -> anyhow::Result<Link> {
        let (target, renewal) = self.load(role).await?;
        Ok(Link::open(target, renewal.own().clone()).await?.renewing(renewal))
    }
}

/// A good copy serves meanwhile.
fn not_fetched(error: &TrustError) {
    eprintln!("tre-client: the last good list serves: {error}");
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
