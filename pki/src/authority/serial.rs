//! Serial numbers of certificates.

use rsa::rand_core::CryptoRngCore;

use super::CertifyError;

/// A certificate's serial number: random, positive, always of the same length. `[RFC5280]`
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Serial([u8; SERIAL_BYTES]);

impl Serial {
    /// Draws one.
    pub(crate) fn draw(random: &mut dyn CryptoRngCore) -> Result<Self, CertifyError> {
        let mut serial = [0; SERIAL_BYTES];
        random.try_fill_bytes(&mut serial).map_err(CertifyError::Random)?;
        let [first, ..] = &mut serial;
        *first = (*first & 0x7f) | 0x40;
        Ok(Self(serial))
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; SERIAL_BYTES] {
        &self.0
    }
}

/// Length of a serial number. `[RFC5280]` allows 20; 16 random ones never meet.
const SERIAL_BYTES: usize = 16;
