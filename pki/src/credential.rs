//! A credential that only one TPM can open, and only while it holds one attestation key.
//!
//! What `TPM2_MakeCredential` computes, without a TPM: a secret is encrypted and authenticated
//! under keys that come from a seed and from the *Name* of the attestation key. The seed is random
//! and encrypted to an RSA endorsement key, or agreed with one on a curve. `TPM2_ActivateCredential`
//! gives the secret back only if both keys are loaded in the one TPM. `[TPM2-P1]`

use aes::cipher::{AsyncStreamCipher as _, BlockCipher, BlockEncryptMut, KeyInit, KeyIvInit as _};
use aes::{Aes128, Aes256};
use measured_boot::tpm::{CredentialError, EncryptedSecret, IdObject, Name};
use ring::agreement::{self, ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey};
use ring::rand::SystemRandom;
use ring::{digest, hmac};
use rsa::rand_core::CryptoRngCore;
use rsa::{BigUint, Oaep, RsaPublicKey};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::ek::EkPublic;

/// Length of the secret in a credential. Unit: bytes.
pub const SECRET_BYTES: usize = 32;

/// Length of the seed that an RSA key is sent: of its hash. Unit: bytes.
const RSA_SEED_BYTES: usize = 32;

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
    /// The endorsement key is not a point on its curve, or no ephemeral key could be had.
    #[error("expected an endorsement key on its curve: {0}")]
    Agreement(ring::error::Unspecified),
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

/// Hash and cipher of an endorsement key. `[EKP]`
#[derive(Clone, Copy, Debug)]
enum Suite {
    /// SHA-256 and AES-128: RSA-2048 and P-256.
    Sha256,
    /// SHA-384 and AES-256: P-384.
    Sha384,
}

impl Suite {
    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
        }
    }

    fn hash(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
        }
    }

    /// Bits of the integrity key: those of the hash.
    const fn hash_bits(self) -> u32 {
        match self {
            Self::Sha256 => 256,
            Self::Sha384 => 384,
        }
    }

    /// Bits of the cipher's key.
    const fn cipher_bits(self) -> u32 {
        match self {
            Self::Sha256 => 128,
            Self::Sha384 => 256,
        }
    }
}

/// Encrypts `secret` to the endorsement key `key`, for the attestation key `name`.
///
/// An ephemeral key on a curve is drawn by the library itself.
///
/// Source: `[TPM2-P1]`, credential protection, with hash and cipher as the templates of `[EKP]`
/// have them.
///
/// # Errors
///
/// [`MakeError`].
pub fn make(
    key: &EkPublic,
    name: Name,
    secret: &[u8; SECRET_BYTES],
    random: &mut dyn CryptoRngCore,
) -> Result<Credential, MakeError> {
    let (suite, seed, encrypted_secret) = match key {
        EkPublic::Rsa2048 { modulus } => {
            let (seed, encrypted) = encrypt_seed(modulus, random)?;
            (Suite::Sha256, seed, encrypted)
        }
        EkPublic::P256 { x, y } => {
            let (seed, point) = agree_seed(&ECDH_P256, Suite::Sha256, x, y)?;
            (Suite::Sha256, seed, point)
        }
        EkPublic::P384 { x, y } => {
            let (seed, point) = agree_seed(&ECDH_P384, Suite::Sha384, x, y)?;
            (Suite::Sha384, seed, point)
        }
    };
    Ok(Credential {
        id_object: protect(suite, &seed, name, secret).map_err(MakeError::Frame)?,
        encrypted_secret: EncryptedSecret::new(encrypted_secret).map_err(MakeError::Frame)?,
    })
}

/// A random seed, and the same encrypted to an RSA key.
fn encrypt_seed(
    modulus: &[u8; 256],
    random: &mut dyn CryptoRngCore,
) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>), MakeError> {
    let key = RsaPublicKey::new(BigUint::from_bytes_be(modulus), BigUint::from(EXPONENT))
        .map_err(MakeError::Key)?;
    let mut seed = Zeroizing::new(vec![0; RSA_SEED_BYTES]);
    random.try_fill_bytes(&mut seed).map_err(MakeError::Random)?;
    // The label ends with a zero octet that is part of it. [TPM2-P1]
    let padding = Oaep::new_with_label::<Sha256, _>("IDENTITY\0");
    let mut random = random;
    let encrypted = key.encrypt(&mut random, padding, &seed).map_err(MakeError::Encrypt)?;
    Ok((seed, encrypted))
}

