//! `TPMT_SIGNATURE`: ECDSA on P-256 over SHA-256, and nothing else.

use alloc::vec::Vec;

use thiserror::Error;

use super::AlgorithmId;
use crate::reader::{ReadError, Reader};

/// An ECDSA signature of a P-256 key over SHA-256, as fixed-width big-endian integers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EcdsaSignature {
    /// The integer r.
    pub r: [u8; 32],
    /// The integer s.
    pub s: [u8; 32],
}

/// Why a signature structure is refused.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum SignatureError {
    /// Cut short, or bytes behind it.
    #[error("signature: {0}")]
    Read(#[from] ReadError),
    /// Another signature algorithm.
    #[error("expected a signature by ecdsa, found {found}")]
    Algorithm {
        /// Algorithm found.
        found: AlgorithmId,
    },
    /// Another hash.
    #[error("expected a signature over sha256, found {found}")]
    Hash {
        /// Hash found.
        found: AlgorithmId,
    },
    /// An integer that is empty or longer than the curve's 32 bytes.
    #[error("expected a signature integer of 1 to 32 bytes, found {found}")]
    IntegerLength {
        /// Length found, in bytes.
        found: usize,
    },
}

impl EcdsaSignature {
    /// Decodes a whole `TPMT_SIGNATURE`. Integers shorter than 32 bytes are padded: some TPMs
    /// leave leading zeros out.
    ///
    /// Source: `[TPM2-P2]`, `TPMT_SIGNATURE`, `TPMS_SIGNATURE_ECC`.
    ///
    /// # Errors
    ///
    /// [`SignatureError`]: each variant is one refused field.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignatureError> {
        let mut reader = Reader::new(bytes);
        match AlgorithmId(reader.take_u16_be()?) {
            AlgorithmId::ECDSA => {}
            found => return Err(SignatureError::Algorithm { found }),
        }
        match AlgorithmId(reader.take_u16_be()?) {
            AlgorithmId::SHA256 => {}
            found => return Err(SignatureError::Hash { found }),
        }
        let signature = Self { r: integer(&mut reader)?, s: integer(&mut reader)? };
        reader.finish()?;
        Ok(signature)
    }

    /// Encodes the `TPMT_SIGNATURE`, both integers at full width.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&AlgorithmId::ECDSA.0.to_be_bytes());
        out.extend_from_slice(&AlgorithmId::SHA256.0.to_be_bytes());
        for integer in [&self.r, &self.s] {
            out.extend_from_slice(&32_u16.to_be_bytes());
            out.extend_from_slice(integer);
        }
        out
    }

    /// r and s side by side, 64 bytes: the fixed form that most libraries verify.
    #[must_use]
    pub fn to_fixed(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        let (r, s) = bytes.split_at_mut(32);
        r.copy_from_slice(&self.r);
        s.copy_from_slice(&self.s);
        bytes
    }
}

fn integer(reader: &mut Reader<'_>) -> Result<[u8; 32], SignatureError> {
    let bytes = reader.take_sized_u16_be()?;
    pad_to_32(bytes).ok_or(SignatureError::IntegerLength { found: bytes.len() })
}

/// The big-endian integer `bytes` at full width, `None` if it is empty or longer than 32 bytes.
pub(super) fn pad_to_32(bytes: &[u8]) -> Option<[u8; 32]> {
    if bytes.is_empty() {
        return None;
    }
    let mut padded = [0; 32];
    let start = padded.len().checked_sub(bytes.len())?;
    padded.get_mut(start..)?.copy_from_slice(bytes);
    Some(padded)
}
