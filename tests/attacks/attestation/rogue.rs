//! The attacker's end of a TLS connection: it answers every nonce as it likes, and keeps what else
//! it is shown or sent.

use core::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use attest_verifier::core::channel;
use attest_verifier::core::measured_boot::digest::Sha256Digest;
use rcgen::KeyPair;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tre_wire::attestation::{AttestationRequest, EXPORTER_LABEL, Evidence};
use tre_wire::json;

/// What the attacker sees of a connection of the victim's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) nonce: [u8; 32],
    pub(crate) exporter: [u8; 32],
    pub(crate) server_key: Sha256Digest,
    pub(crate) client_key: Sha256Digest,
}

/// How the attacker answers a nonce.
pub(crate) type Answer = Arc<dyn Fn(&Seen) -> Result<Evidence> + Send + Sync>;

/// The key and the certificates that the attacker shows.
#[derive(Debug)]
pub(crate) struct Face {
    pub(crate) key: KeyPair,
    pub(crate) chain: Vec<CertificateDer<'static>>,
}

/// What an attacker was shown or sent beside nonces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what.into());
    }

    /// Everything, in order.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A listening attacker.
#[derive(Debug)]
pub(crate) struct Rogue {
    pub(crate) address: String,
    pub(crate) heard: Heard,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Rogue {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Rogue {
    /// Listens on the loopback; clients may show certificates under `clients`.
    pub(crate) async fn listen(
        face: Face,
        clients: &CertificateDer<'static>,
        answer: Answer,
    ) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("listening")?;
        let address = listener.local_addr().context("an address")?.to_string();
        let heard = Heard::default();
        let server_key = channel::leaf_key(&face.chain)?;
        let acceptor = TlsAcceptor::from(Arc::new(config(face, clients)?));
        let visits = Visits { acceptor, server_key, answer, heard: heard.clone() };
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let visits = visits.clone();
                // The victim hangs up when it will: how a visit ends says nothing.
                tokio::spawn(async move { drop(visits.converse(stream).await) });
            }
        });
        Ok(Self { address, heard, task })
    }
}

fn config(face: Face, clients: &CertificateDer<'static>) -> Result<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(clients.clone()).context("the grid authority")?;
    let judge = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .context("a judge of clients")?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(face.key.serialize_der()));
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(judge)
        .with_single_cert(face.chain, key)
        .context("the attacker's TLS")
}

#[derive(Clone)]
struct Visits {
    acceptor: TlsAcceptor,
    server_key: Sha256Digest,
    answer: Answer,
    heard: Heard,
}

impl Visits {
    async fn converse(self, stream: TcpStream) -> Result<()> {
        let mut stream = self.acceptor.accept(stream).await?;
        let tls = stream.get_ref().1;
        let client_key = match tls.peer_certificates() {
            None => Sha256Digest::ZERO,
            Some(chain) => {
                self.heard.note("a client certificate");
                channel::leaf_key(chain)?
            }
        };
        let exporter = tls.export_keying_material([0; 32], EXPORTER_LABEL, None)?;
        loop {
            let (line, body) = read_request(&mut stream).await?;
            let answer = if line.starts_with("POST /v1/attestation ") {
                let nonce = json::decode::<AttestationRequest>(&body)?.nonce.0;
                let seen = Seen { nonce, exporter, server_key: self.server_key, client_key };
                let evidence = tokio::task::block_in_place(|| (self.answer)(&seen));
                let evidence = evidence.inspect_err(|error| self.heard.note(broken(error)))?;
                json::encode(&evidence)?
            } else {
                self.heard.note(line);
                b"{}".to_vec()
            };
            stream.write_all(&http(&answer)).await?;
        }
    }
}

/// What an attack that does not even run leaves among what was heard.
fn broken(error: &anyhow::Error) -> String {
    format!("{BROKEN}{error:#}")
}

/// How [`broken`] begins.
pub(crate) const BROKEN: &str = "the attack itself failed: ";

/// Waits for `task` on a thread that may wait, from within an [`Answer`].
pub(crate) fn wait<T>(task: impl Future<Output = T>) -> T {
    Handle::current().block_on(task)
}

fn http(body: &[u8]) -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
    [head.as_bytes(), body.len().to_string().as_bytes(), b"\r\n\r\n", body].concat()
}

async fn read_request(stream: &mut TlsStream<TcpStream>) -> Result<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head)?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>())
    });
    let mut body = vec![0; length.transpose()?.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    Ok((head.lines().next().unwrap_or_default().to_owned(), body))
}
