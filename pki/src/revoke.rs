//! Revocation lists: each is the one before it and something more, numbered, dated and signed.
//!
//! Every list stays in the folder. Its signature is written first and the list last: what has both
//! is whole, and the highest number is the newest.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use attest_verifier::core::revocation::{RevocationError, StatusKey, UnverifiedRevocations};
use attest_verifier::signature_path;
use tre_wire::id::TrustDomain;
use tre_wire::json::{self, JsonError};
use tre_wire::revocation::{FORMAT, LABEL, LIST_BYTES, MOST_KEYS, RevocationList, Revoked};
use tre_wire::signed::SIGNATURE_BYTES;
use tre_wire::units::UnixMillis;

use crate::file::{self, Access, FileError};
use crate::release::Signer;

/// For how long a list is good where nobody asks for another time. Unit: days.
pub const DEFAULT_DAYS: u32 = 30;

/// Longest time for which a list is good. Unit: days.
pub const MOST_DAYS: u32 = 397;

/// Why there is no revocation list, or no next one.
#[derive(Debug, thiserror::Error)]
pub enum ListsError {
    /// A list cannot be read or written.
    #[error(transparent)]
    File(FileError),
    /// A list is not the status key's, or none.
    #[error("{path}: {source}", path = path.display())]
    List {
        /// The list.
        path: PathBuf,
        /// What is wrong.
        source: RevocationError,
    },
    /// The list could not be encoded.
    #[error("cannot encode the revocation list: {0}")]
    Encode(#[source] JsonError),
    /// The signing library failed.
    #[error("cannot sign: {0}")]
    Sign(ring::error::Unspecified),
    /// More keys than a list has.
    #[error("expected at most {MOST_KEYS} revoked keys, found {found}; wait until some have ended")]
    TooMany {
        /// Keys found.
        found: usize,
    },
    /// The list would be good for no time, or too long.
    #[error("expected a list that is good for 1 to {MOST_DAYS} days, found {found}")]
    Days {
        /// Days asked for.
        found: u32,
    },
    /// All numbers are used up.
    #[error("expected a number for the next list, found that all are used")]
    Sequence,
}

/// The revocation lists of a domain.
#[derive(Clone, Debug)]
pub struct Lists {
    folder: PathBuf,
    trust_domain: TrustDomain,
    key: StatusKey,
}

impl Lists {
    /// The lists in `folder`, signed by `key`.
    #[must_use]
    pub const fn new(folder: PathBuf, trust_domain: TrustDomain, key: StatusKey) -> Self {
        Self { folder, trust_domain, key }
    }

    /// The newest list, if there is one.
    ///
    /// # Errors
    ///
    /// [`ListsError::File`]; [`ListsError::List`].
    pub fn newest(&self) -> Result<Option<RevocationList>, ListsError> {
        let mut newest = None;
        while let Some(next) = newest.unwrap_or(0_u32).checked_add(1) {
            if self.path(next).symlink_metadata().is_err() {
                break;
            }
            newest = Some(next);
        }
        newest.map(|number| self.read(&self.path(number))).transpose()
    }

    /// Where the list with this number stands, or will.
    #[must_use]
    pub fn path(&self, sequence: u32) -> PathBuf {
        self.folder.join(format!("{sequence:08}.json"))
    }

    fn read(&self, path: &Path) -> Result<RevocationList, ListsError> {
        let bytes = |path: &Path, most: usize| {
            file::read(path, u64::try_from(most).unwrap_or(u64::MAX)).map_err(ListsError::File)
        };
        let list = bytes(path, LIST_BYTES)?;
        let signature = bytes(&signature_path(path), SIGNATURE_BYTES)?;
        UnverifiedRevocations { file: &list, signature: &signature }
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
        if days == 0 || days > MOST_DAYS {
            return Err(ListsError::Days { found: days });
        }
        let last = self.newest()?;
        let sequence = last.as_ref().map_or(0, |list| list.sequence);
        let sequence = sequence.checked_add(1).ok_or(ListsError::Sequence)?;
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
            valid_until: now.plus(u64::from(days).saturating_mul(DAY_MS)),
            revoked,
        };
        self.write(signer, &list)?;
        Ok(list)
    }

    fn write(&self, signer: &Signer, list: &RevocationList) -> Result<(), ListsError> {
        let path = self.path(list.sequence);
        let bytes = json::encode(list).map_err(ListsError::Encode)?;
        let signature = signer.sign_file(LABEL, &bytes, None).map_err(ListsError::Sign)?;
        let signature = json::encode(&signature).map_err(ListsError::Encode)?;
        match fs::create_dir(&self.folder) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                let path = self.folder.clone();
                return Err(ListsError::File(FileError::Write { path, source }));
            }
            Ok(()) | Err(_) => {}
        }
        file::replace(&signature_path(&path), &signature, Access::Everybody)
            .map_err(ListsError::File)?;
        file::write_new(&path, &bytes, Access::Everybody).map_err(ListsError::File)
    }
}

/// One day. Unit: milliseconds.
const DAY_MS: u64 = 86_400_000;
