//! Accepts connections, bounded in number and time, and answers their requests.

use std::rc::Rc;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::bounds;
use crate::http;
use crate::metrics::bump;
use crate::peer::Peer;
use crate::routes;
use crate::shared::Shared;

/// The present TLS side: configuration and SHA-256 of the server's SubjectPublicKeyInfo.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    /// Configuration of new connections.
    pub(crate) config: Arc<ServerConfig>,
    /// Which key they show.
    pub(crate) server_key: [u8; 32],
}

/// Serves until the process ends.
///
/// # Errors
///
/// The operating system's, when accepting fails for another reason than one connection's.
pub(crate) async fn serve(listener: TcpListener, shared: Rc<Shared>) -> std::io::Result<()> {
    let places = Arc::new(Semaphore::new(bounds::CONNECTIONS));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // The peer gave up first, or descriptors ran out: neither ends the service.
            Err(error) if is_about_one_connection(&error) => continue,
            Err(error) => return Err(error),
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            shared.counters.count(|metrics| bump(&mut metrics.connections_refused));
            continue;
        };
        shared.counters.count(|metrics| bump(&mut metrics.connections));
        let shared = Rc::clone(&shared);
        tokio::task::spawn_local(async move {
            converse(stream, shared).await;
            drop(place);
        });
    }
}

fn is_about_one_connection(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::ConnectionAborted
            | std::io::ErrorKind::ConnectionReset
            | std::io::ErrorKind::Interrupted
    )
}

/// One connection, from handshake to close. Whatever goes wrong ends this connection alone.
async fn converse(stream: TcpStream, shared: Rc<Shared>) {
    let front = shared.front.borrow().clone();
    let Some((stream, peer)) = handshake(stream, &front, &shared).await else {
        shared.counters.count(|metrics| bump(&mut metrics.handshakes_failed));
        return;
    };
    let peer = Rc::new(peer);
    let mut replaced = shared.front.subscribe();
    let service = service_fn(|request| answer(request, Rc::clone(&shared), Rc::clone(&peer)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds::HEADER)
        .max_headers(bounds::HEADERS)
        .max_buf_size(bounds::HEADER_BYTES)
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = core::pin::pin!(connection);
    // A connection ends by its peer, by its bounds, or by a change of the server's key.
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = replaced.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if ended.is_err() {
        shared.counters.count(|metrics| bump(&mut metrics.connections_broken));
    }
}

async fn handshake(
    stream: TcpStream,
    front: &Front,
    shared: &Shared,
) -> Option<(tokio_rustls::server::TlsStream<TcpStream>, Peer)> {
    stream.set_nodelay(true).ok()?;
    let accept = TlsAcceptor::from(Arc::clone(&front.config)).accept(stream);
    let stream = timeout(bounds::HANDSHAKE, accept).await.ok()?.ok()?;
    let trust_domain = shared.deployment.as_ref().map(|deployment| &deployment.trust_domain);
    let peer = Peer::of(stream.get_ref().1, front.server_key, trust_domain)?;
    Some((stream, peer))
}

async fn answer(
    request: Request<Incoming>,
    shared: Rc<Shared>,
    peer: Rc<Peer>,
) -> Result<Response<Full<Bytes>>, core::convert::Infallible> {
    let result = match http::receive(request).await {
        Ok(call) => routes::dispatch(&shared, &peer, &call).await,
        Err(problem) => Err(problem),
    };
    shared.counters.count(|metrics| {
        bump(&mut metrics.requests);
        if result.is_err() {
            bump(&mut metrics.problems);
        }
    });
    Ok(http::respond(result))
}
