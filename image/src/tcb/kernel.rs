//! The kernel, counted: its configuration against the smallest that it could have, and the C and
//! assembly that it is compiled from.
//!
//! Lines are counted once for a version and a configuration and committed, as for the libraries in
//! [`lines`](super::lines). A kernel of another source or configuration has no lines until
//! `image/tcb/count-kernel.sh` counts it: a report says "not counted" rather than another kernel's
//! figure.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use measured_boot::digest::sha256;
use measured_boot::manifest::tcb::{KernelOptions, NativeLibrary};
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSegment as _};

use crate::file::FileError;

/// Name of the kernel among the C and assembly of a report.
pub(super) const NAME: &str = "linux";

/// Name among the versions of everything that goes into an image.
pub(super) const PACKAGE: &str = "linux-source-6.12";

/// The committed table: version, configuration, then folder, files, lines; a tab between them.
const TABLE: &str = include_str!("../../tcb/kernel-lines.tsv");

/// Folders of what is compiled for the building machine.
const HOST: [&str; 2] = ["scripts", "tools"];

/// Why the kernel cannot be counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// What its build left behind cannot be read.
    #[error("TCB report: {0}")]
    File(#[source] FileError),
    /// Its file is not what a build leaves.
    #[error("TCB report: expected an uncompressed kernel: {0}")]
    Elf(#[source] object::read::Error),
}

/// Counts a configuration; `smallest` is what `make tinyconfig` gives for the same source.
pub(super) fn options(configuration: &str, smallest: &str) -> KernelOptions {
    let set = |text, value| -> BTreeSet<String> { options_with(text, value) };
    let built_in = set(configuration, "y");
    let smallest = set(smallest, "y");
    let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
    KernelOptions {
        built_in: count(built_in.len()),
        beyond_smallest: count(built_in.difference(&smallest).count()),
        modules: count(set(configuration, "m").len()),
    }
}

/// Names of the options with this value.
fn options_with(configuration: &str, value: &str) -> BTreeSet<String> {
    let option = |line: &str| match line.split_once('=') {
        Some((name, found)) if found == value && name.starts_with("CONFIG_") => Some(name.into()),
        _ => None,
    };
    configuration.lines().filter_map(option).collect()
}

/// Counts the kernel that was compiled in the folder `out`, without an /init, from the source
/// package of this version.
pub(super) fn library(
    out: &Path,
    configuration: &str,
    version: &str,
) -> Result<NativeLibrary, KernelError> {
    let file = out.join("vmlinux");
    let file = fs::read(&file).map_err(FileError::at("reading", &file));
    Ok(NativeLibrary {
        name: NAME.into(),
        version: version.into(),
        objects: u32::try_from(objects(out).map_err(KernelError::File)?).unwrap_or(u32::MAX),
        linked_bytes: loaded(&file.map_err(KernelError::File)?).map_err(KernelError::Elf)?,
        code_lines: lines(TABLE, version, configuration),
    })
}

/// The lines in `table`, if it is of this version and this configuration.
fn lines(table: &str, version: &str, configuration: &str) -> Option<u32> {
    let rows: BTreeMap<&str, &str> =
        table.lines().filter_map(|line| line.split_once('\t')).collect();
    let configuration = sha256(configuration.as_bytes()).to_string();
    let of = |name, expected: &str| rows.get(name).is_some_and(|found| *found == expected);
    if !of("version", version) || !of("configuration", &configuration) {
        return None;
    }
    let counts = rows.values().filter_map(|row| row.split_once('\t'));
    counts
        .map(|(_files, lines)| lines.parse::<u32>().ok())
        .try_fold(0_u32, |sum, lines| sum.checked_add(lines?))
}

/// Objects that were compiled from a source in `out`: each left a note that names it.
fn objects(out: &Path) -> Result<usize, FileError> {
    let mut count = 0_usize;
    let mut folders = vec![out.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(FileError::at("reading", &folder))? {
            let path = entry.map_err(FileError::at("reading", &folder))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                let host = folder == out && HOST.contains(&name.as_ref());
                folders.extend((!host && !path.is_symlink()).then_some(path));
            } else if name.ends_with(".o.cmd") {
                let note = fs::read_to_string(&path).map_err(FileError::at("reading", &path))?;
                let compiled = note.lines().any(|line| line.starts_with("source_"));
                count = count.saturating_add(compiled.into());
            }
        }
    }
    Ok(count)
}

/// What of an uncompressed kernel is loaded. Unit: byte.
fn loaded(kernel: &[u8]) -> Result<u64, object::read::Error> {
    let kernel: ElfFile64<'_> = ElfFile64::parse(kernel)?;
    Ok(kernel.segments().fold(0, |sum: u64, segment| sum.saturating_add(segment.size())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout::Checkout;
    use crate::lock::Lock;

    #[test]
    fn only_options_that_are_switched_on_count() {
        let smallest = "CONFIG_64BIT=y\nCONFIG_GONE=y\n# CONFIG_NET is not set\n";
        let configuration = "# a comment\nCONFIG_64BIT=y\nCONFIG_NET=y\nCONFIG_USB=m\n\
                             # CONFIG_SMP is not set\nCONFIG_HZ=250\nCONFIG_NAME=\"y\"\n";
        let expected = KernelOptions { built_in: 2, beyond_smallest: 1, modules: 1 };
        assert_eq!(options(configuration, smallest), expected);
    }

    #[test]
    fn another_kernel_is_not_counted() {
        let configuration = "CONFIG_NET=y\n";
        let digest = sha256(configuration.as_bytes());
        let table = format!("version\t6.12-1\nconfiguration\t{digest}\narch\t2\t30\nfs\t1\t4\n");
        assert_eq!(lines(&table, "6.12-1", configuration), Some(34));
        assert_eq!(lines(&table, "6.12-2", configuration), None);
        assert_eq!(lines(&table, "6.12-1", "CONFIG_NET=m\n"), None);
        assert_eq!(lines(&table.replace("30", "many"), "6.12-1", configuration), None);
        assert_eq!(lines("", "6.12-1", configuration), None);
    }

    #[test]
    fn only_what_was_compiled_for_the_kernel_is_an_object() {
        let out = tempfile::tempdir().expect("a folder");
        let compiled = "savedcmd_a.o := gcc\n\nsource_a.o := ../a.c\n";
        for (folder, name, note) in [
            ("kernel", ".a.o.cmd", compiled),
            ("kernel", ".built-in.o.cmd", "savedcmd_built-in.o := ld\n"),
            ("kernel/sched", ".b.o.cmd", compiled),
            ("kernel", "a.c", compiled),
            ("scripts", ".host.o.cmd", compiled),
            ("tools/objtool", ".host.o.cmd", compiled),
        ] {
            let folder = out.path().join(folder);
            fs::create_dir_all(&folder).expect("a folder");
            fs::write(folder.join(name), note).expect("a file");
        }
        assert_eq!(objects(out.path()).expect("read"), 2);
    }

    /// Whoever moves the kernel counts it again. (Its configuration is known only to a build, and
    /// then stands as "not counted" in the document.)
    #[test]
    fn the_table_is_of_the_locked_version() {
        let lock = Lock::read(&Checkout::own()).expect("committed");
        let locked = &lock.packages.get(PACKAGE).expect("locked").version;
        let counted = TABLE.lines().next().expect("a row");
        assert_eq!(counted, format!("version\t{locked}"), "'image/tcb/count-kernel.sh' counts it");
    }
}
