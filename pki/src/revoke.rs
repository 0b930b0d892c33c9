//! Revocation lists: each is the one before it and something more, numbered, dated and signed.

use std::path::{Path, PathBuf};

use attest_verifier::core::revocation::{RevocationError, StatusKey, UnverifiedRevocations};
use tre_wire::id::TrustDomain;
use tre_wire::json;
use tre_wire::revocation::{FORMAT, LABEL, LIST_BYTES, MOST_KEYS, RevocationList, Revoked};
use tre_wire::units::UnixMillis;

use crate::numbered::{self, Numbered, NumberedError};
use crate::release::Signer;

/// Why there is no revocation list, or no next one.
#[derive(Debug, thiserror::Error)]
pub enum ListsError {
    /// It cannot be read, written, numbered or dated.
    #[error(transparent)]
    Numbered(NumberedError),
    /// A list is not the status key's, or none, or out of its time.
    #[error("{path}: {source}", path = path.display())]
    List {
        /// The list.
        path: PathBuf,
        /// What is wrong.
        source: RevocationError,
    },
    /// More keys than a list has.
    #[error("expected at most {MOST_KEYS} revoked keys, found {found}; wait until some have ended")]
    TooMany {
        /// Keys found.
        found: usize,
    },
}

/// The revocation lists of a domain.
#[derive(Clone, Debug)]
pub struct Lists {
    files: Numbered,
    trust_domain: TrustDomain,
    key: StatusKey,
}

impl Lists {
    /// The lists in `folder`, signed by `key`.
    #[must_use]
    pub const fn new(folder: PathBuf, trust_domain: TrustDomain, key: StatusKey) -> Self {
        Self { files: Numbered::new(folder), trust_domain, key }
    }

    /// The newest list, if there is one.
    ///
    /// # Errors
    ///
    /// [`ListsError::Numbered`]; [`ListsError::List`].
    pub fn newest(&self) -> Result<Option<RevocationList>, ListsError> {
        self.files.newest().map(|path| self.read(&path)).transpose()
    }

    /// The newest list, to be relied on at `now`, if there is one.
    ///
    /// # Errors
    ///
    /// As [`Self::newest`], also for one that is out of its time.
    pub fn in_force(&self, now: UnixMillis) -> Result<Option<RevocationList>, ListsError> {
        let Some(path) = self.files.newest() else { return Ok(None) };
        let list = self.read(&path)?;
        list.check(&self.trust_domain, now)
            .map_err(|source| ListsError::List { path, source: RevocationError::List(source) })?;
        Ok(Some(list))
    }

    /// Where the list with this number stands, or will.
    #[must_use]
    pub fn path(&self, sequence: u32) -> PathBuf {
        self.files.path(sequence)
    }

    fn read(&self, path: &Path) -> Result<RevocationList, ListsError> {
        let files = self.files.read(path, LIST_BYTES).map_err(ListsError::Numbered)?;
        UnverifiedRevocations { file: &files.list, signature: &files.signature }
            .verify(&self.key)
            .and_then(|signed| signed.list())
            .map_err(|source| ListsError::List { path: path.to_path_buf(), source })
    }

    /// Writes the next list: what the last one says and has not ended, and `more`.
    ///
    /// # Errors
    ///
    /// [`ListsError`]; of two that race for a number, one gets it.
    pub fn add(
        &self,
        signer: &Signer,
        more: Vec<Revoked>,
        days: u32,
        now: UnixMillis,
    ) -> Result<RevocationList, ListsError> {
        let valid_until = numbered::good_until(days, now).map_err(ListsError::Numbered)?;
        let last = self.newest()?;
        let sequence = numbered::following(last.as_ref().map(|list| list.sequence))
            .map_err(ListsError::Numbered)?;
        let mut revoked = last.map_or_else(Vec::new, |list| list.revoked);
        revoked.retain(|key| key.until >= now);
        for key in more {
            match revoked.iter_mut().find(|known| known.spki_sha256 == key.spki_sha256) {
                // Renewed for the same key: it stands here until the last certificate has ended.
                Some(known) => known.until = known.until.max(key.until),
                None => revoked.push(key),
            }
        }
        let found = revoked.len();
        if found > MOST_KEYS {
            return Err(ListsError::TooMany { found });
        }
        let list = RevocationList {
            format: FORMAT,
            trust_domain: self.trust_domain.clone(),
            sequence,
            issued_at: now,
            valid_until,
            revoked,
        };
        let encoded = json::encode(&list).map_err(NumberedError::Encode);
        encoded
            .and_then(|bytes| self.files.write(sequence, LABEL, &bytes, signer))
            .map_err(ListsError::Numbered)?;
        Ok(list)
    }
}
