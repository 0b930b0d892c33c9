//! The one reader through which every byte from outside passes.
//!
//! It borrows its input, so a claimed length can only ever be a bound on what is already there:
//! nothing is allocated, and a lie is a [`ReadError`] that says where, how much and what was left.

use thiserror::Error;

/// Why bytes could not be read. Offsets count from the start of the outermost input.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ReadError {
    /// The input ends inside a field.
    #[error("at offset {offset}: expected {needed} more bytes, found {left}")]
    Truncated {
        /// Where the field starts.
        offset: usize,
        /// Length of the field, in bytes.
        needed: usize,
        /// Bytes that are there.
        left: usize,
    },
    /// The structure is complete, the input is not.
    #[error("at offset {offset}: expected the end, found {left} more bytes")]
    Trailing {
        /// Where the structure ends.
        offset: usize,
        /// Bytes behind it.
        left: usize,
    },
}

/// A position in a byte string. Copying it is a look ahead.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    offset: usize,
}

macro_rules! integers {
    ($($name:ident $type:ty, $from:ident, $order:literal;)*) => {$(
        #[doc = concat!("Reads one `", stringify!($type), "`, ", $order, " endian.")]
        ///
        /// # Errors
        ///
        /// [`ReadError::Truncated`] if the input ends before it.
        pub fn $name(&mut self) -> Result<$type, ReadError> {
            self.take().map(<$type>::$from)
        }
    )*};
}

impl<'a> Reader<'a> {
    /// Starts at offset 0 of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, offset: 0 }
    }

    /// Offset of the next byte, from the start of the outermost input.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// Number of bytes that are left.
    #[must_use]
    pub const fn left(&self) -> usize {
        self.rest.len()
    }

    /// Reads exactly `N` bytes.
    ///
    /// # Errors
    ///
    /// [`ReadError::Truncated`] if fewer are left; nothing is consumed then.
    pub fn take<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let Some((head, tail)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.truncated(N));
        };
        self.advance(tail, N);
        Ok(*head)
    }

    /// Borrows the next `len` bytes.
    ///
    /// # Errors
    ///
    /// [`ReadError::Truncated`] if fewer are left; nothing is consumed then.
    pub fn take_slice(&mut self, len: usize) -> Result<&'a [u8], ReadError> {
        let Some((head, tail)) = self.rest.split_at_checked(len) else {
            return Err(self.truncated(len));
        };
        self.advance(tail, len);
        Ok(head)
    }

    /// A reader over the next `len` bytes that keeps counting offsets from the outermost start.
    ///
    /// # Errors
    ///
    /// [`ReadError::Truncated`] if fewer are left.
    pub fn take_reader(&mut self, len: usize) -> Result<Self, ReadError> {
        let offset = self.offset;
        self.take_slice(len).map(|rest| Self { rest, offset })
    }

    integers! {
        take_u8 u8, from_be_bytes, "big";
        take_u16_be u16, from_be_bytes, "big";
        take_u32_be u32, from_be_bytes, "big";
        take_u64_be u64, from_be_bytes, "big";
        take_u16_le u16, from_le_bytes, "little";
        take_u32_le u32, from_le_bytes, "little";
        take_u64_le u64, from_le_bytes, "little";
    }

    /// Reads a `u16` length, big endian, and borrows that many bytes: the shape of a `TPM2B_*`.
    ///
    /// # Errors
    ///
    /// [`ReadError::Truncated`] if the length or the bytes are missing.
    pub fn take_sized_u16_be(&mut self) -> Result<&'a [u8], ReadError> {
        let len = self.take_u16_be()?;
        self.take_slice(usize::from(len))
    }

    /// Reads a `u32` length, little endian, and borrows that many bytes.
    ///
    /// # Errors
    ///
    /// [`ReadError::Truncated`] if the length or the bytes are missing.
    pub fn take_sized_u32_le(&mut self) -> Result<&'a [u8], ReadError> {
        let len = self.take_u32_le()?;
        self.take_slice(len_of(len))
    }

    /// Ends the reading of a structure that fills its input.
    ///
    /// # Errors
    ///
    /// [`ReadError::Trailing`] if bytes are left.
    pub const fn finish(self) -> Result<(), ReadError> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(ReadError::Trailing { offset: self.offset, left: self.rest.len() })
        }
    }

    const fn advance(&mut self, tail: &'a [u8], by: usize) {
        self.rest = tail;
        // `by` bytes of an existing slice were passed, so this never saturates.
        self.offset = self.offset.saturating_add(by);
    }

    const fn truncated(&self, needed: usize) -> ReadError {
        ReadError::Truncated { offset: self.offset, needed, left: self.rest.len() }
    }
}

/// A claimed 32-bit length or offset as a `usize`. What does not fit is longer than any input.
#[must_use]
pub fn len_of(claimed: u32) -> usize {
    usize::try_from(claimed).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
