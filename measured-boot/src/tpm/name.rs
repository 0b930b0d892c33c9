//! The Name of a key: the hash by which a TPM and its judge mean the same one.

use core::fmt;

use thiserror::Error;

use super::AlgorithmId;
use crate::digest::{Sha256Digest, sha256_of_parts, write_hex};

/// Name or qualified name under SHA-256: `0x000b` and 32 bytes. `[TPM2-P1]`
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub struct Name(Sha256Digest);

/// Why bytes are no SHA-256 Name.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum NameError {
    /// Not 34 bytes: a handle, an empty Name, or another hash.
    #[error("expected a Name of 34 bytes, found {found}")]
    Length {
        /// Length found, in bytes.
        found: usize,
    },
    /// The hash is not SHA-256.
    #[error("expected a Name under sha256, found {found}")]
    Algorithm {
        /// Hash algorithm found.
        found: AlgorithmId,
    },
}

impl Name {
    /// Length in bytes.
    pub const LEN: usize = 34;

    /// The Name of the object with this public area (`TPMT_PUBLIC`, without a length in front).
    #[must_use]
    pub fn of_public_area(area: &[u8]) -> Self {
        Self(sha256_of_parts([area]))
    }

    /// Decodes the 34 bytes inside a `TPM2B_NAME`.
    ///
    /// # Errors
    ///
    /// [`NameError`] for any other length or algorithm.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NameError> {
        let Ok(&[high, low, ref digest @ ..]) = <&[u8; Self::LEN]>::try_from(bytes) else {
            return Err(NameError::Length { found: bytes.len() });
        };
        let found = AlgorithmId(u16::from_be_bytes([high, low]));
        if found == AlgorithmId::SHA256 {
            Ok(Self(Sha256Digest(*digest)))
        } else {
            Err(NameError::Algorithm { found })
        }
    }

    /// The 34 bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let [high, low, digest @ ..] = &mut bytes;
        [*high, *low] = AlgorithmId::SHA256.0.to_be_bytes();
        *digest = self.0.0;
        bytes
    }

    /// The qualified name of a primary key with this Name in the endorsement hierarchy: the hash
    /// over the hierarchy's handle and the Name. A quote carries it as `qualifiedSigner`.
    ///
    /// Source: `[TPM2-P1]`, qualified names.
    #[must_use]
    pub fn qualified_in_endorsement_hierarchy(self) -> Self {
        let handle = TPM_RH_ENDORSEMENT.to_be_bytes();
        Self(sha256_of_parts([handle.as_slice(), self.to_bytes().as_slice()]))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.to_bytes())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Handle of the endorsement hierarchy. `[TPM2-P2]`
const TPM_RH_ENDORSEMENT: u32 = 0x4000_000b;
