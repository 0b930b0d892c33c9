//! Which kernel builds were repeated in other surroundings with the same result.
//!
//! The lock file names the last one, for everyone. What was repeated here and is not committed
//! yet is noted in the cache, by the name of the build: the hash of all that went into it.

use std::fs;
use std::path::PathBuf;

use crate::checkout::{self, Checkout};
use crate::file::FileError;
use crate::lock::{Lock, LockError};

/// What the lock file says of a build that was not repeated.
const NONE: &str = "none";

/// The build `key`, if the lock file or the cache has it as repeated; otherwise words for none.
///
/// # Errors
///
/// [`FileError`] for a lock file that cannot be read. One that is damaged proves nothing.
pub(crate) fn of(checkout: &Checkout, key: &str) -> Result<String, FileError> {
    let committed = match Lock::read(checkout) {
        Ok(lock) => lock.kernel_built_twice == key,
        Err(LockError::File(error)) => return Err(error),
        Err(_) => false,
    };
    let proven = committed || note_of(key).is_file();
    Ok(if proven { key.into() } else { NONE.into() })
}

/// Whether the build `key` was repeated.
///
/// # Errors
///
/// As [`of`].
pub(crate) fn is_there(checkout: &Checkout, key: &str) -> Result<bool, FileError> {
    of(checkout, key).map(|proven| proven == key)
}

/// Notes that the build `key` was repeated with the same result.
///
/// # Errors
///
/// [`FileError`].
pub(crate) fn note(key: &str) -> Result<(), FileError> {
    let path = note_of(key);
    let folder = path.parent().unwrap_or(&path);
    fs::create_dir_all(folder).map_err(FileError::at("making", folder))?;
    fs::write(&path, "").map_err(FileError::at("writing", &path))
}

fn note_of(key: &str) -> PathBuf {
    checkout::cache().join("kernel-built-twice").join(key)
}
