//! What the commands share that speak to a TRE as its operator: `enrol` and `renew-tre`.

use std::path::PathBuf;

use anyhow::Context as _;
use attest_verifier::{ClientIdentity, Trust};
use clap::Args;
use pki::domain::{Domain, KeyName};
use pki::validity::Validity;
use serde::Serialize;
use tre_wire::id::PeerId;
use tre_wire::role::{Identity, Role};
use tre_wire::units::UnixMillis;

use super::{Unlock, answer};

/// A TRE, what it must be, and who speaks to it.
#[derive(Args, Debug)]
pub(crate) struct Visit {
    /// Where the box listens: HOST:PORT.
    pub(crate) address: String,
    /// The name that the box has, or is to have for good.
    #[arg(long)]
    tre_id: PeerId,
    /// The domain's folder.
    #[arg(long)]
    domain: PathBuf,
    /// The deployment file, byte for byte as the box was given it.
    #[arg(long)]
    deployment: PathBuf,
    /// A reference manifest of an image, with its signature in MANIFEST.sig; repeat it for each
    /// release that a box may have.
    #[arg(long, required = true)]
    manifest: Vec<PathBuf>,
    /// The key that signed the manifests [default: release.pem of the domain].
    #[arg(long)]
    release_key: Option<PathBuf>,
    /// The operator's key and certificate, as `issue operator` writes them.
    #[arg(long)]
    operator: PathBuf,
    /// Life of the certificates in days.
    #[arg(long, default_value_t = pki::enrol::DEFAULT_DAYS)]
    days: u32,
    #[command(flatten)]
    unlock: Unlock,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

impl Visit {
    /// The domain, with the TRE authority's key at hand.
    pub(crate) fn open(&self) -> anyhow::Result<Domain> {
        self.unlock.open(&self.domain, KeyName::TreAuthority)
    }

    /// Whom the box is to be, or is.
    pub(crate) fn tre(&self, domain: &Domain) -> Identity {
        domain.identity(Role::Tre, self.tre_id.clone())
    }

    /// What the box must show: also firmware that is not denied now.
    pub(crate) fn trust(&self, domain: &Domain, now: UnixMillis) -> anyhow::Result<Trust> {
        let own = domain.release_key_path();
        let release_key = self.release_key.as_deref().unwrap_or(&own);
        let trust = Trust::load(&self.deployment, &self.manifest, release_key)?;
        Ok(match domain.denied_firmware(now)? {
            Some(denied) => trust.denying_firmware(denied),
            None => trust,
        })
    }

    /// Who speaks to it.
    pub(crate) fn operator(&self) -> anyhow::Result<ClientIdentity> {
        Ok(ClientIdentity::load(&self.operator)?)
    }

    /// Life of the certificates.
    pub(crate) fn validity(&self, now: UnixMillis) -> anyhow::Result<Validity> {
        Ok(Validity::of_days(now, self.days)?)
    }

    /// Speaks to it, to the end.
    pub(crate) fn speak<T>(&self, words: impl Future<Output = T>) -> anyhow::Result<T> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("starting the input and output loop")?;
        Ok(runtime.block_on(words))
    }

    /// Answers with `text`, or with `facts` in JSON.
    pub(crate) fn answer(&self, facts: &impl Serialize, text: &str) -> anyhow::Result<()> {
        answer(self.json, facts, text)
    }
}
