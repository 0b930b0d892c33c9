//! Released manifests: signed by the release key as they lie, verified before they are read.
//!
//! A signature is a file of its own beside the manifest. Nothing in a manifest is looked at before
//! its bytes are known to be those that the release key signed, and they are never written anew.
//! [`UnverifiedManifest`] becomes [`SignedManifest`] becomes [`ReleasedManifest`]; signer and
//! verifier share [`signed_bytes`] and [`check_releasable`].

mod key;
mod rules;

use alloc::string::String;
use alloc::vec::Vec;

use measured_boot::digest::{Sha256Digest, sha256};
use measured_boot::manifest::ReferenceManifest;
use tre_wire::json::{self, JsonError};
use tre_wire::signed;

pub use key::{ReleaseKey, ReleaseKeyError};
pub use tre_wire::signed::{FORMAT, SIGNATURE_BYTES, SignatureError, SignatureFile, length};

pub use rules::{Dates, REASON_BYTES, Standing, Unreleasable, check_releasable};

/// First bytes of what the release key signs, and the name of that layout in the signature file.
pub const LABEL: &str = "tre-manifest-v1";

/// Longest manifest file. Unit: bytes. Ours have under 64 KiB.
pub const MANIFEST_BYTES: usize = 1024 * 1024;

/// The bytes that the release key signs for a manifest file: see [`signed::signed_bytes`].
#[must_use]
pub fn signed_bytes(file: &[u8], unlocked_because: Option<&str>) -> Vec<u8> {
    signed::signed_bytes(LABEL, file, unlocked_because)
}

/// Why a manifest is not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// The release key did not sign it.
    #[error(transparent)]
    Signature(SignatureError),
    /// Signed, and no manifest.
    #[error("manifest is not readable: {0}")]
    Manifest(#[source] JsonError),
    /// Signed, and against the rules for releases.
    #[error(transparent)]
    Unreleasable(Unreleasable),
}

/// A manifest file and its signature file, of which nothing is believed.
#[derive(Clone, Copy, Debug)]
pub struct UnverifiedManifest<'a> {
    /// The manifest file as it lies.
    pub file: &'a [u8],
    /// The signature file as it lies.
    pub signature: &'a [u8],
}

/// A manifest file that the release key signed. It has not been read yet.
#[derive(Clone, Debug)]
pub struct SignedManifest<'a> {
    file: &'a [u8],
    unlocked_because: Option<String>,
}

/// A manifest that the release key signed, whole and within the rules.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReleasedManifest {
    manifest: ReferenceManifest,
    sha256: Sha256Digest,
    dates: Dates,
    unlocked_because: Option<String>,
}

impl<'a> UnverifiedManifest<'a> {
    /// The release key signed exactly these bytes as a manifest.
    ///
    /// # Errors
    ///
    /// [`ReleaseError::Signature`].
    pub fn verify(self, key: &ReleaseKey) -> Result<SignedManifest<'a>, ReleaseError> {
        let Self { file, signature } = self;
        let unlocked_because =
            key.verify(LABEL, file, signature).map_err(ReleaseError::Signature)?;
        Ok(SignedManifest { file, unlocked_because })
    }
}

/// Reads a manifest file, whoever wrote it.
///
/// # Errors
///
/// [`JsonError`].
pub fn read_manifest(file: &[u8]) -> Result<ReferenceManifest, JsonError> {
    json::decode_at_most(file, MANIFEST_BYTES)
}

impl SignedManifest<'_> {
    /// Reads the manifest.
    ///
    /// # Errors
    ///
    /// [`ReleaseError::Manifest`]; [`ReleaseError::Unreleasable`].
    pub fn read(self) -> Result<ReleasedManifest, ReleaseError> {
        let Self { file, unlocked_because } = self;
        let manifest = read_manifest(file).map_err(ReleaseError::Manifest)?;
        let dates = check_releasable(&manifest, unlocked_because.as_deref())
            .map_err(ReleaseError::Unreleasable)?;
        Ok(ReleasedManifest { manifest, sha256: sha256(file), dates, unlocked_because })
    }
}

impl ReleasedManifest {
    /// What the image must measure to.
    #[must_use]
    pub const fn manifest(&self) -> &ReferenceManifest {
        &self.manifest
    }

    /// SHA-256 of its file.
    #[must_use]
    pub const fn sha256(&self) -> Sha256Digest {
        self.sha256
    }

    /// When it may be believed.
    #[must_use]
    pub const fn dates(&self) -> Dates {
        self.dates
    }

    /// Why it was released although its inputs were not those of the lock file.
    #[must_use]
    pub fn unlocked_because(&self) -> Option<&str> {
        self.unlocked_because.as_deref()
    }
}
