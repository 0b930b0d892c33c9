//! The hash by which firmware measures an EFI file: Authenticode over PE32+.
//!
//! Follows the order of EDK2's `MeasurePeImageAndExtend`: headers without check sum and
//! certificate entry, sections by file position, then what lies behind them but the certificates.

use alloc::{string::String, vec::Vec};

use thiserror::Error;

use crate::{
    digest::{Sha256Digest, sha256, sha256_of_parts},
    limits::MAX_SECTIONS,
    reader::{ReadError, Reader, len_of},
};

/// Why a file is no EFI image. Offsets are in bytes from the start of the file.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum PeError {
    /// A header or a section lies outside the file.
    #[error("EFI file: {0}")]
    Read(#[from] ReadError),
    /// Does not start like a program.
    #[error("expected \"MZ\" at offset 0, found bytes {found:02x?}")]
    DosMagic {
        /// The bytes found.
        found: [u8; 2],
    },
    /// No PE header where the DOS header points.
    #[error("expected \"PE\\0\\0\" at offset {offset}, found bytes {found:02x?}")]
    PeMagic {
        /// Where it should be.
        offset: usize,
        /// The bytes found.
        found: [u8; 4],
    },
    /// Not PE32+ (64 bits).
    #[error("expected optional header magic 0x020b (PE32+), found {found:#06x}")]
    OptionalMagic {
        /// The magic found.
        found: u16,
    },
    /// More sections than a loader accepts.
    #[error("expected at most {MAX_SECTIONS} sections, found {found}")]
    Sections {
        /// Number found.
        found: u16,
    },
    /// The headers end before their own fields, or the data directory has no certificate entry.
    #[error("expected headers that hold a certificate entry, found {found} bytes or entries")]
    Headers {
        /// Header length or number of entries found.
        found: u32,
    },
    /// Headers, sections and certificates together are longer than the file.
    #[error("expected {file} bytes, found {found} in headers, sections and certificates")]
    Overlap {
        /// Length of the file, in bytes.
        file: usize,
        /// Sum of the parts, in bytes.
        found: usize,
    },
}

/// One section of an EFI file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Section {
    /// Its name, printable characters only.
    pub name: String,
    /// Where it lies in the file, in bytes.
    pub offset: usize,
    /// Its length in the file, in bytes.
    pub len: usize,
    /// SHA-256 of these bytes.
    pub sha256: Sha256Digest,
}

/// An EFI file whose headers and sections lie inside it.
#[derive(Clone, Debug)]
pub struct EfiFile<'a> {
    file: &'a [u8],
    checksum: usize,
    certificate_entry: usize,
    certificate_len: usize,
    headers_len: usize,
    sections: Vec<RawSection<'a>>,
}

#[derive(Clone, Copy, Debug)]
struct RawSection<'a> {
    name: [u8; 8],
    offset: usize,
    bytes: &'a [u8],
}

impl<'a> EfiFile<'a> {
    /// Decodes the headers of `file`.
    ///
    /// # Errors
    ///
    /// [`PeError`]: each variant is one refused field.
    pub fn parse(file: &'a [u8]) -> Result<Self, PeError> {
        let mut dos = Reader::new(file);
        let found = dos.take()?;
        if &found != b"MZ" {
            return Err(PeError::DosMagic { found });
        }
        dos.take_slice(PE_POINTER.saturating_sub(2))?;
        let offset = len_of(dos.take_u32_le()?);

        let mut coff = Reader::new(file);
        coff.take_slice(offset)?;
        let found = coff.take()?;
        if &found != b"PE\0\0" {
            return Err(PeError::PeMagic { offset, found });
        }
        coff.take::<2>()?; // machine
        let section_count = coff.take_u16_le()?;
        if usize::from(section_count) > MAX_SECTIONS {
            return Err(PeError::Sections { found: section_count });
        }
        coff.take::<12>()?; // time stamp, symbol table
        let optional_len = coff.take_u16_le()?;
        coff.take::<2>()?; // characteristics
        let mut optional = coff.take_reader(usize::from(optional_len))?;

        let mut image = Self::read_optional_header(file, &mut optional)?;
        for _ in 0..section_count {
            if let Some(section) = read_section(file, &mut coff)? {
                image.sections.push(section);
            }
        }
        image.sections.sort_by_key(|section| section.offset);
        image.check_headers(coff.offset())?;
        Ok(image)
    }

