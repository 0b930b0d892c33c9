//! The built-in initramfs: a newc cpio archive somewhere in the kernel.

use alloc::{format, string::String, vec::Vec};
use core::ops::Range;

use thiserror::Error;

use crate::{
    limits::{MAX_ARCHIVE_ENTRIES, MAX_PATH_LEN},
    reader::{ReadError, Reader, len_of},
};

/// Why the built-in initramfs cannot be listed. Offsets are in bytes from the archive's start.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ArchiveError {
    /// No archive that ends in a trailer.
    #[error("expected a newc archive in the kernel, found none")]
    Missing,
    /// An entry lies outside the kernel.
    #[error("archive: {0}")]
    Read(#[from] ReadError),
    /// An entry does not start with its magic.
    #[error("at offset {offset}: expected \"070701\", found another entry header")]
    Magic {
        /// Where the entry starts.
        offset: usize,
    },
    /// A number that is not eight hex digits.
    #[error("at offset {offset}: expected eight hex digits")]
    Number {
        /// Where the number starts.
        offset: usize,
    },
    /// A path that is empty, too long, or not text.
    #[error("at offset {offset}: expected a path of printable text")]
    Path {
        /// Where the path starts.
        offset: usize,
    },
    /// One path twice: the second would win at boot.
    #[error("at offset {offset}: expected each path once, found one again")]
    RepeatedPath {
        /// Where the path starts.
        offset: usize,
    },
    /// More entries than any image of ours.
    #[error("expected at most {MAX_ARCHIVE_ENTRIES} archive entries, found more")]
    TooManyEntries,
}

/// A file with content (or a link with a target) in the archive.
#[derive(Clone, Debug)]
pub(super) struct ArchivedFile<'a> {
    /// Absolute path.
    pub(super) name: String,
    /// What it holds.
    pub(super) content: &'a [u8],
}

/// The archive and where it lies.
#[derive(Clone, Debug)]
pub(super) struct Archive<'a> {
    /// Files with content, in order.
    pub(super) files: Vec<ArchivedFile<'a>>,
    /// The bytes that are no content: headers, names, padding.
    pub(super) index: Vec<&'a [u8]>,
    /// Where it lies in the kernel.
    pub(super) range: Range<usize>,
}

/// Finds and reads the first newc archive in `kernel`: at the first place where a whole entry
/// header stands. The magic alone also stands in the kernel's own code.
pub(super) fn find(kernel: &[u8]) -> Result<Archive<'_>, ArchiveError> {
    for start in (0..kernel.len()).step_by(ALIGNMENT) {
        let rest = kernel.get(start..).unwrap_or_default();
        if rest.starts_with(MAGIC) && read_entry_header(&mut Reader::new(rest)).is_ok() {
            return read(kernel, start);
        }
    }
    Err(ArchiveError::Missing)
}

fn read(kernel: &[u8], start: usize) -> Result<Archive<'_>, ArchiveError> {
    let bytes = kernel.get(start..).unwrap_or_default();
    let mut reader = Reader::new(bytes);
    let mut files = Vec::<ArchivedFile<'_>>::new();
    let mut index = Vec::new();
    for _ in 0..MAX_ARCHIVE_ENTRIES {
        let offset = reader.offset();
        let (content_len, name_len) = read_entry_header(&mut reader)?;
        let path_offset = reader.offset();
        let name = read_path(&mut reader, name_len)?;
        index.push(bytes.get(offset..reader.offset()).unwrap_or_default());
        if name == TRAILER {
            let range = start..start.saturating_add(reader.offset());
            return Ok(Archive { files, index, range });
        }
        let content = reader.take_slice(content_len)?;
        index.push(skip_padding(&mut reader)?);
        if content.is_empty() {
            continue;
        }
        let name = format!("/{}", name.trim_start_matches('/'));
        if files.iter().any(|file| file.name == name) {
            return Err(ArchiveError::RepeatedPath { offset: path_offset });
        }
        files.push(ArchivedFile { name, content });
    }
    Err(ArchiveError::TooManyEntries)
}

/// Magic and thirteen numbers; returns the lengths of content and name.
fn read_entry_header(reader: &mut Reader<'_>) -> Result<(usize, usize), ArchiveError> {
    let offset = reader.offset();
    if &reader.take::<6>()? != MAGIC {
        return Err(ArchiveError::Magic { offset });
    }
    let mut numbers = [0; 13];
    for number in &mut numbers {
        let offset = reader.offset();
        let digits = reader.take::<8>()?;
        let text = core::str::from_utf8(&digits).unwrap_or_default();
        // `from_str_radix` alone would accept a sign.
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(ArchiveError::Number { offset });
        }
        let value = u32::from_str_radix(text, 16);
        *number = len_of(value.map_err(|_| ArchiveError::Number { offset })?);
    }
    let [_, _, _, _, _, _, content_len, _, _, _, _, name_len, _] = numbers;
    Ok((content_len, name_len))
}

/// A NUL-terminated path of `len` bytes and the padding behind it.
fn read_path<'a>(reader: &mut Reader<'a>, len: usize) -> Result<&'a str, ArchiveError> {
    let offset = reader.offset();
    if len > MAX_PATH_LEN {
        return Err(ArchiveError::Path { offset });
    }
    let Some((0, path)) = reader.take_slice(len)?.split_last() else {
        return Err(ArchiveError::Path { offset });
    };
    skip_padding(reader)?;
    match core::str::from_utf8(path) {
        Ok(path) if !path.is_empty() && path.bytes().all(|b| b.is_ascii_graphic()) => Ok(path),
        _ => Err(ArchiveError::Path { offset }),
    }
}

/// Names and contents are filled up to four bytes.
fn skip_padding<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], ReadError> {
    let len = reader.offset().next_multiple_of(ALIGNMENT).saturating_sub(reader.offset());
    reader.take_slice(len)
}

/// First bytes of every entry.
const MAGIC: &[u8; 6] = b"070701";
/// Every entry starts at a multiple of this, in bytes.
const ALIGNMENT: usize = 4;
/// Name of the last entry.
const TRAILER: &str = "TRAILER!!!";
