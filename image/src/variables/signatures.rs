//! `EFI_SIGNATURE_LIST`: what the variables `PK`, `KEK`, `db` and `dbx` are made of.
//!
//! A list has a type and entries of one size; an entry is its owner's GUID and a hash or a
//! certificate. Certificates differ in size, so each stands in a list of its own.

use measured_boot::digest::Sha256Digest;
use measured_boot::reader::{ReadError, Reader, len_of};

/// What an entry says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Entry<'a> {
    /// The Authenticode hash of an EFI file.
    Sha256(&'a Sha256Digest),
    /// An X.509 certificate, DER.
    Certificate(&'a [u8]),
}

/// An entry as it lies in a variable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Signature<'a> {
    /// What kind.
    pub kind: Kind,
    /// Owner's GUID and content: the `EFI_SIGNATURE_DATA` that PCR 7 speaks of.
    pub entry: &'a [u8],
    /// Content without the owner.
    pub content: &'a [u8],
}

/// The kinds of entries that are understood here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// `EFI_CERT_SHA256_GUID`.
    Sha256,
    /// `EFI_CERT_X509_GUID`.
    Certificate,
}

/// Why a variable is no sequence of signature lists. Offsets count from the variable's first byte.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignatureError {
    /// A list or an entry is cut off.
    #[error("signature list: {0}")]
    Read(#[from] ReadError),
    /// A list whose sizes contradict each other.
    #[error(
        "signature list at offset {offset}: expected whole entries of more than 16 bytes, \
         found {entries} bytes in entries of {entry}"
    )]
    Sizes {
        /// Where the list starts.
        offset: usize,
        /// Length of all entries. Unit: byte.
        entries: usize,
        /// Length of one. Unit: byte.
        entry: usize,
    },
    /// A type that the firmware may understand and this program does not.
    #[error(
        "signature list at offset {offset}: expected SHA-256 hashes or X.509 certificates, \
         found type {found:02x?}"
    )]
    Kind {
        /// Where the list starts.
        offset: usize,
        /// The type's GUID, as it lies in memory.
        found: [u8; 16],
    },
}

/// The lists with these entries, in this order; hashes that follow each other share a list.
#[must_use]
pub fn lists<'a>(entries: impl Iterator<Item = Entry<'a>>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut hashes = Vec::new();
    for entry in entries {
        match entry {
            Entry::Sha256(hash) => hashes.extend_from_slice(&[&OWNER[..], &hash.0].concat()),
            Entry::Certificate(der) => {
                bytes.extend(list(&SHA256, &hashes, HASH_ENTRY));
                hashes.clear();
                let entry = [&OWNER[..], der].concat();
                bytes.extend(list(&X509, &entry, entry.len()));
            }
        }
    }
    bytes.extend(list(&SHA256, &hashes, HASH_ENTRY));
    bytes
}

/// One list; none without entries.
fn list(kind: &[u8; 16], entries: &[u8], entry_len: usize) -> Vec<u8> {
    if entries.is_empty() {
        return Vec::new();
    }
    // A variable store is half a megabyte long: no length here comes near the limit.
    let size = |len: usize| u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes();
    let whole = size(entries.len().saturating_add(LIST_HEADER));
    [&kind[..], &whole, &size(0), &size(entry_len), entries].concat()
}

/// The entries of all lists of a variable, in order.
///
/// Source: UEFI specification, `EFI_SIGNATURE_LIST`.
///
/// # Errors
///
/// [`SignatureError`].
pub fn read(variable: &[u8]) -> Result<Vec<Signature<'_>>, SignatureError> {
    let mut reader = Reader::new(variable);
    let mut found = Vec::new();
    while reader.left() > 0 {
        let offset = reader.offset();
        let kind = reader.take::<16>()?;
        let [whole, header, entry] = [
            len_of(reader.take_u32_le()?),
            len_of(reader.take_u32_le()?),
            len_of(reader.take_u32_le()?),
        ];
        reader.take_slice(header)?;
        let entries = whole.saturating_sub(LIST_HEADER).saturating_sub(header);
        if entry <= OWNER.len() || entries == 0 || !entries.is_multiple_of(entry) {
            return Err(SignatureError::Sizes { offset, entries, entry });
        }
        let kind = match kind {
            SHA256 if entry == HASH_ENTRY => Kind::Sha256,
            X509 => Kind::Certificate,
            found => return Err(SignatureError::Kind { offset, found }),
        };
        let mut entries = reader.take_reader(entries)?;
        while entries.left() > 0 {
            let entry = entries.take_slice(entry)?;
            let content = entry.get(OWNER.len()..).unwrap_or_default();
            found.push(Signature { kind, entry, content });
        }
    }
    Ok(found)
}

/// Owner of every entry that is made here, `3d6fbc2e-1a57-4e0b-9c48-74524501aa00`: this project.
const OWNER: [u8; 16] = [
    0x2e, 0xbc, 0x6f, 0x3d, 0x57, 0x1a, 0x0b, 0x4e, 0x9c, 0x48, 0x74, 0x52, 0x45, 0x01, 0xaa, 0x00,
];

/// `EFI_CERT_SHA256_GUID`, `c1c41626-504c-4092-aca9-41f936934328`.
const SHA256: [u8; 16] = [
    0x26, 0x16, 0xc4, 0xc1, 0x4c, 0x50, 0x92, 0x40, 0xac, 0xa9, 0x41, 0xf9, 0x36, 0x93, 0x43, 0x28,
];

/// `EFI_CERT_X509_GUID`, `a5c059a1-94e4-4aa7-87b5-ab155c2bf072`.
const X509: [u8; 16] = [
    0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72,
];

/// Type and three sizes. Unit: byte.
const LIST_HEADER: usize = 28;

/// Owner and SHA-256 hash. Unit: byte.
const HASH_ENTRY: usize = 48;
