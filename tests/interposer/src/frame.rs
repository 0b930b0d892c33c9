//! Commands and answers of a TPM 2.0 as bytes on a stream. `[TPM2-P1]`
//!
//! Both begin with a tag (2 bytes), the size of the whole (4 bytes, itself included) and a code (4
//! bytes): the command's, or the response's. All big-endian.

use std::io::{self, Read};

/// Tag, size and code.
const HEADER: usize = 10;

/// Longest command or answer. Unit: bytes; TPMs take and give a few thousand.
const MOST: usize = 64 * 1024;

/// One whole command or answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Frame {
    bytes: Vec<u8>,
    code: u32,
}

impl Frame {
    /// Reads the next one, `None` where the stream ends before it.
    ///
    /// # Errors
    ///
    /// The stream's; `InvalidData` for a size that no frame has.
    pub fn read(stream: &mut impl Read) -> io::Result<Option<Self>> {
        let mut header = [0; HEADER];
        let (first, rest) = header.split_at_mut(1);
        if stream.read(first)? == 0 {
            return Ok(None);
        }
        stream.read_exact(rest)?;
        let [_, _, s0, s1, s2, s3, c0, c1, c2, c3] = header;
        let size = usize::try_from(u32::from_be_bytes([s0, s1, s2, s3])).unwrap_or(usize::MAX);
        if !(HEADER..=MOST).contains(&size) {
            let detail = format!("expected a size of {HEADER} to {MOST} bytes, found {size}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, detail));
        }
        let mut bytes = header.to_vec();
        bytes.resize(size, 0);
        stream.read_exact(bytes.get_mut(HEADER..).unwrap_or_default())?;
        Ok(Some(Self { bytes, code: u32::from_be_bytes([c0, c1, c2, c3]) }))
    }

    /// The same with one bit of the byte at `position` turned, if there is such a byte.
    #[must_use]
    pub fn altered_at(&self, position: usize) -> Self {
        let mut altered = self.clone();
        if let Some(byte) = altered.bytes.get_mut(position) {
            *byte ^= 0x01;
        }
        altered
    }

    /// Tag, size and code of a response of this code, without more: how a TPM says no.
    #[must_use]
    pub fn refusal(code: u32) -> Self {
        let size = [0, 0, 0, 10];
        let bytes = [[0x80, 0x01].as_slice(), &size, &code.to_be_bytes()].concat();
        Self { bytes, code }
    }

    /// The same frame around other content behind the header.
    #[must_use]
    pub fn with_content(&self, content: &[u8]) -> Self {
        let size = HEADER.saturating_add(content.len());
        let size = u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes();
        let tag = self.bytes.get(..2).unwrap_or_default();
        let bytes = [tag, &size, &self.code.to_be_bytes(), content].concat();
        Self { bytes, code: self.code }
    }

    /// The bytes as they came.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The command's code, or the response's.
    #[must_use]
    pub const fn code(&self) -> u32 {
        self.code
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_told_apart_by_their_sizes() {
        let first = [0x80, 0x01, 0, 0, 0, 12, 0, 0, 1, 0x58, 7, 8];
        let second = [0x80, 0x01, 0, 0, 0, 10, 0, 0, 1, 0x7b];
        let bytes = [first.as_slice(), &second].concat();
        let mut stream = bytes.as_slice();
        let frame = Frame::read(&mut stream).expect("readable").expect("a frame");
        assert_eq!((frame.bytes(), frame.code()), (first.as_slice(), 0x158));
        let frame = Frame::read(&mut stream).expect("readable").expect("a frame");
        assert_eq!((frame.bytes(), frame.code()), (second.as_slice(), 0x17b));
        assert_eq!(Frame::read(&mut stream).expect("readable"), None);
    }

    #[test]
    fn a_size_that_no_frame_has_is_refused() {
        for size in [9_u32, 64 * 1024 + 1] {
            let [a, b, c, d] = size.to_be_bytes();
            let bytes = [0x80, 0x01, a, b, c, d, 0, 0, 1, 0x58];
            let error = Frame::read(&mut bytes.as_slice()).expect_err("a wrong size");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn a_frame_that_is_cut_is_refused() {
        let bytes = [0x80, 0x01, 0, 0, 0, 12, 0, 0, 1, 0x58, 7];
        let error = Frame::read(&mut bytes.as_slice()).expect_err("a cut frame");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
