//! Certificates that firmware can verify with: X.509 with an RSA key.

use core::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use x509_parser::public_key::PublicKey;

use crate::file::FileError;

/// Smallest key that is accepted. Unit: bit. Secure-boot firmware is made for 2048.
const SMALLEST_KEY: usize = 2048;

/// An X.509 certificate with an RSA key of at least 2048 bits.
#[derive(Clone, Eq, PartialEq)]
pub struct Certificate(Vec<u8>);

/// Why a certificate is of no use to firmware.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// It cannot be read.
    #[error("certificate: {0}")]
    File(#[source] FileError),
    /// Neither PEM nor DER.
    #[error("{} is no X.509 certificate, in PEM or DER", path.display())]
    NotCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The firmware's verifier knows RSA alone.
    #[error(
        "{} has another key than RSA, with which OVMF's secure boot cannot verify: \
         make an RSA-2048 key",
        path.display()
    )]
    NotRsa {
        /// The file.
        path: PathBuf,
    },
    /// Too short to protect anything.
    #[error(
        "{}: expected an RSA key of at least {SMALLEST_KEY} bits, found {found}",
        path.display()
    )]
    ShortKey {
        /// The file.
        path: PathBuf,
        /// Length of the modulus. Unit: bit.
        found: usize,
    },
}

impl Certificate {
    /// Reads the certificate in `path`, PEM or DER.
    ///
    /// # Errors
    ///
    /// [`CertificateError`].
    pub fn load(path: &Path) -> Result<Self, CertificateError> {
        let file = fs::read(path).map_err(FileError::at("reading", path));
        let file = file.map_err(CertificateError::File)?;
        let der = match pem::parse(&file) {
            Ok(block) if block.tag() == "CERTIFICATE" => block.into_contents(),
            Ok(_) => return Err(CertificateError::NotCertificate { path: path.into() }),
            Err(_) => file,
        };
        match key_bits(&der) {
            None => Err(CertificateError::NotCertificate { path: path.into() }),
            Some(None) => Err(CertificateError::NotRsa { path: path.into() }),
            Some(Some(found)) if found < SMALLEST_KEY => {
                Err(CertificateError::ShortKey { path: path.into(), found })
            }
            Some(Some(_)) => Ok(Self(der)),
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", measured_boot::digest::sha256(&self.0))
    }
}

/// Length of the RSA modulus in bits; `Some(None)` for another key, `None` for no certificate.
fn key_bits(der: &[u8]) -> Option<Option<usize>> {
    let (rest, certificate) = x509_parser::parse_x509_certificate(der).ok()?;
    if !rest.is_empty() {
        return None;
    }
    let key = certificate.public_key().parsed().ok()?;
    Some(if let PublicKey::RSA(key) = key { Some(key.key_size()) } else { None })
}
