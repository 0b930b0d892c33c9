//! What our EFI file is made of, so that a changed image can be named by its changed part.
//!
//! The file is a Linux kernel with EFI stub (x86 boot protocol). Its compressed payload is the
//! kernel proper, which holds the built-in command line and the built-in initramfs (newc cpio,
//! uncompressed). Every byte of file and payload falls into exactly one component. Decompression
//! is the caller's, so no decompressor is linked here.

mod archive;

use alloc::{
    format,
    string::{String, ToString as _},
    vec::Vec,
};
use core::{fmt, ops::Range};

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use archive::ArchiveError;

use crate::{
    digest::{Sha256Digest, sha256_of_parts},
    limits::MAX_KERNEL_LEN,
    reader::{ReadError, Reader, len_of},
};

/// Everything outside the payload: set-up header, EFI stub, decompressor. It holds lengths and a
/// check sum of the payload, so it changes with any other component.
pub const BOOT_STUB: &str = "boot-stub";
/// The kernel proper without the components cut out of it.
pub const KERNEL: &str = "kernel";
/// The linker's hash over the kernel proper: it changes with any other component.
pub const BUILD_ID: &str = "kernel-build-id";
/// The built-in kernel command line.
pub const COMMAND_LINE: &str = "command-line";
/// Names, modes, owners and times of the files in the initramfs.
pub const INITRAMFS_INDEX: &str = "initramfs-index";

/// A part of the image under its name; files of the initramfs have their path (`/init`).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// What it is.
    pub name: String,
    /// Its length in bytes, uncompressed.
    pub len: u64,
    /// SHA-256 of these bytes.
    pub sha256: Sha256Digest,
}

/// How the payload is compressed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Compression {
    /// RFC 1952.
    Gzip,
    /// The xz container.
    Xz,
    /// RFC 8878.
    Zstd,
}

/// The compressed kernel proper.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Payload<'a> {
    /// How it is compressed.
    pub compression: Compression,
    /// The compressed stream alone.
    pub compressed: &'a [u8],
    /// Its length when decompressed, in bytes, as the kernel's build wrote it down; bounded.
    pub output_len: usize,
    /// Where it lies in the file, in bytes, with the length behind it.
    range: Range<usize>,
}

/// Why a file cannot be split. `E` is the decompressor's own error.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum SplitError<E> {
    /// A header or the payload lies outside the file.
    #[error("kernel image: {0}")]
    Read(ReadError),
    /// No x86 boot protocol header.
    #[error("expected \"HdrS\" at offset {offset:#x}, found bytes {found:02x?}", offset = HEADER)]
    HeaderMagic {
        /// The bytes found.
        found: [u8; 4],
    },
    /// A compression that the kernel's build does not offer here.
    #[error("expected a gzip, xz or zstd payload, found bytes {found:02x?}")]
    Compression {
        /// The first bytes of the payload.
        found: [u8; 4],
    },
    /// The payload claims to be longer than any kernel.
    #[error("expected a kernel of at most {MAX_KERNEL_LEN} bytes, found {found}")]
    TooLong {
        /// Length claimed, in bytes.
        found: usize,
    },
    /// The payload does not decompress.
    #[error("payload does not decompress: {0}")]
    Decompress(E),
    /// The payload decompresses to another length than it claims.
    #[error("expected a payload of {expected} bytes, found {found}")]
    OutputLength {
        /// Length claimed, in bytes.
        expected: usize,
        /// Length found, in bytes.
        found: usize,
    },
    /// The built-in initramfs is missing or damaged.
    #[error("initramfs: {0}")]
    Archive(ArchiveError),
}

