//! A box on the loopback, and a record of everything that it was shown and sent.

use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use attest_verifier::Trust;
use attest_verifier::core::measured_boot::digest::Sha256Digest;
use attest_verifier::core::measured_boot::manifest::Purpose;
use attest_verifier::core::wire::attestation::{AttestationRequest, EXPORTER_LABEL};
use attest_verifier::core::wire::json;
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    DigitallySignedStruct, DistinguishedName, HandshakeKind, RootCertStore, ServerConfig,
    SignatureScheme,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::scene::{Authority, Certified, Scene, Seen, spki_hash};
use crate::signing::signature_over;

/// What a box was shown or sent, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Noted {
    /// A handshake came to its end.
    Handshake { connection: usize, certificate: bool, kind: HandshakeKind },
    /// A handshake did not; whether a client certificate was shown before.
    NoHandshake { connection: usize, certificate: bool },
    /// A whole request.
    Request { connection: usize, line: String, body: Vec<u8> },
}

/// What a box does about a request.
pub(crate) type Reply = Box<dyn Fn(&Visit<'_>) -> Act + Send + Sync>;

/// What a box sends, and whether it goes on listening.
#[derive(Clone)]
pub(crate) enum Act {
    Answer(Vec<u8>),
    Break(Vec<u8>),
}

/// One request, as the box sees it.
pub(crate) struct Visit<'a> {
    pub(crate) connection: usize,
    pub(crate) line: &'a str,
    pub(crate) body: &'a [u8],
    /// What an honest box binds; the nonce is that of the request, or zeros.
    pub(crate) seen: Seen,
}

/// A box that listens.
pub(crate) struct Server {
    pub(crate) address: String,
    noted: UnboundedReceiver<Noted>,
    _task: AbortOnDrop,
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The key and certificates that the box shows in each connection.
pub(crate) type Shows = Box<dyn Fn(usize) -> (KeyPair, CertificateDer<'static>) + Send + Sync>;

impl Server {
    /// A box that shows its own TLS key in every connection.
    pub(crate) async fn start(scene: Arc<Scene>, reply: Reply) -> Self {
        Self::showing(Arc::clone(&scene), Box::new(move |_| of_scene(&scene)), reply).await
    }

    pub(crate) async fn showing(scene: Arc<Scene>, shows: Shows, reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (note, noted) = unbounded_channel();
        let count = AtomicUsize::new(0);
        let reply = Arc::new(reply);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection = count.fetch_add(1, Ordering::Relaxed);
                let (key, certificate) = shows(connection);
                let shown = Arc::new(AtomicBool::new(false));
                let box_ = Box_ {
                    connection,
                    server_key: spki_hash(&key),
                    config: config(&scene, &key, certificate, &shown),
                    shown,
                    note: note.clone(),
                    reply: Arc::clone(&reply),
                };
                tokio::spawn(box_.converse(stream));
            }
        });
        Self { address, noted, _task: AbortOnDrop(task) }
    }

    /// Everything noted, once that is at least `least` entries; a few seconds are given for it.
    pub(crate) async fn noted(&mut self, least: usize) -> Vec<Noted> {
        let mut all = Vec::new();
        for _ in 0..100 {
            // Also when there is enough: whatever must not come would come now.
            tokio::time::sleep(core::time::Duration::from_millis(50)).await;
            while let Ok(one) = self.noted.try_recv() {
                all.push(one);
            }
            if all.len() >= least {
                break;
            }
        }
        all
    }
}

pub(crate) fn of_scene(scene: &Scene) -> (KeyPair, CertificateDer<'static>) {
    let key = copy(&scene.tls);
    (key, scene.tls_certificate.sign(&scene.tls, &scene.authority))
}

pub(crate) fn copy(key: &KeyPair) -> KeyPair {
    KeyPair::from_pkcs8_der_and_sign_algo(
        &PrivatePkcs8KeyDer::from(key.serialized_der()),
        &rcgen::PKCS_ECDSA_P256_SHA256,
    )
    .unwrap()
}

/// An authority of the same name and key.
pub(crate) fn copy_authority(of: &Authority) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "TRE authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    Authority::self_signed(params, copy(of.key())).unwrap()
}

pub(crate) fn self_signed(key: &KeyPair) -> CertificateDer<'static> {
    CertificateParams::default().self_signed(key).unwrap().der().clone()
}

/// What the test's verifier trusts.
pub(crate) fn trust(scene: &Scene) -> Trust {
    Trust::new(&scene.deployment_file(), scene.released(), Purpose::Demo).unwrap()
}

