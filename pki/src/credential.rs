//! A credential that only one TPM can open, and only while it holds one attestation key.
//!
//! What `TPM2_MakeCredential` computes, without a TPM: a secret is encrypted and authenticated
//! under keys that come from a random seed and from the *Name* of the attestation key; the seed
//! is encrypted to the endorsement key. `TPM2_ActivateCredential` gives the secret back only if
//! both keys are loaded in the one TPM. `[TPM2-P1]`

use aes::Aes128;
use aes::cipher::{AsyncStreamCipher as _, KeyIvInit as _};
use hmac::{Hmac, Mac as _};
use measured_boot::digest::Sha256Digest;
use measured_boot::tpm::{CredentialError, EncryptedSecret, IdObject, Name};
use rsa::rand_core::CryptoRngCore;
use rsa::{BigUint, Oaep, RsaPublicKey};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Length of the secret in a credential, and of its seed. Unit: bytes.
pub const SECRET_BYTES: usize = 32;

/// The exponent of every RSA endorsement key of the default template. `[EKP]`
const EXPONENT: u32 = 65_537;

/// A credential in the TPM's own framing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Credential {
    /// For `TPM2B_ID_OBJECT`.
    pub id_object: IdObject,
    /// For `TPM2B_ENCRYPTED_SECRET`.
    pub encrypted_secret: EncryptedSecret,
}

/// Why a credential could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// The endorsement key is not usable for encryption.
    #[error("expected an endorsement key that can encrypt: {0}")]
    Key(#[source] rsa::Error),
    /// Random bytes could not be had.
    #[error("no random bytes for a seed: {0}")]
    Random(#[source] rsa::rand_core::Error),
    /// The seed could not be encrypted.
    #[error("cannot encrypt the seed to the endorsement key: {0}")]
    Encrypt(#[source] rsa::Error),
    /// The parts do not frame.
    #[error(transparent)]
    Frame(CredentialError),
}

/// Encrypts `secret` to the endorsement key with this modulus, for the attestation key `name`.
///
/// Source: `[TPM2-P1]`, credential protection, with SHA-256 and AES-128 as the default RSA-2048
/// template of `[EKP]` has them.
///
/// # Errors
///
/// [`MakeError`].
pub fn make(
    modulus: &[u8; 256],
    name: Name,
    secret: &[u8; SECRET_BYTES],
    random: &mut dyn CryptoRngCore,
) -> Result<Credential, MakeError> {
    let key = RsaPublicKey::new(BigUint::from_bytes_be(modulus), BigUint::from(EXPONENT))
        .map_err(MakeError::Key)?;
    let mut seed = Zeroizing::new([0; SECRET_BYTES]);
    random.try_fill_bytes(seed.as_mut_slice()).map_err(MakeError::Random)?;
    // The label ends with a zero octet that is part of it. [TPM2-P1]
    let padding = Oaep::new_with_label::<Sha256, _>("IDENTITY\0");
    let mut random = random;
    let encrypted = key.encrypt(&mut random, padding, seed.as_slice());
    let encrypted_secret = encrypted.map_err(MakeError::Encrypt)?;
    Ok(Credential {
        id_object: protect(&seed, name, secret).map_err(MakeError::Frame)?,
        encrypted_secret: EncryptedSecret::new(encrypted_secret).map_err(MakeError::Frame)?,
    })
}

/// Encrypts, then authenticates, the secret as a `TPM2B_DIGEST`.
fn protect(
    seed: &[u8; SECRET_BYTES],
    name: Name,
    secret: &[u8; SECRET_BYTES],
) -> Result<IdObject, CredentialError> {
    let name = name.to_bytes();
    let mut identity = Vec::with_capacity(2 + SECRET_BYTES);
    identity.extend_from_slice(&SECRET_SIZE.to_be_bytes());
    identity.extend_from_slice(secret);
    let storage = kdfa(seed, b"STORAGE", &name, 128);
    let (key, _) = storage.split_at(16);
    let mut cipher_key = aes::cipher::Key::<Aes128>::default();
    cipher_key.copy_from_slice(key);
    // The key is used once: the initialisation vector is zero. [TPM2-P1]
    cfb_mode::Encryptor::<Aes128>::new(&cipher_key, &[0; 16].into()).encrypt(&mut identity);
    let integrity_key = kdfa(seed, b"INTEGRITY", &[], 256);
    let integrity = hmac(integrity_key.as_slice(), &[&identity, &name]);
    IdObject::new(Sha256Digest(integrity), identity)
}

/// [`SECRET_BYTES`] as the size of a `TPM2B_DIGEST`.
const SECRET_SIZE: u16 = 32;

/// KDFa with HMAC-SHA-256, one block: counter, label with its zero, context, bits. `[TPM2-P1]`
fn kdfa(seed: &[u8], label: &[u8], context: &[u8], bits: u32) -> Zeroizing<[u8; 32]> {
    let parts: [&[u8]; 5] = [&1_u32.to_be_bytes(), label, &[0], context, &bits.to_be_bytes()];
    Zeroizing::new(hmac(seed, &parts))
}

/// HMAC-SHA-256 of the concatenation of `parts`.
fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let padded = padded(key);
    let mut mac = Hmac::<Sha256>::new(&padded.into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// A key of at most one block, filled up with zeros as HMAC itself does it. `[RFC2104]`
fn padded(key: &[u8]) -> [u8; 64] {
    let mut block = [0; 64];
    for (byte, key) in block.iter_mut().zip(key) {
        *byte = *key;
    }
    block
}
