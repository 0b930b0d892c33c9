//! The Rust that is linked into `tred`: which packages, and how much of each.
//!
//! Not guessed from manifests but read from what the compilation left: cargo names every library
//! it linked, and the compiler wrote down beside each library which files it read for it. So
//! modules for other systems and features that are off do not count, except where they stand in
//! a file that was read: a file counts whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use measured_boot::manifest::tcb::{Origin, RustPackage};
use serde::Deserialize;

use super::text::{self, Count, NotRust};
use crate::file::FileError;

/// Why the Rust in `tred` cannot be counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RustError {
    /// A file is missing.
    #[error("TCB report: {0}")]
    File(#[source] FileError),
    /// Cargo said something else than it used to.
    #[error("TCB report: expected cargo's messages: {0}")]
    Messages(#[source] serde_json::Error),
    /// Cargo names a package in an unknown way.
    #[error("TCB report: expected a package id that ends in '#NAME@VERSION', found '{found}'")]
    PackageId {
        /// How it names it.
        found: String,
    },
    /// The compiler did not write down what it read.
    #[error(
        "TCB report: expected the list of sources of {} beside it: remove its target folder and \
         build again",
        product.display()
    )]
    Sources {
        /// The compiled library or executable.
        product: PathBuf,
    },
    /// A file that the compiler took is no Rust.
    #[error("TCB report: {}: {source}", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: NotRust,
    },
}

/// What cargo says of one thing it compiled; other messages have other reasons.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Counts every package that cargo says, in `messages`, one a line, it compiled into `folder`.
/// `root` is the folder of the workspace, in which the compiler ran.
///
/// Libraries for the computer that compiles (build scripts, macros) lie in another folder.
pub(super) fn packages(
    root: &Path,
    messages: &[u8],
    folder: &Path,
) -> Result<Vec<RustPackage>, RustError> {
    let mut packages = BTreeMap::new();
    for message in linked(messages)? {
        let product = message.filenames.iter().find(|file| file.starts_with(folder));
        let Some(product) = product else { continue };
        let (name, version) = identity(&message.package_id)?;
        let origin = match message.package_id.starts_with("path+") {
            true => Origin::Own,
            false => Origin::ThirdParty,
        };
        let Count { code_lines, unsafe_code } = counted(root, &sources_of(product)?)?;
        packages.insert(
            (name.clone(), version.clone()),
            RustPackage { name, version, origin, code_lines, unsafe_code },
        );
    }
    Ok(packages.into_values().collect())
}

fn linked(messages: &[u8]) -> Result<Vec<Message>, RustError> {
    let lines = messages.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let all: Result<Vec<Message>, _> = lines.map(serde_json::from_slice).collect();
    let mut messages = all.map_err(RustError::Messages)?;
    messages.retain(|message| message.reason == "compiler-artifact");
    Ok(messages)
}

/// Name and version in a package id. A folder that has the package's name stands for it.
fn identity(id: &str) -> Result<(String, String), RustError> {
    let unknown = || RustError::PackageId { found: id.into() };
    let (place, fragment) = id.split_once('#').ok_or_else(unknown)?;
    match fragment.split_once('@') {
        Some((name, version)) => Ok((name.into(), version.into())),
        None => {
            let (_, folder) = place.rsplit_once('/').ok_or_else(unknown)?;
            Ok((folder.into(), fragment.into()))
        }
    }
}

/// The files of Rust that the compiler read to make `product`, as it wrote them down.
fn sources_of(product: &Path) -> Result<BTreeSet<PathBuf>, RustError> {
    let missing = || RustError::Sources { product: product.into() };
    let list = match product.extension() {
        Some(_) => {
            let stem = product.file_stem().and_then(|stem| stem.to_str()).ok_or_else(missing)?;
            product.with_file_name(format!("{}.d", stem.strip_prefix("lib").unwrap_or(stem)))
        }
        None => original(product)?.with_extension("d"),
    };
    let text = fs::read_to_string(&list).map_err(|_| missing())?;
    // Every file read has a line of its own: the name, with its spaces escaped, and a colon.
    let file = |line: &str| line.strip_suffix(".rs:").map(|name| name.replace("\\ ", " "));
    let files: BTreeSet<PathBuf> =
        text.lines().filter_map(file).map(|name| PathBuf::from(name + ".rs")).collect();
    if files.is_empty() { Err(missing()) } else { Ok(files) }
}

