//! Files of a domain: read with a bound, written whole or not at all, never overwritten.

use std::fs::{File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Who may read a new file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Access {
    /// Its owner alone (mode 0600): anything with a private key in it.
    Owner,
    /// Everybody (mode 0644).
    Everybody,
}

impl Access {
    const fn mode(self) -> u32 {
        match self {
            Self::Owner => 0o600,
            Self::Everybody => 0o644,
        }
    }
}

/// Why a file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Nothing here is ever overwritten.
    #[error(
        "expected no file {path}, found one; choose another name or move it away",
        path = path.display()
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The file is longer than any that belongs there.
    #[error("expected at most {most} bytes in {path}, found more", path = path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Most bytes allowed.
        most: u64,
    },
    /// The file cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Reads a whole file of at most `most` bytes.
///
/// # Errors
///
/// [`FileError::Read`] and [`FileError::TooLong`].
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let failed = |source| FileError::Read { path: path.to_path_buf(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|found| found <= most) {
        Ok(bytes)
    } else {
        Err(FileError::TooLong { path: path.to_path_buf(), most })
    }
}

/// Writes a new file: it appears under its name whole and on disk, or not at all.
///
/// # Errors
///
/// [`FileError::Exists`] if there is one already; [`FileError::Write`].
pub fn write_new(path: &Path, bytes: &[u8], access: Access) -> Result<(), FileError> {
    let failed = |source| FileError::Write { path: path.to_path_buf(), source };
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().set_permissions(Permissions::from_mode(access.mode())).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    match file.persist_noclobber(path) {
        Ok(_) => {}
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(FileError::Exists { path: path.to_path_buf() });
        }
        Err(refused) => return Err(failed(refused.error)),
    }
    // The name is durable only when its folder is.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_never_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key.pem");
        write_new(&path, b"first", Access::Owner).expect("new");
        let refused = write_new(&path, b"second", Access::Owner);
        assert!(matches!(refused, Err(FileError::Exists { .. })), "{refused:?}");
        assert_eq!(std::fs::read(&path).expect("readable"), b"first");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn a_private_file_is_its_owners_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        for (access, expected) in [(Access::Owner, 0o600), (Access::Everybody, 0o644)] {
            let path = folder.path().join(format!("{access:?}"));
            write_new(&path, b"x", access).expect("new");
            let found = std::fs::metadata(&path).expect("there").permissions().mode() & 0o7777;
            assert_eq!(found, expected, "{access:?}");
        }
    }

    #[test]
    fn one_byte_beyond_the_bound_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("file");
        write_new(&path, b"1234", Access::Everybody).expect("new");
        assert_eq!(read(&path, 4).expect("fits"), b"1234");
        let refused = read(&path, 3);
        assert!(matches!(refused, Err(FileError::TooLong { most: 3, .. })), "{refused:?}");
    }
}
