//! What a verifier remembers of each TRE, in one small file.
//!
//! The file is replaced as a whole: written beside itself, made durable, renamed over the old one.
//! Its first line is the SHA-256 of all that follows, so that damage is an error and never an empty
//! memory. `FILE.lock` beside it keeps writers apart, and knows whether there was a memory before.
//! The hash is no secret: whoever can write the file can make the verifier forget.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use attest_verifier_core::measured_boot::digest::{Sha256Digest, sha256};
use attest_verifier_core::measured_boot::manifest::ReleaseNumber;
use attest_verifier_core::measured_boot::tpm::{Name, NameError};
use attest_verifier_core::past::{Past, PastError};
use attest_verifier_core::wire::hex::HexBytes;
use attest_verifier_core::wire::id::PeerId;
use attest_verifier_core::wire::json::{self, JsonError};
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::file::{self, FileError};
use crate::keep::{self, KeepError, Lock};

/// A file that remembers TREs. Cheap to clone; any number of processes may share one.
#[derive(Clone, Debug)]
pub struct Memory {
    path: Arc<PathBuf>,
}

/// Why nothing is remembered, or nothing can be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// The file cannot be read.
    #[error(transparent)]
    File(FileError),
    /// The file, its lock or its folder cannot be written, or another process holds the lock.
    #[error(transparent)]
    Keep(KeepError),
    /// There was a memory, and it is gone.
    #[error(
        "{path}: expected what was remembered, found no file; bring it back, or delete {lock} too \
         to begin anew", path = .path.display(), lock = .lock.display()
    )]
    Gone {
        /// The file.
        path: PathBuf,
        /// The lock that knows of it.
        lock: PathBuf,
    },
    /// The file is not as it was written.
    #[error(
        "{path}: expected remembered TREs with a first line that fits, found {damage}; bring back \
         a copy, or delete it and its .lock to begin anew", path = .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        damage: Damage,
    },
    /// There are too many TREs for one file.
    #[error("{path}: expected at most {} bytes, found more to remember", bounds::MEMORY_BYTES,
        path = .path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The task that reads and writes was given up.
    #[error("remembering was given up: this program is ending")]
    Abandoned,
}

/// What is wrong with a file of remembered TREs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The first line is not one of this format.
    #[error("another first line than `{HEADER}` and a hash")]
    Header,
    /// The content is not that of the first line.
    #[error("content that hashes to {found}, not to {expected}")]
    Content {
        /// The hash in the first line.
        expected: String,
        /// That of the content.
        found: Sha256Digest,
    },
    /// The content does not decode.
    #[error("{0}")]
    Json(JsonError),
    /// An attestation key's Name is none.
    #[error("{0}")]
    Name(NameError),
}

/// First word of a file, with its format's number.
const HEADER: &str = "tre-remembered-1";

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Content {
    tres: BTreeMap<PeerId, Entry>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    attestation_key: HexBytes,
    reset_count: u32,
    restart_count: u32,
    clock_ms: u64,
    greatest_clock_ms: u64,
    state_epoch: u64,
    release: Option<ReleaseNumber>,
}

