//! A private key at rest: PKCS#8 in PEM, encrypted under a passphrase.
//!
//! PBES2 with scrypt and AES-256-CBC, as `openssl pkcs8` writes and reads it. `[RFC8018]`
//! `[RFC7914]` A key in clear is only for domains of tests and demonstrations.

use core::fmt;
use std::path::{Path, PathBuf};

use pkcs8::pkcs5::{pbes2, scrypt};
use pkcs8::{EncryptedPrivateKeyInfo, LineEnding, PrivateKeyInfo, SecretDocument};
use rsa::rand_core::CryptoRngCore;
use rustls_pki_types::PrivatePkcs8KeyDer;
use zeroize::Zeroizing;

use crate::file::{self, Access, FileError};
use crate::passphrase::Passphrase;

/// How a new key is kept.
#[derive(Clone, Copy, Debug)]
pub enum Protection<'a> {
    /// Encrypted under this passphrase.
    Sealed(&'a Passphrase),
    /// In clear: for tests and demonstrations alone.
    Clear,
}

/// Why a key cannot be encrypted.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Random bytes could not be had.
    #[error("no random bytes to encrypt a private key with: {0}")]
    Random(#[source] rsa::rand_core::Error),
    /// The key is no PKCS#8.
    #[error("expected a private key in PKCS#8: {0}")]
    Key(#[source] pkcs8::Error),
    /// The encryption failed.
    #[error("cannot encrypt the private key: {0}")]
    Encrypt(#[source] pkcs8::Error),
    /// Its parameters are not ones that the library takes.
    #[error("cannot encrypt the private key with these parameters")]
    Parameters,
    /// The encrypted key could not be written as PEM.
    #[error("cannot write the private key as PEM: {0}")]
    Pem(#[source] pkcs8::der::Error),
}

/// Why a file gives no private key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It is missing, or others than its owner can read it.
    #[error(transparent)]
    File(FileError),
    /// No private key in it.
    #[error("expected one PEM private key (PKCS#8) in {path}", path = path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// An encrypted key, and no passphrase.
    #[error(
        "expected a passphrase for {path}, found none; give --passphrase-file or a terminal",
        path = path.display()
    )]
    NoPassphrase {
        /// The file.
        path: PathBuf,
    },
    /// Another passphrase, or another program's encryption.
    #[error(
        "cannot decrypt {path}: expected its passphrase, found another, or an encryption other \
         than PBES2", path = path.display()
    )]
    Passphrase {
        /// The file.
        path: PathBuf,
    },
    /// A key in clear where real boxes depend on it.
    #[error(
        "expected an encrypted private key in {path}, found one in clear in a domain for real \
         boxes; encrypt it with `tre-pki reseal`, and ask who has read it", path = path.display()
    )]
    Clear {
        /// The file.
        path: PathBuf,
    },
    /// The key could not be encrypted anew.
    #[error(transparent)]
    Seal(SealError),
}

/// Whether a key in clear may be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClearKeys {
    /// In a domain for tests and demonstrations.
    Allowed,
    /// In a domain for real boxes.
    Refused,
}

/// A private key in memory, PKCS#8. Zeroed when dropped, never printed.
pub struct PrivateKey(Zeroizing<Vec<u8>>);

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl PrivateKey {
    /// Takes a key, PKCS#8 in DER.
    #[must_use]
    pub const fn from_der(der: Zeroizing<Vec<u8>>) -> Self {
        Self(der)
    }

    /// The key, for a library that signs with it.
    #[must_use]
    pub fn pkcs8(&self) -> PrivatePkcs8KeyDer<'_> {
        PrivatePkcs8KeyDer::from(self.0.as_slice())
    }

    /// The key in PEM as `protection` has it.
    ///
    /// # Errors
    ///
    /// [`SealError`].
    pub fn to_pem(
        &self,
        protection: Protection<'_>,
        random: &mut dyn CryptoRngCore,
    ) -> Result<Zeroizing<String>, SealError> {
        let Protection::Sealed(passphrase) = protection else {
            let document = SecretDocument::try_from(self.0.as_slice()).map_err(SealError::Pem)?;
            return document.to_pem(CLEAR, LineEnding::LF).map_err(SealError::Pem);
        };
        let (mut salt, mut vector) = ([0; SALT_BYTES], [0; 16]);
        random.try_fill_bytes(&mut salt).map_err(SealError::Random)?;
        random.try_fill_bytes(&mut vector).map_err(SealError::Random)?;
        let cost = scrypt::Params::new(LOG_N, BLOCK, LANES, AES_256_BYTES)
            .map_err(|_| SealError::Parameters)?;
        let parameters = pbes2::Parameters::scrypt_aes256cbc(cost, &salt, &vector)
            .map_err(|_| SealError::Parameters)?;
        let key = PrivateKeyInfo::try_from(self.0.as_slice()).map_err(SealError::Key)?;
        let sealed = key
            .encrypt_with_params(parameters, passphrase.as_bytes())
            .map_err(SealError::Encrypt)?;
        sealed.to_pem(SEALED, LineEnding::LF).map_err(SealError::Pem)
    }
}

