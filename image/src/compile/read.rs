//! What compiler and linker read, by the lists that they leave behind.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::{CompileError, step};
use crate::checkout::Checkout;
use crate::inputs;
use crate::tool::Tool;

const RUSTC: Tool = Tool { program: "rustc", package: "a Rust toolchain from rustup" };

/// The source files of `checkout` that the compiler read, from its list at `path`. What build
/// scripts made is left out: it is made of these.
pub(super) fn sources(checkout: &Checkout, path: &Path) -> Result<BTreeSet<PathBuf>, CompileError> {
    let products = checkout.root().join("target");
    let mut files = files_in(path)?;
    files.retain(|file| file.starts_with(checkout.root()) && !file.starts_with(&products));
    Ok(files)
}

/// Refuses an executable into which the linker put a file of this system that is not locked.
pub(super) fn refuse_foreign_files(
    checkout: &Checkout,
    executable: &Path,
    list: &Path,
) -> Result<(), CompileError> {
    let mut command = RUSTC.command().map_err(CompileError::Tool)?;
    command.current_dir(checkout.root()).args(["--print", "sysroot"]);
    let toolchain = RUSTC.run(&mut command).map_err(CompileError::Tool)?;
    let toolchain = PathBuf::from(String::from_utf8_lossy(&toolchain).trim_end());
    // Our own files, the toolchain's, and what the compiler makes for the linker alone.
    let ours = [checkout.root().to_owned(), toolchain, env::temp_dir()];
    match foreign_file(&files_in(list)?, &ours, checkout.sources()) {
        Some(found) => Err(CompileError::ForeignFile { executable: executable.into(), found }),
        None => Ok(()),
    }
}

/// The first file that lies in none of the folders `ours` and is not locked; when `sources` is
/// given, it must also lie there.
fn foreign_file(
    files: &BTreeSet<PathBuf>,
    ours: &[PathBuf],
    sources: Option<&Path>,
) -> Option<PathBuf> {
    let is_locked = |file: &Path| {
        let name = file.file_name().unwrap_or_default();
        inputs::linked_files().any(|locked| name == locked)
            && sources.is_none_or(|sources| file.starts_with(sources))
    };
    let is_ours = |file: &Path| ours.iter().any(|folder| file.starts_with(folder));
    files.iter().find(|file| !is_locked(file) && !is_ours(file)).cloned()
}

/// Every path in a list in the form of a makefile's rules.
fn files_in(list: &Path) -> Result<BTreeSet<PathBuf>, CompileError> {
    let text = fs::read_to_string(list).map_err(step("reading", list))?;
    Ok(paths(&text))
}

/// The prerequisites of makefile rules. A backslash takes the meaning from the next character.
fn paths(rules: &str) -> BTreeSet<PathBuf> {
    let mut paths = BTreeSet::new();
    let mut path = String::new();
    let mut characters = rules.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => path.extend(characters.next().filter(|next| *next != '\n')),
            character if character.is_whitespace() => {
                let whole = core::mem::take(&mut path);
                if !whole.is_empty() && !whole.ends_with(':') {
                    paths.insert(PathBuf::from(whole));
                }
            }
            character => path.push(character),
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_gives_its_paths_spaces_included() {
        let found = paths("out: \\\n /a/b.o \\\n /c\\ d/e.a\n\n/a/b.o:\n\n/c\\ d/e.a:\n");
        assert_eq!(found, ["/a/b.o", "/c d/e.a"].map(PathBuf::from).into());
    }

    /// What the linker reads is what gets into the image: none of it may be unknown.
    #[test]
    fn a_file_that_is_not_locked_is_foreign() {
        let ours = [PathBuf::from("/home/tre")];
        let foreign = |file: &str, sources| {
            foreign_file(&BTreeSet::from([PathBuf::from(file)]), &ours, sources).is_some()
        };
        assert!(!foreign("/usr/lib/x86_64-linux-gnu/libc.a", None));
        assert!(!foreign("/home/tre/target/x.o", None));
        assert!(foreign("/usr/lib/x86_64-linux-gnu/libz.a", None));
        let sources = Some(Path::new("/media/sources"));
        assert!(!foreign("/media/sources/debian/usr/lib/libc.a", sources));
        assert!(foreign("/usr/lib/x86_64-linux-gnu/libc.a", sources));
    }
}
