//! A client that keeps TLS sessions and tries to take one up again.

use core::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, HandshakeKind, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::attack::Outcome;
use crate::stage::{Stage, Which};

/// What the attacker finds.
pub(crate) const NO_TICKET: &str = "no ticket: a full handshake";

/// Connects twice with one memory of sessions.
pub(crate) fn play(stage: &Stage) -> Result<Outcome> {
    let address = stage.genuine(Which::AskedFor)?.address();
    let connector = TlsConnector::from(Arc::new(config()?));
    let first = stage.runtime.block_on(connect(&connector, &address))?;
    let second = stage.runtime.block_on(connect(&connector, &address))?;
    if (first, second) == (HandshakeKind::Full, HandshakeKind::Full) {
        return Ok(Outcome::FoundNothing(NO_TICKET));
    }
    Ok(Outcome::GotIn(format!("handshakes: {first:?}, {second:?}")))
}

/// One connection, on which something is asked so that tickets would have come.
async fn connect(connector: &TlsConnector, address: &str) -> Result<HandshakeKind> {
    let address: SocketAddr = address.parse()?;
    let stream = TcpStream::connect(address).await.context("connecting")?;
    let name = ServerName::from(address.ip());
    let mut stream = connector.connect(name, stream).await.context("a handshake")?;
    stream.write_all(b"GET /v1/health HTTP/1.1\r\nhost: tre-1\r\n\r\n").await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.context("an answer")?;
    stream.get_ref().1.handshake_kind().context("a finished handshake")
}

fn config() -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = AnyServer(provider.signature_verification_algorithms.supported_schemes());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(8);
    config.enable_early_data = true;
    Ok(config)
}

/// An attacker has no need to know who answers.
#[derive(Debug)]
struct AnyServer(Vec<SignatureScheme>);

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

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}
