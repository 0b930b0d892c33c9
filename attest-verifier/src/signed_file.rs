//! A file with the signature file beside it, both as they lie: nobody has verified anything.

use std::path::{Path, PathBuf};

use attest_verifier_core::release::{
    ReleaseError, ReleaseKey, ReleasedManifest, UnverifiedManifest,
};

use crate::bounds;
use crate::file::{self, FileError};
use crate::keep;

/// A signed file and its signature file, byte for byte.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedFile {
    /// The file.
    pub file: Vec<u8>,
    /// The signature file.
    pub signature: Vec<u8>,
}

/// Which of the two could not be read.
#[derive(Debug)]
pub(crate) enum Unread {
    File(FileError),
    Signature(FileError),
}

impl Unread {
    pub(crate) fn error(self) -> FileError {
        match self {
            Self::File(error) | Self::Signature(error) => error,
        }
    }
}

impl SignedFile {
    /// Reads both; the file has at most `most` bytes.
    pub(crate) fn read(path: &Path, most: u64) -> Result<Self, Unread> {
        let file = file::read(path, most).map_err(Unread::File)?;
        let signature = file::read(&signature_path(path), bounds::SIGNATURE_BYTES)
            .map_err(Unread::Signature)?;
        Ok(Self { file, signature })
    }

    /// As a manifest that the release key signed.
    pub(crate) fn released(&self, key: &ReleaseKey) -> Result<ReleasedManifest, ReleaseError> {
        let Self { file, signature } = self;
        UnverifiedManifest { file, signature }.verify(key)?.read()
    }
}

/// Where the signature of the manifest file `manifest` lies: the same name with `.sig` behind it.
#[must_use]
pub fn signature_path(manifest: &Path) -> PathBuf {
    keep::beside(manifest, ".sig")
}
