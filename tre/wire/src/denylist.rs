//! TPM firmware that is believed no more: a list that the status key signs as it lies.
//!
//! An entry names a manufacturer and a range of firmware versions: flaws come and go with versions.
//! A verifier finds the version in the quote and the manufacturer in the attestation key's
//! certificate; where it does not find a manufacturer, every entry with the version counts.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::hex::{self, Hex32};
use crate::id::TrustDomain;
use crate::json::{self, JsonError};
use crate::revocation::NotNewer;
use crate::units::UnixMillis;

/// First bytes of what the status key signs for a list. See [`crate::signed`].
pub const LABEL: &str = "tre-denylist-v1";

/// The version of [`DenyList`].
pub const FORMAT: u32 = 1;

/// Most entries of one list: every flaw of every maker so far would be some dozens.
pub const MOST_ENTRIES: usize = 1_024;

/// Longest reason. Unit: characters, printable ASCII.
pub const REASON_CHARS: usize = 200;

/// Longest list. Unit: bytes. [`MOST_ENTRIES`] of the longest reasons fit.
pub const LIST_BYTES: usize = 1024 * 1024;

/// A TPM manufacturer, as the TCG registers them: four bytes. Text: `id:` and 8 hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct TpmManufacturer(pub [u8; 4]);

/// A firmware version as a TPM states it in a quote. Text: 16 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Firmware(pub u64);

/// Why a text is no manufacturer or no firmware version.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TpmTextError {
    /// Not `id:` and 8 digits.
    #[error("expected a TPM manufacturer, id: and 8 hexadecimal digits, such as id:49465800")]
    Manufacturer,
    /// Not 16 digits.
    #[error("expected a firmware version of 16 hexadecimal digits, such as 0007005500000000")]
    Firmware,
}

/// Firmware of one manufacturer that is believed no more.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Denied {
    /// Whose firmware.
    pub manufacturer: TpmManufacturer,
    /// The lowest version of the range.
    pub first: Firmware,
    /// The highest version of the range, itself denied.
    pub last: Firmware,
    /// Why, for people.
    pub reason: String,
    /// Since when.
    pub since: UnixMillis,
}

/// All firmware that a domain believes no more, as the status key last said it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DenyList {
    /// Version of this structure: [`FORMAT`].
    pub format: u32,
    /// The domain that it speaks for.
    pub trust_domain: TrustDomain,
    /// 1, 2, 3, ...: a list never takes the place of one with a higher number.
    pub sequence: u32,
    /// When it was made.
    pub issued_at: UnixMillis,
    /// The last moment at which it may be relied on; a newer one is due before.
    pub valid_until: UnixMillis,
    /// The entries.
    pub denied: Vec<Denied>,
}

/// Why a denylist is not relied on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DenyListError {
    /// No list.
    #[error("denylist is not readable: {0}")]
    Json(#[source] JsonError),
    /// Another format than this program knows.
    #[error(
        "expected a denylist of format {FORMAT}, which this program reads, found format {found}; \
         get the program that reads it"
    )]
    Format {
        /// Format found.
        found: u32,
    },
    /// More entries than a list has.
    #[error("expected at most {MOST_ENTRIES} entries in the denylist, found {found}")]
    TooMany {
        /// Entries found.
        found: usize,
    },
    /// A range that ends before it begins: it would deny nothing.
    #[error("expected firmware from {first} up to a version that is not lower, found {last}")]
    Range {
        /// The lowest version.
        first: Firmware,
        /// The highest version.
        last: Firmware,
    },
    /// A reason that is none, too long, or not plain text.
    #[error("expected a reason of 1 to {REASON_CHARS} printable ASCII characters")]
    Reason,
    /// Another domain's.
    #[error("expected a denylist of {expected}, found one of {found}")]
    OtherDomain {
        /// The domain of the deployment.
        expected: TrustDomain,
        /// The domain of the list.
        found: TrustDomain,
    },
    /// Its time is over: somebody withholds a newer one, or nobody made it.
    #[error(
        "expected a denylist that is good now ({now}), found one good until {until}; get the \
         newest (ms since 1970)"
    )]
    Expired {
        /// The present.
        now: UnixMillis,
        /// Its last moment.
        until: UnixMillis,
    },
    /// A later one was seen.
    #[error("expected denylist {seen} or later, found {found}: an old list, kept back")]
    Older {
        /// The highest number seen.
        seen: u32,
        /// The number found.
        found: u32,
    },
    /// Two lists of one number: the status key is in other hands, or was used twice.
    #[error("expected the denylist {sequence} with SHA-256 {seen}, found another, {found}")]
    Fork {
        /// Their number.
        sequence: u32,
        /// The one seen first.
        seen: Hex32,
        /// The other.
        found: Hex32,
    },
}

impl From<NotNewer> for DenyListError {
    fn from(error: NotNewer) -> Self {
        match error {
            NotNewer::Older { seen, found } => Self::Older { seen, found },
            NotNewer::Fork { sequence, seen, found } => Self::Fork { sequence, seen, found },
        }
    }
}

