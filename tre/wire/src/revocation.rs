//! Which keys are no longer believed: a list that the status key signs as it lies.
//!
//! The list names keys, not certificates: every certificate of a key falls with it, also one that
//! was issued afterwards, and an identity may go on with another key.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::hex::Hex32;
use crate::id::TrustDomain;
use crate::json::{self, JsonError};
use crate::role::Identity;
use crate::units::UnixMillis;

/// First bytes of what the status key signs for a list. See [`crate::signed`].
pub const LABEL: &str = "tre-revocations-v1";

/// The version of [`RevocationList`].
pub const FORMAT: u32 = 1;

/// Most keys in one list: four in a hundred of a fleet of 100,000 within the life of a certificate.
pub const MOST_KEYS: usize = 4_096;

/// Longest list. Unit: bytes. [`MOST_KEYS`] of the longest identity fit.
pub const LIST_BYTES: usize = 4 * 1024 * 1024;

/// Longest request that brings a list to a TRE. Unit: bytes. The list inside is text in JSON, where
/// each of its quotation marks takes two bytes.
pub const PUT_BYTES: usize = LIST_BYTES + LIST_BYTES / 4;

/// Body of `PUT /v1/revocations`: a list and its signature, both as they lie.
///
/// Whoever brings it need not be believed: the status key has signed it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PutRevocations {
    /// The list: the text of its file.
    pub list: String,
    /// The signature file beside it: its text.
    pub signature: String,
}

/// Why a key is no longer believed.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Somebody else may have it.
    KeyCompromise,
    /// Its holder does not have it any more.
    KeyLost,
    /// Its holder is no longer what the certificate says: moved out, out of business, scrapped.
    Withdrawn,
}

/// One key.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Revoked {
    /// SHA-256 of its `SubjectPublicKeyInfo` (DER): what a verifier looks for.
    pub spki_sha256: Hex32,
    /// Whose it was, for people.
    pub identity: Identity,
    /// When it was revoked.
    pub since: UnixMillis,
    /// Why.
    pub reason: Reason,
    /// When the last of its certificates ends; lists made after that need not name it.
    pub until: UnixMillis,
}

/// All keys of a domain that are no longer believed, as the status key last said it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationList {
    /// Version of this structure: [`FORMAT`].
    pub format: u32,
    /// The domain that it speaks of.
    pub trust_domain: TrustDomain,
    /// 1, 2, 3, ...: a list never takes the place of one with a higher number.
    pub sequence: u32,
    /// When it was made.
    pub issued_at: UnixMillis,
    /// The last moment at which it may be relied on; a newer one is due before.
    pub valid_until: UnixMillis,
    /// The keys; each stands once.
    pub revoked: Vec<Revoked>,
}

/// Why a list that the status key signed is not relied on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// Signed, and no list.
    #[error("revocation list is not readable: {0}")]
    Json(#[source] JsonError),
    /// Another format than this program knows.
    #[error(
        "expected a revocation list of format {FORMAT}, which this program reads, found format \
         {found}; get the program that reads it"
    )]
    Format {
        /// Format found.
        found: u32,
    },
    /// Another domain's.
    #[error("expected a revocation list of {expected}, found one of {found}")]
    OtherDomain {
        /// The domain of the deployment.
        expected: TrustDomain,
        /// The domain of the list.
        found: TrustDomain,
    },
    /// More keys than a list has.
    #[error("expected at most {MOST_KEYS} revoked keys, found {found}")]
    TooMany {
        /// Keys found.
        found: usize,
    },
    /// A key twice: two readings.
    #[error("expected each revoked key once, found {key} again")]
    Repeated {
        /// SHA-256 of the key.
        key: Hex32,
    },
    /// Its time is over: somebody withholds a newer one, or nobody made it.
    #[error(
        "expected a revocation list that is good now ({now}), found one good until {until}; \
             get the newest (ms since 1970)"
    )]
    Expired {
        /// The present.
        now: UnixMillis,
        /// Its last moment.
        until: UnixMillis,
    },
    /// A later one was seen.
    #[error("expected revocation list {seen} or later, found {found}: an old list, kept back")]
    Older {
        /// The highest number seen.
        seen: u32,
        /// The number found.
        found: u32,
    },
    /// Two lists of one number: the status key is in other hands, or was used twice.
    #[error("expected the revocation list {sequence} with SHA-256 {seen}, found another, {found}")]
    Fork {
        /// Their number.
        sequence: u32,
        /// The one seen first.
        seen: Hex32,
        /// The other.
        found: Hex32,
    },
}

