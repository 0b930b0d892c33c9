//! Authenticated encryption under a key derived from the sealed secret.
//!
//! HKDF with SHA-256, then ChaCha20-Poly1305: constant in time on every processor, also where AES
//! has no instructions of its own, as under emulation.

use core::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use thiserror::Error;
use tre_tpm::Secret32;
use zeroize::Zeroizing;

/// Encrypts for one purpose under one secret.
///
/// Shape of what it makes: key id 16 bytes, nonce 12 bytes, cipher text as long as the plain
/// text, tag 16 bytes. The key id depends on secret and purpose and gives neither away; it tells
/// another key from damage.
pub struct Envelope {
    root: Prk,
    purpose: Vec<u8>,
}

/// Why an envelope was not made or not opened.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Too few bytes to be an envelope.
    #[error("expected an envelope of at least {expected} bytes, found {found}")]
    Truncated {
        /// Length of an envelope with nothing in it, in bytes.
        expected: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// It was made under another secret or for another purpose, or its first bytes were altered.
    #[error("the envelope was made under another key")]
    OtherKey,
    /// It was altered, or its associated data are not those it was made with.
    #[error("the envelope was altered, or belongs to something else")]
    Altered,
    /// More than one envelope can hold, which is 256 GiB less a block.
    #[error("the content is too long for one envelope: {found} bytes")]
    TooLong {
        /// Length of the content, in bytes.
        found: usize,
    },
    /// An invariant of ours is broken: the lengths asked of the key derivation are constants.
    #[error("the key derivation failed")]
    KeyDerivation,
}

impl Envelope {
    /// Length of a nonce. Unit: byte.
    pub const NONCE_LEN: usize = NONCE_LEN;

    /// What an envelope is longer than its content. Unit: byte.
    pub const OVERHEAD: usize = KEY_ID_LEN + NONCE_LEN + TAG_LEN;

    /// Derives from `secret`, for this `purpose` alone: another purpose is another key.
    #[must_use]
    pub fn new(secret: &Secret32, purpose: &[u8]) -> Self {
        let root = Salt::new(HKDF_SHA256, &[]).extract(secret.expose());
        Self { root, purpose: purpose.to_vec() }
    }

    /// Encrypts `plain`, bound to `associated`, which is not part of the envelope.
    ///
    /// The caller draws `nonce` at random, anew for each envelope: a nonce used twice gives both
    /// contents away. Random ones are good for 2^32 envelopes under one secret and purpose.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError::TooLong`].
    pub fn seal(
        &self,
        nonce: [u8; Self::NONCE_LEN],
        associated: &[u8],
        plain: &[u8],
    ) -> Result<Vec<u8>, EnvelopeError> {
        let key = self.key()?;
        let mut sealed = Vec::with_capacity(plain.len().saturating_add(TAG_LEN));
        sealed.extend_from_slice(plain);
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(associated),
            &mut sealed,
        )
        .map_err(|_| EnvelopeError::TooLong { found: plain.len() })?;
        Ok([self.key_id()?.as_slice(), &nonce, &sealed].concat())
    }

    /// Decrypts what [`Self::seal`] made with the same `associated`.
    ///
    /// # Errors
    ///
    /// [`EnvelopeError::Truncated`], [`EnvelopeError::OtherKey`] or [`EnvelopeError::Altered`].
    pub fn open(
        &self,
        associated: &[u8],
        envelope: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, EnvelopeError> {
        let truncated =
            EnvelopeError::Truncated { expected: Self::OVERHEAD, found: envelope.len() };
        if envelope.len() < Self::OVERHEAD {
            return Err(truncated);
        }
        let (key_id, rest) = envelope.split_first_chunk::<KEY_ID_LEN>().ok_or(truncated)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or(truncated)?;
        if *key_id != self.key_id()? {
            return Err(EnvelopeError::OtherKey);
        }
        let mut content = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain_len = self
            .key()?
            .open_in_place(nonce, Aad::from(associated), &mut content)
            .map(|plain| plain.len())
            .map_err(|_| EnvelopeError::Altered)?;
        content.truncate(plain_len);
        Ok(content)
    }

    fn key(&self) -> Result<LessSafeKey, EnvelopeError> {
        self.root
            .expand(&[KEY_LABEL, &self.purpose], &CHACHA20_POLY1305)
            .map(|output| LessSafeKey::new(UnboundKey::from(output)))
            .map_err(|_| EnvelopeError::KeyDerivation)
    }

    fn key_id(&self) -> Result<[u8; KEY_ID_LEN], EnvelopeError> {
        let mut id = [0; KEY_ID_LEN];
        self.root
            .expand(&[KEY_ID_LABEL, &self.purpose], KeyId)
            .and_then(|output| output.fill(&mut id))
            .map_err(|_| EnvelopeError::KeyDerivation)?;
        Ok(id)
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Envelope(..)")
    }
}

