//! The 24 platform configuration registers of the SHA-256 bank.

use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};
use thiserror::Error;

use crate::digest::{Sha256Digest, sha256_of_parts};

/// Number of PCRs of a PC client TPM. `[PFP]`
pub const PCR_COUNT: usize = 24;

/// Which PCR: 0 to 23.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct PcrIndex(u8);

/// A number that names no PCR.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("expected a PCR from 0 to 23, found {found}")]
pub struct NoSuchPcr {
    /// The number found.
    pub found: u32,
}

impl PcrIndex {
    /// Firmware code.
    pub const P0: Self = Self(0);
    /// Firmware configuration: boot variables.
    pub const P1: Self = Self(1);
    /// Option ROMs.
    pub const P2: Self = Self(2);
    /// Option ROM configuration.
    pub const P3: Self = Self(3);
    /// Boot manager and what it starts: our EFI file.
    pub const P4: Self = Self(4);
    /// Boot manager configuration, exit from boot services.
    pub const P5: Self = Self(5);
    /// Manufacturer's own.
    pub const P6: Self = Self(6);
    /// Secure boot policy.
    pub const P7: Self = Self(7);
    /// Load options, measured by the kernel's EFI stub; by one that takes an initrd, that too.
    pub const P9: Self = Self(9);
    /// Deployment and start, measured by PID 1.
    pub const P11: Self = Self(11);
    /// Debug, resettable.
    pub const P16: Self = Self(16);
    /// Application, resettable.
    pub const P23: Self = Self(23);

    /// The PCR with this number, `None` above 23.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        if number < 24 { Some(Self(number)) } else { None }
    }

    /// All 24, ascending.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> + Clone {
        (0..24).map(Self)
    }

    /// The number, 0 to 23.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    fn position(self) -> usize {
        usize::from(self.0)
    }
}

impl TryFrom<u32> for PcrIndex {
    type Error = NoSuchPcr;

    fn try_from(number: u32) -> Result<Self, NoSuchPcr> {
        u8::try_from(number).ok().and_then(Self::new).ok_or(NoSuchPcr { found: number })
    }
}

impl fmt::Display for PcrIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PCR {}", self.0)
    }
}

impl fmt::Debug for PcrIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for PcrIndex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(u32::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// The locality from which the TPM was started: the last byte of PCR 0's first value. `[PFP]`
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StartupLocality {
    /// `TPM2_Startup` from locality 0, the usual case.
    #[default]
    Zero,
    /// `TPM2_Startup` from locality 3.
    Three,
    /// A hardware root of trust measured before `TPM2_Startup` (`H-CRTM`).
    Four,
}

impl StartupLocality {
    /// The last byte of PCR 0 before anything was extended.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Zero => 0,
            Self::Three => 3,
            Self::Four => 4,
        }
    }
}

/// One value for each of the 24 PCRs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PcrValues([Sha256Digest; PCR_COUNT]);

impl PcrValues {
    /// Values after a reset: PCR 17 to 22 all ones, the others zero, PCR 0 ending in `locality`.
    ///
    /// Source: `[PFP]`, PCR initial values.
    #[must_use]
    pub const fn initial(locality: StartupLocality) -> Self {
        let (zero, ones) = (Sha256Digest::ZERO, Sha256Digest::ONES);
        let mut first = [0; 32];
        let [.., last] = &mut first;
        *last = locality.byte();
        Self([
            Sha256Digest(first),
            zero,
            zero,
            zero,
            zero,
            zero,
            zero,
            zero, //  0 to  7
            zero,
            zero,
            zero,
            zero,
            zero,
            zero,
            zero,
            zero, //                 8 to 15
            zero,
            ones,
            ones,
            ones,
            ones,
            ones,
            ones,
            zero, //                16 to 23
        ])
    }

    /// Values in the order of their PCRs, as a peer claims or a TPM reports them.
    #[must_use]
    pub const fn from_array(values: [Sha256Digest; PCR_COUNT]) -> Self {
        Self(values)
    }

    /// The values in the order of their PCRs.
    #[must_use]
    pub const fn as_array(&self) -> &[Sha256Digest; PCR_COUNT] {
        &self.0
    }