impl<E> From<ReadError> for SplitError<E> {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

/// Splits `efi` into its components, the most telling first: files of the initramfs, command
/// line, kernel, and last what changes along with any of them.
///
/// Source: the Linux kernel's `Documentation/arch/x86/boot.rst` and
/// `driver-api/early-userspace/buffer-format.rst`.
///
/// # Errors
///
/// [`SplitError`]: each variant is one step that failed.
pub fn split<E>(
    efi: &[u8],
    decompress: impl FnOnce(&Payload<'_>) -> Result<Vec<u8>, E>,
) -> Result<Vec<Component>, SplitError<E>> {
    let payload = find_payload(efi)?;
    let kernel = decompress(&payload).map_err(SplitError::Decompress)?;
    if kernel.len() != payload.output_len {
        let (expected, found) = (payload.output_len, kernel.len());
        return Err(SplitError::OutputLength { expected, found });
    }
    let mut components = split_kernel(&kernel).map_err(SplitError::Archive)?;
    let stub = outside(efi, core::slice::from_ref(&payload.range));
    components.push(component_of(BOOT_STUB, &stub));
    Ok(components)
}

/// Reads the x86 boot protocol's set-up header as far as the payload.
fn find_payload<E>(efi: &[u8]) -> Result<Payload<'_>, SplitError<E>> {
    let mut header = Reader::new(efi);
    header.take_slice(SETUP_SECTORS)?;
    let sectors = header.take_u8()?;
    header.take_slice(HEADER.saturating_sub(header.offset()))?;
    let found = header.take()?;
    if &found != b"HdrS" {
        return Err(SplitError::HeaderMagic { found });
    }
    header.take_slice(PAYLOAD_OFFSET.saturating_sub(header.offset()))?;
    let (offset, len) = (len_of(header.take_u32_le()?), len_of(header.take_u32_le()?));

    // The protected-mode code starts behind the boot sector and the set-up sectors; 0 means 4.
    let sectors = if sectors == 0 { 4 } else { usize::from(sectors) };
    let start = sectors.saturating_add(1).saturating_mul(512).saturating_add(offset);
    let mut code = Reader::new(efi);
    code.take_slice(start)?;
    let stream = code.take_slice(len)?;
    let found: [u8; 4] = Reader::new(stream).take()?;
    let (compression, own_length) = match found {
        [0x1f, 0x8b, _, _] => (Compression::Gzip, true),
        [0xfd, b'7', b'z', b'X'] => (Compression::Xz, false),
        [0x28, 0xb5, 0x2f, 0xfd] => (Compression::Zstd, false),
        _ => return Err(SplitError::Compression { found }),
    };
    // The last four bytes are the length: gzip has them itself, for the others the build adds them.
    let (before, len) = stream.split_last_chunk().unwrap_or((stream, &found));
    let output_len = len_of(u32::from_le_bytes(*len));
    if output_len > MAX_KERNEL_LEN {
        return Err(SplitError::TooLong { found: output_len });
    }
    let compressed = if own_length { stream } else { before };
    Ok(Payload { compression, compressed, output_len, range: start..code.offset() })
}

/// Cuts files, command line and build id out of the kernel proper.
fn split_kernel(kernel: &[u8]) -> Result<Vec<Component>, ArchiveError> {
    let archive = archive::find(kernel)?;
    let mut components = Vec::new();
    for file in &archive.files {
        components.push(component_of(&file.name, &[file.content]));
    }
    let mut cut = Vec::from([archive.range.clone()]);
    if let Some(range) = find_command_line(kernel) {
        components.push(component_of(COMMAND_LINE, &inside(kernel, &range)));
        cut.push(range);
    }
    let build_ids = find_build_ids(kernel);
    let named = [build_ids.as_slice(), cut.as_slice()].concat();
    components.push(component_of(KERNEL, &outside(kernel, &named)));
    components.push(component_of(INITRAMFS_INDEX, &archive.index));
    let ids: Vec<&[u8]> = build_ids.iter().flat_map(|range| inside(kernel, range)).collect();
    components.push(component_of(BUILD_ID, &ids));
    Ok(components)
}

/// The kernel's `builtin_cmdline`: text with the word `noinitrd` in it, filled up with NUL to
/// `COMMAND_LINE_SIZE`. The word alone, without a space, is only the name of the option.
fn find_command_line(kernel: &[u8]) -> Option<Range<usize>> {
    let is_text = |byte: &u8| *byte == b' ' || byte.is_ascii_graphic();
    let mut from = 0;
    while let Some(found) = position(kernel.get(from..)?, COMMAND_LINE_WORD) {
        let word = from.saturating_add(found);
        let before = kernel.get(..word)?.iter().rev().take_while(|byte| is_text(byte)).count();
        let start = word.saturating_sub(before);
        let len = kernel.get(start..)?.iter().take_while(|byte| is_text(byte)).count();
        let end = start.saturating_add(len);
        let range = start..start.saturating_add(COMMAND_LINE_SIZE).min(kernel.len());
        let text = kernel.get(start..end)?;
        let padding = kernel.get(end..range.end).unwrap_or(b"?");
        if text.contains(&b' ') && padding.iter().all(|byte| *byte == 0) {
            return Some(start..end);
        }
        from = end;
    }
    None
}

/// Every `NT_GNU_BUILD_ID` note's 20 bytes (the kernel's own, and those of its vDSOs).
fn find_build_ids(kernel: &[u8]) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut from = 0;
    while let Some(found) = kernel.get(from..).and_then(|rest| position(rest, BUILD_ID_NOTE)) {
        let start = from.saturating_add(found).saturating_add(BUILD_ID_NOTE.len());
        let end = start.saturating_add(20).min(kernel.len());
        ranges.push(start..end);
        from = end;
    }
    ranges
}

