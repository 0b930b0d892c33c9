//! The lock file: with which inputs the committed image was made, and what came out.
//!
//! The image's hash also stands in the README, for people; both are written by one command.

mod outcome;
mod readme;

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use measured_boot::digest::Sha256Digest;
use measured_boot::manifest::Versions;
use serde::{Deserialize, Serialize};

use crate::checkout::Checkout;
use crate::file::{self, FileError};
use crate::inputs::{Inputs, Package};

pub use outcome::{Difference, NotCommitted, Outcome};
pub use readme::ReadmeError;

/// The file, in this package.
const FILE: &str = "inputs.lock";

/// Writes it anew.
pub(crate) const RENEW: &str = "tre-image lock";

/// Inputs, and what they make.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// Version by program or package, of what makes the image and is not in it.
    pub tools: Versions,
    /// What is in it, by package.
    pub packages: BTreeMap<String, Package>,
    /// SHA-256 by group, of the project's own files that have a say in the image.
    pub project: BTreeMap<String, Sha256Digest>,
    /// Name of the last kernel build that was repeated in other surroundings with the same result.
    pub kernel_built_twice: String,
    /// SHA-256 by file name, of what is made.
    pub products: BTreeMap<String, Sha256Digest>,
    /// Value by PCR, of those that are the same for every deployment.
    pub pcrs: BTreeMap<u8, Sha256Digest>,
}

/// What a build does when its inputs are not those of the lock file.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LockMode {
    /// Builds, says what moved, and marks the manifest.
    #[default]
    Follow,
    /// Refuses.
    Strict,
    /// Takes what it finds for the lock file to come.
    Renew,
}

/// A word that is no mode.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected 'follow' or 'strict'")]
pub struct UnknownMode;

/// An input that is not the one of the lock file.
pub type Moved = Difference<String>;

/// Why the lock file is of no use, or forbids a build.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// A file cannot be read or written.
    #[error("lock: {0}")]
    File(#[source] FileError),
    /// The lock file is none.
    #[error("{} is no lock file: {source}: '{RENEW}' writes it anew", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The lock file cannot be written as JSON.
    #[error("the lock file cannot be written as JSON: {source}")]
    Unwritable {
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A file is another one, though its package's version is the same.
    #[error(
        "{0}: this is no update, somebody or something changed the file: install the package \
             anew"
    )]
    Tampered(Box<Tampering>),
    /// Inputs are not those of the lock file, and the mode is strict.
    #[error("LOCK=strict: not as locked:{}\ninstall what is expected, or write the lock file \
             anew with '{RENEW}'", lines(.0))]
    Moved(Vec<Moved>),
    /// The README and the lock file name different images.
    #[error(transparent)]
    Readme(ReadmeError),
}

/// A file that is not the one of its package's version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tampering {
    /// The package.
    pub package: String,
    /// Its version, here and in the lock file.
    pub version: String,
    /// The file, with its hash in the lock file and here.
    pub file: Difference<Sha256Digest>,
}

impl fmt::Display for Tampering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { package, version, file } = self;
        write!(f, "a file is not the one of {package} {version}: SHA-256 of {file}")
    }
}

impl FromStr for LockMode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        match text {
            "follow" => Ok(Self::Follow),
            "strict" => Ok(Self::Strict),
            _ => Err(UnknownMode),
        }
    }
}

impl Lock {
    /// The committed lock file, once the README was found to name the same image.
    ///
    /// # Errors
    ///
    /// [`LockError`].
    pub fn read(checkout: &Checkout) -> Result<Self, LockError> {
        let path = checkout.package(FILE);
        let bytes = fs::read(&path).map_err(FileError::at("reading", &path));
        let bytes = bytes.map_err(LockError::File)?;
        let lock: Self =
            serde_json::from_slice(&bytes).map_err(|source| LockError::Json { path, source })?;
        readme::check(checkout, lock.image()).map_err(LockError::Readme)?;
        Ok(lock)
    }

    /// Writes the lock file, and its image's hash into the README.
    ///
    /// # Errors
    ///
    /// [`LockError`].
    pub fn write(&self, checkout: &Checkout) -> Result<(), LockError> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|source| LockError::Unwritable { source })?;
        let path = checkout.package(FILE);
        file::replace(&path, format!("{text}\n").as_bytes()).map_err(LockError::File)?;
        readme::write(checkout, self.image()).map_err(LockError::Readme)
    }

    /// The hash of the image.
    #[must_use]
    pub fn image(&self) -> Sha256Digest {
        self.products.get(outcome::IMAGE).copied().unwrap_or(Sha256Digest::ZERO)
    }

    /// Each input of `found` that is not as locked: a tool or package by its versions.
    ///
    /// # Errors
    ///
    /// [`LockError::Tampered`] for a file that differs though its package has the locked version.
    pub fn moved(&self, found: &Inputs) -> Result<Vec<Moved>, LockError> {
        for (name, locked) in &self.packages {
            if let Some(package) = found.packages.get(name)
                && package.version == locked.version
            {
                same_files(name, locked, package)?;
            }
        }
        let version =
            |(name, package): (&String, &Package)| (name.clone(), package.version.clone());
        let packages = |packages: &BTreeMap<_, _>| packages.iter().map(version).collect();
        let mut moved = outcome::differences(&self.tools.0, &found.tools.0);
        moved.extend(outcome::differences(&packages(&self.packages), &packages(&found.packages)));
        moved.extend(self.more_files(found));
        Ok(moved)
    }
}

impl Lock {
    /// Files that packages of the locked versions have and the lock file does not.
    fn more_files(&self, found: &Inputs) -> Vec<Moved> {
        let mut more = Vec::new();
        for (name, package) in &found.packages {
            let Some(locked) = self.packages.get(name) else { continue };
            let files = package.files.iter().filter(|_| package.version == locked.version);
            for (file, hash) in files.filter(|(file, _)| !locked.files.contains_key(*file)) {
                let name = format!("{name}: {file}");
                more.push(Moved { name, expected: None, found: Some(hash.to_string()) });
            }
        }
        more
    }
}

impl LockMode {
    /// Whether a build may go on whose inputs `moved`.
    ///
    /// # Errors
    ///
    /// [`LockError::Moved`].
    pub fn admit(self, moved: &[Moved]) -> Result<(), LockError> {
        match self {
            Self::Strict if !moved.is_empty() => Err(LockError::Moved(moved.into())),
            Self::Strict | Self::Follow | Self::Renew => Ok(()),
        }
    }
}

/// Refuses a package of the locked version with another file in it. A file that the lock file
/// does not know yet is an input more, not another one: it moved.
fn same_files(name: &str, locked: &Package, found: &Package) -> Result<(), LockError> {
    let differences = outcome::differences(&locked.files, &found.files);
    match differences.into_iter().find(|file| file.expected.is_some()) {
        None => Ok(()),
        Some(file) => {
            let (package, version) = (name.into(), locked.version.clone());
            Err(LockError::Tampered(Box::new(Tampering { package, version, file })))
        }
    }
}

/// One line for each input, each on a line of its own.
fn lines(moved: &[Moved]) -> String {
    moved.iter().map(|input| format!("\n  {input}")).collect()
}

#[cfg(test)]
mod tests;
