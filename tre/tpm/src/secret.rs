//! A secret of 32 bytes: what the TPM seals, and what keys are derived from.

use core::fmt;

use zeroize::ZeroizeOnDrop;

/// 32 secret bytes, overwritten with zeros when dropped.
///
/// It cannot be cloned, compared or printed: [`Debug`](fmt::Debug) shows no byte of it.
#[derive(ZeroizeOnDrop)]
pub struct Secret32([u8; Self::LENGTH]);

impl Secret32 {
    /// Length of a secret. Unit: byte.
    pub const LENGTH: usize = 32;

    /// Takes over 32 bytes that are secret from now on.
    ///
    /// The caller's own copy, where it has one, stays the caller's to overwrite.
    #[must_use]
    pub const fn new(bytes: [u8; Self::LENGTH]) -> Self {
        Self(bytes)
    }

    /// The bytes themselves, for a key derivation or a seal. No copy of them should outlive it.
    #[must_use]
    pub const fn expose(&self) -> &[u8; Self::LENGTH] {
        &self.0
    }
}

impl fmt::Debug for Secret32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret32(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_byte_of_a_secret() {
        assert_eq!(format!("{:?}", Secret32::new([0xa5; 32])), "Secret32(..)");
    }
}
