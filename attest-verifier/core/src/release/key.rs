//! The release key, as verifiers have it.

use alloc::string::String;
use alloc::vec::Vec;

use measured_boot::digest::{Sha256Digest, sha256};
use measured_boot::tpm::{P256Point, SpkiError};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::{self, PemObject as _};
use tre_wire::signed::{self, SignatureError};

/// The public key that signs manifests: P-256.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReleaseKey {
    point: P256Point,
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

    /// The key signed exactly these bytes, as a file of the kind that `label` says. Returns what was
    /// signed along.
    ///
    /// # Errors
    ///
    /// [`SignatureError`].
    pub(crate) fn verify(
        &self,
        label: &'static str,
        file: &[u8],
        signature_file: &[u8],
    ) -> Result<Option<String>, SignatureError> {
        let claim = signed::read(label, file, signature_file, &self.id().0)?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, self.point.to_sec1())
            .verify(&claim.message, claim.signature.as_slice())
            .map_err(|_| SignatureError::Invalid)?;
        Ok(claim.unlocked_because)
    }

    /// SHA-256 of the `SubjectPublicKeyInfo` (DER).
    #[must_use]
    pub fn id(&self) -> Sha256Digest {
        sha256(&self.point.to_spki_der())
    }

    /// The `SubjectPublicKeyInfo` (DER).
    #[must_use]
    pub fn to_spki_der(&self) -> Vec<u8> {
        self.point.to_spki_der().to_vec()
    }
}
