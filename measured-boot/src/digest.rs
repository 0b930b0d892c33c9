//! SHA-256 values. The other banks of a log stay byte slices: nothing here judges by them.

use alloc::string::{String, ToString as _};
use core::{
    fmt::{self, Write as _},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// A SHA-256 digest, or a PCR value of the SHA-256 bank. As text: 64 lower-case hex digits.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Sha256Digest(pub [u8; 32]);

/// Why text is no digest.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum HexError {
    /// Not 64 characters.
    #[error("expected 64 hex digits, found {found} characters")]
    Length {
        /// Length of the text, in bytes.
        found: usize,
    },
    /// A character that is not `0-9a-f`.
    #[error("expected a lower-case hex digit at position {position}, found byte {found:#04x}")]
    Digit {
        /// Index of the character, from 0.
        position: usize,
        /// The byte found there.
        found: u8,
    },
}

/// SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Sha256Digest {
    sha256_of_parts([bytes])
}

/// SHA-256 of the concatenation of `parts`.
#[must_use]
pub fn sha256_of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Sha256Digest {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    Sha256Digest(hash.finalize().into())
}

impl Sha256Digest {
    /// All zero: a PCR that nothing was extended into.
    pub const ZERO: Self = Self([0; 32]);

    /// All ones: a PCR of a dynamic launch that never happened.
    pub const ONES: Self = Self([0xff; 32]);

    /// The value of a PCR that held `self` after `digest` was extended into it.
    #[must_use]
    pub fn extended_by(&self, digest: &Self) -> Self {
        sha256_of_parts([self.0.as_slice(), digest.0.as_slice()])
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl FromStr for Sha256Digest {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
            return Err(HexError::Length { found: text.len() });
        };
        let Ok(pairs) = <&[[u8; 2]; 32]>::try_from(pairs) else {
            return Err(HexError::Length { found: text.len() });
        };
        let mut digest = [0; 32];
        for ((byte, [high, low]), start) in digest.iter_mut().zip(pairs).zip((0_usize..).step_by(2))
        {
            let (high, low) = (nibble(*high, start)?, nibble(*low, start.saturating_add(1))?);
            *byte = (high << 4) | low;
        }
        Ok(Self(digest))
    }
}

impl Serialize for Sha256Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_string())
    }
}

impl<'de> Deserialize<'de> for Sha256Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Writes `bytes` as lower-case hex.
pub(crate) fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for byte in bytes {
        for nibble in [byte >> 4, byte & 0xf] {
            f.write_char(char::from_digit(u32::from(nibble), 16).unwrap_or('?'))?;
        }
    }
    Ok(())
}

const fn nibble(digit: u8, position: usize) -> Result<u8, HexError> {
    match digit {
        b'0'..=b'9' => Ok(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Ok(digit.wrapping_sub(b'a').wrapping_add(10)),
        found => Err(HexError::Digit { position, found }),
    }
}

#[cfg(test)]
mod tests;
