//! The release key, as verifiers have it.

use measured_boot::digest::{Sha256Digest, sha256};
use measured_boot::tpm::{P256Point, SpkiError};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::{self, PemObject as _};

/// The public key that signs manifests: P-256.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReleaseKey {
    pub(super) point: P256Point,
}

/// Why a file holds no release key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseKeyError {
    /// No PEM block of a public key.
    #[error("expected a PEM public key, as `tre-pki init` writes release.pem, found none: {cause}")]
    Pem {
        /// What the reader found.
        cause: pem::Error,
    },
    /// A key of another kind.
    #[error(transparent)]
    Spki(SpkiError),
    /// Not an uncompressed P-256 point.
    #[error("expected an uncompressed P-256 point of 65 bytes, found another form in {found}")]
    Point {
        /// Length found, in bytes.
        found: usize,
    },
}

impl ReleaseKey {
    /// The key in a `SubjectPublicKeyInfo` (DER).
    ///
    /// # Errors
    ///
    /// [`ReleaseKeyError::Spki`].
    pub fn from_spki_der(der: &[u8]) -> Result<Self, ReleaseKeyError> {
        let point = P256Point::from_spki_der(der).map_err(ReleaseKeyError::Spki)?;
        Ok(Self { point })
    }

    /// The key as an uncompressed point.
    ///
    /// # Errors
    ///
    /// [`ReleaseKeyError::Point`].
    pub fn from_sec1(bytes: &[u8]) -> Result<Self, ReleaseKeyError> {
        let found = bytes.len();
        let Some((0x04, coordinates)) = bytes.split_first() else {
            return Err(ReleaseKeyError::Point { found });
        };
        let ([x, y], []) = coordinates.as_chunks::<32>() else {
            return Err(ReleaseKeyError::Point { found });
        };
        Ok(Self { point: P256Point { x: *x, y: *y } })
    }

    /// The key in a PEM file.
    ///
    /// # Errors
    ///
    /// [`ReleaseKeyError`].
    pub fn from_pem(file: &[u8]) -> Result<Self, ReleaseKeyError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(file)
            .map_err(|cause| ReleaseKeyError::Pem { cause })?;
        Self::from_spki_der(&der)
    }

    /// SHA-256 of the `SubjectPublicKeyInfo` (DER).
    #[must_use]
    pub fn id(&self) -> Sha256Digest {
        sha256(&self.point.to_spki_der())
    }
}
