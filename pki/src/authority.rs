//! Authorities and what they certify: one profile a kind of key.
//!
//! An authority's certificate excludes every host name, address and mail address, so that it can
//! vouch for nothing but the URIs of its trust domain. (That a URI is of *this* domain cannot be
//! written as a constraint: the path builder that every party here uses refuses URI constraints.)

mod serial;

use core::fmt;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, PublicKeyData, SanType, SerialNumber, SigningKey as _, string::Ia5String,
};
use rsa::rand_core::CryptoRngCore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tre_wire::denylist::TpmManufacturer;
use tre_wire::id::TrustDomain;
use tre_wire::role::Identity;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroizing;

pub(crate) use self::serial::Serial;
use crate::key_file::PrivateKey;
use crate::validity::Validity;

/// The authorities of a domain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum AuthorityKind {
    /// Certifies the two others. Kept offline.
    Root,
    /// Certifies TREs.
    Tre,
    /// Certifies every other role.
    Grid,
}

impl AuthorityKind {
    /// The name, as it stands in the certificate.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Tre => "TRE authority",
            Self::Grid => "grid authority",
        }
    }
}

impl fmt::Display for AuthorityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a certified key is for. Each has one extended key usage and no other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Profile {
    /// A role's TLS client key: `id-kp-clientAuth`. `[RFC5280]`
    RoleClient,
    /// A TRE's TLS server key: `id-kp-serverAuth`. `[RFC5280]`
    TreServer,
    /// A TRE's attestation key: `tcg-kp-AIKCertificate`, 2.23.133.8.3. `[AKP]`
    AttestationKey,
    /// A TRE's document key: `id-kp-documentSigning`, 1.3.6.1.5.5.7.3.36. `[RFC9336]`
    DocumentKey,
}

impl Profile {
    fn usage(self) -> ExtendedKeyUsagePurpose {
        match self {
            Self::RoleClient => ExtendedKeyUsagePurpose::ClientAuth,
            Self::TreServer => ExtendedKeyUsagePurpose::ServerAuth,
            Self::AttestationKey => ExtendedKeyUsagePurpose::Other(vec![2, 23, 133, 8, 3]),
            Self::DocumentKey => ExtendedKeyUsagePurpose::Other(vec![1, 3, 6, 1, 5, 5, 7, 3, 36]),
        }
    }
}

/// Why a certificate was not made.
#[derive(Debug, thiserror::Error)]
pub enum CertifyError {
    /// The certificate would outlive its issuer's.
    #[error(
        "expected a certificate that ends no later than its {authority}'s, found one that ends \
         {days} days later; ask for fewer days, or make a new authority"
    )]
    OutlivesAuthority {
        /// The issuer.
        authority: AuthorityKind,
        /// Days too many, begun ones counted.
        days: i64,
    },
    /// Random bytes could not be had.
    #[error("no random bytes for a serial number: {0}")]
    Random(#[source] rsa::rand_core::Error),
    /// The certificate could not be written or signed.
    #[error("cannot make the certificate: {0}")]
    Make(#[source] rcgen::Error),
}

/// Why an authority's files do not make an authority.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// No certificate in the file.
    #[error("expected one PEM certificate of the {authority}: {source}")]
    Certificate {
        /// The authority.
        authority: AuthorityKind,
        /// What the reader found.
        source: rustls_pki_types::pem::Error,
    },
    /// The certificate is not readable.
    #[error("expected a readable certificate of the {authority}")]
    Unreadable {
        /// The authority.
        authority: AuthorityKind,
    },
    /// The certificate is no authority's.
    #[error("expected a certificate of the {authority} that may sign certificates, found another")]
    NoAuthority {
        /// The authority.
        authority: AuthorityKind,
    },
    /// The key is not one that signs here.
    #[error("expected a P-256 private key of the {authority}: {source}")]
    KeyUnusable {
        /// The authority.
        authority: AuthorityKind,
        /// What the library says.
        source: rcgen::Error,
    },
    /// Certificate and key are not of one pair.
    #[error("expected the private key of the {authority}'s certificate, found another key")]
    KeyMismatch {
        /// The authority.
        authority: AuthorityKind,
    },
}

