//! Revocation lists from files, and what was seen of them.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use attest_verifier_core::revocation::{Revocations, Seen, StatusKey, UnverifiedRevocations};
use attest_verifier_core::wire::id::TrustDomain;
use attest_verifier_core::wire::json::{self, JsonError};
use attest_verifier_core::wire::units::UnixMillis;

use crate::bounds;
use crate::file;
use crate::trust::{TrustError, signature_path};

/// A revocation list, with its signature beside it in `LIST.sig`, and who signs it. The newest one
/// seen is remembered beside it in `LIST.seen`: leave that file where it is.
#[derive(Clone, Debug)]
pub struct RevocationFiles {
    /// The list.
    pub list: PathBuf,
    /// The public status key: `status.pem` of the domain.
    pub status_key: PathBuf,
}

/// Why what was seen is not known, or not kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeenError {
    /// Not as it was written.
    #[error("not readable: {0}")]
    Json(#[source] JsonError),
    /// It cannot be written.
    #[error("cannot write: {0}")]
    Write(#[source] io::Error),
}

impl RevocationFiles {
    /// Reads the list for `trust_domain`, refuses an older one than was seen, and remembers it.
    pub(crate) fn load(
        &self,
        trust_domain: &TrustDomain,
        now: UnixMillis,
    ) -> Result<Revocations, TrustError> {
        let refused = |source| TrustError::Revocations { path: self.list.clone(), source };
        let list = file::read(&self.list, bounds::REVOCATION_BYTES).map_err(TrustError::File)?;
        let signature = file::read(&signature_path(&self.list), bounds::SIGNATURE_BYTES)
            .map_err(TrustError::File)?;
        let key = load_status_key(&self.status_key)?;
        let revocations = UnverifiedRevocations { file: &list, signature: &signature }
            .verify(&key)
            .and_then(|signed| signed.read(trust_domain, now))
            .map_err(refused)?;
        remember(&self.list, |seen| revocations.follows(seen).map_err(refused))?;
        Ok(revocations)
    }
}

/// The status key in a PEM file.
pub(crate) fn load_status_key(path: &Path) -> Result<StatusKey, TrustError> {
    let file = file::read(path, bounds::SIGNATURE_BYTES).map_err(TrustError::File)?;
    StatusKey::from_pem(&file)
        .map_err(|source| TrustError::ReleaseKey { path: path.to_path_buf(), source })
}

/// Asks `follow` whether a list may follow what was seen of `list` before, and keeps its answer.
pub(crate) fn remember(
    list: &Path,
    follow: impl FnOnce(Option<&Seen>) -> Result<Seen, TrustError>,
) -> Result<(), TrustError> {
    let path = with_ending(list, ".seen");
    let seen = read_seen(&path)?;
    let next = follow(seen.as_ref())?;
    if seen != Some(next) {
        keep(&path, &next).map_err(|source| TrustError::Seen { path, source })?;
    }
    Ok(())
}

fn read_seen(path: &Path) -> Result<Option<Seen>, TrustError> {
    if path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let bytes = file::read(path, bounds::SIGNATURE_BYTES).map_err(TrustError::File)?;
    let seen = json::decode(&bytes).map_err(|source| TrustError::Seen {
        path: path.to_path_buf(),
        source: SeenError::Json(source),
    })?;
    Ok(Some(seen))
}

/// Under its name stands what was seen before or what is seen now, whole.
fn keep(path: &Path, seen: &Seen) -> Result<(), SeenError> {
    let bytes = json::encode(seen).map_err(SeenError::Json)?;
    let draft = with_ending(path, ".new");
    fs::write(&draft, bytes).and_then(|()| fs::rename(&draft, path)).map_err(SeenError::Write)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}
