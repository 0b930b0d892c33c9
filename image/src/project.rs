//! The project's own files: which there are, and by group, what they hash to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use measured_boot::digest::{Sha256Digest, sha256, sha256_of_parts};

use crate::checkout::Checkout;
use crate::file::FileError;
use crate::tool::{Tool, ToolError};

const GIT: Tool = Tool { program: "git", package: "git" };

/// The crates that may be linked, each with its hash.
pub(crate) const CRATES: &str = "Cargo.lock";
/// The group of the executable's sources.
pub(crate) const EXECUTABLE: &str = "tred";

/// The group of what makes a manifest, and says nothing in the image itself.
pub(crate) const MANIFEST_MAKER: &str = "manifest";

/// Groups of files that have a say in image or manifest, in folders of the checkout.
const GROUPS: [(&str, &[&str]); 4] = [
    (
        "builder",
        &[
            "image/src/assemble.rs",
            "image/src/compile",
            "image/src/compile.rs",
            "image/src/fat.rs",
            "image/src/kernel.rs",
        ],
    ),
    ("kernel", &["image/kernel", "image/cache.sh"]),
    (MANIFEST_MAKER, &["image/release", "image/src", "image/tcb", "measured-boot/src"]),
    ("tpm2-tss", &["image/tss", "image/cache.sh"]),
];

/// Files beside the executable's sources that decide how these are compiled.
const COMPILATION: [&str; 3] = ["Cargo.toml", "rust-toolchain.toml", ".cargo/config.toml"];

/// Why the project's files are not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProjectError {
    /// A file cannot be read.
    #[error("project: {0}")]
    File(#[source] FileError),
    /// A program is missing or failed.
    #[error("project: {0}")]
    Tool(#[source] ToolError),
}

/// Every file of the checkout that is not a product, relative to it: those that git would take
/// in, committed or not; without git, all but `target`.
///
/// # Errors
///
/// [`ProjectError`].
pub(crate) fn files(checkout: &Checkout) -> Result<BTreeSet<PathBuf>, ProjectError> {
    let root = checkout.root();
    if !root.join(".git").exists() {
        let all = walk(root)?.into_iter().filter(|path| !path.starts_with(root.join("target")));
        return Ok(all.map(|path| relative(root, &path)).collect());
    }
    let mut command = GIT.command().map_err(ProjectError::Tool)?;
    command.current_dir(root).args(["ls-files", "-z", "--cached", "--others"]);
    let listed = GIT.run(command.arg("--exclude-standard")).map_err(ProjectError::Tool)?;
    let listed = String::from_utf8_lossy(&listed);
    let there = |path: &PathBuf| root.join(path).is_file();
    Ok(listed
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .filter(there)
        .collect())
}

/// SHA-256 by group of the files that have a say in the image. `compiled` are the source files
/// that the compiler read for the executable, and folders that its build scripts watch.
///
/// # Errors
///
/// [`ProjectError`].
pub(crate) fn groups(
    checkout: &Checkout,
    compiled: &BTreeSet<PathBuf>,
) -> Result<BTreeMap<String, Sha256Digest>, ProjectError> {
    let root = checkout.root();
    let mut groups = BTreeMap::new();
    for (name, places) in GROUPS {
        let mut files = BTreeSet::new();
        for place in places {
            files.extend(walk(&root.join(place))?);
        }
        groups.insert(name.into(), hash_of_all(root, &files)?);
    }
    let mut executable = BTreeSet::new();
    for place in compiled {
        executable.extend(walk(place)?);
    }
    executable.extend(compiled.iter().filter_map(|file| package_of(root, file)));
    let beside = COMPILATION.map(|name| root.join(name)).into_iter().filter(|path| path.is_file());
    executable.extend(beside);
    groups.insert(EXECUTABLE.into(), hash_of_all(root, &executable)?);
    groups.insert(CRATES.into(), sha256(&read(&root.join(CRATES))?));
    Ok(groups)
}

/// The manifest of the package that a source file belongs to.
fn package_of(root: &Path, file: &Path) -> Option<PathBuf> {
    let folders = file.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
    folders.map(|folder| folder.join("Cargo.toml")).find(|manifest| manifest.is_file())
}

/// One hash over names and contents.
fn hash_of_all(root: &Path, files: &BTreeSet<PathBuf>) -> Result<Sha256Digest, ProjectError> {
    let mut lines = Vec::new();
    for file in files {
        let hash = sha256(&read(file)?);
        lines.push(format!("{hash} {}\n", relative(root, file).display()));
    }
    Ok(sha256_of_parts(lines.iter().map(String::as_bytes)))
}

/// All files under `place`, or `place` itself if it is a file.
fn walk(place: &Path) -> Result<BTreeSet<PathBuf>, ProjectError> {
    let mut files = BTreeSet::new();
    let mut next = Vec::from([place.to_owned()]);
    while let Some(path) = next.pop() {
        if !path.is_dir() {
            files.insert(path);
            continue;
        }
        let failed = |source| ProjectError::File(FileError::at("listing", &path)(source));
        for entry in fs::read_dir(&path).map_err(failed)? {
            let failed = |source| ProjectError::File(FileError::at("listing", &path)(source));
            next.push(entry.map_err(failed)?.path());
        }
    }
    Ok(files)
}

fn relative(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).into()
}

