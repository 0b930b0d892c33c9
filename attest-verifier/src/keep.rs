//! Files that are replaced as a whole, and the locks beside them.

use core::fmt;
use core::time::Duration;
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::bounds;

/// Why nothing is kept in a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeepError {
    /// The file, its lock or its folder cannot be written.
    #[error("{path}: {source}", path = .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Another process holds the lock.
    #[error("{path}: held by another process for {} s", .waited.as_secs(), path = .path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
}

/// Keeps other writers out until it is dropped.
pub(crate) struct Lock {
    pub(crate) file: File,
    pub(crate) path: PathBuf,
}

impl Lock {
    /// Takes the lock at `path`, which is made if it is missing; waits for who holds it, not for
    /// ever.
    pub(crate) fn take(path: PathBuf) -> Result<Self, KeepError> {
        let file = File::options().create(true).read(true).append(true).open(&path);
        let file = file.map_err(written(&path))?;
        for _ in 0..bounds::LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Self { file, path }),
                Err(TryLockError::WouldBlock) => std::thread::sleep(bounds::LOCK_PAUSE),
                Err(TryLockError::Error(source)) => return Err(KeepError::Write { path, source }),
            }
        }
        let waited = bounds::LOCK_PAUSE.saturating_mul(bounds::LOCK_TRIES);
        Err(KeepError::Locked { path, waited })
    }
}

impl fmt::Debug for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lock({})", self.path.display())
    }
}

/// Puts `bytes` under the name `path`: after a power cut there is the old file or the new one.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), KeepError> {
    let new = beside(path, ".new");
    let mut file = File::create(&new).map_err(written(&new))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(written(&new))?;
    fs::rename(&new, path).map_err(written(path))?;
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(written(folder))
}

/// The same name with `ending` behind it.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

pub(crate) fn written(path: &Path) -> impl FnOnce(io::Error) -> KeepError {
    let path = path.to_path_buf();
    move |source| KeepError::Write { path, source }
}