/// What a key file holds, before any passphrase is asked for.
enum Kept {
    Sealed(SecretDocument),
    Clear(SecretDocument),
}

fn read(path: &Path) -> Result<Kept, KeyFileError> {
    let text = file::read_private(path, FILE_BYTES).map_err(KeyFileError::File)?;
    let none = || KeyFileError::NoKey { path: path.to_path_buf() };
    let text = core::str::from_utf8(&text).map_err(|_| none())?;
    let (label, document) = SecretDocument::from_pem(text).map_err(|_| none())?;
    match label {
        SEALED => Ok(Kept::Sealed(document)),
        CLEAR => Ok(Kept::Clear(document)),
        _ => Err(none()),
    }
}

/// Whether the key in the file at `path` is encrypted.
///
/// # Errors
///
/// [`KeyFileError::File`] and [`KeyFileError::NoKey`].
pub fn is_sealed(path: &Path) -> Result<bool, KeyFileError> {
    read(path).map(|kept| matches!(kept, Kept::Sealed(_)))
}

/// The key in the file at `path`.
///
/// # Errors
///
/// [`KeyFileError`].
pub fn open(
    path: &Path,
    passphrase: Option<&Passphrase>,
    clear: ClearKeys,
) -> Result<PrivateKey, KeyFileError> {
    let of = |document: &SecretDocument| PrivateKey(Zeroizing::new(document.as_bytes().to_vec()));
    let path_of = || path.to_path_buf();
    match (read(path)?, passphrase, clear) {
        (Kept::Clear(document), _, ClearKeys::Allowed) => Ok(of(&document)),
        (Kept::Clear(_), _, ClearKeys::Refused) => Err(KeyFileError::Clear { path: path_of() }),
        (Kept::Sealed(_), None, _) => Err(KeyFileError::NoPassphrase { path: path_of() }),
        (Kept::Sealed(document), Some(passphrase), _) => {
            let refused = || KeyFileError::Passphrase { path: path_of() };
            let sealed = EncryptedPrivateKeyInfo::try_from(document.as_bytes());
            let key = sealed.map_err(|_| refused())?.decrypt(passphrase.as_bytes());
            Ok(of(&key.map_err(|_| refused())?))
        }
    }
}

/// Encrypts the key in the file at `path` under `new`, whether it was encrypted before or not.
/// The file is replaced whole or not at all.
///
/// # Errors
///
/// [`KeyFileError`].
pub fn reseal(
    path: &Path,
    old: Option<&Passphrase>,
    new: &Passphrase,
    random: &mut dyn CryptoRngCore,
) -> Result<(), KeyFileError> {
    let key = open(path, old, ClearKeys::Allowed)?;
    let sealed = key.to_pem(Protection::Sealed(new), random).map_err(KeyFileError::Seal)?;
    file::replace(path, sealed.as_bytes(), Access::Owner).map_err(KeyFileError::File)
}

/// PEM label of an encrypted key. `[RFC7468]`
const SEALED: &str = "ENCRYPTED PRIVATE KEY";

/// PEM label of a key in clear. `[RFC7468]`
const CLEAR: &str = "PRIVATE KEY";

/// Longest key file. Unit: bytes.
const FILE_BYTES: u64 = 16 * 1024;

/// Length of the salt. Unit: bytes.
const SALT_BYTES: usize = 16;

/// Length of the key that scrypt derives. Unit: bytes.
const AES_256_BYTES: usize = 32;

/// scrypt's cost is 2 to this power: with [`BLOCK`] 16 MiB, the most that OpenSSL decrypts with its
/// own limit of 32 MiB.
const LOG_N: u8 = 14;

/// scrypt's block size. Unit: 128 bytes.
const BLOCK: u32 = 8;

/// scrypt's parallelisation: what the memory limit keeps the cost from reaching.
const LANES: u32 = 5;
