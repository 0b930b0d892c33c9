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
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use tre_wire::hex::{Hex32, HexBytes};
use tre_wire::json::{self, JsonError};

pub use key::{ReleaseKey, ReleaseKeyError};
pub use rules::{Dates, REASON_BYTES, Standing, Unreleasable, check_releasable};

/// First bytes of what the release key signs, and the name of that layout in the signature file.
pub const LABEL: &str = "tre-manifest-v1";

/// Longest manifest file. Unit: bytes. Ours have under 64 KiB.
pub const MANIFEST_BYTES: usize = 1024 * 1024;

/// Longest signature file. Unit: bytes. Ours have under 1 KiB.
pub const SIGNATURE_BYTES: usize = 4 * 1024;

/// The version of [`SignatureFile`].
pub const FORMAT: u32 = 1;

/// The signature file: strict JSON, every field by its name. What is signed is not this file but
/// [`signed_bytes`]; `len` and `sha256` are repeated so that a mix-up can be named.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SignatureFile {
    /// Version of this structure: [`FORMAT`].
    pub format: u32,
    /// The layout of the signed bytes: [`LABEL`].
    pub label: String,
    /// The signer: [`ReleaseKey::id`].
    pub key: Hex32,
    /// Length of the manifest file in bytes.
    pub len: u64,
    /// SHA-256 of the manifest file.
    pub sha256: Hex32,
    /// Why a manifest was signed whose inputs were not those of the lock file; else `null`.
    pub unlocked_because: Option<String>,
    /// ECDSA P-256 with SHA-256, DER.
    pub signature: HexBytes,
}

/// The bytes that the release key signs for a manifest file.
///
/// [`LABEL`], length of the file u64 big-endian, SHA-256 of the file, and behind these 55 bytes
/// the reason in UTF-8 if there is one.
#[must_use]
pub fn signed_bytes(file: &[u8], unlocked_because: Option<&str>) -> Vec<u8> {
    let mut bytes = LABEL.as_bytes().to_vec();
    bytes.extend_from_slice(&length(file).to_be_bytes());
    bytes.extend_from_slice(&sha256(file).0);
    bytes.extend_from_slice(unlocked_because.unwrap_or_default().as_bytes());
    bytes
}

/// Length of a file as it is signed.
#[must_use]
pub fn length(file: &[u8]) -> u64 {
    u64::try_from(file.len()).unwrap_or(u64::MAX)
}

/// Why a manifest is not believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// The signature file is too long.
    #[error("expected a signature file of at most {SIGNATURE_BYTES} bytes, found {found}")]
    SignatureLength {
        /// Bytes found.
        found: usize,
    },
    /// The signature file is none.
    #[error("signature file is not readable: {0}; make it with `tre-pki sign-manifest`")]
    SignatureFile(#[source] JsonError),
    /// A later format than this program knows.
    #[error("expected signature format {FORMAT}, found {found}")]
    Format {
        /// Format found.
        found: u32,
    },
    /// A signature over something else than a manifest.
    #[error("expected a signature labelled {LABEL}, found {found:?}")]
    Label {
        /// Label found.
        found: String,
    },
    /// Another key signed.
    #[error("expected a signature by the release key {expected}, found one by key {found}")]
    OtherKey {
        /// The release key that is trusted.
        expected: Sha256Digest,
        /// The key that the signature file names.
        found: Sha256Digest,
    },
    /// Cut short, lengthened, or another file.
    #[error("expected the manifest of {expected} bytes that was signed, found {found} bytes")]
    Length {
        /// Bytes that were signed.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// Altered, or another file.
    #[error("expected the manifest with SHA-256 {expected} that was signed, found {found}")]
    OtherFile {
        /// SHA-256 that was signed.
        expected: Sha256Digest,
        /// SHA-256 found.
        found: Sha256Digest,
    },
    /// The key did not sign this.
    #[error("expected a signature by the release key over this manifest, found another's")]
    Invalid,
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
    /// [`ReleaseError`], up to [`ReleaseError::Invalid`].
    pub fn verify(self, key: &ReleaseKey) -> Result<SignedManifest<'a>, ReleaseError> {
        let Self { file, signature } = self;
        let signature = read_signature(signature)?;
        let (expected, found) = (key.id(), Sha256Digest(signature.key.0));
        if expected != found {
            return Err(ReleaseError::OtherKey { expected, found });
        }
        let (expected, found) = (signature.len, length(file));
        if expected != found {
            return Err(ReleaseError::Length { expected, found });
        }
        let (expected, found) = (Sha256Digest(signature.sha256.0), sha256(file));
        if expected != found {
            return Err(ReleaseError::OtherFile { expected, found });
        }
        let unlocked_because = signature.unlocked_because;
        let signed = signed_bytes(file, unlocked_because.as_deref());
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.point.to_sec1())
            .verify(&signed, signature.signature.as_slice())
            .map_err(|_| ReleaseError::Invalid)?;
        Ok(SignedManifest { file, unlocked_because })
    }
}

/// Reads a signature file; nobody has signed what it says of itself.
fn read_signature(file: &[u8]) -> Result<SignatureFile, ReleaseError> {
    let found = file.len();
    if found > SIGNATURE_BYTES {
        return Err(ReleaseError::SignatureLength { found });
    }
    let signature: SignatureFile =
        json::decode_request(file).map_err(ReleaseError::SignatureFile)?;
    if signature.format != FORMAT {
        return Err(ReleaseError::Format { found: signature.format });
    }
    if signature.label != LABEL {
        return Err(ReleaseError::Label { found: signature.label });
    }
    Ok(signature)
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
