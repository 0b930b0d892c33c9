//! The two keys that a TRE keeps sealed: for TLS, and for documents. ECDSA P-256 both.

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::sign::SigningKey;
use thiserror::Error;
use zeroize::Zeroizing;

/// A private key as PKCS #8, zeroed when dropped.
pub(crate) struct PrivateKey(Zeroizing<Vec<u8>>);

/// TLS key and document key.
#[derive(Debug)]
pub(crate) struct Keys {
    /// Authenticates the TLS server.
    pub(crate) tls: PrivateKey,
    /// Signs receipts and other documents.
    pub(crate) document: PrivateKey,
}

/// Why bytes are no key, or a key does not sign.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(crate) enum KeyError {
    /// The kernel's random source or the library failed to make a key.
    #[error("no key could be generated")]
    Generate,
    /// Not a PKCS #8 ECDSA P-256 private key.
    #[error("expected a PKCS #8 ECDSA P-256 private key")]
    Unreadable,
    /// Signing failed.
    #[error("signing failed")]
    Sign,
    /// Not two keys, each with its length before it.
    #[error("expected two keys, each after its length")]
    Framing,
}

impl core::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

impl PrivateKey {
    /// Makes a new key.
    ///
    /// # Errors
    ///
    /// [`KeyError::Generate`].
    pub(crate) fn generate() -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
            .map(|document| Self(Zeroizing::new(document.as_ref().to_vec())))
            .map_err(|_| KeyError::Generate)
    }

    fn pair(&self) -> Result<EcdsaKeyPair, KeyError> {
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        EcdsaKeyPair::from_pkcs8(algorithm, &self.0, &SystemRandom::new())
            .map_err(|_| KeyError::Unreadable)
    }

    /// SubjectPublicKeyInfo, DER. `[RFC 5480]`
    ///
    /// # Errors
    ///
    /// [`KeyError::Unreadable`].
    pub(crate) fn spki(&self) -> Result<Vec<u8>, KeyError> {
        Ok([P256_SPKI_PREFIX.as_slice(), self.pair()?.public_key().as_ref()].concat())
    }

    /// Signs `message` (ECDSA with SHA-256, ASN.1).
    ///
    /// # Errors
    ///
    /// [`KeyError::Sign`].
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature = self.pair()?.sign(&SystemRandom::new(), message);
        signature.map(|signature| signature.as_ref().to_vec()).map_err(|_| KeyError::Sign)
    }

    /// The key as rustls signs with it.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unreadable`].
    pub(crate) fn for_tls(&self) -> Result<std::sync::Arc<dyn SigningKey>, KeyError> {
        let der = PrivatePkcs8KeyDer::from(self.0.to_vec());
        rustls::crypto::ring::sign::any_ecdsa_type(&der.into()).map_err(|_| KeyError::Unreadable)
    }

    /// The key as rcgen signs with it.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unreadable`].
    pub(crate) fn for_certificate(&self) -> Result<rcgen::KeyPair, KeyError> {
        let der = PrivatePkcs8KeyDer::from(self.0.to_vec());
        rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&der, &rcgen::PKCS_ECDSA_P256_SHA256)
            .map_err(|_| KeyError::Unreadable)
    }
}

impl Keys {
    /// Makes both keys.
    ///
    /// # Errors
    ///
    /// [`KeyError::Generate`].
    pub(crate) fn generate() -> Result<Self, KeyError> {
        Ok(Self { tls: PrivateKey::generate()?, document: PrivateKey::generate()? })
    }

    /// Both keys as bytes to be encrypted: each PKCS #8 after its length as a u16, TLS first.
    ///
    /// # Errors
    ///
    /// [`KeyError::Framing`] for a key of more than 65,535 bytes.
    pub(crate) fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(512));
        for key in [&self.tls, &self.document] {
            let length = u16::try_from(key.0.len()).map_err(|_| KeyError::Framing)?;
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&key.0);
        }
        Ok(bytes)
    }

    /// Reads what [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    ///
    /// [`KeyError::Framing`] and [`KeyError::Unreadable`].
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let (tls, rest) = split_key(bytes)?;
        let (document, rest) = split_key(rest)?;
        if !rest.is_empty() {
            return Err(KeyError::Framing);
        }
        tls.pair()?;
        document.pair()?;
        Ok(Self { tls, document })
    }
}

fn split_key(bytes: &[u8]) -> Result<(PrivateKey, &[u8]), KeyError> {
    let (length, rest) = bytes.split_first_chunk::<2>().ok_or(KeyError::Framing)?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (key, rest) = rest.split_at_checked(length).ok_or(KeyError::Framing)?;
    Ok((PrivateKey(Zeroizing::new(key.to_vec())), rest))
}

/// DER before the 65 bytes of an uncompressed P-256 point: SEQUENCE { SEQUENCE { id-ecPublicKey,
/// prime256v1 }, BIT STRING }. `[RFC 5480]`
const P256_SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

#[cfg(test)]
mod tests {
    use super::*;
    use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

    #[test]
    fn keys_come_back_as_they_were_written() {
        let keys = Keys::generate().expect("random source");
        let again = Keys::from_bytes(&keys.to_bytes().expect("short")).expect("readable");
        assert_eq!(again.tls.spki(), keys.tls.spki());
        assert_eq!(again.document.spki(), keys.document.spki());
        assert_ne!(keys.tls.spki(), keys.document.spki());
    }

    #[test]
    fn cut_or_padded_keys_are_refused() {
        let bytes = Keys::generate().and_then(|keys| keys.to_bytes()).expect("random source");
        for length in 0..bytes.len() {
            assert_eq!(Keys::from_bytes(&bytes[..length]).err(), Some(KeyError::Framing));
        }
        let padded = [bytes.as_slice(), &[0]].concat();
        assert_eq!(Keys::from_bytes(&padded).err(), Some(KeyError::Framing));
    }

    #[test]
    fn a_signature_verifies_under_the_key_in_the_spki() {
        let key = PrivateKey::generate().expect("random source");
        let signature = key.sign(b"message").expect("signs");
        let spki = key.spki().expect("readable");
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &spki[26..]);
        assert_eq!(public.verify(b"message", &signature), Ok(()));
    }

    #[test]
    fn a_key_is_never_printed() {
        let key = PrivateKey::generate().expect("random source");
        assert_eq!(format!("{key:?}"), "PrivateKey(..)");
    }
}
