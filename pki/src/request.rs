//! Certificate requests: who wants to be certified makes the key, and shows that it holds it.
//!
//! PKCS#10 in PEM. `[RFC2986]` A request says one name, a URI of the trust domain, and one key,
//! P-256. Whatever else it asks for has no effect: what goes into a certificate is the profile's.

use measured_boot::tpm::{P256Point, SpkiError};
use rcgen::{CertificateParams, DistinguishedName, DnType, SanType, SigningKey, string::Ia5String};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use tre_tpm_key::{HeldKey, HeldKeyError};
use tre_wire::id::TrustDomain;
use tre_wire::role::{Identity, Role};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;
use x509_parser::der_parser::oid;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer as _;

use crate::authority;
use crate::tpm_key::TpmKey;

/// Longest request. Unit: bytes of DER.
const REQUEST_BYTES: usize = 4_096;

/// Why a request was not made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// The library did not write it.
    #[error("cannot make the request: {0}")]
    Write(#[source] rcgen::Error),
    /// The TPM did not sign it.
    #[error("cannot make the request: {0}")]
    Tpm(#[source] Box<HeldKeyError>),
}

/// Why a request is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// No request in the file, or several.
    #[error("expected one PEM block CERTIFICATE REQUEST, found another or none")]
    Pem,
    /// Longer than any.
    #[error("expected a request of at most {REQUEST_BYTES} bytes, found {found}")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// Not PKCS#10, or with bytes behind its end.
    #[error("expected a readable certificate request (PKCS#10), found something else")]
    Unreadable,
    /// Another kind of key.
    #[error("expected a request for a P-256 key: {0}")]
    Key(#[source] SpkiError),
    /// Signed with another algorithm.
    #[error("expected a request signed with ecdsa-with-SHA256, found another algorithm")]
    Algorithm,
    /// Whoever asks does not hold the key, or the request was changed.
    #[error("expected a request signed by its own key, found another signature")]
    Signature,
    /// No name, several, or a name of another kind.
    #[error(
        "expected one subject alternative name, the URI spiffe://<trust-domain>/<role>/<id>, \
         found {found} names"
    )]
    Names {
        /// Names found.
        found: usize,
    },
    /// A URI that is no identity: odd characters, another form.
    #[error(
        "expected the name spiffe://<trust-domain>/<role>/<id> with plain characters, found \
         {found:?}"
    )]
    Name {
        /// The URI.
        found: Box<str>,
    },
    /// An identity of another domain.
    #[error("expected an identity of the trust domain {expected}, found {found}")]
    OtherDomain {
        /// Our domain.
        expected: TrustDomain,
        /// The identity asked for.
        found: Box<Identity>,
    },
    /// A TRE's keys are certified after proof.
    #[error("expected a role other than tre: a TRE gets its certificates by `tre-pki enrol`")]
    TreRole,
    /// Another identity than the one to be certified.
    #[error("expected a request for {expected}, found one for {found}")]
    OtherIdentity {
        /// Whom the authority means to certify.
        expected: Box<Identity>,
        /// Who asks.
        found: Box<Identity>,
    },
}

/// A request whose key, signature and name are good.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CheckedRequest {
    identity: Identity,
    point: P256Point,
}

/// The request of `key`'s holder to be certified as `identity`, in PEM.
///
/// # Errors
///
/// [`MakeError`].
pub fn make(identity: &Identity, key: &impl SigningKey) -> Result<String, MakeError> {
    write(identity, key).map_err(MakeError::Write)
}

/// The same for a key in a TPM.
///
/// # Errors
///
/// [`MakeError`].
pub fn make_held(identity: &Identity, key: &HeldKey) -> Result<String, MakeError> {
    let key = TpmKey::new(key);
    match write(identity, &key) {
        Ok(request) => Ok(request),
        Err(error) => Err(match key.refusal() {
            Some(refusal) => MakeError::Tpm(Box::new(refusal)),
            None => MakeError::Write(error),
        }),
    }
}

