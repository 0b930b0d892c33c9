//! From certificates and a key to a key that is certified.

use measured_boot::digest::{Sha256Digest, sha256};
use measured_boot::tpm::{Attribute, Name, Public, PublicError, PublicKey, Symmetric};
use rustls_pki_types::CertificateDer;
use tre_wire::bounds;
use tre_wire::hex::HexBytes;
use tre_wire::units::UnixMillis;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::public_key::PublicKey as CertificateKey;

use super::profile::{self, ProfileError, TpmModel};
use super::roots::EkRoots;

/// Most certificates that a TPM shows: one for each kind of key, with room.
const MOST_CERTIFICATES: usize = 8;

/// Why an endorsement key is not believed to be in a TPM.
#[derive(Debug, thiserror::Error)]
pub enum EkError {
    /// The box shows no certificate, or too many.
    #[error(
        "expected 1 to {MOST_CERTIFICATES} EK certificates in the TPM, found {found}; a TPM \
         without one cannot be enrolled"
    )]
    Count {
        /// Certificates found.
        found: usize,
    },
    /// A certificate is longer than any.
    #[error(
        "expected an EK certificate of at most {most} bytes, found {found}",
        most = bounds::CERTIFICATE_BYTES
    )]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// The public area is none.
    #[error("expected the EK's TPMT_PUBLIC: {0}")]
    Public(#[source] PublicError),
    /// Not a key of the default RSA-2048 template.
    #[error("expected an EK of the RSA-2048 template, found another kind of key")]
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
    /// No certificate is for this key: another TPM's certificates, or another TPM's key.
    #[error(
        "expected an EK certificate for the key {name}, found {found} for other keys; \
         key and certificates are not of one TPM"
    )]
    OtherKey {
        /// Name of the key shown.
        name: Name,
        /// Certificates shown.
        found: usize,
    },
    /// The certificate is not an endorsement key's.
    #[error("EK certificate: {0}")]
    Profile(#[source] ProfileError),
    /// No way to a root that the operator listed.
    #[error(
        "expected an EK certificate under a root in the --ek-roots folder, in force now: \
         {0:?}; add the TPM maker's root and intermediates if you trust them"
    )]
    Chain(#[source] webpki::Error),
}

/// An endorsement key that a listed manufacturer certified.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertifiedEk {
    name: Name,
    modulus: Box<[u8; 256]>,
    certificate: Sha256Digest,
    model: TpmModel,
}

impl CertifiedEk {
    /// Finds the certificate for the key in `public_area` (TPMT_PUBLIC) and checks both.
    ///
    /// # Errors
    ///
    /// [`EkError`] for the first thing that is wrong.
    pub fn check(
        certificates: &[HexBytes],
        public_area: &[u8],
        roots: &EkRoots,
        now: UnixMillis,
    ) -> Result<Self, EkError> {
        let public = Public::parse(public_area).map_err(EkError::Public)?;
        let modulus = check_key(&public)?;
        let (der, parsed) = find(certificates, &public, &modulus)?;
        let model = profile::check(&parsed).map_err(EkError::Profile)?;
        roots.verify(&CertificateDer::from(der), now).map_err(EkError::Chain)?;
        Ok(Self { name: public.name(), modulus, certificate: sha256(der), model })
    }

    /// Its Name.
    #[must_use]
    pub const fn name(&self) -> Name {
        self.name
    }

    /// Its RSA modulus, big endian.
    #[must_use]
    pub const fn modulus(&self) -> &[u8; 256] {
        &self.modulus
    }

    /// SHA-256 of its certificate.
    #[must_use]
    pub const fn certificate_sha256(&self) -> Sha256Digest {
        self.certificate
    }

    /// The TPM as its maker describes it.
    #[must_use]
    pub const fn model(&self) -> &TpmModel {
        &self.model
    }
}

/// The key is one that only decrypts, and never leaves its TPM.
fn check_key(public: &Public) -> Result<Box<[u8; 256]>, EkError> {
    let found = public.attributes();
    if let Some(missing) = found.first_missing(&REQUIRED) {
        return Err(EkError::AttributeMissing { missing });
    }
    if let Some(forbidden) = found.first_present(&FORBIDDEN) {
        return Err(EkError::AttributeForbidden { forbidden });
    }
    match (public.key(), public.symmetric()) {
        (PublicKey::Rsa2048 { modulus }, Symmetric::Aes128Cfb) => Ok(modulus.clone()),
        (PublicKey::Rsa2048 { .. } | PublicKey::P256 { .. }, _) => Err(EkError::Kind),
    }
}

/// The certificate whose key is this one, as bytes and read.
fn find<'a>(
    certificates: &'a [HexBytes],
    public: &Public,
    modulus: &[u8; 256],
) -> Result<(&'a [u8], X509Certificate<'a>), EkError> {
    let found = certificates.len();
    if found == 0 || found > MOST_CERTIFICATES {
        return Err(EkError::Count { found });
    }
    let most = bounds::CERTIFICATE_BYTES;
    if let Some(long) = certificates.iter().find(|der| der.0.len() > most) {
        return Err(EkError::TooLong { found: long.0.len() });
    }
    let mut readable = certificates.iter().filter_map(|der| {
        let (rest, parsed) = X509Certificate::from_der(der.as_slice()).ok()?;
        rest.is_empty().then_some((der.as_slice(), parsed))
    });
    readable
        .find(|(_, parsed)| certifies(parsed, modulus))
        .ok_or(EkError::OtherKey { name: public.name(), found })
}

/// Whether `certificate` is for the RSA key with this modulus and exponent 65537.
fn certifies(certificate: &X509Certificate<'_>, modulus: &[u8; 256]) -> bool {
    let Ok(CertificateKey::RSA(key)) = certificate.public_key().parsed() else {
        return false;
    };
    // DER puts a zero before a modulus whose first bit is set; every modulus of 2048 bits has it.
    key.modulus.strip_prefix(&[0]) == Some(modulus.as_slice())
        && key.try_exponent().is_ok_and(|exponent| exponent == 65_537)
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
