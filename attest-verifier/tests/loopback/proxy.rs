//! The proxy: bytes reach an attested TRE or nobody, and no longer than it is what it was.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::fs;
use std::process::Stdio;
use std::sync::Arc;

use attest_verifier::core::measured_boot::digest::sha256;
use attest_verifier::core::wire::json;
use attest_verifier::core::wire::units::UnixMillis;
use attest_verifier::{ClientIdentity, Proxy, ProxyError, Trust, Upstream};
use rcgen::KeyPair;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::list_server::{ListServer, Serves, revocations, signed};
use crate::scene::{IMAGE, Scene};
use crate::server::{
    Act, Noted, Reply, Server, answer_honestly, copy, honest, meter_pem, ok, reference_files, trust,
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
        // It does not wait for its next look.
        let every = Duration::from_secs(3_600);
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

/// Descriptors run out, and come back: the proxy is there all the time.
#[tokio::test]
async fn a_proxy_outlives_a_want_of_descriptors() {
    let scene = Arc::new(crate::cli::scene());
    let server = Server::start(Arc::clone(&scene), honest(&scene)).await;
    let folder = tempfile::tempdir().unwrap();
    let files = reference_files(&scene, folder.path());
    let mut command = tokio::process::Command::new("sh");
    let program = env!("CARGO_BIN_EXE_attest-verifier");
    command.args(["-c", "ulimit -n 24; exec \"$@\"", "sh", program, "proxy", &server.address]);
    command.args(["--tre-id", "tre-1", "--every", "600"]).args(files);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut complaints = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = said.next_line().await.unwrap().unwrap();
    let address = first.strip_prefix("listening on ").unwrap();
    let mut crowd = Vec::new();
    for _ in 0..40 {
        // Whether the proxy is there is judged below.
        crowd.extend(TcpStream::connect(address).await.ok());
    }
    let not_accepted = async {
        while let Some(line) = complaints.next_line().await.unwrap() {
            if line.contains("a connection was not accepted") {
                return line;
            }
        }
        panic!("the proxy ended: {:?}", child.wait().await)
    };
    let complaint = timeout(LONG, not_accepted).await.unwrap();
    assert!(complaint.contains("os error 24"), "{complaint}");
    drop(crowd);
    // Those of the crowd come first.
    let mut answer = Vec::new();
    for _ in 0..100 {
        let mut local = TcpStream::connect(address).await.unwrap();
        answer = ask(&mut local).await;
        if !answer.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"), "{answer:?}");
}

/// The list of a server is fetched again and again, and a TRE that came onto it is left.
#[tokio::test]
async fn a_running_proxy_fetches_a_newer_list_and_closes() {
    let scene = Arc::new(crate::cli::scene());
    let server = Server::start(Arc::clone(&scene), honest(&scene)).await;
    let status = KeyPair::generate().unwrap();
    let until = UnixMillis::new(scene.time).unwrap().plus(3_600_000);
    let serves = |sequence, keys: &[&KeyPair]| {
        let list = revocations(sequence, keys, until);
        Serves::List { signature: signed(&list, &status), list }
    };
    let lists = ListServer::start(serves(7, &[])).await;
    let folder = tempfile::tempdir().unwrap();
    let files = reference_files(&scene, folder.path());
    let status_key = folder.path().join("status.pem");
    fs::write(&status_key, status.public_key_pem()).unwrap();
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_attest-verifier"));
    command.args(["proxy", &server.address, "--tre-id", "tre-1", "--every", "1"]).args(files);
    command.args(["--revocations", &lists.url, "--list-folder"]).arg(folder.path());
    command.arg("--status-key").arg(&status_key);
    let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = said.next_line().await.unwrap().unwrap();
    let address = first.strip_prefix("listening on ").unwrap();
    let mut local = TcpStream::connect(address).await.unwrap();
    assert!(ask(&mut local).await.starts_with(b"HTTP/1.1 200"));
    // Two looks with the list as it was: it stays.
    let stays = timeout(Duration::from_millis(2_500), local.read(&mut [0])).await;
    assert!(stays.is_err(), "{stays:?}");
    lists.serves.send_replace(serves(8, &[&scene.aik]));
    let ended = timeout(LONG, local.read(&mut [0])).await;
    assert!(matches!(ended, Ok(Ok(0) | Err(_))), "it goes on: {ended:?}");
}
