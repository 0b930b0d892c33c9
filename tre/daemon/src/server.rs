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
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use crate::bounds;
use crate::http::{self, Length};
use crate::metrics::bump;
use crate::peer::{Dated, Peer};
use crate::places::{Holder, Most, Place, Places};
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
pub(crate) async fn serve(listener: TcpListener, shared: Rc<Shared>) -> ! {
    let places = Places::new(Most {
        all: bounds::CONNECTIONS,
        anonymous: bounds::ANONYMOUS_CONNECTIONS,
        leaving: bounds::LEAVING,
    });
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            // The peer gave up first, or the system has no descriptor to give: whatever it is,
            // a peer can cause it, and it does not end the service.
            Err(_) => {
                shared.counters.count(|metrics| bump(&mut metrics.connections_refused));
                sleep(bounds::ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Some(place) = place_of(&places, Holder::at(address.ip())).await else {
            shared.counters.count(|metrics| bump(&mut metrics.connections_refused));
            continue;
        };
        shared.counters.count(|metrics| bump(&mut metrics.connections));
        let shared = Rc::clone(&shared);
        tokio::task::spawn_local(converse(stream, place, shared));
    }
}

/// A place for a newcomer. In a burst, those who lost theirs have not had their turn to go yet.
async fn place_of(places: &Rc<Places>, newcomer: Holder) -> Option<Place> {
    let place = places.take(newcomer);
    if place.is_some() {
        return place;
    }
    yield_now().await;
    places.take(newcomer)
}

/// One connection, from handshake to close. Whatever goes wrong ends this connection alone.
async fn converse(stream: TcpStream, mut place: Place, shared: Rc<Shared>) {
    // Subscribed before the handshake: a key that changes meanwhile is not missed.
    let mut replaced = shared.front.subscribe();
    let front = replaced.borrow_and_update().clone();
    let Some((stream, peer)) = enter(stream, &mut place, &front, &shared).await else {
        shared.counters.count(|metrics| bump(&mut metrics.handshakes_failed));
        return;
    };
    if peer.identity.is_some() {
        place.belongs_to(peer.client_key);
    } else if !place.stays_anonymous() {
        shared.counters.count(|metrics| bump(&mut metrics.connections_refused));
        return;
    }
    let peer = Rc::new(peer);
    let life = if peer.identity.is_some() { bounds::LIFE } else { bounds::ANONYMOUS_LIFE };
    let service = service_fn(|request| answer(request, Rc::clone(&shared), Rc::clone(&peer)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds::HEADER)
        .max_headers(bounds::HEADERS)
        .max_buf_size(bounds::HEADER_BYTES)
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = core::pin::pin!(connection);
    // A connection ends by its peer, by its bounds, or by a change of the server's key; at once, if
    // another has its place.
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended.is_ok()),
        () = place.lost() => Some(false),
        () = other_key(&mut replaced, front.server_key) => None,
        () = sleep(life) => None,
    };
    let whole = match ended {
        Some(whole) => whole,
        None => {
            connection.as_mut().graceful_shutdown();
            timeout(bounds::DRAIN, connection).await.is_ok_and(|ended| ended.is_ok())
        }
    };
    if !whole {
        shared.counters.count(|metrics| bump(&mut metrics.connections_broken));
    }
}

/// Waits until connections show another key than `shown`; newer certificates of one are no reason.
async fn other_key(replaced: &mut watch::Receiver<Front>, shown: [u8; 32]) {
    while replaced.changed().await.is_ok() {
        if replaced.borrow_and_update().server_key != shown {
            return;
        }
    }
}

/// Shakes hands, unless another gets the place meanwhile.
async fn enter(
    stream: TcpStream,
    place: &mut Place,
    front: &Front,
    shared: &Shared,
) -> Option<(tokio_rustls::server::TlsStream<TcpStream>, Peer)> {
    tokio::select! {
        shaken = handshake(stream, front, shared) => shaken,
        () = place.lost() => None,
    }
}

async fn handshake(
    stream: TcpStream,
    front: &Front,
    shared: &Shared,
) -> Option<(tokio_rustls::server::TlsStream<TcpStream>, Peer)> {
    stream.set_nodelay(true).ok()?;
    let before = shared.clock.now();
    let accept = TlsAcceptor::from(Arc::clone(&front.config)).accept(stream);
    let stream = timeout(bounds::HANDSHAKE, accept).await.ok()?.ok()?;
    // Known when the handshake began, and still when it ended.
    let dated = Dated::at(before.and(shared.clock.now()));
    let trust_domain = shared.deployment.as_ref().map(|deployment| &deployment.trust_domain);
    let peer = Peer::of(stream.get_ref().1, front.server_key, trust_domain, dated)?;
    Some((stream, peer))
}

async fn answer(
    request: Request<Incoming>,
    shared: Rc<Shared>,
    peer: Rc<Peer>,
) -> Result<Response<Full<Bytes>>, core::convert::Infallible> {
    let role = peer.identity.as_ref().map(|identity| identity.role);
    let length = routes::length(request.uri().path());
    let result = match http::receive(request, role, &shared.rooms).await {
        Ok(call) => routes::dispatch(&shared, &peer, &call).await,
        Err(problem) => Err(problem),
    };
    shared.counters.count(|metrics| {
        bump(&mut metrics.requests);
        // An operator who sees the wire, too, would see whose answer of even length was a refusal.
        if result.is_err() && length == Length::Its {
            bump(&mut metrics.problems);
        }
    });
    Ok(http::respond(result, length))
}
