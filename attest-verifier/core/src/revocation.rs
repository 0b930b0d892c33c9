//! Revocation lists: signed by the status key as they lie, verified before they are read.
//!
//! [`UnverifiedRevocations`] becomes [`SignedRevocations`] becomes [`Revocations`]. A list speaks
//! for its own domain, in its own time, and never takes the place of a later one: what a verifier
//! has seen it keeps as [`Seen`].

use alloc::collections::BTreeMap;
use alloc::string::String;

use measured_boot::digest::{Sha256Digest, sha256};
use serde::{Deserialize, Serialize};
use tre_wire::hex::Hex32;
use tre_wire::id::TrustDomain;
use tre_wire::json::{self, JsonError};
use tre_wire::revocation::{FORMAT, LABEL, LIST_BYTES, MOST_KEYS, RevocationList, Revoked};
use tre_wire::signed::SignatureError;
use tre_wire::units::UnixMillis;

use crate::release::{ReleaseKey, ReleaseKeyError};

/// The public key that signs revocation lists: P-256. It signs nothing else.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StatusKey(ReleaseKey);

impl StatusKey {
    /// The key in a PEM file: `status.pem` of the domain.
    ///
    /// # Errors
    ///
    /// [`ReleaseKeyError`].
    pub fn from_pem(file: &[u8]) -> Result<Self, ReleaseKeyError> {
        ReleaseKey::from_pem(file).map(Self)
    }

    /// Its signature over `file` as a file of the kind that `label` says; returns the reason that
    /// was signed along.
    pub(crate) fn verify(
        &self,
        label: &'static str,
        file: &[u8],
        signature: &[u8],
    ) -> Result<Option<String>, SignatureError> {
        self.0.verify(label, file, signature)
    }

    /// SHA-256 of the `SubjectPublicKeyInfo` (DER).
    #[must_use]
    pub fn id(&self) -> Sha256Digest {
        self.0.id()
    }
}

/// Why a revocation list is not relied on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationError {
    /// The status key did not sign it.
    #[error(transparent)]
    Signature(SignatureError),
    /// A reason, which only manifests have.
    #[error("expected a signature without a reason, found one with it")]
    Reason,
    /// Signed, and no list.
    #[error("revocation list is not readable: {0}")]
    List(#[source] JsonError),
    /// A later format than this program knows.
    #[error("expected revocation list format {FORMAT}, found {found}")]
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

/// A list and its signature file, of which nothing is believed.
#[derive(Clone, Copy, Debug)]
pub struct UnverifiedRevocations<'a> {
    /// The list as it lies.
    pub file: &'a [u8],
    /// The signature file as it lies.
    pub signature: &'a [u8],
}

/// A file that the status key signed as a list. It has not been read yet.
#[derive(Clone, Copy, Debug)]
pub struct SignedRevocations<'a> {
    file: &'a [u8],
    key: Sha256Digest,
}

/// The keys that are no longer believed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Revocations {
    sequence: u32,
    sha256: Sha256Digest,
    key: Sha256Digest,
    revoked: BTreeMap<[u8; 32], Revoked>,
}

/// The newest list that a verifier has seen. JSON.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Version of this structure: 1.
    pub format: u32,
    /// The status key, SHA-256. Another key has numbers of its own.
    pub key: Hex32,
    /// Number of the list.
    pub sequence: u32,
    /// SHA-256 of the list.
    pub sha256: Hex32,
}

impl<'a> UnverifiedRevocations<'a> {
    /// The status key signed exactly these bytes as a revocation list.
    ///
    /// # Errors
    ///
    /// [`RevocationError::Signature`]; [`RevocationError::Reason`].
    pub fn verify(self, key: &StatusKey) -> Result<SignedRevocations<'a>, RevocationError> {
        let Self { file, signature } = self;
        let reason = key.0.verify(LABEL, file, signature).map_err(RevocationError::Signature)?;
        match reason {
            None => Ok(SignedRevocations { file, key: key.id() }),
            Some(_) => Err(RevocationError::Reason),
        }
    }
}

impl SignedRevocations<'_> {
    /// Reads the list of `trust_domain`, for use at `now`.
    ///
    /// # Errors
    ///
    /// [`RevocationError`].
    pub fn read(
        self,
        trust_domain: &TrustDomain,
        now: UnixMillis,
    ) -> Result<Revocations, RevocationError> {
        let list = self.list()?;
        if list.trust_domain != *trust_domain {
            let (expected, found) = (trust_domain.clone(), list.trust_domain);
            return Err(RevocationError::OtherDomain { expected, found });
        }
        let until = list.valid_until;
        if now > until {
            return Err(RevocationError::Expired { now, until });
        }
        let found = list.revoked.len();
        if found > MOST_KEYS {
            return Err(RevocationError::TooMany { found });
        }
        let mut revoked = BTreeMap::new();
        for entry in list.revoked {
            let key = entry.spki_sha256;
            if revoked.insert(key.0, entry).is_some() {
                return Err(RevocationError::Repeated { key });
            }
        }
        let (sequence, sha256) = (list.sequence, sha256(self.file));
        Ok(Revocations { sequence, sha256, key: self.key, revoked })
    }

    /// The list itself, whatever its domain and time: for whoever makes the next one.
    ///
    /// # Errors
    ///
    /// [`RevocationError::List`]; [`RevocationError::Format`].
    pub fn list(self) -> Result<RevocationList, RevocationError> {
        let list: RevocationList =
            json::decode_at_most(self.file, LIST_BYTES).map_err(RevocationError::List)?;
        if list.format != FORMAT {
            return Err(RevocationError::Format { found: list.format });
        }
        Ok(list)
    }
}

impl Revocations {
    /// Refuses a list that is older than one seen before, or another of the same number; says what
    /// is to be remembered from now on.
    ///
    /// # Errors
    ///
    /// [`RevocationError::Older`]; [`RevocationError::Fork`].
    pub fn follows(&self, seen: Option<&Seen>) -> Result<Seen, RevocationError> {
        let (key, sha256) = (Hex32(self.key.0), Hex32(self.sha256.0));
        let (sequence, own) =
            (self.sequence, Seen { format: 1, key, sequence: self.sequence, sha256 });
        match seen.filter(|seen| seen.key == key) {
            Some(seen) if seen.sequence > sequence => {
                Err(RevocationError::Older { seen: seen.sequence, found: sequence })
            }
            Some(seen) if seen.sequence == sequence && seen.sha256 != sha256 => {
                Err(RevocationError::Fork { sequence, seen: seen.sha256, found: sha256 })
            }
            Some(_) | None => Ok(own),
        }
    }

    /// What is said of the key with this SHA-256, if it is revoked.
    #[must_use]
    pub fn of(&self, spki_sha256: &Sha256Digest) -> Option<&Revoked> {
        self.revoked.get(&spki_sha256.0)
    }

    /// Its number.
    #[must_use]
    pub const fn sequence(&self) -> u32 {
        self.sequence
    }
}
