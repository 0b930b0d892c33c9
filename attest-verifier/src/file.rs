//! Files, read whole and within a bound.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is missing, or may not be read.
    #[error("{path}: {source}", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// It is longer than any file of its kind.
    #[error("{path}: expected at most {most} bytes, found more", path = .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Most bytes allowed.
        most: u64,
    },
}

/// Reads the whole of `path` if it has at most `most` bytes.
///
/// # Errors
///
/// [`FileError`].
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let failed = |source| FileError::Read { path: path.to_path_buf(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|found| found <= most) {
        return Ok(bytes);
    }
    Err(FileError::TooLong { path: path.to_path_buf(), most })
}
