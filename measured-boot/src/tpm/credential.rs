//! Framing of credential activation: what `TPM2_MakeCredential` returns and
//! `TPM2_ActivateCredential` takes. The cryptography inside is not here.

use alloc::vec::Vec;

use thiserror::Error;

use crate::reader::{ReadError, Reader};

/// Why a credential blob is refused.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum CredentialError {
    /// Cut short, or bytes behind it.
    #[error("credential: {0}")]
    Read(#[from] ReadError),
    /// The integrity value is neither an HMAC-SHA-256 nor an HMAC-SHA-384.
    #[error("expected an integrity value of 32 or 48 bytes, found {found}")]
    IntegrityLength {
        /// Length found, in bytes.
        found: usize,
    },
    /// The encrypted credential is empty or too long.
    #[error("expected an encrypted credential of 3 to 66 bytes, found {found}")]
    IdentityLength {
        /// Length found, in bytes.
        found: usize,
    },
    /// The encrypted seed is empty or longer than any key of ours makes it.
    #[error("expected an encrypted seed of 1 to 256 bytes, found {found}")]
    SecretLength {
        /// Length found, in bytes.
        found: usize,
    },
}

/// `TPM2B_ID_OBJECT`: the credential, encrypted and authenticated under the seed. `[TPM2-P2]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdObject {
    integrity: Vec<u8>,
    encrypted_identity: Vec<u8>,
}

impl IdObject {
    /// Puts the parts together: an HMAC with the endorsement key's hash, which is SHA-256 or
    /// SHA-384, and the encryption of a `TPM2B_DIGEST`.
    ///
    /// # Errors
    ///
    /// [`CredentialError::IntegrityLength`] unless the first has 32 or 48 bytes;
    /// [`CredentialError::IdentityLength`] unless the second has 3 to 66.
    pub fn new(integrity: Vec<u8>, encrypted_identity: Vec<u8>) -> Result<Self, CredentialError> {
        match (integrity.len(), encrypted_identity.len()) {
            (32 | 48, 3..=66) => Ok(Self { integrity, encrypted_identity }),
            (32 | 48, found) => Err(CredentialError::IdentityLength { found }),
            (found, _) => Err(CredentialError::IntegrityLength { found }),
        }
    }

    /// Decodes a whole `TPM2B_ID_OBJECT`.
    ///
    /// # Errors
    ///
    /// [`CredentialError`]: each variant is one refused field.
    pub fn parse(bytes: &[u8]) -> Result<Self, CredentialError> {
        let mut outer = Reader::new(bytes);
        let len = outer.take_u16_be()?;
        let mut inner = outer.take_reader(usize::from(len))?;
        outer.finish()?;
        let integrity = inner.take_sized_u16_be()?.to_vec();
        let encrypted_identity = inner.take_slice(inner.left())?.to_vec();
        Self::new(integrity, encrypted_identity)
    }

    /// Encodes the `TPM2B_ID_OBJECT`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut inner = Vec::new();
        push_sized(&mut inner, &self.integrity);
        inner.extend_from_slice(&self.encrypted_identity);
        let mut out = Vec::new();
        push_sized(&mut out, &inner);
        out
    }

    /// The HMAC over the encrypted credential and the Name it is for.
    #[must_use]
    pub fn integrity(&self) -> &[u8] {
        &self.integrity
    }

    /// The encrypted `TPM2B_DIGEST`.
    #[must_use]
    pub fn encrypted_identity(&self) -> &[u8] {
        &self.encrypted_identity
    }
}

/// `TPM2B_ENCRYPTED_SECRET`: the seed, encrypted to the EK. `[TPM2-P2]`
///
/// For an RSA EK the OAEP cipher text; for an ECC EK the ephemeral `TPMS_ECC_POINT`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EncryptedSecret(Vec<u8>);

impl EncryptedSecret {
    /// Wraps the encrypted seed.
    ///
    /// # Errors
    ///
    /// [`CredentialError::SecretLength`] unless it has 1 to 256 bytes.
    pub fn new(secret: Vec<u8>) -> Result<Self, CredentialError> {
        match secret.len() {
            1..=256 => Ok(Self(secret)),
            found => Err(CredentialError::SecretLength { found }),
        }
    }

    /// Decodes a whole `TPM2B_ENCRYPTED_SECRET`.
    ///
    /// # Errors
    ///
    /// [`CredentialError`] if it is cut short, too long, or followed by more.
    pub fn parse(bytes: &[u8]) -> Result<Self, CredentialError> {
        let mut reader = Reader::new(bytes);
        let secret = reader.take_sized_u16_be()?.to_vec();
        reader.finish()?;
        Self::new(secret)
    }

    /// Encodes the `TPM2B_ENCRYPTED_SECRET`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        push_sized(&mut out, &self.0);
        out
    }

    /// The encrypted seed, without its length.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Appends a `TPM2B`: length and bytes. Every caller's bytes are bounded far below 64 KiB.
pub(super) fn push_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(bytes);
}
