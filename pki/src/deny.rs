//! Denylists of TPM firmware: each is the one before it, changed, numbered, dated and signed.

use std::path::{Path, PathBuf};

use attest_verifier::core::denylist::{
    DeniedFirmware, DenyError, SignedDenyList, UnverifiedDenyList,
};
use attest_verifier::core::revocation::StatusKey;
use tre_wire::denylist::{
    Denied, DenyList, DenyListError, FORMAT, Firmware, LABEL, LIST_BYTES, TpmManufacturer,
};
use tre_wire::id::TrustDomain;
use tre_wire::json;
use tre_wire::units::UnixMillis;

use crate::numbered::{self, Files, Numbered, NumberedError};
use crate::release::Signer;

/// Why there is no denylist, or no next one.
#[derive(Debug, thiserror::Error)]
pub enum DenyListsError {
    /// It cannot be read, written, numbered or dated.
    #[error(transparent)]
    Numbered(NumberedError),
    /// A list is not the status key's, or none, or out of its time.
    #[error("{path}: {source}", path = path.display())]
    List {
        /// The list.
        path: PathBuf,
        /// What is wrong.
        source: DenyError,
    },
    /// The next list would be none.
    #[error(transparent)]
    Entry(DenyListError),
    /// Nothing to lift.
    #[error(
        "expected firmware {first} to {last} of {manufacturer} on the newest denylist, found \
        no such entry"
    )]
    NotListed {
        /// The manufacturer.
        manufacturer: TpmManufacturer,
        /// The lowest version.
        first: Firmware,
        /// The highest version.
        last: Firmware,
    },
}

/// Firmware of one manufacturer, from the first version to the last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Range {
    /// The manufacturer.
    pub manufacturer: TpmManufacturer,
    /// The lowest version.
    pub first: Firmware,
    /// The highest version.
    pub last: Firmware,
}

/// What the next list changes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// Denies firmware, for a reason.
    Deny(Range, String),
    /// Denies it no longer.
    Lift(Range),
    /// Nothing: dates and numbers the list anew.
    Refresh,
}

/// The denylists of a domain.
#[derive(Clone, Debug)]
pub struct DenyLists {
    files: Numbered,
    trust_domain: TrustDomain,
    key: StatusKey,
}

impl DenyLists {
    /// The lists in `folder`, signed by `key`.
    #[must_use]
    pub const fn new(folder: PathBuf, trust_domain: TrustDomain, key: StatusKey) -> Self {
        Self { files: Numbered::new(folder), trust_domain, key }
    }

    /// Where the list with this number stands, or will.
    #[must_use]
    pub fn path(&self, sequence: u32) -> PathBuf {
        self.files.path(sequence)
    }

    /// The newest list, to be relied on at `now`, if there is one.
    ///
    /// # Errors
    ///
    /// [`DenyListsError::Numbered`]; [`DenyListsError::List`], also for one that is out of its time.
    pub fn in_force(&self, now: UnixMillis) -> Result<Option<DeniedFirmware>, DenyListsError> {
        let read = |signed: SignedDenyList<'_>| signed.read(&self.trust_domain, now);
        self.files.newest().map(|path| self.read(&path, read)).transpose()
    }

    fn read<T>(
        &self,
        path: &Path,
        of: impl FnOnce(SignedDenyList<'_>) -> Result<T, DenyError>,
    ) -> Result<T, DenyListsError> {
        let files = self.files.read(path, LIST_BYTES).map_err(DenyListsError::Numbered)?;
        let Files { list, signature } = &files;
        UnverifiedDenyList { file: list, signature }
            .verify(&self.key)
            .and_then(of)
            .map_err(|source| DenyListsError::List { path: path.to_path_buf(), source })
    }

    /// Writes the next list: the last one after `change`.
    ///
    /// # Errors
    ///
    /// [`DenyListsError`]; of two that race for a number, one gets it.
    pub fn add(
        &self,
        signer: &Signer,
        change: Change,
        days: u32,
        now: UnixMillis,
    ) -> Result<DenyList, DenyListsError> {
        let valid_until = numbered::good_until(days, now).map_err(DenyListsError::Numbered)?;
        let last = self.files.newest();
        let last = last.map(|path| self.read(&path, |signed| signed.list())).transpose()?;
        let sequence = numbered::following(last.as_ref().map(|list| list.sequence))
            .map_err(DenyListsError::Numbered)?;
        let mut denied = last.map_or_else(Vec::new, |list| list.denied);
        apply(&mut denied, change, now)?;
        let list = DenyList {
            format: FORMAT,
            trust_domain: self.trust_domain.clone(),
            sequence,
            issued_at: now,
            valid_until,
            denied,
        };
        list.check_entries().map_err(DenyListsError::Entry)?;
        let encoded = json::encode(&list).map_err(NumberedError::Encode);
        encoded
            .and_then(|bytes| self.files.write(sequence, LABEL, &bytes, signer))
            .map_err(DenyListsError::Numbered)?;
        Ok(list)
    }
}

fn apply(
    denied: &mut Vec<Denied>,
    change: Change,
    since: UnixMillis,
) -> Result<(), DenyListsError> {
    let is = |entry: &Denied, range: Range| {
        let Range { manufacturer, first, last } = range;
        (entry.manufacturer, entry.first, entry.last) == (manufacturer, first, last)
    };
    match change {
        Change::Refresh => Ok(()),
        Change::Deny(range, reason) => {
            let Range { manufacturer, first, last } = range;
            // The same range again: its reason is replaced, and it stands once.
            denied.retain(|entry| !is(entry, range));
            denied.push(Denied { manufacturer, first, last, reason, since });
            Ok(())
        }
        Change::Lift(range) => {
            let before = denied.len();
            denied.retain(|entry| !is(entry, range));
            if denied.len() < before {
                return Ok(());
            }
            let Range { manufacturer, first, last } = range;
            Err(DenyListsError::NotListed { manufacturer, first, last })
        }
    }
}
