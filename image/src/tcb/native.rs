//! The C and assembly that is linked into `tred`, as the linker's own map tells it.
//!
//! The map names every section that is in the executable and the object file it came from. So
//! objects of which nothing was kept do not count, and nothing that was kept goes unnoticed: an
//! object of unknown origin is refused. A source file counts whole as soon as anything of its
//! object is there.

use std::collections::{BTreeMap, BTreeSet};

use measured_boot::manifest::Versions;
use measured_boot::manifest::tcb::NativeLibrary;
use object::read::elf::ElfFile64;
use object::{Object as _, ObjectSection as _};

use super::lines::CLines;

/// Why the C in `tred` cannot be counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NativeError {
    /// The executable is none.
    #[error("TCB report: expected an executable: {0}")]
    Elf(#[source] object::read::Error),
    /// The map tells of another executable.
    #[error(
        "TCB report: expected section {section} of the executable in the linker's map, found \
         none: 'cargo clean --target-dir target/appliance' and build again"
    )]
    OtherMap {
        /// The section.
        section: String,
    },
    /// An object that belongs to no package that we know.
    #[error("TCB report: expected objects of known packages in the executable, found '{found}'")]
    Origin {
        /// The linker's name for it.
        found: String,
    },
    /// An object without lines in the table.
    #[error(
        "TCB report: expected lines of {library} object '{object}', version {version}: \
         'image/tcb/count-c.sh' counts them anew"
    )]
    Uncounted {
        /// The library.
        library: &'static str,
        /// Its version.
        version: String,
        /// The object, without suffix.
        object: String,
    },
}

/// A library with what brings it into the executable, and where its version stands.
struct Library {
    name: &'static str,
    /// How the names of its archives, or of its objects outside archives, begin.
    archives: &'static [&'static str],
    /// How the names of its objects end.
    objects: &'static str,
    /// Name among the versions of everything that goes into an image.
    package: &'static str,
}

/// The Rust package that takes whole archives of C into its own.
const BUNDLE: &str = "libtss_esapi_sys-";

/// Every library in C or assembly that `tred` may have in it. The first that fits is it.
const LIBRARIES: [Library; 5] = [
    Library {
        name: "glibc",
        archives: &["libc.a", "libm-2.36.a", "crt1.o", "crti.o", "crtn.o"],
        objects: ".o",
        package: "libc6-dev",
    },
    Library {
        name: "libgcc",
        archives: &["libgcc.a", "libgcc_eh.a", "crtbeginT.o", "crtend.o"],
        objects: ".o",
        package: "libgcc-12-dev",
    },
    Library {
        name: "mbedtls",
        archives: &["libmbedcrypto.a", BUNDLE],
        objects: ".c.o",
        package: "libmbedtls-dev",
    },
    Library { name: "ring", archives: &["libring-"], objects: ".o", package: "ring" },
    Library {
        name: "tpm2-tss",
        archives: &["libtss2-", BUNDLE],
        objects: ".o",
        package: "tpm2-tss",
    },
];

/// Objects that the compiler made from Rust end like this; they are counted as Rust.
const FROM_RUST: &str = ".rcgu.o";

/// What the linker took of each library: bytes by object.
type Kept = BTreeMap<&'static str, BTreeMap<String, u64>>;

/// Counts what `map` says is in `executable`; `versions` are those of everything linked.
pub(super) fn libraries(
    map: &str,
    executable: &[u8],
    versions: &Versions,
    lines: &CLines,
) -> Result<Vec<NativeLibrary>, NativeError> {
    let rows: Vec<Row<'_>> = map.lines().filter_map(Row::parse).collect();
    refuse_other(&rows, executable)?;
    let kept = kept(&rows)?;
    let library = |library: &Library| -> Result<Option<NativeLibrary>, NativeError> {
        let Some(objects) = kept.get(library.name) else { return Ok(None) };
        let version = versions.0.get(library.package).cloned().unwrap_or_default();
        let code_lines = match lines.of(library.name, &version) {
            None => None,
            Some(counted) => Some(sum(library.name, &version, objects, counted)?),
        };
        let linked_bytes = objects.values().fold(0, |sum: u64, len| sum.saturating_add(*len));
        let objects = u32::try_from(objects.len()).unwrap_or(u32::MAX);
        let name = library.name.to_owned();
        Ok(Some(NativeLibrary { name, version, objects, linked_bytes, code_lines }))
    };
    LIBRARIES.iter().filter_map(|one| library(one).transpose()).collect()
}

