//! Revocation lists: signed by the status key as they lie, verified before they are read.
//!
//! [`UnverifiedRevocations`] becomes [`SignedRevocations`] becomes [`Revocations`]. A list speaks
//! for its own domain, in its own time, and never takes the place of a later one: what a verifier
//! has seen it keeps as [`Seen`].

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use measured_boot::digest::{Sha256Digest, sha256};
use serde::{Deserialize, Serialize};
use tre_wire::hex::Hex32;
use tre_wire::id::TrustDomain;
use tre_wire::revocation::{Edition, LABEL, ListError, NotNewer, RevocationList, Revoked};
use tre_wire::signed::SignatureError;
use tre_wire::units::UnixMillis;

use crate::chain::ChainError;
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

    /// The `SubjectPublicKeyInfo` (DER).
    #[must_use]
    pub fn to_spki_der(&self) -> Vec<u8> {
        self.0.to_spki_der()
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
    /// Signed, and not to be relied on.
    #[error(transparent)]
    List(ListError),
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
    edition: Edition,
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

impl Seen {
    /// What is to be remembered once `edition`, signed with `key`, follows `before`.
    pub(crate) fn after(
        key: Sha256Digest,
        edition: Edition,
        before: Option<&Self>,
    ) -> Result<Self, NotNewer> {
        let key = Hex32(key.0);
        let before = before.filter(|seen| seen.key == key);
        let before = before.map(|&Self { sequence, sha256, .. }| Edition { sequence, sha256 });
        edition.follow(before)?;
        let Edition { sequence, sha256 } = edition;
        Ok(Self { format: 1, key, sequence, sha256 })
    }
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
        list.check(trust_domain, now).map_err(RevocationError::List)?;
        let edition = Edition::of(list.sequence, self.file);
        let by_key = |entry: Revoked| (entry.spki_sha256.0, entry);
        let revoked = list.revoked.into_iter().map(by_key).collect();
        Ok(Revocations { edition, key: self.key, revoked })
    }

    /// The list itself, whatever its domain and time: for whoever makes the next one.
    ///
    /// # Errors
    ///
    /// [`RevocationError::List`].
    pub fn list(self) -> Result<RevocationList, RevocationError> {
        RevocationList::from_json(self.file).map_err(RevocationError::List)
    }
}

impl Revocations {
    /// Refuses a list that is older than one seen before, or another of the same number; says what
    /// is to be remembered from now on.
    ///
    /// # Errors
    ///
    /// [`RevocationError::List`].
    pub fn follows(&self, seen: Option<&Seen>) -> Result<Seen, RevocationError> {
        Seen::after(self.key, self.edition, seen)
            .map_err(|error| RevocationError::List(ListError::from(error)))
    }

    /// What is said of the key with this SHA-256, if it is revoked.
    #[must_use]
    pub fn of(&self, spki_sha256: &Sha256Digest) -> Option<&Revoked> {
        self.revoked.get(&spki_sha256.0)
    }

    /// Refuses a key, `SubjectPublicKeyInfo` in DER, that is no longer believed.
    ///
    /// # Errors
    ///
    /// [`ChainError::Revoked`].
    pub fn check(&self, spki: &[u8]) -> Result<(), ChainError> {
        match self.of(&sha256(spki)) {
            None => Ok(()),
            Some(&Revoked { since, reason, .. }) => {
                Err(ChainError::Revoked { since, reason, sequence: self.edition.sequence })
            }
        }
    }
}
