//! From certificates and a key to a key that is certified.

use std::collections::BTreeSet;

use measured_boot::digest::{Sha256Digest, sha256};
use rustls_pki_types::CertificateDer;
use tre_wire::bounds;
use tre_wire::denylist::TpmManufacturer;
use tre_wire::hex::{self, Hex32, HexBytes};
use tre_wire::units::UnixMillis;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::admission::Deviation;
use super::key::{EkKeyError, EkPublic};
use super::profile::{self, ProfileError, TpmModel};
use super::roots::EkRoots;

/// Most certificates that a TPM shows: one for each kind of key, with room.
const MOST_CERTIFICATES: usize = 8;

/// What is admitted of a key whose hash the operator gave.
const NO_CERTIFICATE: Deviation = Deviation::NoCertificate;

/// Why an endorsement key is not believed to be in a TPM.
#[derive(Debug, thiserror::Error)]
pub enum EkError {
    /// The box shows no certificate, and nobody decided for its key.
    #[error(
        "expected an EK certificate in the TPM, found none; if you know by another way that the \
         key with SHA-256 {key} is in this TPM, say so with --ek-uncertified {key}"
    )]
    NoCertificate {
        /// SHA-256 of the key's TPMT_PUBLIC.
        key: Hex32,
    },
    /// The box shows too many certificates.
    #[error("expected at most {MOST_CERTIFICATES} EK certificates in the TPM, found {found}")]
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
    /// The key is none of an endorsement key's kind.
    #[error(transparent)]
    Key(EkKeyError),
    /// No certificate is for this key: another TPM's certificates, or another TPM's key.
    #[error(
        "expected an EK certificate for the key {}, found {found} for other keys; \
         key and certificates are not of one TPM",
        hex::encode(name)
    )]
    OtherKey {
        /// Name of the key shown.
        name: Vec<u8>,
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

/// An endorsement key that a listed manufacturer certified, or the operator decided for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertifiedEk {
    name: Vec<u8>,
    public: EkPublic,
    certificate: Option<Sha256Digest>,
    model: TpmModel,
    admitted: BTreeSet<Deviation>,
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
        let public = EkPublic::parse(public_area).map_err(EkError::Key)?;
        let name = public.name_of(public_area);
        if certificates.is_empty() {
            let key = Hex32(sha256(public_area).0);
            if !roots.admission().admits_key(key) {
                return Err(EkError::NoCertificate { key });
            }
            let (model, admitted) = (TpmModel::unknown(), BTreeSet::from([NO_CERTIFICATE]));
            return Ok(Self { name, public, certificate: None, model, admitted });
        }
        let (der, parsed) = find(certificates, &public, &name)?;
        let held = profile::check(&parsed, &public, roots.admission());
        let (model, admitted) = held.map_err(EkError::Profile)?;
        roots.verify(&CertificateDer::from(der), now).map_err(EkError::Chain)?;
        Ok(Self { name, public, certificate: Some(sha256(der)), model, admitted })
    }

    /// Its Name: of 34 bytes, or of 50 for a P-384 key, which is named by SHA-384.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// The key.
    #[must_use]
    pub const fn public(&self) -> &EkPublic {
        &self.public
    }

    /// SHA-256 of its certificate; none if the operator decided for the key itself.
    #[must_use]
    pub const fn certificate_sha256(&self) -> Option<Sha256Digest> {
        self.certificate
    }

    /// Where it departs from the profile, as the operator admitted.
    #[must_use]
    pub const fn admitted(&self) -> &BTreeSet<Deviation> {
        &self.admitted
    }

    /// Its manufacturer, if the certificate says it as the TCG registers them.
    #[must_use]
    pub fn manufacturer(&self) -> Option<TpmManufacturer> {
        self.model.manufacturer.parse().ok()
    }

    /// The TPM as its maker describes it.
    #[must_use]
    pub const fn model(&self) -> &TpmModel {
        &self.model
    }
}

/// The certificate whose key is this one, as bytes and read.
fn find<'a>(
    certificates: &'a [HexBytes],
    public: &EkPublic,
    name: &[u8],
) -> Result<(&'a [u8], X509Certificate<'a>), EkError> {
    let found = certificates.len();
    if found > MOST_CERTIFICATES {
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
        .find(|(_, parsed)| public.is_of(parsed))
        .ok_or(EkError::OtherKey { name: name.to_vec(), found })
}
