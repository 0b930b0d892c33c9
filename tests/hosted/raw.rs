//! A TLS client that says whatever bytes it is told to, and hears bytes.

use core::time::Duration;
use std::io;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A connection for bytes as they are.
#[derive(Debug)]
pub(crate) struct Raw(TlsStream<TcpStream>);

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    /// HTTP status code.
    pub(crate) status: u16,
    /// Media type, empty if none was said.
    pub(crate) media_type: String,
    /// The body, unread.
    pub(crate) body: Vec<u8>,
}

/// How a connection went on when nothing more was said.
#[derive(Debug)]
pub(crate) struct Ended {
    /// What was heard before the end.
    pub(crate) heard: Vec<u8>,
    /// How long that took.
    pub(crate) after: Duration,
    /// Why it ended, if it was not the end of the stream.
    pub(crate) error: Option<io::Error>,
}

/// Longest wait for an answer: TPM and disk are not asked for more than this takes.
const PATIENCE: Duration = Duration::from_secs(20);

impl Raw {
    /// Connects to `address`, with the certificate in `credential` if there is one.
    pub(crate) async fn open(address: &str, credential: Option<&Path>) -> Result<Self> {
        Self::with(address, client(credential)?).await
    }

    /// Connects to `address` as `config` says.
    pub(crate) async fn with(address: &str, config: Arc<ClientConfig>) -> Result<Self> {
        let stream = TcpStream::connect(address).await.context("connecting")?;
        let connector = TlsConnector::from(config);
        let handshake = connector.connect(ServerName::try_from("tre")?, stream);
        Ok(Self(timeout(PATIENCE, handshake).await?.context("handshake")?))
    }

    /// The TLS connection.
    pub(crate) fn tls(&self) -> &rustls::ClientConnection {
        self.0.get_ref().1
    }

    /// Says `bytes`.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes).await?;
        Ok(self.0.flush().await?)
    }

    /// Says that nothing more will be said.
    pub(crate) async fn finish(&mut self) -> Result<()> {
        Ok(self.0.shutdown().await?)
    }

    /// Hears one answer.
    pub(crate) async fn answer(&mut self) -> Result<Answer> {
        timeout(PATIENCE, self.hear_answer()).await.context("no answer in time")?
    }

    async fn hear_answer(&mut self) -> Result<Answer> {
        let mut heard = Vec::new();
        let end = loop {
            if let Some(at) = heard.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            if self.0.read_buf(&mut heard).await? == 0 {
                bail!("the connection ended inside a header: {heard:?}");
            }
        };
        let mut answer = Answer::parse_head(heard.get(..end).unwrap_or_default())?;
        let length = answer.body.len();
        let mut body = heard.get(end.saturating_add(4)..).unwrap_or_default().to_vec();
        while body.len() < length {
            if self.0.read_buf(&mut body).await? == 0 {
                bail!("the connection ended inside a body");
            }
        }
        answer.body = body;
        Ok(answer)
    }

    /// Hears everything until the TRE ends the connection; an error if it has not `within` this.
    pub(crate) async fn ended(&mut self, within: Duration) -> Result<Ended> {
        let begun = tokio::time::Instant::now();
        let mut heard = Vec::new();
        let end = timeout(within, self.0.read_to_end(&mut heard)).await;
        let error = end.context("expected the TRE to end the connection")?.err();
        Ok(Ended { heard, after: begun.elapsed(), error })
    }
}

impl Answer {
    /// Status and fields; the body is as long as announced, and zero.
    fn parse_head(head: &[u8]) -> Result<Self> {
        let head = core::str::from_utf8(head)?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("a status")?;
        let mut answer = Self { status: status.parse()?, media_type: String::new(), body: vec![] };
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            match name.to_ascii_lowercase().as_str() {
                "content-type" => value.clone_into(&mut answer.media_type),
                "content-length" => answer.body = vec![0; value.parse()?],
                _ => {}
            }
        }
        Ok(answer)
    }
}

impl Ended {
    /// What the other end's TLS says about it, if it says something.
    pub(crate) fn tls_error(&self) -> Option<&rustls::Error> {
        self.error.as_ref()?.get_ref()?.downcast_ref()
    }
}

/// A client that takes any server, and can resume where the server lets it.
pub(crate) fn client(credential: Option<&Path>) -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyServer(provider)));
    let mut config = match credential {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let chain = CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>()?;
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(path)?)?
        }
    };
    config.resumption = Resumption::in_memory_sessions(8);
    config.enable_sni = false;
    Ok(Arc::new(config))
}

/// Takes any server key: these tests are about what the server takes.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
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
        Err(rustls::PeerIncompatible::Tls13RequiredForQuic.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
