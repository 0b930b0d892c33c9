//! What the grid authority issued: pages that are written once and never changed.
//!
//! A certificate stands in the register before it leaves the machine. So nobody gets an identity
//! that is another's, and a revocation finds every key that an identity has.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tre_wire::hex::{Hex32, HexBytes};
use tre_wire::json::{self, JsonError};
use tre_wire::revocation::Revoked;
use tre_wire::role::Identity;
use tre_wire::units::UnixMillis;

use crate::file::{self, Access, FileError};

/// Longest page: a batch of [`crate::fleet::MOST_BATCH`] entries has a third of it. Unit: bytes.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// One certificate.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Whose it is.
    pub identity: Identity,
    /// SHA-256 of its key, `SubjectPublicKeyInfo` in DER.
    pub spki_sha256: Hex32,
    /// Its serial number.
    pub serial: HexBytes,
    /// Its last moment.
    pub until: UnixMillis,
}

/// A part of a fleet.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// SHA-256 of the file with the fleet's requests.
    pub requests_sha256: Hex32,
    /// Which part, from 1.
    pub number: u32,
}

/// What was issued at once.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// Version of this structure: 1.
    pub format: u32,
    /// When.
    pub issued_at: UnixMillis,
    /// The part of a fleet, if it was one.
    pub batch: Option<Batch>,
    /// The certificates.
    pub issued: Vec<Entry>,
}

/// Why the register cannot be used, or refuses an entry.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The identity is somebody's.
    #[error(
        "expected an identity without a certificate in force, found {identity} certified until \
         {until} (ms since 1970); use `tre-pki renew`, or `tre-pki revoke` if its key is lost"
    )]
    InForce {
        /// The identity.
        identity: Box<Identity>,
        /// When the last of its certificates ends.
        until: UnixMillis,
    },
    /// The key is on the newest revocation list.
    #[error(
        "expected a key that is not revoked for {identity}, found {key}, which is; its holder has \
         to make another"
    )]
    RevokedKey {
        /// Who asked for it.
        identity: Box<Identity>,
        /// SHA-256 of the key.
        key: Hex32,
    },
    /// Somebody else issued in the same moment.
    #[error("expected to be alone, found that {path} was just written by another; run it again",
        path = path.display())]
    Raced {
        /// The page.
        path: PathBuf,
    },
    /// A page or its folder cannot be read or written.
    #[error(transparent)]
    File(FileError),
    /// A page is not as it was written.
    #[error("expected a page of the register in {path}: {source}", path = path.display())]
    Json {
        /// The page.
        path: PathBuf,
        /// What the parser found.
        source: JsonError,
    },
    /// A page by a later program.
    #[error("expected format 1 in {path}, found {found}; use the newer tre-pki that wrote it",
        path = path.display())]
    Format {
        /// The page.
        path: PathBuf,
        /// Format found.
        found: u32,
    },
}

/// The register, read into memory.
#[derive(Clone, Debug)]
pub struct Register {
    folder: PathBuf,
    /// Number of the last page.
    pages: u32,
    entries: BTreeMap<Identity, Vec<Entry>>,
    batches: BTreeSet<Batch>,
    /// Keys that nobody gets a certificate for.
    struck: BTreeSet<Hex32>,
}

impl Register {
    /// Reads every page in `folder`; a register that does not exist yet is empty.
    ///
    /// # Errors
    ///
    /// [`RegisterError`].
    pub fn open(folder: PathBuf) -> Result<Self, RegisterError> {
        let mut register = Self {
            folder,
            pages: 0,
            entries: BTreeMap::new(),
            batches: BTreeSet::new(),
            struck: BTreeSet::new(),
        };
        while register.page_path(register.next()).symlink_metadata().is_ok() {
            let path = register.page_path(register.next());
            let most = u64::try_from(PAGE_BYTES).unwrap_or(u64::MAX);
            let bytes = file::read(&path, most).map_err(RegisterError::File)?;
            let page: Page = json::decode_at_most(&bytes, PAGE_BYTES)
                .map_err(|source| RegisterError::Json { path: path.clone(), source })?;
            if page.format != 1 {
                return Err(RegisterError::Format { path, found: page.format });
            }
            register.keep(page);
        }
        Ok(register)
    }