/// The length of a key id, as the key derivation wants it said.
#[derive(Clone, Copy)]
struct KeyId;

impl KeyType for KeyId {
    fn len(&self) -> usize {
        KEY_ID_LEN
    }
}

/// Length of a key id. Unit: byte.
const KEY_ID_LEN: usize = 16;

/// Length of a tag. Unit: byte.
const TAG_LEN: usize = 16;

/// Derives the key; the purpose follows. Both labels have one length, so that no purpose can make
/// one look like the other.
const KEY_LABEL: &[u8] = b"tre-store-envelope-key-v1:";

/// Derives the key id; the purpose follows.
const KEY_ID_LABEL: &[u8] = b"tre-store-envelope-kid-v1:";

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: [u8; 12] = [9; 12];

    fn envelope() -> Envelope {
        Envelope::new(&Secret32::new([1; 32]), b"purpose")
    }

    #[test]
    fn what_was_sealed_opens() {
        for plain in [b"".as_slice(), b"x", &[7; 5000]] {
            let sealed = envelope().seal(NONCE, b"context", plain).expect("seals");
            assert_eq!(sealed.len(), plain.len() + Envelope::OVERHEAD);
            assert_eq!(envelope().open(b"context", &sealed).expect("opens").as_slice(), plain);
        }
    }

    #[test]
    fn content_does_not_show() {
        let sealed = envelope().seal(NONCE, b"", &[b'A'; 64]).expect("seals");
        assert!(!sealed.windows(4).any(|window| window == b"AAAA"));
    }

    #[test]
    fn other_secret_or_purpose_is_another_key() {
        let sealed = envelope().seal(NONCE, b"context", b"plain").expect("seals");
        let other_secret = Envelope::new(&Secret32::new([2; 32]), b"purpose");
        let other_purpose = Envelope::new(&Secret32::new([1; 32]), b"purpose2");
        for other in [other_secret, other_purpose] {
            assert_eq!(other.open(b"context", &sealed), Err(EnvelopeError::OtherKey));
        }
    }

    #[test]
    fn altered_byte_anywhere_is_refused() {
        let sealed = envelope().seal(NONCE, b"context", b"plain text").expect("seals");
        for position in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[position] ^= 1;
            let expected =
                if position < 16 { EnvelopeError::OtherKey } else { EnvelopeError::Altered };
            assert_eq!(envelope().open(b"context", &altered), Err(expected), "byte {position}");
        }
    }

    #[test]
    fn other_associated_data_are_refused() {
        let sealed = envelope().seal(NONCE, b"context", b"plain").expect("seals");
        assert_eq!(envelope().open(b"contexT", &sealed), Err(EnvelopeError::Altered));
    }

    #[test]
    fn envelope_cut_short_anywhere_is_refused() {
        let sealed = envelope().seal(NONCE, b"context", b"plain").expect("seals");
        for length in 0..sealed.len() {
            let expected = match length {
                0..44 => EnvelopeError::Truncated { expected: 44, found: length },
                _ => EnvelopeError::Altered,
            };
            assert_eq!(envelope().open(b"context", &sealed[..length]), Err(expected));
        }
    }

    #[test]
    fn key_derivation_is_the_one_of_rfc_5869() {
        // HKDF by hand: extract, then the first block of expand.
        use ring::hmac::{HMAC_SHA256, Key, sign};
        let extracted = sign(&Key::new(HMAC_SHA256, &[0; 32]), &[1; 32]);
        let expand = Key::new(HMAC_SHA256, extracted.as_ref());
        let id = sign(&expand, b"tre-store-envelope-kid-v1:purpose\x01");
        assert_eq!(envelope().key_id().expect("derives"), id.as_ref()[..16]);
    }

    #[test]
    fn debug_output_shows_no_key() {
        assert_eq!(format!("{:?}", envelope()), "Envelope(..)");
    }
}
