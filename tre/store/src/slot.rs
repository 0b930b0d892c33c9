//! One slot of a region: a record with what tells a whole one from a torn one.
//!
//! Shape: magic 12 bytes, sequence number u64, length of the content u32, SHA-256 over these and
//! the content 32 bytes, the content. Big-endian. What lies behind the content is left over.

use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use thiserror::Error;

/// Length of what stands before the content. Unit: byte.
pub(crate) const HEADER_LEN: usize = 56;

/// Why a slot that was written holds no record.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum SlotFault {
    /// It starts with something else.
    #[error("no slot of this version")]
    Magic,
    /// Its content cannot be in the slot.
    #[error("expected a content of at most {max} bytes, found {found}")]
    Length {
        /// The bound, in bytes.
        max: usize,
        /// Length found, in bytes.
        found: usize,
    },
    /// Its bytes are not all those that were written.
    #[error("checksum does not match")]
    Checksum,
}

/// What stands before the content.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Header {
    /// Counts the records of the region, from 1.
    pub(crate) sequence: u64,
    /// Length of the content. Unit: byte.
    pub(crate) content_len: usize,
    checksum: [u8; SHA256_OUTPUT_LEN],
}

impl Header {
    /// Reads a header; none from a slot that was never written.
    pub(crate) fn parse(
        bytes: &[u8; HEADER_LEN],
        max_content_len: usize,
    ) -> Result<Option<Self>, SlotFault> {
        if bytes == &[0; HEADER_LEN] {
            return Ok(None);
        }
        let (magic, rest) = split::<12>(bytes).ok_or(SlotFault::Magic)?;
        if magic != MAGIC {
            return Err(SlotFault::Magic);
        }
        let (sequence, rest) = split::<8>(rest).ok_or(SlotFault::Magic)?;
        let (length, rest) = split::<4>(rest).ok_or(SlotFault::Magic)?;
        let (checksum, _) = split::<SHA256_OUTPUT_LEN>(rest).ok_or(SlotFault::Magic)?;
        let content_len = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if content_len > max_content_len {
            return Err(SlotFault::Length { max: max_content_len, found: content_len });
        }
        Ok(Some(Self { sequence: u64::from_be_bytes(sequence), content_len, checksum }))
    }

    /// Whether `content` is what was written with this header.
    pub(crate) fn check(&self, content: &[u8]) -> Result<(), SlotFault> {
        let length = u32::try_from(content.len()).map_err(|_| SlotFault::Checksum)?;
        let expected = checksum(self.sequence, length, content);
        if expected == self.checksum { Ok(()) } else { Err(SlotFault::Checksum) }
    }
}

/// The bytes of a slot; none if the content is too long to be counted.
pub(crate) fn encode(sequence: u64, content: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(content.len()).ok()?;
    let checksum = checksum(sequence, length, content);
    Some(
        [MAGIC.as_slice(), &sequence.to_be_bytes(), &length.to_be_bytes(), &checksum, content]
            .concat(),
    )
}

fn checksum(sequence: u64, length: u32, content: &[u8]) -> [u8; SHA256_OUTPUT_LEN] {
    let mut context = Context::new(&SHA256);
    context.update(&MAGIC);
    context.update(&sequence.to_be_bytes());
    context.update(&length.to_be_bytes());
    context.update(content);
    let mut checksum = [0; SHA256_OUTPUT_LEN];
    checksum.copy_from_slice(context.finish().as_ref());
    checksum
}

fn split<const N: usize>(bytes: &[u8]) -> Option<([u8; N], &[u8])> {
    bytes.split_first_chunk::<N>().map(|(head, tail)| (*head, tail))
}

/// First bytes of a slot: magic, then the version of this shape.
const MAGIC: [u8; 12] = *b"TRE-SLOT\x00\x00\x00\x01";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slot_has_the_bytes_it_always_had() {
        let bytes = encode(1, b"abc").expect("short");
        let mut expected = Vec::from(*b"TRE-SLOT\x00\x00\x00\x01"); // magic, version
        expected.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1]); // sequence number
        expected.extend_from_slice(&[0, 0, 0, 3]); // length of the content
        let hashed = [expected.as_slice(), b"abc"].concat();
        expected.extend_from_slice(ring::digest::digest(&SHA256, &hashed).as_ref());
        expected.extend_from_slice(b"abc"); // content
        assert_eq!(bytes, expected);
    }

    #[test]
    fn length_beyond_the_slot_is_refused_before_it_is_read() {
        let bytes = encode(1, &[7; 100]).expect("short");
        let header = bytes.first_chunk::<HEADER_LEN>().expect("a header");
        assert_eq!(Header::parse(header, 99), Err(SlotFault::Length { max: 99, found: 100 }));
    }
}
