//! `TPMT_PUBLIC`: the public areas of the keys that a TRE and its judge meet.

use alloc::{boxed::Box, vec::Vec};

use thiserror::Error;

use super::{
    AlgorithmId, Name, ObjectAttributes, P256Point, credential::push_sized, signature::pad_to_32,
};
use crate::{
    digest::Sha256Digest,
    reader::{ReadError, Reader},
};

/// Why a public area is refused. Everything outside the profile is refused by name.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum PublicError {
    /// Cut short, or bytes behind it.
    #[error("public area: {0}")]
    Read(#[from] ReadError),
    /// Neither an RSA nor an ECC key.
    #[error("expected a key of type rsa or ecc, found {found}")]
    Type {
        /// Type found.
        found: AlgorithmId,
    },
    /// Named by another hash.
    #[error("expected name algorithm sha256, found {found}")]
    NameAlgorithm {
        /// Hash found.
        found: AlgorithmId,
    },
    /// Reserved attribute bits are set.
    #[error("expected no reserved attribute bit, found attributes {found:#010x}")]
    ReservedAttributes {
        /// The word found.
        found: u32,
    },
    /// The policy is neither empty nor a SHA-256 digest.
    #[error("expected a policy of 0 or 32 bytes, found {found}")]
    PolicyLength {
        /// Length found, in bytes.
        found: usize,
    },
    /// Neither no symmetric algorithm nor AES-128 in CFB.
    #[error("expected symmetric algorithm null or aes 128 cfb, found {algorithm} {bits} {mode}")]
    Symmetric {
        /// Algorithm found.
        algorithm: AlgorithmId,
        /// Key bits found, 0 if they were not reached.
        bits: u16,
        /// Mode found, null if it was not reached.
        mode: AlgorithmId,
    },
    /// Another signing or encryption scheme than the key type allows here.
    #[error("expected scheme null, or ecdsa on an ecc key, found {found}")]
    Scheme {
        /// Scheme found.
        found: AlgorithmId,
    },
    /// ECDSA over another hash.
    #[error("expected scheme hash sha256, found {found}")]
    SchemeHash {
        /// Hash found.
        found: AlgorithmId,
    },
    /// Another curve.
    #[error("expected curve {:#06x} (P-256), found {found:#06x}", TPM_ECC_NIST_P256)]
    Curve {
        /// Curve identifier found.
        found: u16,
    },
    /// A key derivation scheme, which no key of ours has.
    #[error("expected key derivation null, found {found}")]
    KeyDerivation {
        /// Scheme found.
        found: AlgorithmId,
    },
    /// A coordinate that is empty or longer than the curve's 32 bytes.
    #[error("expected a coordinate of 1 to 32 bytes, found {found}")]
    CoordinateLength {
        /// Length found, in bytes.
        found: usize,
    },
    /// Another RSA key size.
    #[error("expected an RSA key of 2048 bits, found {found}")]
    RsaKeyBits {
        /// Bits found.
        found: u16,
    },
    /// Another RSA exponent than 65537 (which is written as 0 or as itself).
    #[error("expected RSA exponent 0 or 65537, found {found}")]
    RsaExponent {
        /// Exponent found.
        found: u32,
    },
    /// The modulus is not as long as the key size says.
    #[error("expected an RSA modulus of 256 bytes, found {found}")]
    ModulusLength {
        /// Length found, in bytes.
        found: usize,
    },
}

/// The symmetric algorithm with which a storage or endorsement key protects its children.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Symmetric {
    /// None: a signing key.
    Null,
    /// AES with 128 bits in CFB mode.
    Aes128Cfb,
}

/// The signing scheme of an ECC key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EccScheme {
    /// None fixed: the caller chooses, or the key does not sign.
    Null,
    /// ECDSA over SHA-256.
    EcdsaSha256,
}

