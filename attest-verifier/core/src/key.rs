//! The attestation key: what it can do, and who certified that it is this TRE's.

use alloc::string::String;
use alloc::vec::Vec;

use measured_boot::digest::{Sha256Digest, sha256};
use measured_boot::tpm::{AikPublic, AikRefusal, Public, PublicError};
use rustls_pki_types::CertificateDer;
use tre_wire::attestation::Evidence;
use tre_wire::denylist::TpmManufacturer;
use tre_wire::role::Identity;
use tre_wire::units::UnixMillis;

use crate::chain::{self, ChainError, Purpose};
use crate::check::{Check, Mismatch, Sides, mismatch_is_error};
use crate::reference::Reference;

/// Why a key's quotes are not believed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum KeyError {
    /// No way to an authority that certifies TREs.
    Chain {
        /// What is wrong with the chain.
        cause: ChainError,
    },
    /// The certificate is another TRE's.
    Identity {
        /// The identity asked for.
        expected: Identity,
        /// The URIs that the certificate names.
        found: Vec<String>,
    },
    /// The public area is none.
    Unreadable {
        /// What the parser found.
        cause: PublicError,
    },
    /// The key could sign something that its TPM did not make, or leave its TPM.
    Profile {
        /// The attribute or parameter that is wrong.
        cause: AikRefusal,
    },
    /// The certificate is for another key than the one in the evidence.
    CertificateKey {
        /// SHA-256 of the SubjectPublicKeyInfo that the certificate is for.
        expected: Sha256Digest,
        /// SHA-256 of the SubjectPublicKeyInfo of the key in the evidence.
        found: Sha256Digest,
    },
    /// A box that is not enrolled shows a certificate.
    Enrolled {
        /// Certificates found.
        found: usize,
    },
}

impl Mismatch for KeyError {
    fn check(&self) -> Check {
        match self {
            Self::Chain { .. } | Self::Enrolled { .. } => Check::AikChain,
            Self::Identity { .. } => Check::AikIdentity,
            Self::Unreadable { .. } | Self::Profile { .. } => Check::AikProfile,
            Self::CertificateKey { .. } => Check::AikCertificateKey,
        }
    }

    fn sides(&self) -> Sides {
        match self {
            Self::Chain { cause } => Sides::new(EXPECTED_CHAIN, cause),
            Self::Identity { expected, found } => Sides::new(expected, chain::in_words(found)),
            Self::Unreadable { cause } => Sides::new(EXPECTED_PROFILE, cause),
            Self::Profile { cause } => Sides::new(EXPECTED_PROFILE, cause),
            Self::CertificateKey { expected, found } => Sides::new(expected, found),
            Self::Enrolled { found } => {
                Sides::new(EXPECTED_NO_CHAIN, format_args!("{found} certificates"))
            }
        }
    }
}

mismatch_is_error!(KeyError);

/// What the chain of an attestation key should be, in words.
pub(crate) const EXPECTED_CHAIN: &str = "issued by a TRE authority for tcg-kp-AIKCertificate";

/// What the key of a box that is not enrolled has for a chain, in words.
pub(crate) const EXPECTED_NO_CHAIN: &str = "no certificate";

/// What an attestation key should be, in words.
pub(crate) const EXPECTED_PROFILE: &str =
    "P-256, ECDSA over SHA-256, restricted, fixedTPM, fixedParent, sign only";

/// The certificates of the attestation key, leaf first.
fn certificates(evidence: &Evidence) -> Vec<CertificateDer<'_>> {
    let chain = evidence.attestation_key_chain.iter();
    chain.map(|certificate| CertificateDer::from(certificate.as_slice())).collect()
}

/// The chain leads to an authority that certifies TREs, for the purpose of quoting.
pub(crate) fn check_chain(
    evidence: &Evidence,
    reference: &Reference,
    now: UnixMillis,
) -> Result<(), KeyError> {
    reference
        .verify_chain(&certificates(evidence), now, Purpose::AttestationKey)
        .map_err(|cause| KeyError::Chain { cause })
}

/// A box that is not enrolled has no certificate for its key.
pub(crate) fn check_no_chain(evidence: &Evidence) -> Result<(), KeyError> {
    match evidence.attestation_key_chain.len() {
        0 => Ok(()),
        found => Err(KeyError::Enrolled { found }),
    }
}

/// The certificate names the TRE that is asked for, and nobody else.
pub(crate) fn check_identity(evidence: &Evidence, expected: &Identity) -> Result<(), KeyError> {
    let found = chain::uris(&certificates(evidence)).map_err(|cause| KeyError::Chain { cause })?;
    if chain::names_only(&found, expected) {
        return Ok(());
    }
    Err(KeyError::Identity { expected: expected.clone(), found })
}

/// The TPM's manufacturer, as the attestation key's certificate has it: one that does not say it,
/// or twice, or oddly, says nothing.
pub(crate) fn manufacturer(evidence: &Evidence) -> Option<TpmManufacturer> {
    chain::manufacturer(&certificates(evidence))
}

/// The key signs nothing but what its TPM made, and never leaves it.
pub(crate) fn check_profile(evidence: &Evidence) -> Result<AikPublic, KeyError> {
    let public = Public::parse(evidence.attestation_key.as_slice())
        .map_err(|cause| KeyError::Unreadable { cause })?;
    AikPublic::check(&public).map_err(|cause| KeyError::Profile { cause })
}

/// The certificate is for the key in the evidence.
pub(crate) fn check_certificate_key(evidence: &Evidence, key: &AikPublic) -> Result<(), KeyError> {
    let certified =
        chain::public_key(&certificates(evidence)).map_err(|cause| KeyError::Chain { cause })?;
    let (expected, found) = (sha256(&certified), sha256(&key.point().to_spki_der()));
    if expected == found { Ok(()) } else { Err(KeyError::CertificateKey { expected, found }) }
}