/// An authority that can sign: its certificate and its private key.
pub struct Authority {
    kind: AuthorityKind,
    certificate: CertificateDer<'static>,
    /// Last second, seconds since 1970.
    not_after: i64,
    issuer: Issuer<'static, KeyPair>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Authority {
    /// The authority with this certificate (PEM) and this key.
    ///
    /// # Errors
    ///
    /// [`AuthorityError`]: unreadable, not an authority, or not a pair.
    pub fn new(
        kind: AuthorityKind,
        certificate: &[u8],
        key: &PrivateKey,
    ) -> Result<Self, AuthorityError> {
        let certificate = read_certificate(kind, certificate)?;
        let algorithm = &rcgen::PKCS_ECDSA_P256_SHA256;
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&key.pkcs8(), algorithm)
            .map_err(|source| AuthorityError::KeyUnusable { authority: kind, source })?;
        let unreadable = AuthorityError::Unreadable { authority: kind };
        let Ok(([], parsed)) = X509Certificate::from_der(&certificate) else {
            return Err(unreadable);
        };
        let signs = parsed.key_usage().ok().flatten().is_some_and(|u| u.value.key_cert_sign());
        if !parsed.is_ca() || !signs {
            return Err(AuthorityError::NoAuthority { authority: kind });
        }
        if parsed.public_key().raw != key.subject_public_key_info() {
            return Err(AuthorityError::KeyMismatch { authority: kind });
        }
        let not_after = parsed.validity().not_after.timestamp();
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|_| unreadable)?;
        Ok(Self { kind, certificate, not_after, issuer })
    }

    /// A new root.
    ///
    /// # Errors
    ///
    /// [`CertifyError::Random`] and [`CertifyError::Make`].
    pub fn root(
        domain: &TrustDomain,
        validity: Validity,
        random: &mut dyn CryptoRngCore,
    ) -> Result<Self, CertifyError> {
        let kind = AuthorityKind::Root;
        let key = KeyPair::generate().map_err(CertifyError::Make)?;
        let params = authority_params(kind, domain, validity, random)?;
        let made = params.self_signed(&key).map_err(CertifyError::Make)?;
        let not_after = validity.not_after().unix_timestamp();
        let issuer = Issuer::new(params, key);
        Ok(Self { kind, certificate: made.der().clone(), not_after, issuer })
    }

    /// A new authority of `kind` under this one.
    ///
    /// # Errors
    ///
    /// [`CertifyError`].
    pub fn subordinate(
        &self,
        kind: AuthorityKind,
        domain: &TrustDomain,
        validity: Validity,
        random: &mut dyn CryptoRngCore,
    ) -> Result<Self, CertifyError> {
        let key = KeyPair::generate().map_err(CertifyError::Make)?;
        let params = authority_params(kind, domain, validity, random)?;
        let certificate = self.sign(&params, &key)?;
        let not_after = validity.not_after().unix_timestamp();
        Ok(Self { kind, certificate, not_after, issuer: Issuer::new(params, key) })
    }

    /// Certifies that `key` is `identity`'s, for what `profile` says.
    ///
    /// # Errors
    ///
    /// [`CertifyError`].
    pub fn certify(
        &self,
        profile: Profile,
        identity: &Identity,
        key: &impl PublicKeyData,
        validity: Validity,
        random: &mut dyn CryptoRngCore,
    ) -> Result<CertificateDer<'static>, CertifyError> {
        self.certify_as(profile, identity, key, validity, &Serial::draw(random)?)
    }

    /// The same with a serial number that was drawn before.
    pub(crate) fn certify_as(
        &self,
        profile: Profile,
        identity: &Identity,
        key: &impl PublicKeyData,
        validity: Validity,
        serial: &Serial,
    ) -> Result<CertificateDer<'static>, CertifyError> {
        self.sign(&leaf_params(profile, identity, validity, serial)?, key)
    }

    /// Certifies an attestation key, and says in its subject who made the TPM that it is in.
    ///
    /// [AKP, not followed: the manufacturer stands in the subject, not in a directory name beside
    /// the URI, since the verifier's path builder hands out the one and not the other.]
    ///
    /// # Errors
    ///
    /// [`CertifyError`].
    pub fn certify_attestation_key(
        &self,
        identity: &Identity,
        key: &impl PublicKeyData,
        manufacturer: Option<TpmManufacturer>,
        validity: Validity,
        random: &mut dyn CryptoRngCore,
    ) -> Result<CertificateDer<'static>, CertifyError> {
        let serial = Serial::draw(random)?;
        let mut params = leaf_params(Profile::AttestationKey, identity, validity, &serial)?;
        if let Some(manufacturer) = manufacturer {
            let kind = DnType::CustomDnType(vec![2, 23, 133, 2, 1]);
            params.distinguished_name.push(kind, manufacturer.to_string());
        }
        self.sign(&params, key)
    }

    /// Signs the bytes of an enrolment record ([`tre_wire::document::enrolment`]).
    ///
    /// # Errors
    ///
    /// [`CertifyError::Make`].
    pub(crate) fn sign_enrolment(&self, record: &[u8]) -> Result<Vec<u8>, CertifyError> {
        self.issuer.key().sign(record).map_err(CertifyError::Make)
    }

    /// Its certificate.
    #[must_use]
    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Its private key.
    #[must_use]
    pub(crate) fn key(&self) -> PrivateKey {
        PrivateKey::from_der(Zeroizing::new(self.issuer.key().serialize_der()))
    }

    fn sign(
        &self,
        params: &CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<CertificateDer<'static>, CertifyError> {
        let excess = params.not_after.unix_timestamp().saturating_sub(self.not_after);
        if excess > 0 {
            let days = excess.saturating_add(DAY_SECONDS - 1) / DAY_SECONDS;
            return Err(CertifyError::OutlivesAuthority { authority: self.kind, days });
        }
        let made = params.signed_by(key, &self.issuer).map_err(CertifyError::Make)?;
        Ok(made.der().clone())
    }
}

