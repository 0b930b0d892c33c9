//! The TLS connection over which the evidence came, and who it leads to.

use alloc::string::String;
use alloc::vec::Vec;

use measured_boot::digest::{Sha256Digest, sha256};
use ring::error::Unspecified;
use ring::rand::SecureRandom;
use rustls_pki_types::CertificateDer;
use tre_wire::role::Identity;
use tre_wire::units::UnixMillis;

use crate::chain::{self, ChainError, Purpose};
use crate::check::{Check, Mismatch, Sides, mismatch_is_error};
use crate::reference::Reference;

/// This end's view of one TLS connection and the one nonce sent over it, as plain bytes: what a log
/// of verdicts keeps, so that each can be derived again.
///
/// Anybody can write one down, so what is judged over it proves nothing of a present connection:
/// it ends as [`Attested<View>`](crate::verdict::Attested), which is no [`Attested`](crate::verdict::Attested).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct View {
    /// The nonce.
    pub nonce: [u8; 32],
    /// This end's exporter under [`tre_wire::attestation::EXPORTER_LABEL`].
    pub exporter: [u8; 32],
    /// The server's certificates as presented, leaf first.
    pub server_chain: Vec<CertificateDer<'static>>,
    /// SHA-256 of our own SubjectPublicKeyInfo; `None` if we showed no certificate.
    pub client_key: Option<Sha256Digest>,
}

/// A [`View`] whose nonce was drawn here, for this session, and is answered once.
///
/// The nonce can come from nowhere but a random source of *ring*: its trait is sealed, so no caller
/// can bring a source, or a nonce, of its own:
///
/// ```compile_fail,E0423
/// use attest_verifier_core::channel::{Session, View};
///
/// fn of_a_nonce_that_was_used(view: View) -> Session {
///     Session(view)
/// }
/// ```
///
/// ```compile_fail,E0277
/// use attest_verifier_core::channel::Session;
///
/// struct Constant;
///
/// fn of_a_source_that_is_none() {
///     let _session = Session::open(&Constant, [0; 32], Vec::new(), None);
/// }
/// ```
///
/// An appraisal consumes it, and there is no second of it:
///
/// ```compile_fail,E0382
/// use attest_verifier_core::channel::Session;
/// use attest_verifier_core::stage::Claimed;
///
/// fn answered_twice(session: Session, first: Claimed<'_>, second: Claimed<'_>) {
///     let _first = first.check_channel(session);
///     let _second = second.check_channel(session);
/// }
/// ```
///
/// ```compile_fail,E0599
/// use attest_verifier_core::channel::Session;
///
/// fn kept(session: &Session) -> Session {
///     Session::clone(session)
/// }
/// ```
#[derive(Debug, Eq, PartialEq)]
pub struct Session(View);

impl Session {
    /// Draws the nonce of a new session over one connection, as this end sees it.
    ///
    /// # Errors
    ///
    /// [`Unspecified`] if `random` has nothing to give.
    pub fn open(
        random: &dyn SecureRandom,
        exporter: [u8; 32],
        server_chain: Vec<CertificateDer<'static>>,
        client_key: Option<Sha256Digest>,
    ) -> Result<Self, Unspecified> {
        let mut nonce = [0; 32];
        random.fill(&mut nonce)?;
        Ok(Self(View { nonce, exporter, server_chain, client_key }))
    }

    /// What is sent: the nonce.
    #[must_use]
    pub const fn nonce(&self) -> [u8; 32] {
        self.0.nonce
    }
}

impl AsRef<View> for Session {
    fn as_ref(&self) -> &View {
        &self.0
    }
}

impl AsRef<Self> for View {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl View {
    /// SHA-256 of the server certificate's SubjectPublicKeyInfo (DER).
    ///
    /// # Errors
    ///
    /// [`ChainError`] if the server showed no certificate, or something else.
    pub fn server_key(&self) -> Result<Sha256Digest, ChainError> {
        leaf_key(&self.server_chain)
    }
}

/// Why a TLS connection does not lead to the TRE that is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum ChannelError {
    /// No way to an authority that certifies TREs.
    Chain {
        /// What is wrong with the chain.
        cause: ChainError,
    },
    /// The certificate is somebody else's.
    Identity {
        /// The identity asked for.
        expected: Identity,
        /// The URIs that the certificate names.
        found: Vec<String>,
    },
}

impl Mismatch for ChannelError {
    fn check(&self) -> Check {
        match self {
            Self::Chain { .. } => Check::TlsChain,
            Self::Identity { .. } => Check::TlsIdentity,
        }
    }

    fn sides(&self) -> Sides {
        match self {
            Self::Chain { cause } => Sides::new(EXPECTED_CHAIN, cause),
            Self::Identity { expected, found } => Sides::new(expected, chain::in_words(found)),
        }
    }
}

mismatch_is_error!(ChannelError);

/// What the chain of a TLS connection should be, in words.
pub(crate) const EXPECTED_CHAIN: &str = "issued by a TRE authority for serverAuth";

/// The chain leads to an authority that certifies TREs.
///
/// # Errors
///
/// [`ChannelError::Chain`].
pub fn check_chain(
    presented: &[CertificateDer<'_>],
    reference: &Reference,
    now: UnixMillis,
) -> Result<(), ChannelError> {
    reference
        .verify_chain(presented, now, Purpose::TlsServer)
        .map_err(|cause| ChannelError::Chain { cause })
}

/// The certificate names the TRE that is asked for, and nobody else.
///
/// # Errors
///
/// [`ChannelError::Identity`]; [`ChannelError::Chain`] if there is no certificate to read.
pub fn check_identity(
    presented: &[CertificateDer<'_>],
    expected: &Identity,
) -> Result<(), ChannelError> {
    let found = chain::uris(presented).map_err(|cause| ChannelError::Chain { cause })?;
    if chain::names_only(&found, expected) {
        return Ok(());
    }
    Err(ChannelError::Identity { expected: expected.clone(), found })
}

/// Chain and name lead to the TRE that is asked for. Returns SHA-256 of its SubjectPublicKeyInfo.
///
/// The same rule for a finished connection and, inside a certificate verifier, for one that is
/// only being made.
///
/// # Errors
///
/// [`ChannelError`].
pub fn check_server(
    presented: &[CertificateDer<'_>],
    reference: &Reference,
    expected: &Identity,
    now: UnixMillis,
) -> Result<Sha256Digest, ChannelError> {
    check_chain(presented, reference, now)?;
    check_identity(presented, expected)?;
    leaf_key(presented).map_err(|cause| ChannelError::Chain { cause })
}

/// SHA-256 of the leaf's SubjectPublicKeyInfo (DER).
///
/// # Errors
///
/// [`ChainError`] if there is no leaf, or it is not a certificate.
pub fn leaf_key(presented: &[CertificateDer<'_>]) -> Result<Sha256Digest, ChainError> {
    chain::public_key(presented).map(|key| sha256(&key))
}
