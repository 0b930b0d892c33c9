//! Renewal: a new certificate for an identity while its old one is in force.
//!
//! Both are good until the old one ends, so that its holder changes over when it likes. The
//! identity stays; the key may change, if a request shows that its holder asks for it.

use core::time::Duration;

use measured_boot::digest::sha256;
use measured_boot::tpm::{P256Point, SpkiError};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, UnixTime, pem};
use tre_wire::hex::Hex32;
use tre_wire::role::Identity;
use tre_wire::units::UnixMillis;
use webpki::{EndEntityCert, KeyUsage};

use crate::authority::Authority;
use crate::register::{Entry, Register};

/// Why a certificate is not renewed.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// No certificate in the file.
    #[error("expected the certificate that is to be renewed, in PEM: {0}")]
    Pem(#[source] pem::Error),
    /// Somebody else's, for another purpose, or not in force.
    #[error(
        "expected a certificate of this domain's grid authority that is in force: {0:?}; one that \
         has ended is issued anew with `tre-pki issue`"
    )]
    Chain(#[source] webpki::Error),
    /// Not a role's certificate.
    #[error("expected a certificate with one URI of a role, found another")]
    Identity,
    /// A key of another kind.
    #[error("expected a certificate for a P-256 key: {0}")]
    Key(#[source] SpkiError),
    /// The register does not know it, or it was revoked.
    #[error(
        "expected {identity} with the key {spki_sha256} among the certificates in force in the \
         register, found none: it was revoked, or this is another register"
    )]
    Unknown {
        /// The identity in the certificate.
        identity: Box<Identity>,
        /// SHA-256 of its key.
        spki_sha256: Hex32,
    },
}

/// A certificate that may be renewed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Renewable {
    identity: Identity,
    point: P256Point,
}

impl Renewable {
    /// Checks the first certificate in `file` (PEM): issued by `authority`, in force at `now`,
    /// known to the register.
    ///
    /// # Errors
    ///
    /// [`RenewError`].
    pub fn check(
        file: &[u8],
        authority: &Authority,
        register: &Register,
        now: UnixMillis,
    ) -> Result<Self, RenewError> {
        let leaf = CertificateDer::from_pem_slice(file).map_err(RenewError::Pem)?;
        let leaf = EndEntityCert::try_from(&leaf).map_err(RenewError::Chain)?;
        let anchor = webpki::anchor_from_trusted_cert(authority.certificate());
        let anchor = anchor.map_err(RenewError::Chain)?;
        let moment = UnixTime::since_unix_epoch(Duration::from_millis(now.get()));
        let algorithms = webpki::ALL_VERIFICATION_ALGS;
        let usage = KeyUsage::client_auth();
        leaf.verify_for_usage(algorithms, &[anchor], &[], moment, usage, None, None)
            .map_err(RenewError::Chain)?;
        let mut uris = leaf.valid_uri_names();
        let (Some(uri), None) = (uris.next(), uris.next()) else {
            return Err(RenewError::Identity);
        };
        let identity: Identity = uri.parse().map_err(|_| RenewError::Identity)?;
        let point =
            P256Point::from_spki_der(&leaf.subject_public_key_info()).map_err(RenewError::Key)?;
        let spki_sha256 = Hex32(sha256(&point.to_spki_der()).0);
        let known = |entry: &Entry| entry.spki_sha256 == spki_sha256;
        if !register.in_force(&identity, now).any(known) {
            return Err(RenewError::Unknown { identity: Box::new(identity), spki_sha256 });
        }
        Ok(Self { identity, point })
    }

    /// Whose it is.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Its key, `SubjectPublicKeyInfo` in DER.
    #[must_use]
    pub fn spki(&self) -> [u8; P256Point::SPKI_LEN] {
        self.point.to_spki_der()
    }
}