impl Memory {
    /// The memory in the file `path`, which is made if there never was one.
    ///
    /// # Errors
    ///
    /// [`MemoryError`], also for a file that is damaged.
    pub fn at(path: &Path) -> Result<Self, MemoryError> {
        let memory = Self { path: Arc::new(path.to_path_buf()) };
        let mut lock = memory.lock()?;
        if path.exists() {
            memory.read()?;
        } else if was_used(&lock)? {
            let (path, lock) = (path.to_path_buf(), lock.path.clone());
            return Err(MemoryError::Gone { path, lock });
        } else {
            memory.write(&BTreeMap::new())?;
        }
        mark(&mut lock)?;
        Ok(memory)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Forgets `tre_id`, so that the next evidence of it is believed whatever it has shown before:
    /// for a box that was enrolled anew, with another attestation key. Returns what was remembered.
    ///
    /// # Errors
    ///
    /// [`MemoryError`]; nothing is forgotten then.
    pub fn forget(&self, tre_id: &PeerId) -> Result<Option<Past>, MemoryError> {
        let _lock = self.lock()?;
        let mut tres = self.read()?;
        let forgotten = tres.remove(tre_id);
        if forgotten.is_some() {
            self.write(&tres)?;
        }
        Ok(forgotten)
    }

    /// The TREs that are remembered, in the order of their names.
    ///
    /// # Errors
    ///
    /// [`MemoryError`].
    pub fn known(&self) -> Result<Vec<PeerId>, MemoryError> {
        let _lock = self.lock()?;
        Ok(self.read()?.into_keys().collect())
    }

    /// What is remembered of `tre_id`.
    pub(crate) async fn recall(&self, tre_id: PeerId) -> Result<Option<Past>, MemoryError> {
        let memory = self.clone();
        let read = move || {
            let _lock = memory.lock()?;
            Ok(memory.read()?.remove(&tre_id))
        };
        tokio::task::spawn_blocking(read).await.map_err(|_| MemoryError::Abandoned)?
    }

    /// Remembers what was believed of `tre_id`, beside what others have noted meanwhile. The inner
    /// error: what they noted is of another attestation key.
    pub(crate) async fn note(
        &self,
        tre_id: PeerId,
        seen: Past,
    ) -> Result<Result<(), PastError>, MemoryError> {
        let memory = self.clone();
        let write = move || {
            let _lock = memory.lock()?;
            let mut tres = memory.read()?;
            let known = tres.get(&tre_id).copied();
            let joined = match known.map_or(Ok(seen), |known| known.joined(seen)) {
                Ok(joined) => joined,
                Err(error) => return Ok(Err(error)),
            };
            if known != Some(joined) {
                tres.insert(tre_id, joined);
                memory.write(&tres)?;
            }
            Ok(Ok(()))
        };
        tokio::task::spawn_blocking(write).await.map_err(|_| MemoryError::Abandoned)?
    }

    fn read(&self) -> Result<BTreeMap<PeerId, Past>, MemoryError> {
        let bytes = file::read(&self.path, bounds::MEMORY_BYTES).map_err(MemoryError::File)?;
        parse(&bytes).map_err(|damage| {
            let path = self.path.to_path_buf();
            MemoryError::Damaged { path, damage }
        })
    }

    /// Replaces the file as a whole: after a power cut there is the old one or the new one.
    fn write(&self, tres: &BTreeMap<PeerId, Past>) -> Result<(), MemoryError> {
        let full = |_| MemoryError::Full { path: self.path.to_path_buf() };
        let entries = tres.iter().map(|(id, past)| (id.clone(), Entry::from(past)));
        let content = json::encode(&Content { tres: entries.collect() }).map_err(full)?;
        let mut bytes = format!("{HEADER} {}\n", sha256(&content)).into_bytes();
        bytes.extend_from_slice(&content);
        if u64::try_from(bytes.len()).is_ok_and(|found| found > bounds::MEMORY_BYTES) {
            return Err(MemoryError::Full { path: self.path.to_path_buf() });
        }
        keep::replace(&self.path, &bytes).map_err(MemoryError::Keep)
    }

    fn lock(&self) -> Result<Lock, MemoryError> {
        Lock::take(keep::beside(&self.path, ".lock")).map_err(MemoryError::Keep)
    }
}

/// Whether there was a memory once.
fn was_used(lock: &Lock) -> Result<bool, MemoryError> {
    let found = lock.file.metadata().map_err(keep::written(&lock.path));
    Ok(found.map_err(MemoryError::Keep)?.len() > 0)
}

/// Notes that there is one.
fn mark(lock: &mut Lock) -> Result<(), MemoryError> {
    if was_used(lock)? {
        return Ok(());
    }
    let marked = lock.file.write_all(b"used\n").and_then(|()| lock.file.sync_all());
    marked.map_err(keep::written(&lock.path)).map_err(MemoryError::Keep)
}

fn parse(bytes: &[u8]) -> Result<BTreeMap<PeerId, Past>, Damage> {
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or(Damage::Header)?;
    let (first, rest) = bytes.split_at_checked(end).ok_or(Damage::Header)?;
    let content = rest.get(1..).unwrap_or_default();
    let first = core::str::from_utf8(first).map_err(|_| Damage::Header)?;
    let expected = first.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix(' '));
    let expected = expected.ok_or(Damage::Header)?;
    let found = sha256(content);
    if expected != found.to_string() {
        return Err(Damage::Content { expected: expected.to_owned(), found });
    }
    let content: Content = json::decode_at_most(content, content.len()).map_err(Damage::Json)?;
    let past = |(id, entry): (PeerId, Entry)| Ok((id, Past::try_from(entry)?));
    content.tres.into_iter().map(past).collect()
}

impl From<&Past> for Entry {
    fn from(past: &Past) -> Self {
        Self {
            attestation_key: HexBytes(past.attestation_key.to_bytes().to_vec()),
            reset_count: past.reset_count,
            restart_count: past.restart_count,
            clock_ms: past.clock_ms,
            greatest_clock_ms: past.greatest_clock_ms,
            state_epoch: past.state_epoch,
            release: past.release,
        }
    }
}

impl TryFrom<Entry> for Past {
    type Error = Damage;

    fn try_from(entry: Entry) -> Result<Self, Damage> {
        Ok(Self {
            attestation_key: Name::from_bytes(&entry.attestation_key.0).map_err(Damage::Name)?,
            reset_count: entry.reset_count,
            restart_count: entry.restart_count,
            clock_ms: entry.clock_ms,
            greatest_clock_ms: entry.greatest_clock_ms,
            state_epoch: entry.state_epoch,
            release: entry.release,
        })
    }
}
