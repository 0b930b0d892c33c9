//! A P-256 public key as the TPM (two coordinates) and as a certificate (SPKI) write it.

use thiserror::Error;

/// Affine coordinates, big endian. Whether the point is on the curve is for whoever uses the key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct P256Point {
    /// The x coordinate.
    pub x: [u8; 32],
    /// The y coordinate.
    pub y: [u8; 32],
}

/// Why a subject public key info is not an uncompressed P-256 point.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum SpkiError {
    /// Not 91 bytes.
    #[error("expected a P-256 SPKI of 91 bytes, found {found}")]
    Length {
        /// Length found, in bytes.
        found: usize,
    },
    /// Another algorithm, curve or point form.
    #[error("expected id-ecPublicKey on prime256v1, uncompressed, found another algorithm")]
    Algorithm,
}

impl P256Point {
    /// Length of [`Self::to_spki_der`] in bytes.
    pub const SPKI_LEN: usize = SPKI_PREFIX.len() + 64;

    /// The uncompressed point: `0x04`, x, y.
    #[must_use]
    pub fn to_sec1(&self) -> [u8; 65] {
        let mut bytes = [0; 65];
        let [form, coordinates @ ..] = &mut bytes;
        *form = UNCOMPRESSED;
        *coordinates = self.coordinates();
        bytes
    }

    /// `SubjectPublicKeyInfo` in DER. RFC 5480.
    #[must_use]
    pub fn to_spki_der(&self) -> [u8; Self::SPKI_LEN] {
        let mut bytes = [0; Self::SPKI_LEN];
        let (prefix, coordinates) = bytes.split_at_mut(SPKI_PREFIX.len());
        prefix.copy_from_slice(&SPKI_PREFIX);
        coordinates.copy_from_slice(&self.coordinates());
        bytes
    }

    /// The point of a `SubjectPublicKeyInfo` in DER.
    ///
    /// # Errors
    ///
    /// [`SpkiError`] if it is not exactly what [`Self::to_spki_der`] writes.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, SpkiError> {
        let Ok(der) = <&[u8; Self::SPKI_LEN]>::try_from(der) else {
            return Err(SpkiError::Length { found: der.len() });
        };
        match der.split_first_chunk() {
            Some((&SPKI_PREFIX, coordinates)) => match coordinates.as_chunks::<32>() {
                ([x, y], []) => Ok(Self { x: *x, y: *y }),
                _ => Err(SpkiError::Length { found: der.len() }),
            },
            _ => Err(SpkiError::Algorithm),
        }
    }

    fn coordinates(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        let (x, y) = bytes.split_at_mut(32);
        x.copy_from_slice(&self.x);
        y.copy_from_slice(&self.y);
        bytes
    }
}

/// First octet of an uncompressed point. RFC 5480.
const UNCOMPRESSED: u8 = 0x04;

/// Everything before x: `SEQUENCE { SEQUENCE { id-ecPublicKey, prime256v1 }, BIT STRING { 04`.
/// RFC 5480.
const SPKI_PREFIX: [u8; 27] = [
    0x30,
    0x59, // SEQUENCE, 89 bytes
    0x30,
    0x13, // SEQUENCE, 19 bytes
    0x06,
    0x07,
    0x2a,
    0x86,
    0x48,
    0xce,
    0x3d,
    0x02,
    0x01, // 1.2.840.10045.2.1 id-ecPublicKey
    0x06,
    0x08,
    0x2a,
    0x86,
    0x48,
    0xce,
    0x3d,
    0x03,
    0x01,
    0x07, // 1.2.840.10045.3.1.7 prime256v1
    0x03,
    0x42,
    0x00,
    UNCOMPRESSED, // BIT STRING, 66 bytes, no unused bits
];
