//! The endorsement key itself: RSA-2048, P-256 or P-384, of the templates that TPMs have.
//!
//! Keys of the low templates are named by SHA-256 and read by the parser that all other keys go
//! through. The P-384 key is named by SHA-384, and nothing else here is: it is read here.

use measured_boot::reader::{ReadError, Reader};
use measured_boot::tpm::{
    AlgorithmId, Attribute, ObjectAttributes, Public, PublicError, PublicKey, Symmetric,
};
use ring::digest;
use x509_parser::der_parser::{Oid, oid};
use x509_parser::prelude::X509Certificate;
use x509_parser::public_key::PublicKey as CertificateKey;

/// Why a public area is not an endorsement key's.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum EkKeyError {
    /// Not a public area that is named by SHA-256 or SHA-384.
    #[error("expected the EK's TPMT_PUBLIC: {0}")]
    Public(#[source] PublicError),
    /// Cut short, or bytes behind it.
    #[error("expected the EK's TPMT_PUBLIC: {0}")]
    Read(#[source] ReadError),
    /// Not a key of one of the templates.
    #[error(
        "expected an EK of the template RSA-2048, P-256 (AES-128) or P-384 (SHA-384, AES-256), \
         found another kind of key"
    )]
    Kind,
    /// The key lacks an attribute that every endorsement key has.
    #[error("expected an EK with attribute {missing}, found one without")]
    AttributeMissing {
        /// The attribute.
        missing: Attribute,
    },
    /// The key signs: a quote under it would not be what it seems.
    #[error("expected an EK without attribute {forbidden}, found one with it")]
    AttributeForbidden {
        /// The attribute.
        forbidden: Attribute,
    },
}

/// The public half of an endorsement key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EkPublic {
    /// RSA-2048 with exponent 65537, named by SHA-256.
    Rsa2048 {
        /// The modulus, big endian.
        modulus: Box<[u8; 256]>,
    },
    /// A point on P-256, named by SHA-256.
    P256 {
        /// Big endian.
        x: [u8; 32],
        /// Big endian.
        y: [u8; 32],
    },
    /// A point on P-384, named by SHA-384.
    P384 {
        /// Big endian.
        x: [u8; 48],
        /// Big endian.
        y: [u8; 48],
    },
}

impl EkPublic {
    /// Reads a whole `TPMT_PUBLIC`, and that it only decrypts and never leaves its TPM. `[EKP]`
    ///
    /// # Errors
    ///
    /// [`EkKeyError`].
    pub fn parse(area: &[u8]) -> Result<Self, EkKeyError> {
        let [_, _, high, low, ..] = *area else { return parse_sha256(area) };
        if AlgorithmId(u16::from_be_bytes([high, low])) == SHA384 {
            parse_p384(area)
        } else {
            parse_sha256(area)
        }
    }

    /// The point, uncompressed, of a key on a curve. `[RFC5480]`
    #[must_use]
    pub fn point(&self) -> Option<Vec<u8>> {
        match self {
            Self::Rsa2048 { .. } => None,
            Self::P256 { x, y } => Some([&[4_u8], x.as_slice(), y].concat()),
            Self::P384 { x, y } => Some([&[4_u8], x.as_slice(), y].concat()),
        }
    }

    /// The Name of the key with this `area`: its hash's identifier, then the hash. `[TPM2-P1]`
    pub(super) fn name_of(&self, area: &[u8]) -> Vec<u8> {
        let (id, hash) = match self {
            Self::Rsa2048 { .. } | Self::P256 { .. } => (AlgorithmId::SHA256, &digest::SHA256),
            Self::P384 { .. } => (SHA384, &digest::SHA384),
        };
        [id.0.to_be_bytes().as_slice(), digest::digest(hash, area).as_ref()].concat()
    }

    /// Whether `certificate` is for this key.
    pub(super) fn is_of(&self, certificate: &X509Certificate<'_>) -> bool {
        let Ok(found) = certificate.public_key().parsed() else { return false };
        match (self, found) {
            (Self::Rsa2048 { modulus }, CertificateKey::RSA(key)) => {
                // DER puts a zero before a modulus whose first bit is set, as every one of 2048
                // bits has it.
                key.modulus.strip_prefix(&[0]) == Some(modulus.as_slice())
                    && key.try_exponent().is_ok_and(|exponent| exponent == 65_537)
            }
            (Self::P256 { .. } | Self::P384 { .. }, CertificateKey::EC(point)) => {
                self.point().is_some_and(|own| own == point.data()) && self.curve_of(certificate)
            }
            _ => false,
        }
    }