/// What a command line is given to trust: the options, with the files in `folder`.
pub(crate) fn reference_files(scene: &Scene, folder: &Path) -> Vec<String> {
    let at = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (deployment, release_key) = (at("deployment.json"), at("release.pem"));
    fs::write(&deployment, scene.deployment_file()).unwrap();
    fs::write(&release_key, scene.release.public_key_pem()).unwrap();
    let mut options = vec!["--deployment".to_owned(), deployment];
    options.extend(["--release-key".to_owned(), release_key]);
    let all = core::iter::once(&scene.manifest).chain(&scene.others);
    for (index, manifest) in all.enumerate() {
        let path = at(&format!("manifest-{index}.json"));
        let file = serde_json::to_vec(manifest).unwrap();
        let signature = signature_over(&scene.release, &file, None);
        fs::write(&path, file).unwrap();
        fs::write(format!("{path}.sig"), serde_json::to_vec(&signature).unwrap()).unwrap();
        options.extend(["--manifest".to_owned(), path]);
    }
    options
}

/// A PEM file of a meter: key and certificate.
pub(crate) fn meter_pem(scene: &Scene) -> (String, Sha256Digest) {
    let key = KeyPair::generate().unwrap();
    let mut certified = Certified::new(ExtendedKeyUsagePurpose::ClientAuth);
    certified.uris = vec!["spiffe://grid.example/meter/meter-1".to_owned()];
    let certificate = certified.issue(&key, &scene.authority);
    (format!("{}{}", key.serialize_pem(), certificate.pem()), spki_hash(&key))
}

/// The honest reply to everything: evidence for this connection, `{}` otherwise.
pub(crate) fn honest(scene: &Arc<Scene>) -> Reply {
    let scene = Arc::clone(scene);
    Box::new(move |visit| Act::Answer(answer_honestly(&scene, visit)))
}

pub(crate) fn answer_honestly(scene: &Scene, visit: &Visit<'_>) -> Vec<u8> {
    if visit.line.starts_with("POST /v1/attestation ") {
        return ok(&json::encode(&scene.answer(&visit.seen)).unwrap());
    }
    ok(b"{}")
}

/// An HTTP answer of status 200 with this JSON.
pub(crate) fn ok(body: &[u8]) -> Vec<u8> {
    http(200, "application/json", body)
}

pub(crate) fn http(status: u16, media_type: &str, body: &[u8]) -> Vec<u8> {
    let len = body.len();
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: {media_type}\r\ncontent-length: {len}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// Judges client certificates as `judge` does, and remembers that one was shown.
#[derive(Debug)]
struct Witness {
    judge: Arc<dyn ClientCertVerifier>,
    shown: Arc<AtomicBool>,
}

impl ClientCertVerifier for Witness {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.shown.store(true, Ordering::Relaxed);
        self.judge.verify_client_cert(leaf, others, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}

fn config(
    scene: &Scene,
    key: &KeyPair,
    certificate: CertificateDer<'static>,
    shown: &Arc<AtomicBool>,
) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(scene.authority.der().clone()).unwrap();
    let judge = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .unwrap();
    let clients = Arc::new(Witness { judge, shown: Arc::clone(shown) });
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialized_der().to_vec()));
    // Tickets stay on: a verifier must not take them.
    ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![certificate], key)
        .unwrap()
}

struct Box_ {
    connection: usize,
    server_key: Sha256Digest,
    config: ServerConfig,
    shown: Arc<AtomicBool>,
    note: UnboundedSender<Noted>,
    reply: Arc<Reply>,
}

impl Box_ {
    async fn converse(self, stream: TcpStream) {
        let connection = self.connection;
        let accept = TlsAcceptor::from(Arc::new(self.config)).accept(stream).await;
        let Ok(mut stream) = accept else {
            let certificate = self.shown.load(Ordering::Relaxed);
            self.note.send(Noted::NoHandshake { connection, certificate }).unwrap();
            return;
        };
        let tls = stream.get_ref().1;
        let client = tls.peer_certificates().and_then(|chain| chain.first()).cloned();
        let kind = tls.handshake_kind().unwrap();
        let exporter = tls.export_keying_material([0; 32], EXPORTER_LABEL, None).unwrap();
        let certificate = client.is_some();
        self.note.send(Noted::Handshake { connection, certificate, kind }).unwrap();
        let client_key = client.map_or(Sha256Digest::ZERO, |leaf| spki_of(&leaf));
        while let Some((line, body)) = read_request(&mut stream).await {
            let nonce = json::decode::<AttestationRequest>(&body).map(|request| request.nonce.0);
            let nonce = nonce.unwrap_or([0; 32]);
            let seen = Seen { nonce, exporter, server_key: self.server_key, client_key };
            let answer = (self.reply)(&Visit { connection, line: &line, body: &body, seen });
            self.note.send(Noted::Request { connection, line, body }).unwrap();
            let (bytes, goes_on) = match answer {
                Act::Answer(bytes) => (bytes, true),
                Act::Break(bytes) => (bytes, false),
            };
            let sent = stream.write_all(&bytes).await;
            if sent.is_err() || !goes_on {
                return;
            }
        }
    }
}

fn spki_of(certificate: &CertificateDer<'_>) -> Sha256Digest {
    attest_verifier::core::channel::leaf_key(core::slice::from_ref(certificate)).unwrap()
}

async fn read_request(stream: &mut TlsStream<TcpStream>) -> Option<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some((head.lines().next().unwrap().to_owned(), body))
}
