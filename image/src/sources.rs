//! The archive of all inputs: what lies in it, and that it is whole.
//!
//! Unpacked, it is a folder: `index.json`, `debian/` (files of Debian packages at their installed
//! paths), the TPM software stack's source, `crates/` and `cargo/config.toml` (crates, and the
//! lines that make cargo use them), `project/` (the checkout). The index finds damage; it is not
//! signed. What holds an archive against forgery is `inputs.lock`, and the hash of the image.

mod make;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use measured_boot::digest::{Sha256Digest, sha256};
use measured_boot::manifest::Versions;
use serde::{Deserialize, Serialize};

use crate::file::FileError;

pub(crate) use make::{FOLDER, PROJECT};
pub use make::{SourcesMade, make};

/// The file that lists all others.
const INDEX: &str = "index.json";

/// What an archive says of itself.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Archive {
    /// Version by Debian package whose files are in it.
    pub packages: Versions,
    /// SHA-256 by path, of every file but the index.
    pub files: BTreeMap<String, Sha256Digest>,
}

/// Why there is no archive of all inputs, or why it is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourcesError {
    /// A file cannot be read or written.
    #[error("sources: {0}")]
    File(#[source] FileError),
    /// The index is none.
    #[error("sources: {} is no index of an archive: {source}", path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The index cannot be written as JSON.
    #[error("sources: the index cannot be written as JSON: {source}")]
    Unwritable {
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A file is not the one that was archived.
    #[error("sources: {} is not the file that was archived: expected SHA-256 {expected}, \
             found {found}: unpack the archive anew", path.display())]
    Tampered {
        /// The file.
        path: PathBuf,
        /// Its hash in the index.
        expected: Sha256Digest,
        /// Its hash.
        found: Sha256Digest,
    },
    /// A file that the index lists is not there.
    #[error("sources: {} is missing: unpack the archive anew", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file that the index does not list.
    #[error("sources: {} was not archived: unpack the archive anew", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A program is missing or failed.
    #[error("sources: {0}")]
    Tool(#[source] crate::tool::ToolError),
    /// The project's own files are not known.
    #[error(transparent)]
    Project(crate::project::ProjectError),
    /// A crate is not the one that is locked.
    #[error(transparent)]
    Crates(crate::crates::CratesError),
    /// What is to be archived comes from an archive already.
    #[error("sources: SOURCES names {}: that is the archive of all inputs", folder.display())]
    Already {
        /// The archive.
        folder: PathBuf,
    },
    /// What the inputs are is not known.
    #[error(transparent)]
    Inputs(Box<crate::inputs::InputsError>),
    /// A package whose files are to be archived is not installed.
    #[error("sources: Debian package {package} is not installed: run 'make deps'")]
    Package {
        /// The package.
        package: &'static str,
    },
}

impl Archive {
    /// Opens the unpacked archive in `folder`, once every file in it was found to be the one that
    /// was archived and no other file lies between them. `project/` is left out: it can be built
    /// in, and what is built is judged by its own hashes.
    ///
    /// # Errors
    ///
    /// [`SourcesError`].
    pub fn open(folder: &Path) -> Result<Self, SourcesError> {
        let path = folder.join(INDEX);
        let bytes = fs::read(&path).map_err(step("reading", &path))?;
        let archive: Self = serde_json::from_slice(&bytes)
            .map_err(|source| SourcesError::Index { path, source })?;
        let mut there = files_in(folder)?;
        for (name, expected) in &archive.files {
            let path = folder.join(name);
            if !there.remove(name) {
                return Err(SourcesError::Missing { path });
            }
            let found = hash_of(&path)?;
            if found != *expected {
                return Err(SourcesError::Tampered { path, expected: *expected, found });
            }
        }
        match there.pop_first() {
            Some(name) => Err(SourcesError::Foreign { path: folder.join(name) }),
            None => Ok(archive),
        }
    }

    /// The index of what lies in `folder`, with the versions `packages`, written into it.
    fn close(folder: &Path, packages: Versions) -> Result<Self, SourcesError> {
        let hash = |name: String| hash_of(&folder.join(&name)).map(|hash| (name, hash));
        let files = files_in(folder)?.into_iter().map(hash).collect::<Result<_, _>>()?;
        let archive = Self { packages, files };
        let text = serde_json::to_string_pretty(&archive)
            .map_err(|source| SourcesError::Unwritable { source })?;
        let path = folder.join(INDEX);
        fs::write(&path, format!("{text}\n")).map_err(step("writing", &path))?;
        Ok(archive)
    }
}

/// Paths under `folder`, relative to it, of every file but the index and the project's.
fn files_in(folder: &Path) -> Result<BTreeSet<String>, SourcesError> {
    let mut files = BTreeSet::new();
    let mut folders = Vec::from([folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).map_err(step("listing", &next))? {
            let path = entry.map_err(step("listing", &next))?.path();
            let kind = path.symlink_metadata().map_err(step("reading", &path))?;
            let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
            if !kind.is_dir() {
                files.insert(name);
            } else if name != PROJECT {
                folders.push(path);
            }
        }
    }
    files.remove(INDEX);
    Ok(files)
}

fn hash_of(path: &Path) -> Result<Sha256Digest, SourcesError> {
    fs::read(path).map(|bytes| sha256(&bytes)).map_err(step("reading", path))
}

fn step(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SourcesError {
    move |source| SourcesError::File(FileError::at(step, path)(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive of two files, closed.
    fn archive() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("temporary folder");
        let libraries = folder.path().join("debian/usr/lib");
        fs::create_dir_all(&libraries).expect("makes");
        fs::write(libraries.join("libc.a"), "code").expect("writes");
        fs::write(folder.path().join("stack.tar.gz"), "source").expect("writes");
        Archive::close(folder.path(), Versions::default()).expect("closes");
        folder
    }

    #[test]
    fn a_whole_archive_opens() {
        let folder = archive();
        let opened = Archive::open(folder.path()).expect("opens");
        let names: Vec<&str> = opened.files.keys().map(String::as_str).collect();
        assert_eq!(names, ["debian/usr/lib/libc.a", "stack.tar.gz"]);
    }

    #[test]
    fn a_changed_source_is_refused() {
        let folder = archive();
        let path = folder.path().join("debian/usr/lib/libc.a");
        fs::write(&path, "c0de").expect("writes");
        let error = Archive::open(folder.path()).expect_err("refused");
        assert!(
            matches!(&error, SourcesError::Tampered { path: found, expected, .. }
                if *found == path && *expected == sha256(b"code")),
            "{error}",
        );
    }

    #[test]
    fn a_missing_source_is_refused() {
        let folder = archive();
        let path = folder.path().join("stack.tar.gz");
        fs::remove_file(&path).expect("removes");
        let error = Archive::open(folder.path()).expect_err("refused");
        assert!(matches!(&error, SourcesError::Missing { path: p } if *p == path), "{error}");
    }

    /// A header that shadows another would be compiled in without any listed file changing.
    #[test]
    fn a_file_that_was_not_archived_is_refused() {
        let folder = archive();
        let path = folder.path().join("debian/usr/lib/extra.h");
        fs::write(&path, "").expect("writes");
        let error = Archive::open(folder.path()).expect_err("refused");
        assert!(matches!(&error, SourcesError::Foreign { path: p } if *p == path), "{error}");
    }

    #[test]
    fn what_is_built_in_the_project_is_no_foreign_file() {
        let folder = archive();
        let target = folder.path().join("project/target");
        fs::create_dir_all(&target).expect("makes");
        fs::write(target.join("tre.img"), "").expect("writes");
        Archive::open(folder.path()).expect("opens");
    }
}