impl DenyList {
    /// Reads a list, whatever its domain and time.
    ///
    /// # Errors
    ///
    /// [`DenyListError::Json`], [`DenyListError::Format`], [`DenyListError::TooMany`],
    /// [`DenyListError::Range`], [`DenyListError::Reason`].
    pub fn from_json(file: &[u8]) -> Result<Self, DenyListError> {
        let found = json::format_at_most(file, LIST_BYTES).map_err(DenyListError::Json)?;
        if found != FORMAT {
            return Err(DenyListError::Format { found });
        }
        let list: Self = json::decode_at_most(file, LIST_BYTES).map_err(DenyListError::Json)?;
        list.check_entries()?;
        Ok(list)
    }

    /// Every entry denies something, and says why.
    ///
    /// # Errors
    ///
    /// [`DenyListError::TooMany`], [`DenyListError::Range`], [`DenyListError::Reason`].
    pub fn check_entries(&self) -> Result<(), DenyListError> {
        let found = self.denied.len();
        if found > MOST_ENTRIES {
            return Err(DenyListError::TooMany { found });
        }
        for Denied { first, last, reason, .. } in &self.denied {
            if first > last {
                return Err(DenyListError::Range { first: *first, last: *last });
            }
            let plain = reason.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
            if reason.is_empty() || reason.len() > REASON_CHARS || !plain {
                return Err(DenyListError::Reason);
            }
        }
        Ok(())
    }

    /// The list is of `trust_domain`, and may be relied on at `now`.
    ///
    /// # Errors
    ///
    /// [`DenyListError::OtherDomain`]; [`DenyListError::Expired`].
    pub fn check(&self, trust_domain: &TrustDomain, now: UnixMillis) -> Result<(), DenyListError> {
        if self.trust_domain != *trust_domain {
            let (expected, found) = (trust_domain.clone(), self.trust_domain.clone());
            return Err(DenyListError::OtherDomain { expected, found });
        }
        let until = self.valid_until;
        if now > until { Err(DenyListError::Expired { now, until }) } else { Ok(()) }
    }

    /// The entry that denies this firmware. Of an unknown manufacturer, every version that is
    /// denied of anybody's is.
    #[must_use]
    pub fn denies(
        &self,
        manufacturer: Option<TpmManufacturer>,
        firmware: Firmware,
    ) -> Option<&Denied> {
        self.denied.iter().find(|entry| {
            manufacturer.is_none_or(|known| known == entry.manufacturer)
                && (entry.first..=entry.last).contains(&firmware)
        })
    }
}

impl FromStr for TpmManufacturer {
    type Err = TpmTextError;

    /// Reads both cases of digits: certificates have both.
    fn from_str(text: &str) -> Result<Self, TpmTextError> {
        let digits = text.strip_prefix("id:").ok_or(TpmTextError::Manufacturer)?;
        let bytes = hex::decode(&digits.to_ascii_lowercase());
        let bytes = bytes.map_err(|_| TpmTextError::Manufacturer)?;
        bytes.try_into().map(Self).map_err(|_| TpmTextError::Manufacturer)
    }
}

impl fmt::Display for TpmManufacturer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "id:{}", hex::encode(&self.0).to_ascii_uppercase())
    }
}

impl FromStr for Firmware {
    type Err = TpmTextError;

    fn from_str(text: &str) -> Result<Self, TpmTextError> {
        let bytes = hex::decode(text).map_err(|_| TpmTextError::Firmware)?;
        let bytes = bytes.try_into().map_err(|_| TpmTextError::Firmware)?;
        Ok(Self(u64::from_be_bytes(bytes)))
    }
}

impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Both are sent as their text.
macro_rules! as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <alloc::borrow::Cow<'_, str>>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

as_text!(TpmManufacturer);
as_text!(Firmware);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manufacturer_and_firmware_have_one_text_each() {
        let manufacturer: TpmManufacturer = "id:494e5443".parse().unwrap();
        assert_eq!(alloc::format!("{manufacturer}"), "id:494E5443");
        for odd in ["", "INTC", "id:494E54", "id:494E544300", "ID:494E5443", "id: 494E544"] {
            assert_eq!(odd.parse::<TpmManufacturer>(), Err(TpmTextError::Manufacturer), "{odd}");
        }
        let firmware: Firmware = "0007005500000001".parse().unwrap();
        assert_eq!(firmware, Firmware(0x0007_0055_0000_0001));
        assert_eq!(alloc::format!("{firmware}"), "0007005500000001");
        for odd in ["", "7.85", "000700550000000", "00070055000000FF", "0x07005500000001"] {
            assert_eq!(odd.parse::<Firmware>(), Err(TpmTextError::Firmware), "{odd}");
        }
    }

    #[test]
    fn a_newer_format_is_refused_by_its_number_whatever_else_it_holds() {
        let newer = br#"{"format":2,"denied":{"by_model":[]},"more":1}"#;
        let refused = DenyList::from_json(newer);
        assert!(matches!(refused, Err(DenyListError::Format { found: 2 })), "{refused:?}");
    }
}
