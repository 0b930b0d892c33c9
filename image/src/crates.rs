//! The crates of other people that the image is made of: each is the one that `Cargo.lock` names.
//!
//! Cargo hashes a crate when it downloads it, and then never again: not the archive that it kept,
//! nor what it unpacked. So the image is built with a cargo home of its own, whose crates are
//! unpacked anew from archives that were hashed just before.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use measured_boot::digest::{Sha256Digest, sha256};

use crate::checkout::{self, Checkout};
use crate::file::{FileError, unless_missing};

/// What of a cargo home is shared: settings, and what was downloaded.
pub(crate) const SHARED: [&str; 3] = ["config.toml", "registry/cache", "registry/index"];

/// Why crates are not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CratesError {
    /// A file cannot be read or written.
    #[error("crates: {0}")]
    File(#[source] FileError),
    /// An archive is not the one that `Cargo.lock` names.
    #[error(
        "crates: {} is not the crate that Cargo.lock names: expected SHA-256 {expected}, found \
             {found}: delete the file, and cargo downloads it anew", path.display()
    )]
    Tampered {
        /// The archive.
        path: PathBuf,
        /// Its hash in `Cargo.lock`.
        expected: Sha256Digest,
        /// Its hash.
        found: Sha256Digest,
    },
}

/// Refuses an archive kept in the cargo home `home` that is not the one of `Cargo.lock`. One that is
/// not there is downloaded when it is needed, and then cargo hashes it.
///
/// # Errors
///
/// [`CratesError`].
pub fn check(checkout: &Checkout, home: &Path) -> Result<(), CratesError> {
    let path = checkout.root().join("Cargo.lock");
    let locked = locked(&fs::read_to_string(&path).map_err(step("reading", &path))?);
    for registry in folders(&home.join("registry/cache"))? {
        for (archive, expected) in &locked {
            let path = registry.join(archive);
            let bytes = match fs::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                bytes => bytes.map_err(step("reading", &path))?,
            };
            let (expected, found) = (*expected, sha256(&bytes));
            if found != expected {
                return Err(CratesError::Tampered { path, expected, found });
            }
        }
    }
    Ok(())
}

/// Makes `home` a cargo home with everybody's settings and archives, each checked, and with
/// nothing unpacked.
///
/// # Errors
///
/// [`CratesError`].
pub(crate) fn furnish(checkout: &Checkout, home: &Path) -> Result<(), CratesError> {
    let shared = checkout::cargo_home();
    check(checkout, &shared)?;
    unless_missing(fs::remove_dir_all(home)).map_err(step("removing", home))?;
    let registry = home.join("registry");
    fs::create_dir_all(&registry).map_err(step("making", &registry))?;
    for part in SHARED {
        let (from, to) = (shared.join(part), home.join(part));
        if from.exists() {
            symlink(&from, &to).map_err(step("making", &to))?;
        }
    }
    Ok(())
}

/// Hash by file name, of every crate in a lock file of cargo's that comes from a registry.
fn locked(text: &str) -> BTreeMap<String, Sha256Digest> {
    let crates = text.split("[[package]]").filter_map(|block| {
        let value = |name: &str| {
            let line = block.lines().find_map(|line| line.strip_prefix(name))?;
            line.strip_prefix(" = \"")?.strip_suffix('"')
        };
        let (name, version) = (value("name")?, value("version")?);
        Some((format!("{name}-{version}.crate"), value("checksum")?.parse().ok()?))
    });
    crates.collect()
}

/// The folders in `folder`, if it is there.
fn folders(folder: &Path) -> Result<Vec<PathBuf>, CratesError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(step("listing", folder))?,
    };
    let path = |entry: io::Result<fs::DirEntry>| entry.map(|entry| entry.path());
    entries.map(path).collect::<Result<_, _>>().map_err(step("listing", folder))
}

fn step(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CratesError {
    move |source| CratesError::File(FileError::at(step, path)(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkout that needs one crate, and a cargo home with `archive` for it.
    fn place(archive: &[u8]) -> (tempfile::TempDir, Checkout, PathBuf) {
        let folder = tempfile::tempdir().expect("temporary folder");
        let home = folder.path().join("home");
        let registry = home.join("registry/cache/registry-1");
        fs::create_dir_all(&registry).expect("makes");
        fs::write(registry.join("sha2-0.10.9.crate"), archive).expect("writes");
        let lock = format!(
            "version = 4\n\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n\n[[package]]\n\
             name = \"sha2\"\nversion = \"0.10.9\"\nsource = \"registry+https://example.org\"\n\
             checksum = \"{}\"\ndependencies = [\n \"own\",\n]\n",
            sha256(b"honest"),
        );
        fs::write(folder.path().join("Cargo.lock"), lock).expect("writes");
        let checkout = Checkout::at(folder.path());
        (folder, checkout, home)
    }

    /// Cargo itself unpacks such an archive without a word.
    #[test]
    fn an_altered_crate_is_refused() {
        let (_folder, checkout, home) = place(b"honest");
        check(&checkout, &home).expect("as locked");
        let (_folder, checkout, home) = place(b"h0nest");
        let error = check(&checkout, &home).expect_err("refused");
        assert!(
            matches!(&error, CratesError::Tampered { path, expected, .. }
                if path.ends_with("sha2-0.10.9.crate") && *expected == sha256(b"honest")),
            "{error}",
        );
    }

    #[test]
    fn every_crate_of_a_registry_is_known_by_its_hash() {
        let path = Checkout::own().root().join("Cargo.lock");
        let text = fs::read_to_string(path).expect("committed");
        assert_eq!(locked(&text).len(), text.matches("\nchecksum = ").count());
        assert!(locked(&text).len() > 100);
    }

    #[test]
    fn a_crate_that_is_not_there_yet_is_no_other_one() {
        let (folder, checkout, _) = place(b"honest");
        check(&checkout, &folder.path().join("elsewhere")).expect("nothing to refuse");
    }
}