/// Lines of the source files of these objects.
fn sum(
    library: &'static str,
    version: &str,
    objects: &BTreeMap<String, u64>,
    counted: &BTreeMap<String, u32>,
) -> Result<u32, NativeError> {
    objects.keys().try_fold(0_u32, |sum, object| {
        let lines = counted.get(object).ok_or_else(|| NativeError::Uncounted {
            library,
            version: version.into(),
            object: object.clone(),
        })?;
        Ok(sum.saturating_add(*lines))
    })
}

/// A line of the map: a section of the executable, or a piece of one from an object.
struct Row<'a> {
    address: u64,
    len: u64,
    /// Whether it is a section of the executable itself.
    whole: bool,
    text: &'a str,
}

impl<'a> Row<'a> {
    /// Reads `VMA LMA SIZE ALIGN`, then eight spaces more for a piece than for a section, then
    /// what it is. Lines that are symbols (eight more) or anything else are passed over.
    fn parse(line: &'a str) -> Option<Self> {
        let mut rest = line;
        let mut fields = [0; 4];
        for (field, radix) in fields.iter_mut().zip([16, 16, 16, 10]) {
            let (word, after) = rest.trim_start().split_once(' ')?;
            (*field, rest) = (u64::from_str_radix(word, radix).ok()?, after);
        }
        let [address, _, len, _] = fields;
        let text = rest.trim_start();
        let indent = rest.len().checked_sub(text.len())?;
        match indent {
            0 => Some(Self { address, len, whole: true, text }),
            8 => Some(Self { address, len, whole: false, text }),
            _ => None,
        }
    }
}

/// The map and the executable must be from the same linking.
fn refuse_other(rows: &[Row<'_>], executable: &[u8]) -> Result<(), NativeError> {
    let elf: ElfFile64<'_> = ElfFile64::parse(executable).map_err(NativeError::Elf)?;
    let mapped: BTreeSet<(&str, u64, u64)> =
        rows.iter().filter(|row| row.whole).map(|row| (row.text, row.address, row.len)).collect();
    for section in elf.sections().filter(|section| section.address() != 0) {
        let name = section.name().map_err(NativeError::Elf)?;
        if !mapped.contains(&(name, section.address(), section.size())) {
            return Err(NativeError::OtherMap { section: name.into() });
        }
    }
    Ok(())
}

fn kept(rows: &[Row<'_>]) -> Result<Kept, NativeError> {
    let mut kept = Kept::new();
    // What has no address is not loaded: names, notes.
    for row in rows.iter().filter(|row| !row.whole && row.address != 0) {
        let Some((file, _section)) = row.text.split_once(":(") else { continue };
        if file == "<internal>" || file.contains(FROM_RUST) {
            continue;
        }
        let unknown = || NativeError::Origin { found: file.into() };
        let file = file.rsplit('/').next().unwrap_or(file);
        let (archive, member) = file.split_once('(').unwrap_or((file, file));
        let member = member.trim_end_matches(')');
        let fits = |library: &&Library| {
            member.ends_with(library.objects)
                && library.archives.iter().any(|start| archive.starts_with(start))
        };
        let library = LIBRARIES.iter().find(fits).ok_or_else(unknown)?;
        let object = stem(member.strip_suffix(library.objects).unwrap_or(member));
        let len = kept.entry(library.name).or_default().entry(object.into()).or_default();
        *len = len.saturating_add(row.len);
    }
    Ok(kept)
}

/// The name of an object's source file. Build systems put words of their own in front, with a
/// dash behind them: a hash of the folder, or the name of the library it is for.
fn stem(object: &str) -> &str {
    match object.split_once('-') {
        Some((word, rest)) if word.ends_with("_la") || is_hash(word) => rest,
        _ => object,
    }
}

fn is_hash(word: &str) -> bool {
    word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests;
