//! `--keep FOLDER`: files of what a TRE signed, as `attest-verifier document` takes them.

use std::path::{Path, PathBuf};

use tre_client::link::Link;
use tre_client::wire::message::kept::{Content, Kept};

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", path.display())]
struct Unwritable {
    path: PathBuf,
    source: std::io::Error,
}

/// Checks each document and writes it into `folder` under its name. Of what is not signed nothing
/// is written.
pub(crate) async fn keep(
    link: &mut Link,
    folder: &Path,
    documents: Vec<(String, Content)>,
) -> anyhow::Result<()> {
    let (names, contents): (Vec<_>, Vec<_>) = documents.into_iter().unzip();
    let kept = link.keep(contents).await?;
    names.iter().zip(&kept).try_for_each(|(name, kept)| write(folder, name, kept))
}

/// Writes one file.
pub(crate) fn write(folder: &Path, name: &str, kept: &Kept) -> anyhow::Result<()> {
    let path = folder.join(format!("{name}.json"));
    let unwritable = |source| anyhow::Error::from(Unwritable { path: path.clone(), source });
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    let bytes = serde_json::to_vec(kept)?;
    std::fs::write(&path, bytes).map_err(unwritable)
}
