//! The line of the README that names the image's hash.

use std::fs;
use std::path::{Path, PathBuf};

use measured_boot::digest::{HexError, Sha256Digest};

use super::RENEW;
use crate::checkout::Checkout;
use crate::file::{self, FileError};

/// How the line begins; the hash follows, in backquotes.
const MARK: &str = "SHA-256 of the image: `";

/// Why the README does not say what the lock file says.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadmeError {
    /// The README cannot be read or written.
    #[error("lock: {0}")]
    File(#[source] FileError),
    /// The README has not one line with a hash, but none or several.
    #[error("{}: expected one line with \"{MARK}\", found {found}", path.display())]
    Lines {
        /// The README.
        path: PathBuf,
        /// How many there are.
        found: usize,
    },
    /// What stands there is no hash.
    #[error("{}: after \"{MARK}\": {source}", path.display())]
    Hash {
        /// The README.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: HexError,
    },
    /// It is another hash.
    #[error("the README names the image {found}, the lock file {expected}: '{RENEW}' writes both")]
    Differs {
        /// The hash in the lock file.
        expected: Sha256Digest,
        /// The hash in the README.
        found: Sha256Digest,
    },
}

/// Whether the README names the image `expected`.
pub(super) fn check(checkout: &Checkout, expected: Sha256Digest) -> Result<(), ReadmeError> {
    let path = path(checkout);
    let (_, hash, _) = &split(&path)?;
    match hash.parse() {
        Err(source) => Err(ReadmeError::Hash { path, source }),
        Ok(found) if found != expected => Err(ReadmeError::Differs { expected, found }),
        Ok(_) => Ok(()),
    }
}

/// Makes the README name `image`.
pub(super) fn write(checkout: &Checkout, image: Sha256Digest) -> Result<(), ReadmeError> {
    let path = path(checkout);
    let (before, _, after) = split(&path)?;
    let text = format!("{before}{MARK}{image}{after}");
    file::replace(&path, text.as_bytes()).map_err(ReadmeError::File)
}

fn path(checkout: &Checkout) -> PathBuf {
    checkout.root().join("README.md")
}

/// What stands before the mark, between it and the next backquote, and from there on.
fn split(path: &Path) -> Result<(String, String, String), ReadmeError> {
    let text = fs::read_to_string(path).map_err(FileError::at("reading", path));
    let text = text.map_err(ReadmeError::File)?;
    let parts: Vec<&str> = text.split(MARK).collect();
    let [before, after] = *parts else {
        let found = parts.len().saturating_sub(1);
        return Err(ReadmeError::Lines { path: path.into(), found });
    };
    let (hash, rest) = after.split_at(after.find('`').unwrap_or(after.len()));
    Ok((before.into(), hash.into(), rest.into()))
}
