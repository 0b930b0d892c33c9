//! The quote: its signature first, then what the signed bytes say, then what they answer.

use measured_boot::digest::Sha256Digest;
use measured_boot::pcr::{PcrValues, SelectionMismatch};
use measured_boot::tpm::{
    AikPublic, AttestError, EcdsaSignature, Name, PcrDigestMismatch, Quote, QuotedPcrs,
    SignatureError,
};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use tre_wire::attestation::{Evidence, Leaf, PathError};

use crate::chain::ChainError;
use crate::channel::View;
use crate::check::{Check, Mismatch, Sides, mismatch_is_error};

/// Why the bytes are not what the attestation key signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum QuoteSignatureError {
    /// Not a signature of our profile.
    Unreadable {
        /// What the parser found.
        cause: SignatureError,
    },
    /// The signature is another key's, or over other bytes.
    Invalid,
}

impl Mismatch for QuoteSignatureError {
    fn check(&self) -> Check {
        Check::QuoteSignature
    }

    fn sides(&self) -> Sides {
        match self {
            Self::Unreadable { cause } => Sides::new(EXPECTED_SIGNATURE, cause),
            Self::Invalid => Sides::new(EXPECTED_SIGNATURE, "another key's, or over other bytes"),
        }
    }
}

mismatch_is_error!(QuoteSignatureError);

/// What the signature should be, in words.
pub(crate) const EXPECTED_SIGNATURE: &str = "by the attestation key over these bytes";

/// Why signed bytes are not a quote of this TPM.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StatementError {
    /// Not a quote, not made by a TPM, or with bytes behind it.
    Structure {
        /// The field that is wrong.
        cause: AttestError,
    },
    /// The signer stands elsewhere in the TPM than an attestation key does.
    Signer {
        /// Qualified name of the attestation key as a primary of the endorsement hierarchy.
        expected: Name,
        /// Qualified name in the quote.
        found: Name,
    },
}

impl Mismatch for StatementError {
    fn check(&self) -> Check {
        match self {
            Self::Structure { .. } => Check::QuoteStructure,
            Self::Signer { .. } => Check::QuoteSigner,
        }
    }

    fn sides(&self) -> Sides {
        match self {
            Self::Structure { cause } => Sides::new(EXPECTED_STRUCTURE, cause),
            Self::Signer { expected, found } => Sides::new(expected, found),
        }
    }
}

mismatch_is_error!(StatementError);

/// What the signed bytes should be, in words.
pub(crate) const EXPECTED_STRUCTURE: &str = "a quote made by a TPM, no trailing bytes";

/// Why a quote does not answer us.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum BindingError {
    /// The server showed nothing to bind to.
    ServerKey {
        /// What is wrong with its certificate.
        cause: ChainError,
    },
    /// The path from our leaf leads to no root.
    Path {
        /// What is wrong with it.
        cause: PathError,
    },
    /// Another nonce, connection, key, TRE, epoch or time: a replay, or a relay.
    QualifyingData {
        /// The root over our own leaf.
        expected: Sha256Digest,
        /// The qualifying data inside the quote.
        found: Sha256Digest,
    },
}

impl Mismatch for BindingError {
    fn check(&self) -> Check {
        Check::QualifyingData
    }

    fn sides(&self) -> Sides {
        match self {
            Self::ServerKey { cause } => Sides::new("a server certificate", cause),
            Self::Path { cause } => Sides::new("a path from our leaf", cause),
            Self::QualifyingData { expected, found } => Sides::new(expected, found),
        }
    }
}

mismatch_is_error!(BindingError);

/// Why claimed PCR values are not the quoted ones.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PcrError {
    /// The quote leaves a PCR out.
    Selection {
        /// Both selections.
        cause: SelectionMismatch,
    },
    /// The quote is over other values.
    Digest {
        /// The digest inside the quote.
        expected: Sha256Digest,
        /// The digest over the values in the evidence.
        found: Sha256Digest,
    },
}

impl Mismatch for PcrError {
    fn check(&self) -> Check {
        match self {
            Self::Selection { .. } => Check::PcrSelection,
            Self::Digest { .. } => Check::PcrDigest,
        }
    }

    fn sides(&self) -> Sides {
        match self {
            Self::Selection { cause } => Sides::new(cause.expected, cause.found),
            Self::Digest { expected, found } => Sides::new(expected, found),
        }
    }
}

mismatch_is_error!(PcrError);

/// The attestation key signed exactly these bytes.
pub(crate) fn check_signature(
    evidence: &Evidence,
    key: &AikPublic,
) -> Result<(), QuoteSignatureError> {
    let signature = EcdsaSignature::parse(evidence.signature.as_slice())
        .map_err(|cause| QuoteSignatureError::Unreadable { cause })?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.point().to_sec1())
        .verify(evidence.attest.as_slice(), &signature.to_fixed())
        .map_err(|_| QuoteSignatureError::Invalid)
}

/// The bytes are a quote that a TPM made, and nothing else.
pub(crate) fn check_structure(evidence: &Evidence) -> Result<Quote, StatementError> {
    Quote::parse(evidence.attest.as_slice()).map_err(|cause| StatementError::Structure { cause })
}

/// The signer is the attestation key, as a primary of the endorsement hierarchy.
pub(crate) fn check_signer(quote: &Quote, key: &AikPublic) -> Result<(), StatementError> {
    let (expected, found) = (key.qualified_name(), quote.qualified_signer);
    if expected == found { Ok(()) } else { Err(StatementError::Signer { expected, found }) }
}

/// What the quote must answer: the root over the leaf that this end computes for itself.
///
/// # Errors
///
/// [`BindingError::ServerKey`] and [`BindingError::Path`].
pub fn expected_answer(evidence: &Evidence, session: &View) -> Result<Sha256Digest, BindingError> {
    let server_key = session.server_key().map_err(|cause| BindingError::ServerKey { cause })?;
    let leaf = Leaf {
        nonce: session.nonce,
        exporter: session.exporter,
        server_key: server_key.0,
        client_key: session.client_key.unwrap_or(Sha256Digest::ZERO).0,
        tre_id: &evidence.tre_id,
        state_epoch: evidence.state_epoch,
        time: evidence.time,
    };
    let root = evidence.path.root(leaf.hash()).map_err(|cause| BindingError::Path { cause })?;
    Ok(Sha256Digest(root))
}

/// The quote answers our nonce, on our connection.
pub(crate) fn check_binding(
    evidence: &Evidence,
    quote: &Quote,
    session: &View,
) -> Result<(), BindingError> {
    let expected = expected_answer(evidence, session)?;
    let found = Sha256Digest(quote.extra_data);
    if expected == found {
        return Ok(());
    }
    Err(BindingError::QualifyingData { expected, found })
}

/// The quote covers every PCR, and the values are those quoted.
pub(crate) fn check_pcrs(quote: &Quote, claimed: PcrValues) -> Result<QuotedPcrs, PcrError> {
    quote.bind_pcrs(claimed).map_err(|mismatch| match mismatch {
        PcrDigestMismatch::Selection(cause) => PcrError::Selection { cause },
        PcrDigestMismatch::Digest { expected, found } => PcrError::Digest { expected, found },
    })
}