/// Which list it is: its number, and its bytes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Edition {
    /// Number of the list.
    pub sequence: u32,
    /// SHA-256 of its file.
    pub sha256: Hex32,
}

/// Why a list of any kind does not take the place of the one seen before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NotNewer {
    /// A later one was seen.
    Older {
        /// The highest number seen.
        seen: u32,
        /// The number found.
        found: u32,
    },
    /// Two lists of one number.
    Fork {
        /// Their number.
        sequence: u32,
        /// The one seen first.
        seen: Hex32,
        /// The other.
        found: Hex32,
    },
}

impl RevocationList {
    /// Reads a list whose signature holds.
    ///
    /// # Errors
    ///
    /// [`ListError::Json`]; [`ListError::Format`].
    pub fn from_json(file: &[u8]) -> Result<Self, ListError> {
        let found = json::format_at_most(file, LIST_BYTES).map_err(ListError::Json)?;
        if found != FORMAT {
            return Err(ListError::Format { found });
        }
        json::decode_at_most(file, LIST_BYTES).map_err(ListError::Json)
    }

    /// The list speaks for `trust_domain`, at `now`, and of each key once. Gives the keys.
    ///
    /// # Errors
    ///
    /// [`ListError`].
    pub fn check(
        &self,
        trust_domain: &TrustDomain,
        now: UnixMillis,
    ) -> Result<BTreeSet<[u8; 32]>, ListError> {
        if self.trust_domain != *trust_domain {
            let (expected, found) = (trust_domain.clone(), self.trust_domain.clone());
            return Err(ListError::OtherDomain { expected, found });
        }
        let until = self.valid_until;
        if now > until {
            return Err(ListError::Expired { now, until });
        }
        let found = self.revoked.len();
        if found > MOST_KEYS {
            return Err(ListError::TooMany { found });
        }
        let mut keys = BTreeSet::new();
        for entry in &self.revoked {
            let key = entry.spki_sha256;
            if !keys.insert(key.0) {
                return Err(ListError::Repeated { key });
            }
        }
        Ok(keys)
    }
}

impl Edition {
    /// Which list `file` is, of which the number has been read.
    #[must_use]
    pub fn of(sequence: u32, file: &[u8]) -> Self {
        Self { sequence, sha256: Hex32(Sha256::digest(file).into()) }
    }

    /// Refuses a list that is older than the one seen, or another of the same number.
    ///
    /// # Errors
    ///
    /// [`NotNewer`].
    pub fn follow(self, seen: Option<Self>) -> Result<(), NotNewer> {
        let Self { sequence, sha256 } = self;
        match seen {
            Some(seen) if seen.sequence > sequence => {
                Err(NotNewer::Older { seen: seen.sequence, found: sequence })
            }
            Some(seen) if seen.sequence == sequence && seen.sha256 != sha256 => {
                Err(NotNewer::Fork { sequence, seen: seen.sha256, found: sha256 })
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl From<NotNewer> for ListError {
    fn from(error: NotNewer) -> Self {
        match error {
            NotNewer::Older { seen, found } => Self::Older { seen, found },
            NotNewer::Fork { sequence, seen, found } => Self::Fork { sequence, seen, found },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_format_is_refused_by_its_number_whatever_else_it_holds() {
        let newer = br#"{"format":2,"revoked":{"by_serial":[]},"more":1}"#;
        let refused = RevocationList::from_json(newer);
        assert!(matches!(refused, Err(ListError::Format { found: 2 })), "{refused:?}");
    }
}
