//! Certificate chains: to an authority that the deployment names, for one purpose, for one name.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use rustls_pki_types::{
    CertificateDer, SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer, TrustAnchor, UnixTime,
};
use tre_wire::denylist::TpmManufacturer;
use tre_wire::revocation::Reason;
use tre_wire::role::Identity;
use tre_wire::units::UnixMillis;
use webpki::{EndEntityCert, KeyUsage, VerifiedPath};

use crate::subject;

/// What a certificate may be used for. Every certificate of its chain must say so.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// `id-kp-serverAuth`: the key of a TLS server. `[RFC5280]`
    TlsServer,
    /// `tcg-kp-AIKCertificate`, 2.23.133.8.3: the key that quotes. `[AKP]`
    AttestationKey,
}

impl Purpose {
    const fn usage(self) -> KeyUsage {
        KeyUsage::required(match self {
            Self::TlsServer => &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01],
            Self::AttestationKey => &[0x67, 0x81, 0x05, 0x08, 0x03],
        })
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TlsServer => "serverAuth",
            Self::AttestationKey => "tcg-kp-AIKCertificate",
        })
    }
}

/// Why a chain does not lead to an authority.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ChainError {
    /// No certificate at all.
    Empty,
    /// The leaf is not a certificate.
    Unreadable {
        /// What the parser found.
        cause: webpki::Error,
    },
    /// Its own issuer: the throw-away certificate of a box that is new or locked.
    SelfIssued,
    /// The status key has taken the key out of use.
    Revoked {
        /// When. Unit: milliseconds since 1970.
        since: UnixMillis,
        /// Why.
        reason: Reason,
        /// Number of the list that says so.
        sequence: u32,
    },
    /// No valid way to an authority for this purpose at this time.
    Untrusted {
        /// What the path builder found.
        cause: webpki::Error,
    },
}

impl fmt::Display for ChainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no certificate"),
            Self::Unreadable { cause } => write!(f, "not a certificate: {cause}"),
            Self::SelfIssued => f.write_str("self-signed, as of a box that is new or locked"),
            Self::Revoked { since, reason, sequence } => {
                let reason = match reason {
                    Reason::KeyCompromise => "key compromised",
                    Reason::KeyLost => "key lost",
                    Reason::Withdrawn => "withdrawn",
                };
                write!(f, "revoked at {since} ({reason}) by revocation list {sequence}")
            }
            Self::Untrusted { cause: webpki::Error::UnknownIssuer } => {
                f.write_str("issued by somebody else")
            }
            Self::Untrusted { cause: webpki::Error::RequiredEkuNotFoundContext(_) } => {
                f.write_str("made for another purpose")
            }
            Self::Untrusted { cause: webpki::Error::PathLenConstraintViolated } => {
                f.write_str("certified by an authority that the deployment does not list")
            }
            Self::Untrusted { cause } => write!(f, "{cause}"),
        }
    }
}

impl core::error::Error for ChainError {}

/// The leaf and the certificates that came with it.
fn split<'a>(
    chain: &'a [CertificateDer<'a>],
) -> Result<(EndEntityCert<'a>, &'a [CertificateDer<'a>]), ChainError> {
    let (leaf, others) = chain.split_first().ok_or(ChainError::Empty)?;
    let leaf = EndEntityCert::try_from(leaf).map_err(|cause| ChainError::Unreadable { cause })?;
    Ok((leaf, others))
}

/// Builds a path from the leaf to one of `authorities`, every certificate in force at `now` and
/// made for `purpose`.
pub(crate) fn verify(
    chain: &[CertificateDer<'_>],
    authorities: &[TrustAnchor<'_>],
    now: UnixMillis,
    purpose: Purpose,
) -> Result<(), ChainError> {
    let (leaf, others) = split(chain)?;
    let now = UnixTime::since_unix_epoch(Duration::from_millis(now.get()));
    leaf.verify_for_usage(
        ALGORITHMS,
        authorities,
        others,
        now,
        purpose.usage(),
        None,
        Some(&direct),
    )
    .map(|_| ())
    .map_err(|cause| {
        let self_issued = leaf.issuer() == leaf.subject();
        if self_issued { ChainError::SelfIssued } else { ChainError::Untrusted { cause } }
    })
}

/// An authority that a deployment lists issues for itself: a certificate between it and a TRE's is
/// one that somebody was not meant to issue. What an anchor says of the length of paths below it
/// the library does not read.
///
/// # Errors
///
/// [`webpki::Error::PathLenConstraintViolated`].
pub fn direct(path: &VerifiedPath<'_>) -> Result<(), webpki::Error> {
    match path.intermediate_certificates().next() {
        None => Ok(()),
        Some(_) => Err(webpki::Error::PathLenConstraintViolated),
    }
}

/// The URIs among the leaf's names. Exactly one is right.
pub(crate) fn uris(chain: &[CertificateDer<'_>]) -> Result<Vec<String>, ChainError> {
    let (leaf, _) = split(chain)?;
    Ok(leaf.valid_uri_names().map(ToString::to_string).collect())
}

/// The leaf's `SubjectPublicKeyInfo`, DER.
pub(crate) fn public_key(
    chain: &[CertificateDer<'_>],
) -> Result<SubjectPublicKeyInfoDer<'static>, ChainError> {
    let (leaf, _) = split(chain)?;
    Ok(leaf.subject_public_key_info())
}

/// The TPM manufacturer in the leaf's subject, if there is exactly one.
pub(crate) fn manufacturer(chain: &[CertificateDer<'_>]) -> Option<TpmManufacturer> {
    let (leaf, _) = split(chain).ok()?;
    let text = subject::attribute(leaf.subject(), TPM_MANUFACTURER)?;
    core::str::from_utf8(text).ok()?.parse().ok()
}

/// `tcg-at-tpmManufacturer`, 2.23.133.2.1, as DER content. `[EKP]`
const TPM_MANUFACTURER: &[u8] = &[0x67, 0x81, 0x05, 0x02, 0x01];

/// Whether the leaf's only URI is `expected`.
pub(crate) fn names_only(uris: &[String], expected: &Identity) -> bool {
    matches!(uris, [uri] if *uri == expected.to_string())
}

/// The URIs found, in words.
pub(crate) fn in_words(uris: &[String]) -> String {
    if uris.is_empty() { String::from("no URI") } else { uris.join(" and ") }
}

/// Signature algorithms of certificates: those of our own authorities.
const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[webpki::ring::ECDSA_P256_SHA256];
