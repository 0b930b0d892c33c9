//! A peer's own key and certificates, in one PEM file.

use core::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use attest_verifier_core::ChainError;
use attest_verifier_core::channel;
use attest_verifier_core::measured_boot::digest::Sha256Digest;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SigningKey};
use zeroize::Zeroizing;

use crate::bounds;
use crate::file::{self, FileError};

/// Certificate chain and private key of a client. The key never leaves it.
#[derive(Clone)]
pub struct ClientIdentity {
    certified: Arc<CertifiedKey>,
    key_hash: Sha256Digest,
}

/// Why a file is no identity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The file cannot be read.
    #[error(transparent)]
    File(FileError),
    /// The file is not PEM, or a part is missing.
    #[error("{origin}: expected a PKCS #8 private key and certificates in PEM: {cause}")]
    Pem {
        /// Where the bytes came from.
        origin: Origin,
        /// What the parser found.
        cause: pem::Error,
    },
    /// A key without a certificate is nobody's.
    #[error("{origin}: expected a certificate beside the private key, found {cause}")]
    Certificate {
        /// Where the bytes came from.
        origin: Origin,
        /// What was found.
        cause: ChainError,
    },
    /// The key cannot be used, or is not the certificate's.
    #[error("{origin}: expected a key that fits the first certificate: {source}")]
    Key {
        /// Where the bytes came from.
        origin: Origin,
        /// What the TLS library says.
        source: rustls::Error,
    },
}

/// Where bytes came from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// The caller's memory.
    Memory,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Memory => f.write_str("identity"),
        }
    }
}

impl ClientIdentity {
    /// Reads a file with a PKCS #8 private key and a certificate chain, leaf first, in PEM: what
    /// `tre-pki issue` writes.
    ///
    /// # Errors
    ///
    /// [`IdentityError`].
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        let bytes = file::read(path, bounds::IDENTITY_BYTES).map_err(IdentityError::File)?;
        Self::parse(&Zeroizing::new(bytes), &Origin::File(path.to_path_buf()))
    }

    /// Takes the content of such a file.
    ///
    /// # Errors
    ///
    /// [`IdentityError`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, IdentityError> {
        Self::parse(pem, &Origin::Memory)
    }

    /// Takes the certificates of `pem`, leaf first, for a key that is held elsewhere: in a TPM.
    ///
    /// # Errors
    ///
    /// [`IdentityError`]; [`IdentityError::Key`] also for a key that does not name its public part.
    pub fn for_key(pem: &[u8], key: Arc<dyn SigningKey>) -> Result<Self, IdentityError> {
        Self::of(pem, &Origin::Memory, |chain| {
            let certified = CertifiedKey::new(chain, key);
            certified.keys_match()?;
            Ok(certified)
        })
    }

    fn parse(pem: &[u8], origin: &Origin) -> Result<Self, IdentityError> {
        let bad_pem = |cause| IdentityError::Pem { origin: origin.clone(), cause };
        let key = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(bad_pem)?;
        let provider = rustls::crypto::ring::default_provider();
        Self::of(pem, origin, |chain| CertifiedKey::from_der(chain, key.into(), &provider))
    }

    fn of(
        pem: &[u8],
        origin: &Origin,
        certify: impl FnOnce(Vec<CertificateDer<'static>>) -> Result<CertifiedKey, rustls::Error>,
    ) -> Result<Self, IdentityError> {
        let bad_pem = |cause| IdentityError::Pem { origin: origin.clone(), cause };
        let bad_key = |source| IdentityError::Key { origin: origin.clone(), source };
        let chain = CertificateDer::pem_slice_iter(pem);
        let chain = chain.collect::<Result<Vec<_>, _>>().map_err(bad_pem)?;
        let key_hash = channel::leaf_key(&chain)
            .map_err(|cause| IdentityError::Certificate { origin: origin.clone(), cause })?;
        let certified = certify(chain).map_err(bad_key)?;
        Ok(Self { certified: Arc::new(certified), key_hash })
    }

    /// SHA-256 of the SubjectPublicKeyInfo (DER): what an attestation binds.
    #[must_use]
    pub const fn key_hash(&self) -> Sha256Digest {
        self.key_hash
    }

    /// The certificates, leaf first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.certified.cert
    }

    pub(crate) fn certified(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.certified)
    }
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientIdentity({}, Secret(..))", self.key_hash)
    }
}