    /// The certificates of `identity` that are in force at `now`.
    pub fn in_force(&self, identity: &Identity, now: UnixMillis) -> impl Iterator<Item = &Entry> {
        let entries = self.entries.get(identity).map_or(&[][..], Vec::as_slice);
        entries.iter().filter(move |entry| entry.until >= now)
    }

    /// How many identities have a certificate in force at `now`, and when the first of these
    /// certificates ends.
    #[must_use]
    pub fn summary(&self, now: UnixMillis) -> (usize, Option<UnixMillis>) {
        let last = |identity| self.in_force(identity, now).map(|entry| entry.until).max();
        let ends: Vec<UnixMillis> = self.entries.keys().filter_map(last).collect();
        (ends.len(), ends.into_iter().min())
    }

    /// Strikes out every certificate of a key that is revoked; nobody gets another for it.
    pub fn strike(&mut self, revoked: &[Revoked]) {
        for key in revoked {
            self.struck.insert(key.spki_sha256);
            if let Some(entries) = self.entries.get_mut(&key.identity) {
                entries.retain(|entry| entry.spki_sha256 != key.spki_sha256);
            }
        }
    }

    /// Refuses an identity that has a certificate in force.
    ///
    /// # Errors
    ///
    /// [`RegisterError::InForce`].
    pub fn check_free(&self, identity: &Identity, now: UnixMillis) -> Result<(), RegisterError> {
        match self.in_force(identity, now).map(|entry| entry.until).max() {
            None => Ok(()),
            Some(until) => {
                Err(RegisterError::InForce { identity: Box::new(identity.clone()), until })
            }
        }
    }

    /// Refuses a key that is revoked.
    ///
    /// # Errors
    ///
    /// [`RegisterError::RevokedKey`].
    pub fn check_key(&self, identity: &Identity, key: Hex32) -> Result<(), RegisterError> {
        if self.struck.contains(&key) {
            return Err(RegisterError::RevokedKey { identity: Box::new(identity.clone()), key });
        }
        Ok(())
    }

    /// Whether this part of a fleet was issued.
    #[must_use]
    pub fn has(&self, batch: &Batch) -> bool {
        self.batches.contains(batch)
    }

    /// Writes a page: from then on its certificates are issued.
    ///
    /// # Errors
    ///
    /// [`RegisterError::RevokedKey`], [`RegisterError::Raced`], [`RegisterError::File`],
    /// [`RegisterError::Json`].
    pub fn write(&mut self, page: Page) -> Result<(), RegisterError> {
        for entry in &page.issued {
            self.check_key(&entry.identity, entry.spki_sha256)?;
        }
        let path = self.page_path(self.next());
        let bytes = json::encode(&page)
            .map_err(|source| RegisterError::Json { path: path.clone(), source })?;
        match fs::create_dir(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                let path = self.folder.clone();
                return Err(RegisterError::File(FileError::Write { path, source: error }));
            }
            Ok(()) | Err(_) => {}
        }
        match file::write_new(&path, &bytes, Access::Everybody) {
            Ok(()) => {}
            Err(FileError::Exists { path }) => return Err(RegisterError::Raced { path }),
            Err(error) => return Err(RegisterError::File(error)),
        }
        self.keep(page);
        Ok(())
    }

    fn keep(&mut self, page: Page) {
        self.pages = self.next();
        self.batches.extend(page.batch);
        for entry in page.issued {
            self.entries.entry(entry.identity.clone()).or_default().push(entry);
        }
    }

    const fn next(&self) -> u32 {
        self.pages.saturating_add(1)
    }

    fn page_path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number:08}.json"))
    }
}
