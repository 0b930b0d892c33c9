//! What the checkout has built of others' crates serves a scratch copy, too: none is compiled twice.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::place;

/// Brings what cargo built in the folder `from` of others' crates into the folder `to`, unless that
/// is there.
///
/// # Errors
///
/// When cargo does not name the crates of this workspace, or a file cannot be linked or copied.
pub(super) fn seed(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        return Ok(());
    }
    let own = own_crates()?;
    let is_others = |krate: Option<&str>| krate.is_some_and(|krate| !own.contains(krate));
    let failed = || format!("bringing libraries from {} to {}", from.display(), to.display());
    // Compilers put a new file in the place of a library: a link is as good as a copy.
    let libraries = |name: &str| is_others(library(name));
    bring(&from.join("deps"), &to.join("deps"), &libraries, link).with_context(failed)?;
    for folder in [".fingerprint", "build"] {
        let of_crates = |name: &str| is_others(without_hash(name));
        bring(&from.join(folder), &to.join(folder), &of_crates, copy).with_context(failed)?;
    }
    Ok(())
}

/// The crate of a library's file, `libring-0123456789abcdef.rlib`.
fn library(name: &str) -> Option<&str> {
    let (stem, ending) = name.split_once('.')?;
    ["rlib", "rmeta", "so"].contains(&ending).then_some(())?;
    without_hash(stem.strip_prefix("lib")?)
}

fn without_hash(name: &str) -> Option<&str> {
    name.rsplit_once('-').map(|(krate, _hash)| krate)
}

/// The crates of this workspace, as packages and as files are called.
fn own_crates() -> Result<BTreeSet<String>> {
    let output = place::cargo()
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .output()
        .context("running cargo")?;
    ensure!(output.status.success(), "cargo metadata failed");
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo's metadata")?;
    let packages = metadata.get("packages").and_then(Value::as_array).into_iter().flatten();
    let names = packages.filter_map(|package| package.get("name")?.as_str());
    Ok(names.flat_map(|name| [name.to_owned(), name.replace('-', "_")]).collect())
}

/// Brings each entry of a folder whose name is `wanted`, with all that is in it.
fn bring(
    from: &Path,
    to: &Path,
    wanted: &dyn Fn(&str) -> bool,
    one: fn(&Path, &Path) -> io::Result<()>,
) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if !wanted(&entry.file_name().to_string_lossy()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            bring(&path, &to, &|_| true, one)?;
        } else {
            one(&path, &to)?;
        }
    }
    Ok(())
}

fn link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)
}

/// Cargo looks at the times.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    File::options().append(true).open(to)?.set_modified(fs::metadata(from)?.modified()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_alone_are_brought_and_none_of_ours() {
        assert_eq!(library("liblibc-0123456789abcdef.rlib"), Some("libc"));
        assert_eq!(library("libserde_derive-0123456789abcdef.so"), Some("serde_derive"));
        for other in ["ring-0123456789abcdef", "ring-0123456789abcdef.d", "libring.a"] {
            assert_eq!(library(other), None, "{other}");
        }
        let own = own_crates().unwrap();
        assert!(own.contains("tre-grid") && own.contains("tre_grid") && !own.contains("ring"));
    }

    #[test]
    fn what_a_copy_builds_anew_leaves_the_checkout_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        for (file, text) in [
            ("deps/libring-0a.rlib", "1"),
            ("deps/libtre_grid-0a.rlib", "2"),
            ("build/ring-0a/out", "3"),
        ] {
            let path = from.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        fs::create_dir(from.join(".fingerprint")).unwrap();
        seed(&from, &to).unwrap();
        fs::write(to.join("build/ring-0a/out"), "4").unwrap();
        assert_eq!(fs::read(from.join("build/ring-0a/out")).unwrap(), b"3");
        assert_eq!(fs::read(to.join("deps/libring-0a.rlib")).unwrap(), b"1");
        assert!(!to.join("deps/libtre_grid-0a.rlib").exists());
    }
}