/// The key itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PublicKey {
    /// A point on P-256.
    P256 {
        /// Signing scheme.
        scheme: EccScheme,
        /// The point.
        point: P256Point,
    },
    /// RSA with 2048 bits and exponent 65537.
    Rsa2048 {
        /// The modulus, big endian.
        modulus: Box<[u8; 256]>,
    },
}

/// A decoded `TPMT_PUBLIC` together with its bytes, over which its Name is the hash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Public {
    attributes: ObjectAttributes,
    policy: Option<Sha256Digest>,
    symmetric: Symmetric,
    key: PublicKey,
    area: Vec<u8>,
}

impl Public {
    /// Decodes a whole `TPMT_PUBLIC` (no length in front).
    ///
    /// Source: `[TPM2-P2]`, `TPMT_PUBLIC`.
    ///
    /// # Errors
    ///
    /// [`PublicError`]: each variant is one refused field.
    pub fn parse(area: &[u8]) -> Result<Self, PublicError> {
        let mut reader = Reader::new(area);
        let public = Self::read(&mut reader, area)?;
        reader.finish()?;
        Ok(public)
    }

    /// Decodes a whole `TPM2B_PUBLIC`: a `u16` length, then the `TPMT_PUBLIC`.
    ///
    /// # Errors
    ///
    /// [`PublicError`]: each variant is one refused field.
    pub fn parse_sized(bytes: &[u8]) -> Result<Self, PublicError> {
        let mut reader = Reader::new(bytes);
        let area = reader.take_sized_u16_be()?;
        reader.finish()?;
        Self::parse(area)
    }

    /// A P-256 signing key (ECDSA over SHA-256) with these attributes and no policy: the shape of
    /// an AIK.
    #[must_use]
    pub fn p256_signing(attributes: ObjectAttributes, point: P256Point) -> Self {
        let scheme = EccScheme::EcdsaSha256;
        let key = PublicKey::P256 { scheme, point };
        let mut area = Vec::new();
        for word in [AlgorithmId::ECC.0, AlgorithmId::SHA256.0] {
            area.extend_from_slice(&word.to_be_bytes());
        }
        area.extend_from_slice(&attributes.word().to_be_bytes());
        push_sized(&mut area, &[]);
        let parameters = [
            AlgorithmId::NULL.0,
            AlgorithmId::ECDSA.0,
            AlgorithmId::SHA256.0,
            TPM_ECC_NIST_P256,
            AlgorithmId::NULL.0,
        ];
        for word in parameters {
            area.extend_from_slice(&word.to_be_bytes());
        }
        push_sized(&mut area, &point.x);
        push_sized(&mut area, &point.y);
        Self { attributes, policy: None, symmetric: Symmetric::Null, key, area }
    }

    fn read(reader: &mut Reader<'_>, area: &[u8]) -> Result<Self, PublicError> {
        let key_type = AlgorithmId(reader.take_u16_be()?);
        if ![AlgorithmId::RSA, AlgorithmId::ECC].contains(&key_type) {
            return Err(PublicError::Type { found: key_type });
        }
        match AlgorithmId(reader.take_u16_be()?) {
            AlgorithmId::SHA256 => {}
            found => return Err(PublicError::NameAlgorithm { found }),
        }
        let word = reader.take_u32_be()?;
        let Some(attributes) = ObjectAttributes::from_word(word) else {
            return Err(PublicError::ReservedAttributes { found: word });
        };
        let policy = match reader.take_sized_u16_be()? {
            [] => None,
            policy => match <[u8; 32]>::try_from(policy) {
                Ok(digest) => Some(Sha256Digest(digest)),
                Err(_) => return Err(PublicError::PolicyLength { found: policy.len() }),
            },
        };
        let symmetric = read_symmetric(reader)?;
        let key =
            if key_type == AlgorithmId::ECC { read_p256(reader)? } else { read_rsa2048(reader)? };
        Ok(Self { attributes, policy, symmetric, key, area: area.to_vec() })
    }