/// A seed agreed with the key at `x`, `y`, and the `TPMS_ECC_POINT` from which its TPM gets it.
fn agree_seed(
    curve: &'static agreement::Algorithm,
    suite: Suite,
    x: &[u8],
    y: &[u8],
) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>), MakeError> {
    let own =
        EphemeralPrivateKey::generate(curve, &SystemRandom::new()).map_err(MakeError::Agreement)?;
    let public = own.compute_public_key().map_err(MakeError::Agreement)?;
    // An uncompressed point: one octet, then both coordinates in the curve's length.
    let (_, coordinates) = public.as_ref().split_at(1);
    let (own_x, own_y) = coordinates.split_at(x.len());
    let peer = UnparsedPublicKey::new(curve, [&[4], x, y].concat());
    let seed = agreement::agree_ephemeral(own, &peer, |z| kdfe(suite, z, own_x, x))
        .map_err(MakeError::Agreement)?;
    let mut point = Vec::new();
    for coordinate in [own_x, own_y] {
        let length = u16::try_from(coordinate.len()).unwrap_or(u16::MAX);
        point.extend_from_slice(&length.to_be_bytes());
        point.extend_from_slice(coordinate);
    }
    Ok((seed, point))
}

/// Encrypts, then authenticates, the secret as a `TPM2B_DIGEST`.
fn protect(
    suite: Suite,
    seed: &[u8],
    name: Name,
    secret: &[u8; SECRET_BYTES],
) -> Result<IdObject, CredentialError> {
    let name = name.to_bytes();
    let mut identity = Vec::with_capacity(2 + SECRET_BYTES);
    identity.extend_from_slice(&SECRET_SIZE.to_be_bytes());
    identity.extend_from_slice(secret);
    let storage = kdfa(suite, seed, b"STORAGE", &name, suite.cipher_bits());
    match suite {
        Suite::Sha256 => encrypt::<Aes128>(&storage, &mut identity),
        Suite::Sha384 => encrypt::<Aes256>(&storage, &mut identity),
    }
    let integrity_key = kdfa(suite, seed, b"INTEGRITY", &[], suite.hash_bits());
    let integrity = mac(suite, &integrity_key, &[&identity, &name]);
    IdObject::new(integrity.as_ref().to_vec(), identity)
}

/// Encrypts in place with the first bytes of `key`, as many as the cipher takes.
fn encrypt<C: BlockCipher + BlockEncryptMut + KeyInit>(key: &[u8], bytes: &mut [u8]) {
    let mut cipher_key = aes::cipher::Key::<C>::default();
    for (to, from) in cipher_key.iter_mut().zip(key) {
        *to = *from;
    }
    // The key is used once: the initialisation vector is zero. [TPM2-P1]
    cfb_mode::Encryptor::<C>::new(&cipher_key, &Default::default()).encrypt(bytes);
}

/// [`SECRET_BYTES`] as the size of a `TPM2B_DIGEST`.
const SECRET_SIZE: u16 = 32;

/// KDFa, one block of it, which is enough: counter, label with its zero, context, bits. `[TPM2-P1]`
fn kdfa(suite: Suite, seed: &[u8], label: &[u8], context: &[u8], bits: u32) -> Zeroizing<Vec<u8>> {
    let parts: [&[u8]; 5] = [&1_u32.to_be_bytes(), label, &[0], context, &bits.to_be_bytes()];
    Zeroizing::new(mac(suite, seed, &parts).as_ref().to_vec())
}

/// KDFe, one block: counter, the shared coordinate, label with its zero, both parties'. `[TPM2-P1]`
fn kdfe(suite: Suite, z: &[u8], party_u: &[u8], party_v: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut hash = digest::Context::new(suite.hash());
    for part in [&1_u32.to_be_bytes(), z, b"IDENTITY\0", party_u, party_v] {
        hash.update(part);
    }
    Zeroizing::new(hash.finish().as_ref().to_vec())
}

/// HMAC of the concatenation of `parts`. `[RFC2104]`
fn mac(suite: Suite, key: &[u8], parts: &[&[u8]]) -> hmac::Tag {
    let mut mac = hmac::Context::with_key(&hmac::Key::new(suite.hmac(), key));
    for part in parts {
        mac.update(part);
    }
    mac.sign()
}