fn read(path: &Path) -> Result<Vec<u8>, ProjectError> {
    fs::read(path).map_err(FileError::at("reading", path)).map_err(ProjectError::File)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch() -> (tempfile::TempDir, Checkout) {
        let folder = tempfile::tempdir().expect("temporary folder");
        for (file, content) in [
            ("Cargo.toml", "workspace"),
            ("Cargo.lock", "crates"),
            ("image/src/assemble.rs", "builder"),
            ("image/src/compile.rs", "builder"),
            ("image/src/compile/read.rs", "builder"),
            ("image/src/fat.rs", "builder"),
            ("image/src/kernel.rs", "builder"),
            ("image/src/lib.rs", "manifest"),
            ("image/release", "1"),
            ("image/tcb/counted", "counted"),
            ("image/cache.sh", "cache"),
            ("image/kernel/tre.config", "kernel"),
            ("image/tss/pin", "pin"),
            ("measured-boot/src/lib.rs", "boot"),
            ("tre/daemon/Cargo.toml", "package"),
            ("tre/daemon/src/main.rs", "main"),
            ("tre/daemon/src/unused.rs", "unused"),
            ("README.md", "words"),
            ("target/image/tre.img", "product"),
        ] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
            fs::write(path, content).expect("writes");
        }
        let checkout = Checkout::at(folder.path());
        (folder, checkout)
    }

    /// The groups that change when `file` does.
    fn changed_by(file: &str) -> Vec<String> {
        let (_folder, checkout) = scratch();
        let compiled = BTreeSet::from([checkout.root().join("tre/daemon/src/main.rs")]);
        let before = groups(&checkout, &compiled).expect("hashes");
        fs::write(checkout.root().join(file), "other").expect("writes");
        let after = groups(&checkout, &compiled).expect("hashes");
        before.keys().filter(|name| before.get(*name) != after.get(*name)).cloned().collect()
    }

    #[test]
    fn a_changed_file_changes_its_groups_alone() {
        let changes = [
            ("tre/daemon/src/main.rs", &["tred"][..]),
            ("tre/daemon/Cargo.toml", &["tred"]),
            ("Cargo.toml", &["tred"]),
            ("Cargo.lock", &["Cargo.lock"]),
            ("image/kernel/tre.config", &["kernel"]),
            ("image/tss/pin", &["tpm2-tss"]),
            ("image/cache.sh", &["kernel", "tpm2-tss"]),
            ("image/src/fat.rs", &["builder", "manifest"]),
            ("image/src/lib.rs", &["manifest"]),
            ("image/release", &["manifest"]),
            ("tre/daemon/src/unused.rs", &[]),
            ("README.md", &[]),
        ];
        for (file, expected) in changes {
            assert_eq!(changed_by(file), expected, "{file}");
        }
    }

    #[test]
    fn the_files_of_a_checkout_without_git_are_all_but_its_products() {
        let (_folder, checkout) = scratch();
        let files = files(&checkout).expect("lists");
        assert!(files.contains(Path::new("tre/daemon/src/unused.rs")));
        assert!(!files.iter().any(|file| file.starts_with("target")), "{files:?}");
        assert_eq!(files.len(), 18);
    }

    #[test]
    fn the_files_of_our_checkout_are_there() {
        let files = files(&Checkout::own()).expect("lists");
        for file in ["Cargo.lock", ".cargo/config.toml", "image/src/project.rs"] {
            assert!(files.contains(Path::new(file)), "{file}");
        }
    }
}
