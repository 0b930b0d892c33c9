//! TLS 1.3 without anything that outlives a connection, and who may be at its other end.
//!
//! Two verifiers. [`AnyServer`] takes any key, so that a refusal can say *why*: the chain is one
//! check among the others. [`ProvenServer`] takes only the key that was attested a moment ago; it
//! refuses *inside* the handshake, because afterwards the client certificate is already shown.

use core::time::Duration;
use std::sync::Arc;

use attest_verifier_core::channel::{self, ChannelError};
use attest_verifier_core::measured_boot::digest::Sha256Digest;
use attest_verifier_core::reference::Reference;
use attest_verifier_core::wire::role::Identity;
use attest_verifier_core::wire::units::UnixMillis;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::time_provider::TimeProvider;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, OtherError, PeerIncompatible,
    SignatureScheme,
};

use crate::identity::ClientIdentity;

/// Takes any server key; that the server holds it is still proven.
#[derive(Debug)]
struct AnyServer {
    provider: Arc<CryptoProvider>,
}

/// The server that a second connection may lead to.
#[derive(Debug)]
pub(crate) struct ProvenServer {
    /// SHA-256 of the SubjectPublicKeyInfo that was attested.
    pub(crate) server_key: Sha256Digest,
    /// Whose it is.
    pub(crate) identity: Identity,
    /// Who may say so.
    pub(crate) reference: Arc<Reference>,
    /// When.
    pub(crate) now: UnixMillis,
}

/// Why a second connection leads elsewhere than the one that was attested.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ElsewhereError {
    /// The certificate is not the TRE's.
    #[error(transparent)]
    Channel(ChannelError),
    /// The certificate is the TRE's, for another key than the one attested.
    #[error("expected the attested server key {expected}, found {found}")]
    Key {
        /// SHA-256 of the attested key.
        expected: Sha256Digest,
        /// SHA-256 of the key shown.
        found: Sha256Digest,
    },
}

impl ProvenServer {
    fn check(&self, presented: &[CertificateDer<'_>]) -> Result<(), ElsewhereError> {
        let found = channel::check_server(presented, &self.reference, &self.identity, self.now)
            .map_err(ElsewhereError::Channel)?;
        let expected = self.server_key;
        if expected == found { Ok(()) } else { Err(ElsewhereError::Key { expected, found }) }
    }
}

/// The reason for which [`ProvenServer`] ended a handshake, if it did.
pub(crate) fn elsewhere(error: &std::io::Error) -> Option<ElsewhereError> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) = error
    else {
        return None;
    };
    cause.downcast_ref::<ElsewhereError>().cloned()
}

#[derive(Debug)]
struct ProvenVerifier {
    server: ProvenServer,
    provider: Arc<CryptoProvider>,
}

/// Makes the client's side of TLS towards any server.
pub(crate) fn towards_any(
    identity: Option<&ClientIdentity>,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = AnyServer { provider: Arc::clone(&provider) };
    config(provider, Arc::new(verifier), identity)
}

/// Makes the client's side of TLS towards the one server that was attested.
pub(crate) fn towards(
    server: ProvenServer,
    identity: &ClientIdentity,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = ProvenVerifier { server, provider: Arc::clone(&provider) };
    config(provider, Arc::new(verifier), Some(identity))
}

fn config(
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
    identity: Option<&ClientIdentity>,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let builder = ClientConfig::builder_with_details(provider, Arc::new(NoTime))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => builder
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified()))),
    };
    // An attestation is bound to one connection's exporter: no second one may inherit it.
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    config.enable_sni = false;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Certificates are judged at the caller's `now`; nothing here asks what time it is.
#[derive(Debug)]
struct NoTime;

impl TimeProvider for NoTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::ZERO))
    }
}

macro_rules! handshake_signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            _message: &[u8],
            _certificate: &CertificateDer<'_>,
            _signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Err(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig.into())
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            let algorithms = &self.provider.signature_verification_algorithms;
            rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.provider.signature_verification_algorithms.supported_schemes()
        }
    };
}

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    handshake_signatures!();
}

impl ServerCertVerifier for ProvenVerifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let presented = [core::slice::from_ref(leaf), others].concat();
        match self.server.check(&presented) {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(error) => Err(CertificateError::Other(OtherError(Arc::new(error))).into()),
        }
    }

    handshake_signatures!();
}