    /// Whether the certificate names this key's curve: lengths differ, and names must not lie.
    fn curve_of(&self, certificate: &X509Certificate<'_>) -> bool {
        let named = certificate.public_key().algorithm.parameters.as_ref();
        let named = named.and_then(|parameters| parameters.as_oid().ok());
        let own = match self {
            Self::Rsa2048 { .. } => None,
            Self::P256 { .. } => Some(PRIME256V1),
            Self::P384 { .. } => Some(SECP384R1),
        };
        named.zip(own).is_some_and(|(named, own)| named == own)
    }
}

fn parse_sha256(area: &[u8]) -> Result<EkPublic, EkKeyError> {
    let public = Public::parse(area).map_err(EkKeyError::Public)?;
    check_attributes(public.attributes())?;
    match (public.key(), public.symmetric()) {
        (PublicKey::Rsa2048 { modulus }, Symmetric::Aes128Cfb) => {
            Ok(EkPublic::Rsa2048 { modulus: modulus.clone() })
        }
        (PublicKey::P256 { point, .. }, Symmetric::Aes128Cfb) => {
            Ok(EkPublic::P256 { x: point.x, y: point.y })
        }
        (PublicKey::Rsa2048 { .. } | PublicKey::P256 { .. }, Symmetric::Null) => {
            Err(EkKeyError::Kind)
        }
    }
}

/// The one P-384 template, H-3, field by field. `[EKP]`
fn parse_p384(area: &[u8]) -> Result<EkPublic, EkKeyError> {
    let mut reader = Reader::new(area);
    let fault = EkKeyError::Read;
    let kind = reader.take_u16_be().map_err(fault)?;
    reader.take_u16_be().map_err(fault)?;
    let word = reader.take_u32_be().map_err(fault)?;
    let policy = reader.take_sized_u16_be().map_err(fault)?;
    let mut parameters = [0; 6];
    for field in &mut parameters {
        *field = reader.take_u16_be().map_err(fault)?;
    }
    let expected = [AlgorithmId::AES.0, 256, AlgorithmId::CFB.0, AlgorithmId::NULL.0, P384, NULL];
    if kind != AlgorithmId::ECC.0 || policy.len() != 48 || parameters != expected {
        return Err(EkKeyError::Kind);
    }
    let x = reader.take_sized_u16_be().map_err(fault)?;
    let y = reader.take_sized_u16_be().map_err(fault)?;
    reader.finish().map_err(fault)?;
    check_attributes(ObjectAttributes::from_word(word).ok_or(EkKeyError::Kind)?)?;
    match (padded(x), padded(y)) {
        (Some(x), Some(y)) => Ok(EkPublic::P384 { x, y }),
        _ => Err(EkKeyError::Kind),
    }
}

/// A coordinate in full length: a TPM may leave out zeros in front.
fn padded(coordinate: &[u8]) -> Option<[u8; 48]> {
    let mut full = [0; 48];
    let start = full.len().checked_sub(coordinate.len())?;
    full.get_mut(start..)?.copy_from_slice(coordinate);
    (!coordinate.is_empty()).then_some(full)
}

fn check_attributes(found: ObjectAttributes) -> Result<(), EkKeyError> {
    if let Some(missing) = found.first_missing(&REQUIRED) {
        return Err(EkKeyError::AttributeMissing { missing });
    }
    match found.first_present(&FORBIDDEN) {
        Some(forbidden) => Err(EkKeyError::AttributeForbidden { forbidden }),
        None => Ok(()),
    }
}

/// What every endorsement key has. `[EKP]`
const REQUIRED: [Attribute; 5] = [
    Attribute::FixedTpm,
    Attribute::FixedParent,
    Attribute::SensitiveDataOrigin,
    Attribute::Restricted,
    Attribute::Decrypt,
];

/// What no endorsement key has. `[EKP]`
const FORBIDDEN: [Attribute; 3] =
    [Attribute::Sign, Attribute::EncryptedDuplication, Attribute::X509Sign];

/// `TPM_ALG_SHA384`. `[TPM2-P2]`
const SHA384: AlgorithmId = AlgorithmId(0x000c);

/// `TPM_ECC_NIST_P384`. `[TPM2-P2]`
const P384: u16 = 0x0004;

/// `TPM_ALG_NULL`, as the key derivation scheme. `[TPM2-P2]`
const NULL: u16 = AlgorithmId::NULL.0;

/// `prime256v1`, which is P-256. `[RFC5480]`
const PRIME256V1: Oid<'static> = oid!(1.2.840.10045.3.1.7);

/// `secp384r1`, which is P-384. `[RFC5480]`
const SECP384R1: Oid<'static> = oid!(1.3.132.0.34);
