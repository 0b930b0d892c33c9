//! The proxy: bytes reach an attested TRE or nobody, and no longer than it is what it was.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::Arc;

use attest_verifier::core::measured_boot::digest::sha256;
use attest_verifier::core::wire::json;
use attest_verifier::{ClientIdentity, Proxy, ProxyError, Trust, Upstream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::scene::{IMAGE, Scene};
use crate::server::{
    Act, Noted, Reply, Server, answer_honestly, copy, honest, meter_pem, ok, trust,
};

const REQUEST: &[u8] = b"GET /v1/policy HTTP/1.1\r\nhost: tre\r\n\r\n";

/// Far more than anything here takes.
const LONG: Duration = Duration::from_secs(20);

async fn proxied(server: &Server, scene: &Scene, every: Duration) -> TcpStream {
    trusted(server, scene, every).await.0
}

/// The same, and what changes whom the proxy believes.
async fn trusted(
    server: &Server,
    scene: &Scene,
    every: Duration,
) -> (TcpStream, watch::Sender<Option<Trust>>) {
    let (sender, receiver) = watch::channel(Some(trust(scene)));
    let upstream = Upstream {
        address: server.address.clone(),
        tre_id: Scene::identity().id,
        trust: receiver,
        identity: Some(ClientIdentity::from_pem(meter_pem(scene).0.as_bytes()).unwrap()),
        every,
        now: Scene::now,
    };
    let proxy = Proxy::listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = proxy.address();
    tokio::spawn(proxy.run(upstream, |_| {}));
    (TcpStream::connect(address).await.unwrap(), sender)
}

async fn ask(stream: &mut TcpStream) -> Vec<u8> {
    stream.write_all(REQUEST).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"{}") {
        match timeout(LONG, stream.read_u8()).await.expect("an answer or an end") {
            Ok(byte) => answer.push(byte),
            Err(_) => break,
        }
    }
    answer
}

fn requests(noted: Vec<Noted>) -> Vec<(usize, String)> {
    let request = |one| match one {
        Noted::Request { connection, line, .. } => Some((connection, line)),
        Noted::Handshake { .. } | Noted::NoHandshake { .. } => None,
    };
    noted.into_iter().filter_map(request).collect()
}

#[tokio::test]
async fn bytes_go_to_a_proven_tre() {
    let scene = Arc::new(Scene::honest());
    let mut server = Server::start(Arc::clone(&scene), honest(&scene)).await;
    let mut local = proxied(&server, &scene, LONG).await;
    assert!(ask(&mut local).await.starts_with(b"HTTP/1.1 200"));
    let requests = requests(server.noted(5).await);
    assert_eq!(requests.last(), Some(&(1, "GET /v1/policy HTTP/1.1".to_owned())));
    assert_eq!(requests.len(), 3);
}

#[tokio::test]
async fn a_tampered_box_is_given_no_byte() {
    let mut scene = Scene::honest();
    let event = scene.log.iter_mut().find(|event| event.digest == IMAGE).unwrap();
    event.digest = sha256(b"another image");
    let scene = Arc::new(scene);
    let mut server = Server::start(Arc::clone(&scene), honest(&scene)).await;
    let mut local = proxied(&server, &scene, LONG).await;
    assert_eq!(ask(&mut local).await, b"");
    let attest = "POST /v1/attestation HTTP/1.1".to_owned();
    assert_eq!(requests(server.noted(2).await), [(0, attest)]);
}

/// What a box does from some moment on.
type Later = Box<dyn Fn(&mut attest_verifier::core::wire::attestation::Evidence) + Send + Sync>;

/// Whether an open connection is closed once the box does what `later` says.
async fn is_closed(later: Later, changed: Option<Scene>) -> bool {
    let scene = Arc::new(Scene::honest());
    let has_changed = Arc::new(AtomicBool::new(false));
    let (played, when) = (Arc::clone(&scene), Arc::clone(&has_changed));
    let changed = changed.map(|changed| Scene {
        aik: copy(&scene.aik),
        started: scene.started.clone(),
        ..changed
    });
    let reply: Reply = Box::new(move |visit| {
        if !when.load(Ordering::Relaxed) || !visit.line.starts_with("POST /v1/attestation ") {
            return Act::Answer(answer_honestly(&played, visit));
        }
        let mut evidence = changed.as_ref().unwrap_or(&played).answer(&visit.seen);
        evidence.attestation_key_chain = played.answer(&visit.seen).attestation_key_chain;
        later(&mut evidence);
        Act::Answer(ok(&json::encode(&evidence).unwrap()))
    });
    let server = Server::start(Arc::clone(&scene), reply).await;
    let mut local = proxied(&server, &scene, Duration::from_millis(100)).await;
    assert!(ask(&mut local).await.starts_with(b"HTTP/1.1 200"));
    has_changed.store(true, Ordering::Relaxed);
    // Nothing more is asked: only the proxy's own look can end it.
    let ended = timeout(Duration::from_secs(5), local.read(&mut [0])).await;
    matches!(ended, Ok(Ok(0) | Err(_)))
}

#[tokio::test]
async fn a_connection_stays_while_the_tre_is_what_it_was() {
    assert!(!is_closed(Box::new(|_| {}), None).await);
}

#[tokio::test]
async fn a_box_that_is_refused_later_loses_its_connections() {
    assert!(is_closed(Box::new(|evidence| evidence.pcrs[4].0[0] ^= 1), None).await);
}

/// A list that came later, or one that has ended: the files are not what they were at the start.
#[tokio::test]
async fn connections_end_with_what_they_were_believed_by() {
    for later in [None, Some(trust(&Scene::honest()))] {
        let scene = Arc::new(Scene::honest());
        let server = Server::start(Arc::clone(&scene), honest(&scene)).await;
        let every = Duration::from_millis(100);
        let (mut local, sender) = trusted(&server, &scene, every).await;
        assert!(ask(&mut local).await.starts_with(b"HTTP/1.1 200"));
        sender.send_replace(later);
        let ended = timeout(Duration::from_secs(5), local.read(&mut [0])).await;
        assert!(matches!(ended, Ok(Ok(0) | Err(_))), "it goes on: {ended:?}");
    }
}

/// It is the right TRE in every way, after a reset: the old connection cannot be to it.
#[tokio::test]
async fn another_boot_closes_connections_to_the_one_before() {
    let mut rebooted = Scene::honest();
    rebooted.clock.reset_count += 1;
    assert!(is_closed(Box::new(|_| {}), Some(rebooted)).await);
}

/// Whoever reaches the proxy speaks to the TRE in our name.
#[tokio::test]
async fn other_machines_are_not_listened_to() {
    let found = "0.0.0.0:0".parse().unwrap();
    let Err(ProxyError::NotLoopback { found: refused }) = Proxy::listen(found).await else {
        panic!()
    };
    assert_eq!(refused, found);
}
