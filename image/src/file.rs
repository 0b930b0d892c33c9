//! What went wrong with a file: the step, the path, the system's words.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A step on a file or folder that failed.
#[derive(Debug, thiserror::Error)]
#[error("{step} {}: {source}", path.display())]
pub struct FileError {
    /// What was tried, as in "reading".
    pub step: &'static str,
    /// On what.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl FileError {
    /// Turns what the system said about `path` into an error, for `map_err`.
    pub fn at(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { step, path: path.into(), source }
    }
}

/// The result of removing something that need not be there.
pub(crate) fn unless_missing(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| match error.kind() == io::ErrorKind::NotFound {
        true => Ok(()),
        false => Err(error),
    })
}

/// Writes `bytes` to `path`: whoever reads it finds the old content or the new, never half.
///
/// # Errors
///
/// [`FileError`]; `path` is as it was then.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let new = tempfile::NamedTempFile::new_in(folder).map_err(FileError::at("making", path))?;
    fs::write(new.path(), bytes).map_err(FileError::at("writing", path))?;
    keep(new, path)
}

/// Gives a finished temporary file its name, readable for everyone.
pub(crate) fn keep(file: tempfile::NamedTempFile, path: &Path) -> Result<(), FileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let permissions = fs::Permissions::from_mode(0o644);
    file.as_file().set_permissions(permissions).map_err(FileError::at("opening", path))?;
    file.persist(path).map(drop).map_err(|error| FileError::at("replacing", path)(error.error))
}