    /// The value of one PCR.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "PcrIndex is below PCR_COUNT by construction")]
    pub fn value(&self, pcr: PcrIndex) -> Sha256Digest {
        self.0[pcr.position()]
    }

    /// Extends `digest` into `pcr`, as `TPM2_PCR_Extend` does. `[TPM2-P1]`
    #[expect(clippy::indexing_slicing, reason = "PcrIndex is below PCR_COUNT by construction")]
    pub fn extend(&mut self, pcr: PcrIndex, digest: &Sha256Digest) {
        let value = &mut self.0[pcr.position()];
        *value = value.extended_by(digest);
    }

    /// Each PCR with its value, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (PcrIndex, Sha256Digest)> + '_ {
        PcrIndex::all().zip(self.0.iter().copied())
    }

    /// The `pcrDigest` of a quote over `selection`: SHA-256 over the selected values, ascending.
    ///
    /// Source: `[TPM2-P2]`, `TPMS_QUOTE_INFO`.
    #[must_use]
    pub fn quoted_digest(&self, selection: PcrSelection) -> Sha256Digest {
        let selected = PcrIndex::all().zip(&self.0).filter(|(pcr, _)| selection.contains(*pcr));
        sha256_of_parts(selected.map(|(_, value)| value.0.as_slice()))
    }
}

/// A set of PCRs of the SHA-256 bank.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct PcrSelection(u32);

/// A quote over other PCRs than those asked for.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("expected a quote over {expected}, found {found}")]
pub struct SelectionMismatch {
    /// What was asked for.
    pub expected: PcrSelection,
    /// What was quoted.
    pub found: PcrSelection,
}

impl PcrSelection {
    /// All 24: what a TRE quotes.
    pub const ALL: Self = Self(0x00ff_ffff);

    /// No PCR.
    pub const NONE: Self = Self(0);

    /// The set of these PCRs.
    #[must_use]
    pub fn of(pcrs: impl IntoIterator<Item = PcrIndex>) -> Self {
        Self(pcrs.into_iter().fold(0, |mask, pcr| mask | bit(pcr)))
    }

    /// Whether `pcr` is in the set.
    #[must_use]
    pub fn contains(self, pcr: PcrIndex) -> bool {
        self.0 & bit(pcr) != 0
    }

    /// The PCRs of the set, ascending.
    pub fn iter(self) -> impl Iterator<Item = PcrIndex> {
        PcrIndex::all().filter(move |pcr| self.contains(*pcr))
    }

    /// The PCRs that are in `self` and not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Holds a quoted selection against this expected one, both ways.
    ///
    /// # Errors
    ///
    /// [`SelectionMismatch`] if a PCR is missing from `found` or too many are in it.
    pub fn check_equal(self, found: Self) -> Result<(), SelectionMismatch> {
        if self == found { Ok(()) } else { Err(SelectionMismatch { expected: self, found }) }
    }

    /// The three octets of a `TPMS_PCR_SELECTION`: PCR n is bit n mod 8 of octet n / 8.
    #[must_use]
    pub const fn to_octets(self) -> [u8; 3] {
        let [first, second, third, _] = self.0.to_le_bytes();
        [first, second, third]
    }

    /// The set that these three octets name.
    #[must_use]
    pub const fn from_octets([first, second, third]: [u8; 3]) -> Self {
        Self(u32::from_le_bytes([first, second, third, 0]))
    }
}

impl fmt::Display for PcrSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        for (position, pcr) in self.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            write!(f, "{comma}{}", pcr.number())?;
        }
        Ok(())
    }
}

impl fmt::Debug for PcrSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn bit(pcr: PcrIndex) -> u32 {
    1_u32.wrapping_shl(u32::from(pcr.0))
}

/// The value of `pcr` after a reset and these events: its own chain of hashes.
#[must_use]
pub fn replayed<'a>(
    pcr: PcrIndex,
    digests: impl IntoIterator<Item = &'a Sha256Digest>,
) -> Sha256Digest {
    let initial = PcrValues::initial(StartupLocality::Zero).value(pcr);
    digests.into_iter().fold(initial, |value, digest| value.extended_by(digest))
}

#[cfg(test)]
mod tests;