/// The file that cargo copied to the executable's place: the compiler's own output.
fn original(executable: &Path) -> Result<PathBuf, RustError> {
    let read = |path: &Path| {
        fs::read(path).map_err(FileError::at("reading", path)).map_err(RustError::File)
    };
    let bytes = read(executable)?;
    let folder = executable.with_file_name("deps");
    let entries = fs::read_dir(&folder)
        .map_err(FileError::at("listing", &folder))
        .map_err(RustError::File)?;
    let name = executable.file_name().unwrap_or_default().to_string_lossy();
    for entry in entries {
        let entry = entry.map_err(FileError::at("listing", &folder)).map_err(RustError::File)?;
        let (path, found) = (entry.path(), entry.file_name());
        let found = found.to_string_lossy();
        let candidate = found.starts_with(&format!("{name}-")) && !found.contains('.');
        if candidate && read(&path)? == bytes {
            return Ok(path);
        }
    }
    Err(RustError::Sources { product: executable.into() })
}

fn counted(root: &Path, files: &BTreeSet<PathBuf>) -> Result<Count, RustError> {
    files.iter().try_fold(Count::default(), |sum, file| {
        // Of the workspace's own files the compiler gives the place in it.
        let path = root.join(file);
        let text = fs::read_to_string(&path)
            .map_err(FileError::at("reading", &path))
            .map_err(RustError::File)?;
        let count = text::count(&text).map_err(|source| RustError::Text { path, source })?;
        Ok(sum.and(count))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_id_gives_name_and_version() {
        let pair = |id| identity(id).expect("a package id");
        let own = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(pair("registry+https://index#ring@0.17.14"), own("ring", "0.17.14"));
        assert_eq!(pair("path+file:///home/a b/tre/wire#tre-wire@0.1.0"), own("tre-wire", "0.1.0"));
        assert_eq!(pair("path+file:///home/measured-boot#0.1.0"), own("measured-boot", "0.1.0"));
        let error = identity("ring 0.17.14").expect_err("the form of older cargos");
        assert!(matches!(error, RustError::PackageId { .. }), "{error}");
    }

    /// A compiled library, its list and its sources, as cargo and compiler leave them.
    #[test]
    fn only_what_was_compiled_into_the_folder_counts() {
        let root = tempfile::tempdir().expect("temporary folder");
        let at = |name: &str| root.path().join(name);
        fs::create_dir_all(at("target/deps")).expect("made");
        fs::write(at("one.rs"), "fn one() { unsafe { two() } }\n").expect("written");
        fs::write(at("a b.rs"), "// nothing\nmod x {}\n").expect("written");
        let rules = "libone.rlib: one.rs a\\ b.rs data.txt\n\none.rs:\na\\ b.rs:\ndata.txt:\n";
        fs::write(at("target/deps/one-12.d"), rules).expect("written");
        let message = |id: &str, file: &str| {
            let file = at(file);
            let (reason, files) = ("compiler-artifact", [file.display().to_string()]);
            serde_json::json!({ "reason": reason, "package_id": id, "filenames": files })
        };
        let messages = format!(
            "{}\n{}\n{}\n",
            message("registry+x#one@1.0.0", "target/deps/libone-12.rlib"),
            message("registry+x#host@1.0.0", "host/deps/libhost-34.rlib"),
            r#"{"reason":"build-finished","success":true}"#
        );
        let found = packages(root.path(), messages.as_bytes(), &at("target")).expect("counted");
        let [one] = found.as_slice() else { panic!("expected one package: {found:?}") };
        assert_eq!((one.name.as_str(), one.origin), ("one", Origin::ThirdParty));
        assert_eq!((one.code_lines, one.unsafe_code.blocks), (2, 1));

        fs::remove_file(at("target/deps/one-12.d")).expect("removed");
        let error = packages(root.path(), messages.as_bytes(), &at("target")).expect_err("no list");
        assert!(matches!(error, RustError::Sources { .. }), "{error}");
    }
}
