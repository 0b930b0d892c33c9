//! Our key and certificates from a file: the key in the file itself, or in our own TPM.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use attest_verifier::{ClientIdentity, IdentityError};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::sign::{Signer, SigningKey};
use rustls::{OtherError, SignatureAlgorithm, SignatureScheme};
use tre_tpm_key::{HeldKey, HeldKeyError, KeyFile, KeyFileError};
use zeroize::Zeroizing;

/// Longest file with a key and its certificates. Unit: bytes.
const FILE_BYTES: u64 = 64 * 1024;

/// Why a file is no identity.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What should name a key in a TPM does not.
    #[error("{}: {source}", path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: KeyFileError,
    },
    /// The TPM does not answer, or has another key.
    #[error("{}: {source}", path.display())]
    Held {
        /// The file.
        path: PathBuf,
        /// What is wrong with the key.
        source: Box<HeldKeyError>,
    },
    /// The certificates are not those of the key in the TPM.
    #[error("{}: {source}", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        source: IdentityError,
    },
    /// A key in the file, or its certificates.
    #[error(transparent)]
    Plain(#[from] IdentityError),
}

/// Reads a file with certificates, leaf first, and a private key or the name of one in a TPM.
///
/// The TPM is asked for its key at once, before anybody is connected to.
///
/// # Errors
///
/// [`LoadError`].
pub fn load(path: &Path) -> Result<ClientIdentity, LoadError> {
    load_with(path, |_| ()).map(|(identity, ())| identity)
}

/// The same, and what `of` makes of the file's bytes.
pub(crate) fn load_with<T>(
    path: &Path,
    of: impl FnOnce(&[u8]) -> T,
) -> Result<(ClientIdentity, T), LoadError> {
    let path_of = || path.to_path_buf();
    let text = read(path).map_err(|source| LoadError::Read { path: path_of(), source })?;
    let made = of(&text);
    let named = KeyFile::find(&text);
    let named = named.map_err(|source| LoadError::KeyFile { path: path_of(), source })?;
    let Some(named) = named else { return Ok((ClientIdentity::load(path)?, made)) };
    let key = HeldKey::open(named);
    let key =
        key.map_err(|source| LoadError::Held { path: path_of(), source: Box::new(source) })?;
    let identity = ClientIdentity::for_key(&text, Arc::new(TpmKey(Arc::new(key))))
        .map_err(|source| LoadError::Certificates { path: path_of(), source })?;
    Ok((identity, made))
}

/// As much of the file as any identity has; whoever reads it whole says that it is too long.
fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut text = Zeroizing::new(Vec::new());
    File::open(path)?.take(FILE_BYTES).read_to_end(&mut text)?;
    Ok(text)
}

/// The key in the TPM as TLS sees it.
#[derive(Debug)]
struct TpmKey(Arc<HeldKey>);

impl SigningKey for TpmKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let ours = offered.contains(&SignatureScheme::ECDSA_NISTP256_SHA256);
        ours.then(|| -> Box<dyn Signer> { Box::new(TpmSigner(Arc::clone(&self.0))) })
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.0.point().to_spki_der().to_vec()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

/// One signature of a handshake. The thread waits for the TPM, and everything else on it does: a
/// peer with its key in a TPM has one connection, and nothing to do before it stands.
#[derive(Debug)]
struct TpmSigner(Arc<HeldKey>);

impl Signer for TpmSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        self.0.sign(message).map_err(|error| OtherError(Arc::new(error)).into())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
    }
}