fn write(identity: &Identity, key: &impl SigningKey) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::OrganizationName, identity.trust_domain.as_str());
    subject.push(authority::user_id(), identity.id.as_str());
    params.distinguished_name = subject;
    params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(identity.to_string())?)];
    params.serialize_request(key)?.pem()
}

impl CheckedRequest {
    /// Reads one request in PEM and checks it for `domain`.
    ///
    /// # Errors
    ///
    /// [`RequestError`] for the first thing that is wrong.
    pub fn from_pem(text: &[u8], domain: &TrustDomain) -> Result<Self, RequestError> {
        let blocks = pem::parse_many(text).map_err(|_| RequestError::Pem)?;
        match blocks.as_slice() {
            [block] if block.tag() == PEM_LABEL => Self::from_der(block.contents(), domain),
            _ => Err(RequestError::Pem),
        }
    }

    /// Checks a request (DER) for `domain`.
    ///
    /// # Errors
    ///
    /// [`RequestError`], from [`RequestError::TooLong`] on.
    pub fn from_der(der: &[u8], domain: &TrustDomain) -> Result<Self, RequestError> {
        if der.len() > REQUEST_BYTES {
            return Err(RequestError::TooLong { found: der.len() });
        }
        let Ok(([], request)) = X509CertificationRequest::from_der(der) else {
            return Err(RequestError::Unreadable);
        };
        let point = check_key(&request)?;
        let identity = identity(&request)?;
        if identity.trust_domain != *domain {
            let (expected, found) = (domain.clone(), Box::new(identity));
            return Err(RequestError::OtherDomain { expected, found });
        }
        if identity.role == Role::Tre {
            return Err(RequestError::TreRole);
        }
        Ok(Self { identity, point })
    }

    /// Refuses a request for anybody but `expected`.
    ///
    /// # Errors
    ///
    /// [`RequestError::OtherIdentity`].
    pub fn check_identity(&self, expected: &Identity) -> Result<(), RequestError> {
        if self.identity == *expected {
            return Ok(());
        }
        let (expected, found) = (Box::new(expected.clone()), Box::new(self.identity.clone()));
        Err(RequestError::OtherIdentity { expected, found })
    }

    /// Who asks.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The key, `SubjectPublicKeyInfo` in DER.
    #[must_use]
    pub fn spki(&self) -> [u8; P256Point::SPKI_LEN] {
        self.point.to_spki_der()
    }
}

/// The key is of our kind, and its holder signed the request.
fn check_key(request: &X509CertificationRequest<'_>) -> Result<P256Point, RequestError> {
    let signed = &request.certification_request_info;
    let point = P256Point::from_spki_der(signed.subject_pki.raw).map_err(RequestError::Key)?;
    if request.signature_algorithm.algorithm != oid!(1.2.840.10045.4.3.2) {
        return Err(RequestError::Algorithm);
    }
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point.to_sec1())
        .verify(signed.raw, &request.signature_value.data)
        .map_err(|_| RequestError::Signature)?;
    Ok(point)
}

/// The one name in the request.
fn identity(request: &X509CertificationRequest<'_>) -> Result<Identity, RequestError> {
    let attributes = request.certification_request_info.iter_attributes();
    let extensions = attributes.filter_map(|attribute| {
        let ParsedCriAttribute::ExtensionRequest(asked) = attribute.parsed_attribute() else {
            return None;
        };
        Some(asked.extensions.iter())
    });
    let names: Vec<&GeneralName<'_>> = extensions
        .flatten()
        .filter_map(|extension| {
            let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension()
            else {
                return None;
            };
            Some(names.general_names.iter())
        })
        .flatten()
        .collect();
    match names.as_slice() {
        [GeneralName::URI(uri)] => {
            uri.parse().map_err(|_| RequestError::Name { found: Box::from(*uri) })
        }
        other => Err(RequestError::Names { found: other.len() }),
    }
}

/// PEM label of a request. `[RFC7468]`
pub(crate) const PEM_LABEL: &str = "CERTIFICATE REQUEST";
