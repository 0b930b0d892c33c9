//! Which keys are no longer believed: a list that the status key signs as it lies.
//!
//! The list names keys, not certificates: every certificate of a key falls with it, also one that
//! was issued afterwards, and an identity may go on with another key.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::hex::Hex32;
use crate::id::TrustDomain;
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
