//! `TPML_PCR_SELECTION`: exactly one bank, SHA-256, three octets.

use alloc::vec::Vec;

use thiserror::Error;

use super::AlgorithmId;
use crate::{
    pcr::PcrSelection,
    reader::{ReadError, Reader},
};

/// Why a PCR selection is refused.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum SelectionError {
    /// The structure is cut short.
    #[error("PCR selection: {0}")]
    Read(#[from] ReadError),
    /// None, or more than one bank.
    #[error("expected a PCR selection of 1 bank, found {found}")]
    Banks {
        /// Number of banks found.
        found: u32,
    },
    /// Another bank.
    #[error("expected a PCR selection in bank sha256, found {found}")]
    Bank {
        /// Hash algorithm of the bank found.
        found: AlgorithmId,
    },
    /// Not the three octets that 24 PCRs take.
    #[error("expected a PCR selection of 3 octets, found {found}")]
    Octets {
        /// Number of octets found.
        found: u8,
    },
}

impl PcrSelection {
    /// Reads a `TPML_PCR_SELECTION`. `[TPM2-P2]`
    ///
    /// # Errors
    ///
    /// [`SelectionError`] unless it holds exactly one SHA-256 bank of 24 PCRs.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, SelectionError> {
        match reader.take_u32_be()? {
            1 => {}
            found => return Err(SelectionError::Banks { found }),
        }
        match AlgorithmId(reader.take_u16_be()?) {
            AlgorithmId::SHA256 => {}
            found => return Err(SelectionError::Bank { found }),
        }
        match reader.take_u8()? {
            3 => Ok(Self::from_octets(reader.take()?)),
            found => Err(SelectionError::Octets { found }),
        }
    }

    /// Appends the `TPML_PCR_SELECTION`.
    pub fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&1_u32.to_be_bytes());
        out.extend_from_slice(&AlgorithmId::SHA256.0.to_be_bytes());
        out.push(3);
        out.extend_from_slice(&self.to_octets());
    }
}
