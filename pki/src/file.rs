//! Files of a domain: read with a bound, written whole or not at all, never overwritten.

use std::fs::{File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

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
    /// Others than its owner can read the file, or change it.
    #[error(
        "expected {path} to be its owner's alone (mode 0600), found mode {found:04o}; run \
         chmod 600, and ask who has read it", path = path.display()
    )]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        found: u32,
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
    read_open(File::open(path).map_err(failed)?, path, most, Vec::new())
}

/// The same for a file with a secret in it: nobody but its owner may read or change it.
///
/// # Errors
///
/// [`FileError::Mode`], [`FileError::Read`] and [`FileError::TooLong`].
pub fn read_private(path: &Path, most: u64) -> Result<Zeroizing<Vec<u8>>, FileError> {
    let failed = |source| FileError::Read { path: path.to_path_buf(), source };
    let file = File::open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?.permissions().mode() & 0o7777;
    if found & OTHERS != 0 {
        return Err(FileError::Mode { path: path.to_path_buf(), found });
    }
    // Room for all of it at once: a grown copy would be left in memory.
    let room = usize::try_from(most.saturating_add(1)).unwrap_or(0);
    read_open(file, path, most, Vec::with_capacity(room)).map(Zeroizing::new)
}

/// Permission bits of everybody but the owner.
const OTHERS: u32 = 0o077;

fn read_open(file: File, path: &Path, most: u64, mut bytes: Vec<u8>) -> Result<Vec<u8>, FileError> {
    let failed = |source| FileError::Read { path: path.to_path_buf(), source };
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
    let file = draft(path, bytes, access).map_err(failed)?;
    match file.persist_noclobber(path) {
        Ok(_) => {}
        Err(refused) if refused.error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(FileError::Exists { path: path.to_path_buf() });
        }
        Err(refused) => return Err(failed(refused.error)),
    }
    sync_folder(path).map_err(failed)
}

/// What [`write_same`] did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Written {
    /// The file is new.
    Now,
    /// The very same file was there.
    Before,
}

/// Writes a new file, or finds it there with exactly this content.
///
/// # Errors
///
/// [`FileError::Exists`] if there is one with another content; [`FileError`].
pub fn write_same(path: &Path, bytes: &[u8], access: Access) -> Result<Written, FileError> {
    match write_new(path, bytes, access) {
        Ok(()) => Ok(Written::Now),
        Err(FileError::Exists { path }) => {
            let most = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let same = read(&path, most).is_ok_and(|found| found == bytes);
            if same { Ok(Written::Before) } else { Err(FileError::Exists { path }) }
        }
        Err(error) => Err(error),
    }
}

/// Writes a file in the place of another: under its name stands the old one or the new one, whole.
///
/// # Errors
///
/// [`FileError::Write`].
pub fn replace(path: &Path, bytes: &[u8], access: Access) -> Result<(), FileError> {
    let failed = |source| FileError::Write { path: path.to_path_buf(), source };
    let file = draft(path, bytes, access).map_err(failed)?;
    file.persist(path).map_err(|refused| failed(refused.error))?;
    sync_folder(path).map_err(failed)
}

/// A nameless file beside `path` with this content, on disk.
fn draft(path: &Path, bytes: &[u8], access: Access) -> io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::NamedTempFile::new_in(folder_of(path))?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(Permissions::from_mode(access.mode()))?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// The name is durable only when its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path)).and_then(|folder| folder.sync_all())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
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
    fn the_very_same_file_is_left_and_another_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deployment.json");
        let write = |bytes: &[u8]| write_same(&path, bytes, Access::Everybody);
        assert!(matches!(write(b"first"), Ok(Written::Now)));
        assert!(matches!(write(b"first"), Ok(Written::Before)));
        for other in [b"second".as_slice(), b"firs", b"first "] {
            let refused = write(other);
            assert!(matches!(refused, Err(FileError::Exists { .. })), "{refused:?}");
        }
        assert_eq!(std::fs::read(&path).expect("readable"), b"first");
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
    fn a_secret_that_others_can_read_or_change_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key.pem");
        write_new(&path, b"secret", Access::Owner).expect("new");
        assert_eq!(read_private(&path, 6).expect("its owner's").as_slice(), b"secret");
        for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("ours");
            let refused = read_private(&path, 6).map(|_| ());
            let found = mode;
            assert!(
                matches!(refused, Err(FileError::Mode { found: mode, .. }) if mode == found),
                "{mode:o}: {refused:?}"
            );
        }
    }

    #[test]
    fn a_replaced_file_is_its_owners_alone_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key.pem");
        write_new(&path, b"first", Access::Everybody).expect("new");
        replace(&path, b"second", Access::Owner).expect("replaced");
        assert_eq!(read_private(&path, 6).expect("its owner's").as_slice(), b"second");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
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
