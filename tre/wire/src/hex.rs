//! Bytes as lower-case hexadecimal text, the only binary encoding in our JSON.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bytes of any length, sent as lower-case hexadecimal.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HexBytes(pub Vec<u8>);

/// Exactly 32 bytes, sent as 64 lower-case hexadecimal digits: a nonce, a digest.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Hex32(pub [u8; 32]);

/// Why a text is not the hexadecimal that was expected.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HexError {
    /// Two digits make a byte.
    #[error("expected an even number of hexadecimal digits, found {found}")]
    OddLength {
        /// Characters found.
        found: usize,
    },
    /// Upper case is refused so that every value has one text.
    #[error("expected a digit 0-9 or a-f at position {position}")]
    NotADigit {
        /// Byte position of the offending character.
        position: usize,
    },
    /// The value has a fixed size.
    #[error("expected {expected} bytes, found {found}")]
    WrongLength {
        /// Bytes expected.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
}

/// Encodes `bytes` as lower-case hexadecimal.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]).collect()
}

/// Decodes lower-case hexadecimal.
///
/// # Errors
///
/// [`HexError::OddLength`] and [`HexError::NotADigit`].
pub fn decode(text: &str) -> Result<Vec<u8>, HexError> {
    if !text.len().is_multiple_of(2) {
        return Err(HexError::OddLength { found: text.len() });
    }
    let nibble = |position: usize, digit: u8| match digit {
        b'0'..=b'9' => Ok(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Ok(digit.wrapping_sub(b'a').wrapping_add(10)),
        _ => Err(HexError::NotADigit { position }),
    };
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    pairs
        .iter()
        .enumerate()
        .map(|(index, &[high, low])| {
            let position = index.saturating_mul(2);
            Ok((nibble(position, high)? << 4) | nibble(position.saturating_add(1), low)?)
        })
        .collect()
}

impl HexBytes {
    /// The bytes themselves.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl core::str::FromStr for Hex32 {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        let bytes = decode(text)?;
        let found = bytes.len();
        bytes.try_into().map(Self).map_err(|_| HexError::WrongLength { expected: 32, found })
    }
}

impl fmt::Display for Hex32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode(&self.0))
    }
}

impl Serialize for HexBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for HexBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <alloc::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        decode(&text).map(Self).map_err(de::Error::custom)
    }
}

impl Serialize for Hex32 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hex32 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <alloc::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&bytes)), Ok(bytes));
    }

    #[test]
    fn each_fault_is_named() {
        assert_eq!(decode("abc"), Err(HexError::OddLength { found: 3 }));
        assert_eq!(decode("0G"), Err(HexError::NotADigit { position: 1 }));
        assert_eq!(decode("AB"), Err(HexError::NotADigit { position: 0 }));
        let short = "00".repeat(31);
        let found = short.parse::<Hex32>();
        assert_eq!(found, Err(HexError::WrongLength { expected: 32, found: 31 }));
    }
}
