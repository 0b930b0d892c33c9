//! Files that are signed as they lie: manifests, lists of the status key, time tokens.
//!
//! A signature is a file of its own beside the signed one. What is signed is neither of the two
//! but [`signed_bytes`]: label, length, hash. Here is everything but the curve arithmetic: whoever
//! verifies gives [`read`] both files, and what comes back to its library.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::hex::{Hex32, HexBytes};
use crate::json::{self, JsonError};

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
    /// The layout of the signed bytes, and what kind of file it is.
    pub label: String,
    /// The signer: SHA-256 of the `SubjectPublicKeyInfo` (DER).
    pub key: Hex32,
    /// Length of the signed file in bytes.
    pub len: u64,
    /// SHA-256 of the signed file.
    pub sha256: Hex32,
    /// Why a manifest was signed whose inputs were not those of the lock file; else `null`.
    pub unlocked_because: Option<String>,
    /// ECDSA P-256 with SHA-256, DER.
    pub signature: HexBytes,
}

/// Why a file is not believed to be the signer's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The signature file is too long.
    #[error("expected a signature file of at most {SIGNATURE_BYTES} bytes, found {found}")]
    SignatureLength {
        /// Bytes found.
        found: usize,
    },
    /// The signature file is none.
    #[error("signature file is not readable: {0}; `tre-pki` makes it")]
    SignatureFile(#[source] JsonError),
    /// A later format than this program knows.
    #[error("expected signature format {FORMAT}, found {found}")]
    Format {
        /// Format found.
        found: u32,
    },
    /// A signature over another kind of file.
    #[error("expected a signature labelled {expected}, found {found:?}")]
    Label {
        /// Label of this kind of file.
        expected: &'static str,
        /// Label found.
        found: String,
    },
    /// Another key signed.
    #[error("expected a signature by the key {expected}, found one by key {found}")]
    OtherKey {
        /// The key that is trusted.
        expected: Hex32,
        /// The key that the signature file names.
        found: Hex32,
    },
    /// Cut short, lengthened, or another file.
    #[error("expected the file of {expected} bytes that was signed, found {found} bytes")]
    Length {
        /// Bytes that were signed.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// Altered, or another file.
    #[error("expected the file with SHA-256 {expected} that was signed, found {found}")]
    OtherFile {
        /// SHA-256 that was signed.
        expected: Hex32,
        /// SHA-256 found.
        found: Hex32,
    },
    /// The key did not sign this.
    #[error("expected a signature by the trusted key over this file, found another's")]
    Invalid,
}

/// What a signature library is to be given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Claim {
    /// The bytes that must be signed.
    pub message: Vec<u8>,
    /// ECDSA P-256 with SHA-256, DER.
    pub signature: HexBytes,
    /// What was signed along; to be believed once the signature holds.
    pub unlocked_because: Option<String>,
}

/// The bytes that are signed for a file.
///
/// Label, length of the file u64 big-endian, SHA-256 of the file, and behind these the reason in
/// UTF-8 if there is one.
#[must_use]
pub fn signed_bytes(label: &str, file: &[u8], unlocked_because: Option<&str>) -> Vec<u8> {
    let mut bytes = label.as_bytes().to_vec();
    bytes.extend_from_slice(&length(file).to_be_bytes());
    bytes.extend_from_slice(&Sha256::digest(file));
    bytes.extend_from_slice(unlocked_because.unwrap_or_default().as_bytes());
    bytes
}

/// Length of a file as it is signed.
#[must_use]
pub fn length(file: &[u8]) -> u64 {
    u64::try_from(file.len()).unwrap_or(u64::MAX)
}

/// Reads a signature file and holds it against the file beside it; nobody has signed yet what it
/// says of itself. `key` is the trusted key's SHA-256.
///
/// # Errors
///
/// [`SignatureError`], all but [`SignatureError::Invalid`].
pub fn read(
    label: &'static str,
    file: &[u8],
    signature_file: &[u8],
    key: &[u8; 32],
) -> Result<Claim, SignatureError> {
    let found = signature_file.len();
    if found > SIGNATURE_BYTES {
        return Err(SignatureError::SignatureLength { found });
    }
    let said: SignatureFile =
        json::decode_request(signature_file).map_err(SignatureError::SignatureFile)?;
    if said.format != FORMAT {
        return Err(SignatureError::Format { found: said.format });
    }
    if said.label != label {
        return Err(SignatureError::Label { expected: label, found: said.label });
    }
    let (expected, found) = (Hex32(*key), said.key);
    if expected != found {
        return Err(SignatureError::OtherKey { expected, found });
    }
    let (expected, found) = (said.len, length(file));
    if expected != found {
        return Err(SignatureError::Length { expected, found });
    }
    let (expected, found) = (said.sha256, Hex32(Sha256::digest(file).into()));
    if expected != found {
        return Err(SignatureError::OtherFile { expected, found });
    }
    let unlocked_because = said.unlocked_because;
    let message = signed_bytes(label, file, unlocked_because.as_deref());
    Ok(Claim { message, signature: said.signature, unlocked_because })
}