fn position(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn inside<'a>(bytes: &'a [u8], range: &Range<usize>) -> [&'a [u8]; 1] {
    [bytes.get(range.clone()).unwrap_or_default()]
}

/// What is left of `bytes` without `ranges`.
fn outside<'a>(bytes: &'a [u8], ranges: &[Range<usize>]) -> Vec<&'a [u8]> {
    let mut ranges = ranges.to_vec();
    ranges.sort_by_key(|range| range.start);
    let mut parts = Vec::new();
    let mut from = 0;
    for range in ranges {
        parts.push(bytes.get(from..range.start).unwrap_or_default());
        from = range.end.max(from);
    }
    parts.push(bytes.get(from..).unwrap_or_default());
    parts
}

fn component_of(name: &str, parts: &[&[u8]]) -> Component {
    let len = parts
        .iter()
        .fold(0_u64, |sum, part| sum.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX)));
    Component { name: name.to_string(), len, sha256: sha256_of_parts(parts.iter().copied()) }
}

/// A component that is not as expected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ComponentChange {
    /// What should be there; `None` if it is too much.
    pub expected: Option<Component>,
    /// What is there; `None` if it is missing.
    pub found: Option<Component>,
}

impl ComponentChange {
    /// Which component it is.
    #[must_use]
    pub fn name(&self) -> &str {
        let component = self.expected.as_ref().or(self.found.as_ref());
        component.map_or("", |component| component.name.as_str())
    }

    /// Whether this component also changes whenever another one does, so that the change tells
    /// something only if it is alone.
    #[must_use]
    pub fn follows_others(&self) -> bool {
        [BUILD_ID, BOOT_STUB].contains(&self.name())
    }
}

impl fmt::Display for ComponentChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |side: &Option<Component>| match side {
            Some(component) => format!("{} ({} bytes)", component.sha256, component.len),
            None => "nothing".to_string(),
        };
        write!(f, "{}: expected {}, found {}", self.name(), side(&self.expected), side(&self.found))
    }
}

/// Every component that differs, in the order expected, then those too much.
#[must_use]
pub fn changes(expected: &[Component], found: &[Component]) -> Vec<ComponentChange> {
    let named = |list: &[Component], name: &str| list.iter().find(|c| c.name == name).cloned();
    let mut changes = Vec::new();
    for component in expected {
        let found = named(found, &component.name);
        if found.as_ref() != Some(component) {
            changes.push(ComponentChange { expected: Some(component.clone()), found });
        }
    }
    for component in found {
        if named(expected, &component.name).is_none() {
            changes.push(ComponentChange { expected: None, found: Some(component.clone()) });
        }
    }
    changes
}

/// The number of set-up sectors, in the boot sector.
const SETUP_SECTORS: usize = 0x1f1;
/// The set-up header's magic.
const HEADER: usize = 0x202;
/// Offset of the payload from the protected-mode code, then its length.
const PAYLOAD_OFFSET: usize = 0x248;
/// A word that our built-in command line always has.
const COMMAND_LINE_WORD: &[u8] = b"noinitrd";
/// Length of the array that holds the built-in command line, in bytes.
const COMMAND_LINE_SIZE: usize = 2048;
/// ELF note header: name of 4 bytes, 20 bytes, type 3, "GNU".
const BUILD_ID_NOTE: &[u8] = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0";

#[cfg(test)]
mod tests;
