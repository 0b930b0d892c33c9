//! What a quote signs: `TPMS_ATTEST` with a `TPMS_QUOTE_INFO` inside.

use alloc::vec::Vec;

use thiserror::Error;

use super::{Name, NameError, SelectionError, credential::push_sized};
use crate::{
    digest::Sha256Digest,
    pcr::{PcrSelection, PcrValues, SelectionMismatch},
    reader::{ReadError, Reader},
};

/// Why an attestation structure is no quote of ours. The checks come in the order of the fields.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum AttestError {
    /// Cut short, or bytes behind it.
    #[error("attestation: {0}")]
    Read(#[from] ReadError),
    /// Not made inside a TPM: a key that signs anything signed this.
    #[error("expected magic {:#010x}, found {found:#010x}", TPM_GENERATED_VALUE)]
    Magic {
        /// The four bytes found.
        found: u32,
    },
    /// An attestation of something else.
    #[error("expected type {:#06x} (quote), found {found:#06x}", TPM_ST_ATTEST_QUOTE)]
    Type {
        /// The tag found.
        found: u16,
    },
    /// The signer has no SHA-256 Name.
    #[error("qualifiedSigner: {0}")]
    QualifiedSigner(NameError),
    /// The qualifying data is not one 32-byte value.
    #[error("expected qualifying data of 32 bytes, found {found}")]
    ExtraDataLength {
        /// Length found, in bytes.
        found: usize,
    },
    /// `safe` is neither yes nor no.
    #[error("expected clock safe 0 or 1, found {found}")]
    ClockSafe {
        /// The byte found.
        found: u8,
    },
    /// Not one SHA-256 bank.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// The PCR digest is not SHA-256.
    #[error("expected a PCR digest of 32 bytes, found {found}")]
    PcrDigestLength {
        /// Length found, in bytes.
        found: usize,
    },
}

/// `TPMS_CLOCK_INFO`. `[TPM2-P2]`
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ClockInfo {
    /// Time the TPM has been powered since its clock was last cleared. Unit: ms.
    pub clock_ms: u64,
    /// Number of TPM resets (power cycles).
    pub reset_count: u32,
    /// Number of restarts and resumes since the last reset.
    pub restart_count: u32,
    /// Whether no greater `clock_ms` was ever reported.
    pub safe: bool,
}

/// The TPM's own firmware version, as its manufacturer encodes it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct FirmwareVersion(pub u64);

/// The content of a quote. Believe it only after its signature has been checked over the bytes
/// that it was parsed from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quote {
    /// Qualified name of the key that signed.
    pub qualified_signer: Name,
    /// The qualifying data of the caller: what the quote answers.
    pub extra_data: [u8; 32],
    /// The TPM's clock and boot counters.
    pub clock: ClockInfo,
    /// The TPM's firmware version.
    pub firmware_version: FirmwareVersion,
    /// Which PCRs were quoted.
    pub selection: PcrSelection,
    /// SHA-256 over their values.
    pub pcr_digest: Sha256Digest,
}

impl Quote {
    /// Decodes a whole `TPMS_ATTEST`.
    ///
    /// Source: `[TPM2-P2]`, `TPMS_ATTEST`, `TPMS_QUOTE_INFO`.
    ///
    /// # Errors
    ///
    /// [`AttestError`]: each variant is one refused field; bytes behind the structure are refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, AttestError> {
        let mut reader = Reader::new(bytes);
        match reader.take_u32_be()? {
            TPM_GENERATED_VALUE => {}
            found => return Err(AttestError::Magic { found }),
        }
        match reader.take_u16_be()? {
            TPM_ST_ATTEST_QUOTE => {}
            found => return Err(AttestError::Type { found }),
        }
        let signer = reader.take_sized_u16_be()?;
        let qualified_signer = Name::from_bytes(signer).map_err(AttestError::QualifiedSigner)?;
        let extra_data = reader.take_sized_u16_be()?;
        let Ok(extra_data) = <[u8; 32]>::try_from(extra_data) else {
            return Err(AttestError::ExtraDataLength { found: extra_data.len() });
        };
        let clock = ClockInfo::read(&mut reader)?;
        let firmware_version = FirmwareVersion(reader.take_u64_be()?);
        let selection = PcrSelection::read(&mut reader)?;
        let pcr_digest = reader.take_sized_u16_be()?;
        let Ok(pcr_digest) = <[u8; 32]>::try_from(pcr_digest).map(Sha256Digest) else {
            return Err(AttestError::PcrDigestLength { found: pcr_digest.len() });
        };
        reader.finish()?;
        Ok(Self { qualified_signer, extra_data, clock, firmware_version, selection, pcr_digest })
    }

    /// Encodes the `TPMS_ATTEST`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&TPM_GENERATED_VALUE.to_be_bytes());
        out.extend_from_slice(&TPM_ST_ATTEST_QUOTE.to_be_bytes());
        push_sized(&mut out, &self.qualified_signer.to_bytes());
        push_sized(&mut out, &self.extra_data);
        out.extend_from_slice(&self.clock.clock_ms.to_be_bytes());
        out.extend_from_slice(&self.clock.reset_count.to_be_bytes());
        out.extend_from_slice(&self.clock.restart_count.to_be_bytes());
        out.push(u8::from(self.clock.safe));
        out.extend_from_slice(&self.firmware_version.0.to_be_bytes());
        self.selection.write(&mut out);
        push_sized(&mut out, &self.pcr_digest.0);
        out
    }

    /// Binds the PCR values that a peer claims to this quote: the quote is over all 24 PCRs, and
    /// its digest is theirs.
    ///
    /// # Errors
    ///
    /// [`PcrDigestMismatch`] if another set was quoted, or other values.
    pub fn bind_pcrs(&self, claimed: PcrValues) -> Result<QuotedPcrs, PcrDigestMismatch> {
        PcrSelection::ALL.check_equal(self.selection)?;
        let found = claimed.quoted_digest(PcrSelection::ALL);
        if found == self.pcr_digest {
            Ok(QuotedPcrs(claimed))
        } else {
            Err(PcrDigestMismatch::Digest { expected: self.pcr_digest, found })
        }
    }
}

impl ClockInfo {
    fn read(reader: &mut Reader<'_>) -> Result<Self, AttestError> {
        Ok(Self {
            clock_ms: reader.take_u64_be()?,
            reset_count: reader.take_u32_be()?,
            restart_count: reader.take_u32_be()?,
            safe: match reader.take_u8()? {
                0 => false,
                1 => true,
                found => return Err(AttestError::ClockSafe { found }),
            },
        })
    }
}

/// Claimed PCR values that are not the quoted ones.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum PcrDigestMismatch {
    /// The quote covers another set of PCRs.
    #[error(transparent)]
    Selection(#[from] SelectionMismatch),
    /// The quote covers other values.
    #[error("quote has PCR digest {expected}, the claimed values give {found}")]
    Digest {
        /// The digest inside the quote.
        expected: Sha256Digest,
        /// The digest of the claimed values.
        found: Sha256Digest,
    },
}

/// 24 PCR values that a quote covers. Only [`Quote::bind_pcrs`] makes one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct QuotedPcrs(PcrValues);

impl QuotedPcrs {
    /// The values.
    #[must_use]
    pub const fn values(&self) -> &PcrValues {
        &self.0
    }
}

/// First field of every structure that a TPM makes itself: `0xff` and "TCG". `[TPM2-P2]`
const TPM_GENERATED_VALUE: u32 = 0xff54_4347;

/// Tag of a quote. `[TPM2-P2]`
const TPM_ST_ATTEST_QUOTE: u16 = 0x8018;
