//! The manufacturers' certificates that the operator listed.

use core::time::Duration;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use tre_wire::units::UnixMillis;
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::admission::Admission;
use crate::file::{self, FileError};

/// Most certificates in the folder: every manufacturer's roots and intermediates are a few
/// hundred.
const MOST_CERTIFICATES: usize = 1_024;

/// Longest file in the folder. Unit: bytes. A bundle of all of them fits.
const FILE_BYTES: u64 = 4 * 1024 * 1024;

/// Why a folder of manufacturers' certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// The folder cannot be listed.
    #[error(
        "cannot list {path}: {source}; give the folder of the TPM makers' certificates",
        path = path.display()
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file cannot be read.
    #[error(transparent)]
    File(FileError),
    /// A file is not what its name says.
    #[error("expected PEM certificates in {path}: {source}", path = path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What the reader found.
        source: rustls_pki_types::pem::Error,
    },
    /// A certificate is not readable.
    #[error(
        "expected readable certificates in {path}, found one that is not",
        path = path.display()
    )]
    Certificate {
        /// The file.
        path: PathBuf,
    },
    /// More certificates than the folder can need.
    #[error("expected at most {MOST_CERTIFICATES} certificates in {path}", path = path.display())]
    TooMany {
        /// The folder.
        path: PathBuf,
    },
    /// Nobody would be trusted.
    #[error(
        "expected a self-issued root certificate (*.pem or *.crt, PEM) in {path}, found none; \
         put the TPM maker's root there", path = path.display()
    )]
    NoRoot {
        /// The folder.
        path: PathBuf,
    },
}

/// Manufacturers' roots, and the intermediates between them and the endorsement keys.
#[derive(Clone, Debug)]
pub struct EkRoots {
    roots: Vec<TrustAnchor<'static>>,
    intermediates: Vec<CertificateDer<'static>>,
    admission: Admission,
}

impl EkRoots {
    /// Reads every `*.pem` and `*.crt` of `folder`. A self-issued certificate is a root; every
    /// other one only helps to reach one. Private keys in those files are passed over.
    ///
    /// # Errors
    ///
    /// [`RootsError`].
    pub fn load(folder: &Path) -> Result<Self, RootsError> {
        let failed = |source| RootsError::Folder { path: folder.to_path_buf(), source };
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let named = path.extension().is_some_and(|end| end == "pem" || end == "crt");
            if named && path.is_file() {
                paths.push(path);
            }
        }
        paths.sort();
        let admission = Admission::NOTHING;
        let mut loaded = Self { roots: Vec::new(), intermediates: Vec::new(), admission };
        for path in &paths {
            loaded.add(path)?;
            if loaded.roots.len().saturating_add(loaded.intermediates.len()) > MOST_CERTIFICATES {
                return Err(RootsError::TooMany { path: folder.to_path_buf() });
            }
        }
        if loaded.roots.is_empty() {
            return Err(RootsError::NoRoot { path: folder.to_path_buf() });
        }
        Ok(loaded)
    }

    /// The same roots, and what the operator admits besides.
    #[must_use]
    pub fn admitting(self, admission: Admission) -> Self {
        Self { admission, ..self }
    }

    /// What the operator admits.
    pub(super) const fn admission(&self) -> &Admission {
        &self.admission
    }

    fn add(&mut self, path: &Path) -> Result<(), RootsError> {
        let bytes =
            zeroize::Zeroizing::new(file::read(path, FILE_BYTES).map_err(RootsError::File)?);
        let unreadable = || RootsError::Certificate { path: path.to_path_buf() };
        for certificate in CertificateDer::pem_slice_iter(&bytes) {
            let der = certificate
                .map_err(|source| RootsError::Pem { path: path.to_path_buf(), source })?;
            let Ok(([], parsed)) = X509Certificate::from_der(&der) else {
                return Err(unreadable());
            };
            if parsed.subject().as_raw() == parsed.issuer().as_raw() {
                let root = webpki::anchor_from_trusted_cert(&der).map_err(|_| unreadable())?;
                self.roots.push(root.to_owned());
            } else {
                self.intermediates.push(der.clone());
            }
        }
        Ok(())
    }

    /// Builds a path from `certificate` to one of the roots, every certificate in force at `now`.
    pub(super) fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        now: UnixMillis,
    ) -> Result<(), webpki::Error> {
        let leaf = EndEntityCert::try_from(certificate)?;
        let now = UnixTime::since_unix_epoch(Duration::from_millis(now.get()));
        // Manufacturers' intermediates rarely say what they are for: required of the leaf alone,
        // where the profile asks for it by itself.
        let usage = KeyUsage::required_if_present(EK_CERTIFICATE);
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        leaf.verify_for_usage(algorithms, &self.roots, &self.intermediates, now, usage, None, None)
            .map(|_| ())
    }
}

/// `tcg-kp-EKCertificate`, 2.23.133.8.1, as DER content. `[EKP]`
const EK_CERTIFICATE: &[u8] = &[0x67, 0x81, 0x05, 0x08, 0x01];