    /// The `TPMT_PUBLIC`.
    #[must_use]
    pub fn area(&self) -> &[u8] {
        &self.area
    }

    /// The `TPM2B_PUBLIC`.
    #[must_use]
    pub fn encode_sized(&self) -> Vec<u8> {
        let mut out = Vec::new();
        push_sized(&mut out, &self.area);
        out
    }

    /// The Name: `0x000b` and SHA-256 of the `TPMT_PUBLIC`. `[TPM2-P1]`
    #[must_use]
    pub fn name(&self) -> Name {
        Name::of_public_area(&self.area)
    }

    /// What the key may be used for.
    #[must_use]
    pub const fn attributes(&self) -> ObjectAttributes {
        self.attributes
    }

    /// The policy that may authorise its use.
    #[must_use]
    pub const fn policy(&self) -> Option<Sha256Digest> {
        self.policy
    }

    /// How it protects its children.
    #[must_use]
    pub const fn symmetric(&self) -> Symmetric {
        self.symmetric
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }
}

fn read_symmetric(reader: &mut Reader<'_>) -> Result<Symmetric, PublicError> {
    let algorithm = AlgorithmId(reader.take_u16_be()?);
    match algorithm {
        AlgorithmId::NULL => return Ok(Symmetric::Null),
        AlgorithmId::AES => {}
        _ => return Err(PublicError::Symmetric { algorithm, bits: 0, mode: AlgorithmId::NULL }),
    }
    match (reader.take_u16_be()?, AlgorithmId(reader.take_u16_be()?)) {
        (128, AlgorithmId::CFB) => Ok(Symmetric::Aes128Cfb),
        (bits, mode) => Err(PublicError::Symmetric { algorithm, bits, mode }),
    }
}

fn read_p256(reader: &mut Reader<'_>) -> Result<PublicKey, PublicError> {
    let scheme = match AlgorithmId(reader.take_u16_be()?) {
        AlgorithmId::NULL => EccScheme::Null,
        AlgorithmId::ECDSA => match AlgorithmId(reader.take_u16_be()?) {
            AlgorithmId::SHA256 => EccScheme::EcdsaSha256,
            found => return Err(PublicError::SchemeHash { found }),
        },
        found => return Err(PublicError::Scheme { found }),
    };
    match reader.take_u16_be()? {
        TPM_ECC_NIST_P256 => {}
        found => return Err(PublicError::Curve { found }),
    }
    match AlgorithmId(reader.take_u16_be()?) {
        AlgorithmId::NULL => {}
        found => return Err(PublicError::KeyDerivation { found }),
    }
    let point = P256Point { x: read_coordinate(reader)?, y: read_coordinate(reader)? };
    Ok(PublicKey::P256 { scheme, point })
}

fn read_coordinate(reader: &mut Reader<'_>) -> Result<[u8; 32], PublicError> {
    let bytes = reader.take_sized_u16_be()?;
    pad_to_32(bytes).ok_or(PublicError::CoordinateLength { found: bytes.len() })
}

fn read_rsa2048(reader: &mut Reader<'_>) -> Result<PublicKey, PublicError> {
    match AlgorithmId(reader.take_u16_be()?) {
        AlgorithmId::NULL => {}
        found => return Err(PublicError::Scheme { found }),
    }
    match reader.take_u16_be()? {
        2048 => {}
        found => return Err(PublicError::RsaKeyBits { found }),
    }
    match reader.take_u32_be()? {
        0 | 65_537 => {}
        found => return Err(PublicError::RsaExponent { found }),
    }
    let modulus = reader.take_sized_u16_be()?;
    match <[u8; 256]>::try_from(modulus) {
        Ok(modulus) => Ok(PublicKey::Rsa2048 { modulus: Box::new(modulus) }),
        Err(_) => Err(PublicError::ModulusLength { found: modulus.len() }),
    }
}

/// Identifier of NIST P-256. `[TPM2-P2]`
const TPM_ECC_NIST_P256: u16 = 0x0003;
