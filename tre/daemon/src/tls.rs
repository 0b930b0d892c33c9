//! TLS 1.3, mutual where the peer has a certificate, with nothing that outlives a connection.
//!
//! No resumption, no tickets, no early data: an attestation is bound to one connection's exporter,
//! and a second connection must not inherit it.

use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ServerConfig};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme};
use thiserror::Error;
use tre_wire::deployment::Deployment;
use tre_wire::hex::HexBytes;
use tre_wire::id::TrustDomain;
use tre_wire::role::{Identity, Role};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath, anchor_from_trusted_cert};

use crate::clock::Clock;
use crate::keys::{KeyError, PrivateKey};
use crate::revocations::InForce;

/// Why no TLS configuration could be made.
#[derive(Debug, Error)]
pub(crate) enum TlsError {
    /// A certificate of the deployment is none.
    #[error("expected a certificate as trust anchor: {0}")]
    Anchor(#[source] webpki::Error),
    /// The own key cannot be used.
    #[error(transparent)]
    Key(KeyError),
    /// The throw-away certificate could not be made.
    #[error("throw-away certificate: {0}")]
    SelfSigned(#[source] rcgen::Error),
    /// The library refuses the configuration.
    #[error("TLS configuration: {0}")]
    Rustls(#[source] rustls::Error),
}

/// Who may connect: nobody needs a certificate, and one that is shown must be good.
#[derive(Debug)]
struct PeerVerifier {
    anchors: Vec<TrustAnchor<'static>>,
    trust_domain: Option<TrustDomain>,
    revoked: InForce,
    provider: Arc<CryptoProvider>,
}

/// Makes the server's side of TLS for `key` and its certificate `chain`.
///
/// Without a readable deployment no client certificate is accepted.
///
/// # Errors
///
/// [`TlsError`].
pub(crate) fn server(
    deployment: Option<&Deployment>,
    key: &PrivateKey,
    chain: Vec<CertificateDer<'static>>,
    clock: Arc<Clock>,
    revoked: InForce,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let authorities = deployment.map_or(&[][..], |found| &found.grid_authorities);
    let verifier = PeerVerifier {
        anchors: anchors(authorities).map_err(TlsError::Anchor)?,
        trust_domain: deployment.map(|found| found.trust_domain.clone()),
        revoked,
        provider: Arc::clone(&provider),
    };
    let certified = CertifiedKey::new(chain, key.for_tls().map_err(TlsError::Key)?);
    let mut config = ServerConfig::builder_with_details(provider, clock)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Rustls)?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// A self-signed certificate for a key that lives only as long as the process.
///
/// # Errors
///
/// [`TlsError`].
pub(crate) fn self_signed(key: &PrivateKey) -> Result<CertificateDer<'static>, TlsError> {
    let pair = key.for_certificate().map_err(TlsError::Key)?;
    let params = rcgen::CertificateParams::new(Vec::new()).map_err(TlsError::SelfSigned)?;
    let certificate = params.self_signed(&pair).map_err(TlsError::SelfSigned)?;
    Ok(certificate.into())
}

/// Authorities as trust anchors.
///
/// # Errors
///
/// The library's, for bytes that are no certificate.
pub(crate) fn anchors(
    authorities: &[HexBytes],
) -> Result<Vec<TrustAnchor<'static>>, webpki::Error> {
    authorities
        .iter()
        .map(|authority| {
            let der = CertificateDer::from(authority.as_slice());
            anchor_from_trusted_cert(&der).map(|anchor| anchor.to_owned())
        })
        .collect()
}

/// The identity in the only URI name of a certificate that was verified before.
///
/// # Errors
///
/// [`CertificateError::NotValidForName`] unless there is exactly one URI, and it is an identity
/// of `trust_domain`.
pub(crate) fn identity_of(
    certificate: &EndEntityCert<'_>,
    trust_domain: &TrustDomain,
) -> Result<Identity, CertificateError> {
    let mut names = certificate.valid_uri_names();
    let (Some(name), None) = (names.next(), names.next()) else {
        return Err(CertificateError::NotValidForName);
    };
    let identity: Identity = name.parse().map_err(|_| CertificateError::NotValidForName)?;
    if identity.trust_domain == *trust_domain {
        Ok(identity)
    } else {
        Err(CertificateError::NotValidForName)
    }
}

impl ClientCertVerifier for PeerVerifier {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let Some(trust_domain) = &self.trust_domain else {
            return Err(CertificateError::UnknownIssuer.into());
        };
        let certificate = EndEntityCert::try_from(end_entity).map_err(refused)?;
        certificate
            .verify_for_usage(
                self.provider.signature_verification_algorithms.all,
                &self.anchors,
                intermediates,
                now,
                KeyUsage::client_auth(),
                None,
                Some(&direct),
            )
            .map_err(refused)?;
        // A TRE's own authorities do not stand here; a grid authority cannot make one either.
        if identity_of(&certificate, trust_domain)?.role == Role::Tre {
            return Err(CertificateError::NotValidForName.into());
        }
        if self.revoked.name(&certificate.subject_public_key_info()) {
            return Err(CertificateError::Revoked.into());
        }
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::PeerIncompatible::Tls13RequiredForQuic.into())
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
}

/// An authority that a deployment lists issues for itself: a certificate between it and a peer's is
/// one that somebody was not meant to issue. What an anchor says of the length of paths below it
/// the library does not read.
///
/// # Errors
///
/// [`webpki::Error::PathLenConstraintViolated`].
pub(crate) fn direct(path: &VerifiedPath<'_>) -> Result<(), webpki::Error> {
    match path.intermediate_certificates().next() {
        None => Ok(()),
        Some(_) => Err(webpki::Error::PathLenConstraintViolated),
    }
}

/// The refusals that a peer can do something about keep their name.
fn refused(error: webpki::Error) -> rustls::Error {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum is non-exhaustive")]
    match error {
        webpki::Error::BadDer => CertificateError::BadEncoding,
        webpki::Error::CertExpired { .. } => CertificateError::Expired,
        webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
        webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
        webpki::Error::InvalidSignatureForPublicKey => CertificateError::BadSignature,
        other => CertificateError::Other(rustls::OtherError(Arc::new(other))),
    }
    .into()
}

#[cfg(test)]
mod tests;
