//! The options that say what a box must be, and who says so.

use std::path::PathBuf;

use anyhow::Context as _;
use attest_verifier::core::wire::units::UnixMillis;
use attest_verifier::{ListPlace, Lists, Loaded, Sources, Trust};
use clap::{ArgGroup, Args};

use crate::complain;

/// What a box must be, and who says so.
#[derive(Args, Debug)]
pub(crate) struct ReferenceOptions {
    #[command(flatten)]
    anchors: AnchorOptions,
    /// A reference manifest of an image, with its signature in MANIFEST.sig; repeat it for each
    /// release that a box may have: it must equal one of them entirely.
    #[arg(long, required = true)]
    manifest: Vec<PathBuf>,
    #[command(flatten)]
    lists: ListOptions,
}

/// What everything else is believed by.
#[derive(Args, Clone, Debug)]
pub(crate) struct AnchorOptions {
    /// The deployment file, byte for byte as the box was given it.
    #[arg(long)]
    pub(crate) deployment: PathBuf,
    /// The public release key (PEM) that signed the manifests: release.pem of the domain.
    #[arg(long)]
    pub(crate) release_key: PathBuf,
}

/// What is no longer believed.
#[derive(Args, Clone, Debug)]
#[command(group(ArgGroup::new("lists").args(["revocations", "denylist"]).multiple(true)))]
pub(crate) struct ListOptions {
    /// The newest revocation list, with its signature in FILE.sig; FILE.seen remembers it. Or
    /// http://HOST:PORT/PATH, where it is fetched with PATH.sig, and kept in --list-folder.
    #[arg(long, value_name = "FILE|URL", requires = "status_key")]
    revocations: Option<ListPlace>,
    /// The public status key (PEM) that signs these lists: status.pem of the domain.
    #[arg(long, requires = "lists")]
    pub(crate) status_key: Option<PathBuf>,
    /// The newest denylist of TPM firmware, in a file or on a server like --revocations.
    #[arg(long, value_name = "FILE|URL", requires = "status_key")]
    denylist: Option<ListPlace>,
    /// The folder in which fetched lists are kept: a good copy serves until its own end when no
    /// newer one can be fetched.
    #[arg(long, value_name = "FOLDER", requires = "lists")]
    list_folder: Option<PathBuf>,
}

impl ReferenceOptions {
    /// Reads everything for use at `now`.
    pub(crate) async fn load(&self, now: UnixMillis) -> anyhow::Result<Trust> {
        Ok(self.load_files(now).await?.trust)
    }

    /// The same, with the files that were read.
    pub(crate) async fn load_files(&self, now: UnixMillis) -> anyhow::Result<Loaded> {
        load(&sources(&self.anchors, &self.manifest, &self.lists), now).await
    }
}

pub(crate) fn sources(
    anchors: &AnchorOptions,
    manifests: &[PathBuf],
    lists: &ListOptions,
) -> Sources {
    let ListOptions { revocations, status_key, denylist, list_folder } = lists.clone();
    let lists = status_key.map(|status_key| Lists {
        status_key,
        revocations,
        denylist,
        folder: list_folder,
    });
    Sources {
        deployment: anchors.deployment.clone(),
        manifests: manifests.to_vec(),
        release_key: anchors.release_key.clone(),
        lists,
    }
}

/// Reads everything for use at `now`; says which list was not fetched where a good copy serves.
pub(crate) async fn load(sources: &Sources, now: UnixMillis) -> anyhow::Result<Loaded> {
    let loaded = sources.load(now).await.context("expected what a TRE is held against")?;
    for error in &loaded.not_fetched {
        complain(format_args!("the last good list serves: {error}"));
    }
    Ok(loaded)
}