/// What a certificate of `identity` for `profile` says.
fn leaf_params(
    profile: Profile,
    identity: &Identity,
    validity: Validity,
    serial: &Serial,
) -> Result<CertificateParams, CertifyError> {
    let name = (user_id(), identity.id.as_str());
    let mut params = params(name, &identity.trust_domain, validity, serial);
    let uri = Ia5String::try_from(identity.to_string()).map_err(CertifyError::Make)?;
    params.subject_alt_names = vec![SanType::URI(uri)];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![profile.usage()];
    Ok(params)
}

/// The one certificate of an authority in a PEM file.
pub(crate) fn read_certificate(
    kind: AuthorityKind,
    pem: &[u8],
) -> Result<CertificateDer<'static>, AuthorityError> {
    CertificateDer::from_pem_slice(pem)
        .map_err(|source| AuthorityError::Certificate { authority: kind, source })
}

/// What every certificate has: names, validity, a random serial number, its issuer's key id.
fn params(
    (kind, name): (DnType, &str),
    domain: &TrustDomain,
    validity: Validity,
    serial: &Serial,
) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, domain.as_str());
    subject.push(kind, name);
    params.distinguished_name = subject;
    params.not_before = validity.not_before();
    params.not_after = validity.not_after();
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(SerialNumber::from_slice(serial.as_bytes()));
    params
}

/// The attribute `userId` of a subject. `[RFC4519]`
///
/// Not a common name: OpenSSL and GnuTLS take that for a host name where it looks like one, and our
/// authorities may certify no host.
pub(crate) fn user_id() -> DnType {
    DnType::CustomDnType(vec![0, 9, 2342, 19_200_300, 100, 1, 1])
}

/// The parameters of an authority's certificate.
fn authority_params(
    kind: AuthorityKind,
    domain: &TrustDomain,
    validity: Validity,
    random: &mut dyn CryptoRngCore,
) -> Result<CertificateParams, CertifyError> {
    let mut params =
        params((DnType::CommonName, kind.as_str()), domain, validity, &Serial::draw(random)?);
    let below = u8::from(kind == AuthorityKind::Root);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    if kind == AuthorityKind::Tre {
        // It signs enrolment records, too.
        params.key_usages.push(KeyUsagePurpose::DigitalSignature);
    }
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: Vec::new(),
        excluded_subtrees: vec![
            GeneralSubtree::DnsName(String::new()),
            GeneralSubtree::Rfc822Name(String::new()),
            GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([0; 4], 0)),
            GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix([0; 16], 0)),
        ],
    });
    Ok(params)
}

/// One day. Unit: seconds.
const DAY_SECONDS: i64 = 86_400;