    /// Reads the PE32+ optional header as far as it is needed here.
    fn read_optional_header(file: &'a [u8], optional: &mut Reader<'_>) -> Result<Self, PeError> {
        match optional.take_u16_le()? {
            0x020b => {}
            found => return Err(PeError::OptionalMagic { found }),
        }
        optional.take::<58>()?;
        let headers_len = len_of(optional.take_u32_le()?);
        let checksum = optional.offset();
        optional.take::<44>()?;
        let entries = optional.take_u32_le()?;
        if len_of(entries) <= CERTIFICATE_ENTRY {
            return Err(PeError::Headers { found: entries });
        }
        optional.take::<{ CERTIFICATE_ENTRY * 8 }>()?;
        let certificate_entry = optional.offset();
        optional.take::<4>()?;
        let certificate_len = len_of(optional.take_u32_le()?);
        let sections = Vec::new();
        Ok(Self { file, checksum, certificate_entry, certificate_len, headers_len, sections })
    }

    /// The headers hold everything that was read as header, and all parts fit into the file.
    fn check_headers(&self, end: usize) -> Result<(), PeError> {
        if self.headers_len < end {
            let found = u32::try_from(self.headers_len).unwrap_or(u32::MAX);
            return Err(PeError::Headers { found });
        }
        let found = self.hashed_len().saturating_add(self.certificate_len);
        let file = self.file.len();
        if found > file { Err(PeError::Overlap { file, found }) } else { Ok(()) }
    }

    /// The Authenticode hash: what firmware extends into PCR 4.
    #[must_use]
    pub fn authenticode(&self) -> Sha256Digest {
        let between = |start: usize, end: usize| self.file.get(start..end).unwrap_or_default();
        let behind_certificates = self.file.len().saturating_sub(self.certificate_len);
        let headers = [
            between(0, self.checksum),
            between(self.checksum.saturating_add(4), self.certificate_entry),
            between(self.certificate_entry.saturating_add(8), self.headers_len),
        ];
        let sections = self.sections.iter().map(|section| section.bytes);
        let rest = between(self.hashed_len(), behind_certificates);
        sha256_of_parts(headers.into_iter().chain(sections).chain([rest]))
    }

    /// Whether a table of certificates is attached: signatures, which the hash leaves out.
    #[must_use]
    pub const fn is_signed(&self) -> bool {
        self.certificate_len > 0
    }

    /// The sections that have bytes in the file, by position.
    #[must_use]
    pub fn sections(&self) -> Vec<Section> {
        let section = |raw: &RawSection<'_>| Section {
            name: raw
                .name
                .iter()
                .filter(|b| b.is_ascii_graphic())
                .map(|b| char::from(*b))
                .collect(),
            offset: raw.offset,
            len: raw.bytes.len(),
            sha256: sha256(raw.bytes),
        };
        self.sections.iter().map(section).collect()
    }

    /// Headers and sections: `SUM_OF_BYTES_HASHED` in the words of the specification.
    fn hashed_len(&self) -> usize {
        let lens = self.sections.iter().map(|section| section.bytes.len());
        lens.fold(self.headers_len, usize::saturating_add)
    }
}

fn read_section<'a>(
    file: &'a [u8],
    table: &mut Reader<'_>,
) -> Result<Option<RawSection<'a>>, PeError> {
    let name = table.take()?;
    table.take::<8>()?; // where it goes in memory
    let (len, offset) = (len_of(table.take_u32_le()?), len_of(table.take_u32_le()?));
    table.take::<16>()?; // relocations, line numbers, characteristics
    if len == 0 {
        return Ok(None);
    }
    let mut reader = Reader::new(file);
    reader.take_slice(offset)?;
    Ok(Some(RawSection { name, offset, bytes: reader.take_slice(len)? }))
}

/// Where the DOS header says where the PE header is.
const PE_POINTER: usize = 0x3c;

/// Number of the certificate table in the data directory.
const CERTIFICATE_ENTRY: usize = 4;

#[cfg(test)]
mod tests;
