//! The baseline: hyper over rustls with mutual TLS, which sends every body back.
//!
//! What the TRE does beside serving is absent: no grid, no signature, no bounds on time, and no
//! identity read from a certificate. Like the TRE it runs on one thread, without resumption.

use core::net::{Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicU64, Ordering};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::{Context as _, Result};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tre_wire::hex::HexBytes;

/// A running bare server. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Baseline {
    address: SocketAddr,
    counts: Arc<Counts>,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

/// What became of the connections so far.
#[derive(Debug, Default)]
struct Counts {
    finished: AtomicU64,
    failed: AtomicU64,
}

impl Baseline {
    /// Starts it on a thread of its own, with the certificate and key in the file `own`, for
    /// peers of `authorities` (certificates in DER).
    ///
    /// # Errors
    ///
    /// Whatever step fails.
    pub(crate) fn start(own: &Path, authorities: &[HexBytes]) -> Result<Self> {
        let acceptor = TlsAcceptor::from(Arc::new(configuration(own, authorities)?));
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let counts = Arc::new(Counts::default());
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&counts);
        let thread = std::thread::Builder::new().name("baseline".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, acceptor, shared) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { address, counts, running: Some((stop, thread)) })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Handshakes that the server has finished, client certificate verified.
    pub(crate) fn finished(&self) -> u64 {
        self.counts.finished.load(Ordering::Relaxed)
    }

    /// Handshakes that came to nothing.
    pub(crate) fn failed(&self) -> u64 {
        self.counts.failed.load(Ordering::Relaxed)
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            // The other end hears that nobody can tell it anything any more.
            drop(stop);
            drop(thread.join());
        }
    }
}

fn configuration(own: &Path, authorities: &[HexBytes]) -> Result<ServerConfig> {
    let pem = std::fs::read(own).context("credential of the baseline")?;
    let chain = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(&pem)?;
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(CertificateDer::from(authority.as_slice().to_vec()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let peers = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(peers)
        .with_single_cert(chain, key)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Accepts until the thread is told to end. A peer that cannot be accepted will say so itself.
async fn serve(listener: TcpListener, acceptor: TlsAcceptor, counts: Arc<Counts>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(converse(stream, acceptor.clone(), Arc::clone(&counts)));
    }
}

async fn converse(stream: TcpStream, acceptor: TlsAcceptor, counts: Arc<Counts>) {
    let accepted = match stream.set_nodelay(true) {
        Ok(()) => acceptor.accept(stream).await,
        Err(error) => Err(error),
    };
    let Ok(stream) = accepted else {
        counts.failed.fetch_add(1, Ordering::Relaxed);
        return;
    };
    counts.finished.fetch_add(1, Ordering::Relaxed);
    let connection = http1::Builder::new()
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service_fn(echo));
    // The client that misses an answer counts as failed on its own side.
    drop(connection.await);
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    Ok(Response::new(Full::new(body)))
}
