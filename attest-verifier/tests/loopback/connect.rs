//! Verify first, then speak: what a box sees of us before it is proven, and after.

use std::sync::Arc;

use attest_verifier::core::ChainError;
use attest_verifier::core::channel::ChannelError;
use attest_verifier::core::check::{Check, Mismatch as _};
use attest_verifier::core::measured_boot::digest::{Sha256Digest, sha256};
use attest_verifier::core::measured_boot::pcr::PcrIndex;
use attest_verifier::core::quote::BindingError;
use attest_verifier::core::refusal::Refusal;
use attest_verifier::core::wire::message::{Done, StartState};
use attest_verifier::{
    AnyKeyConnection, AttestError, AttestedConnection, AttestedStream, ClientIdentity,
    ConnectError, ElsewhereError, Trust, examine,
};
use rcgen::KeyPair;
use rustls::HandshakeKind;

use crate::scene::{IMAGE, Scene, Seen, spki_hash};
use crate::server::{
    Act, Noted, Reply, Server, Visit, answer_honestly, copy, honest, meter_pem, of_scene, ok,
    self_signed, trust,
};

async fn connect(
    server: &Server,
    trust: &Trust,
    identity: Option<&ClientIdentity>,
) -> Result<AttestedConnection, AttestError> {
    let tre_id = Scene::identity().id;
    let address = &server.address;
    let stream = AttestedStream::connect(address, &tre_id, trust, identity, Scene::now()).await?;
    Ok(stream.into_http().await?)
}

#[track_caller]
fn refused(outcome: Result<AttestedConnection, AttestError>) -> Refusal {
    match outcome {
        Err(AttestError::Refused(refusal)) => refusal,
        Err(error) => panic!("{error}"),
        Ok(connection) => panic!("{:?}", connection.attested()),
    }
}

/// The lines of the requests of each connection, after its handshake.
fn lines(noted: &[Noted]) -> Vec<(usize, &str)> {
    noted
        .iter()
        .filter_map(|one| match one {
            Noted::Request { connection, line, .. } => Some((*connection, line.as_str())),
            Noted::Handshake { .. } | Noted::NoHandshake { .. } => None,
        })
        .collect()
}

/// The client certificates that each connection was shown.
fn certificates(noted: &[Noted]) -> Vec<(usize, bool)> {
    noted
        .iter()
        .filter_map(|one| match one {
            Noted::Handshake { connection, certificate, .. }
            | Noted::NoHandshake { connection, certificate } => Some((*connection, *certificate)),
            Noted::Request { .. } => None,
        })
        .collect()
}

fn handshake(connection: usize, certificate: bool) -> Noted {
    Noted::Handshake { connection, certificate, kind: HandshakeKind::Full }
}

const ATTEST: &str = "POST /v1/attestation HTTP/1.1";

#[tokio::test]
async fn a_proven_tre_is_spoken_to_over_the_proven_connection() {
    let scene = Arc::new(Scene::honest());
    let mut server = Server::start(Arc::clone(&scene), honest(&scene)).await;
    let mut connection = connect(&server, &trust(&scene), None).await.unwrap();
    assert_eq!(connection.attested().server_key(), spki_hash(&scene.tls));
    for _ in 0..2 {
        connection.get::<Done>("/v1/policy").await.unwrap();
    }
    let policy = "GET /v1/policy HTTP/1.1";
    let noted = server.noted(4).await;
    assert_eq!(lines(&noted), [(0, ATTEST), (0, policy), (0, policy)]);
}

/// The procedure: without the certificate, then with it on a new connection, attested again.
#[tokio::test]
async fn an_identity_is_shown_on_a_second_connection_only() {
    let scene = Arc::new(Scene::honest());
    let mut server = Server::start(Arc::clone(&scene), honest(&scene)).await;
    let identity = ClientIdentity::from_pem(meter_pem(&scene).0.as_bytes()).unwrap();
    let mut connection = connect(&server, &trust(&scene), Some(&identity)).await.unwrap();
    connection.post::<Done, Done>("/v1/readings", &Done {}).await.unwrap();
    let noted = server.noted(5).await;
    let shapes: Vec<Noted> = noted
        .into_iter()
        .map(|one| match one {
            Noted::Request { connection, line, .. } => {
                Noted::Request { connection, line, body: Vec::new() }
            }
            handshake @ (Noted::Handshake { .. } | Noted::NoHandshake { .. }) => handshake,
        })
        .collect();
    let request = |connection, line: &str| Noted::Request {
        connection,
        line: line.to_owned(),
        body: Vec::new(),
    };
    assert_eq!(
        shapes,
        [
            handshake(0, false),
            request(0, ATTEST),
            handshake(1, true),
            request(1, ATTEST),
            request(1, "POST /v1/readings HTTP/1.1"),
        ]
    );
}

/// Nonces are made here, for one question each.
#[tokio::test]
async fn no_nonce_is_used_twice() {
    let scene = Arc::new(Scene::honest());
    let mut server = Server::start(Arc::clone(&scene), honest(&scene)).await;
    let (pem, _) = meter_pem(&scene);
    let identity = ClientIdentity::from_pem(pem.as_bytes()).unwrap();
    for _ in 0..4 {
        let connection = connect(&server, &trust(&scene), Some(&identity)).await.unwrap();
        connection.attest_again(&trust(&scene), Scene::now()).await.unwrap();
    }
    let noted = server.noted(20).await;
    let mut nonces: Vec<Vec<u8>> = noted
        .into_iter()
        .filter_map(|one| match one {
            Noted::Request { body, .. } => Some(body),
            Noted::Handshake { .. } | Noted::NoHandshake { .. } => None,
        })
        .collect();
    assert_eq!(nonces.len(), 4 * 3);
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 4 * 3);
}

/// The server offers tickets; each connection is a whole handshake all the same.
#[tokio::test]
async fn no_connection_is_resumed() {
    let scene = Arc::new(Scene::honest());
    let mut server = Server::start(Arc::clone(&scene), honest(&scene)).await;
    for _ in 0..3 {
        connect(&server, &trust(&scene), None).await.unwrap();
    }
    let noted = server.noted(6).await;
    let handshakes: Vec<_> =
        noted.into_iter().filter(|one| matches!(one, Noted::Handshake { .. })).collect();
    assert_eq!(handshakes, [handshake(0, false), handshake(1, false), handshake(2, false)]);
}

#[tokio::test]
async fn a_tampered_box_is_sent_a_nonce_and_nothing_else() {
    let mut scene = Scene::honest();
    let event = scene.log.iter_mut().find(|event| event.digest == IMAGE).unwrap();
    event.digest = sha256(b"another image");
    let scene = Arc::new(scene);
    let mut server = Server::start(Arc::clone(&scene), honest(&scene)).await;
    let identity = ClientIdentity::from_pem(meter_pem(&scene).0.as_bytes()).unwrap();
    let refusal = refused(connect(&server, &trust(&scene), Some(&identity)).await);
    assert_eq!(refusal.check(), Check::Pcr(PcrIndex::P4));
    let noted = server.noted(2).await;
    assert_eq!((lines(&noted), certificates(&noted)), (vec![(0, ATTEST)], vec![(0, false)]));
}

/// Proven once, then another key: the certificate verifier says no before ours is shown.
#[tokio::test]
async fn an_identity_is_not_shown_to_another_key_of_the_same_tre() {
    let scene = Arc::new(Scene::honest());
    let other = Arc::clone(&scene);
    let shows = move |connection| match connection {
        0 => of_scene(&other),
        _ => {
            let key = KeyPair::generate().unwrap();
            let certificate = other.tls_certificate.sign(&key, &other.authority);
            (key, certificate)
        }
    };
    let reply = honest(&scene);
    let mut server = Server::showing(Arc::clone(&scene), Box::new(shows), reply).await;
    let identity = ClientIdentity::from_pem(meter_pem(&scene).0.as_bytes()).unwrap();
    let outcome = connect(&server, &trust(&scene), Some(&identity)).await;
    let Err(AttestError::Connect(ConnectError::Elsewhere { source, .. })) = outcome else {
        panic!("{outcome:?}");
    };
    let ElsewhereError::Key { expected, found } = source else { panic!("{source}") };
    assert_eq!(expected, spki_hash(&scene.tls));
    assert_ne!(expected, found);
    let noted = server.noted(3).await;
    assert_eq!(certificates(&noted), [(0, false), (1, false)]);
    assert_eq!(lines(&noted), [(0, ATTEST)]);
}

#[tokio::test]
async fn an_identity_is_not_shown_to_a_throw_away_certificate() {
    let scene = Arc::new(Scene::honest());
    let other = Arc::clone(&scene);
    // The very key that was attested, under a certificate that nobody issued.
    let shows = move |connection| match connection {
        0 => of_scene(&other),
        _ => (of_scene(&other).0, self_signed(&other.tls)),
    };
    let reply = honest(&scene);
    let mut server = Server::showing(Arc::clone(&scene), Box::new(shows), reply).await;
    let identity = ClientIdentity::from_pem(meter_pem(&scene).0.as_bytes()).unwrap();
    let outcome = connect(&server, &trust(&scene), Some(&identity)).await;
    let Err(AttestError::Connect(ConnectError::Elsewhere { source, .. })) = outcome else {
        panic!("{outcome:?}");
    };
    let cause = ChainError::SelfIssued;
    assert_eq!(source, ElsewhereError::Channel(ChannelError::Chain { cause }));
    assert_eq!(certificates(&server.noted(3).await), [(0, false), (1, false)]);
}

/// A relay that even holds the TRE's TLS key: the quote is for its own connection to the TRE.
#[tokio::test(flavor = "multi_thread")]
async fn evidence_relayed_from_a_genuine_tre_is_refused() {
    let scene = Arc::new(Scene::honest());
    let genuine = Server::start(Arc::clone(&scene), honest(&scene)).await;
    let address = genuine.address.clone();
    let (ask, mut asked) = tokio::sync::mpsc::unbounded_channel::<(Vec<u8>, _)>();
    let carrier = tokio::spawn(async move {
        let (body, answer): (Vec<u8>, std::sync::mpsc::Sender<Vec<u8>>) =
            asked.recv().await.unwrap();
        let mut upstream = AnyKeyConnection::open(&address, None).await.unwrap();
        let path = "/v1/attestation";
        let method = attest_verifier::Method::POST;
        let response = upstream.request(method, path, Some(body)).await.unwrap();
        answer.send(response.body).unwrap();
    });
    let reply: Reply = Box::new(move |visit| {
        let (answer, answered) = std::sync::mpsc::channel();
        ask.send((visit.body.to_vec(), answer)).unwrap();
        Act::Answer(ok(&tokio::task::block_in_place(|| answered.recv()).unwrap()))
    });
    let mut relay = Server::start(Arc::clone(&scene), reply).await;
    let refusal = refused(connect(&relay, &trust(&scene), None).await);
    assert!(
        matches!(refusal, Refusal::Binding(BindingError::QualifyingData { .. })),
        "{refusal:?}"
    );
    carrier.await.unwrap();
    assert_eq!(lines(&relay.noted(2).await), [(0, ATTEST)]);
}

/// Evidence once given on another connection, with its nonce and all.
#[tokio::test]
async fn evidence_of_another_connection_is_refused() {
    let scene = Arc::new(Scene::honest());
    let kept = std::sync::Mutex::new(None);
    let played = Arc::clone(&scene);
    let reply: Reply = Box::new(move |visit| {
        let mut kept = kept.lock().unwrap();
        Act::Answer(kept.get_or_insert_with(|| answer_honestly(&played, visit)).clone())
    });
    let mut server = Server::start(Arc::clone(&scene), reply).await;
    connect(&server, &trust(&scene), None).await.unwrap();
    let refusal = refused(connect(&server, &trust(&scene), None).await);
    assert_eq!(refusal.check(), Check::QualifyingData);
    assert_eq!(lines(&server.noted(4).await), [(0, ATTEST), (1, ATTEST)]);
}

/// On the second connection the box binds somebody else's client key.
#[tokio::test]
async fn evidence_for_another_client_is_refused() {
    for client_key in [Sha256Digest::ZERO, sha256(b"somebody else")] {
        let scene = Arc::new(Scene::honest());
        let played = Arc::clone(&scene);
        let reply: Reply = Box::new(move |visit| {
            let seen =
                if visit.connection == 0 { visit.seen } else { Seen { client_key, ..visit.seen } };
            Act::Answer(answer_honestly(&played, &Visit { seen, ..*visit }))
        });
        let mut server = Server::start(Arc::clone(&scene), reply).await;
        let identity = ClientIdentity::from_pem(meter_pem(&scene).0.as_bytes()).unwrap();
        let refusal = refused(connect(&server, &trust(&scene), Some(&identity)).await);
        assert_eq!(refusal.check(), Check::QualifyingData);
        assert_eq!(lines(&server.noted(4).await), [(0, ATTEST), (1, ATTEST)]);
    }
}

/// A box that changes while it is connected is given up.
#[tokio::test]
async fn a_box_that_changes_is_refused_when_attested_again() {
    let scene = Arc::new(Scene::honest());
    let mut changed = Scene { aik: copy(&scene.aik), ..Scene::honest() };
    changed.started.clone_from(&scene.started);
    changed.started.push(sha256(b"something ran"));
    let played = Arc::clone(&scene);
    let count = core::sync::atomic::AtomicUsize::new(0);
    let reply: Reply = Box::new(move |visit| {
        let first = count.fetch_add(1, core::sync::atomic::Ordering::Relaxed) == 0;
        let mut evidence = if first { &played } else { &changed }.answer(&visit.seen);
        evidence.attestation_key_chain = played.answer(&visit.seen).attestation_key_chain;
        Act::Answer(ok(&attest_verifier::core::wire::json::encode(&evidence).unwrap()))
    });
    let server = Server::start(Arc::clone(&scene), reply).await;
    let trust = trust(&scene);
    let connection = connect(&server, &trust, None).await.unwrap();
    let refusal = refused(connection.attest_again(&trust, Scene::now()).await);
    assert_eq!(refusal.check(), Check::Pcr(PcrIndex::P11));
}

#[tokio::test]
async fn a_locked_box_with_a_throw_away_key_is_examined_to_the_end() {
    let mut scene = Scene { state: StartState::Locked, ..Scene::honest() };
    let event = scene.log.iter_mut().find(|event| event.digest == IMAGE).unwrap();
    event.digest = sha256(b"another image");
    let scene = Arc::new(scene);
    let other = Arc::clone(&scene);
    let shows = move |_| (copy(&other.tls), self_signed(&other.tls));
    let server = Server::showing(Arc::clone(&scene), Box::new(shows), honest(&scene)).await;
    let tre_id = Scene::identity().id;
    let examination =
        examine(&server.address, &tre_id, &trust(&scene), Scene::now()).await.unwrap();
    let failed: Vec<String> = examination
        .checks
        .iter()
        .filter(|check| !check.ok)
        .map(|check| check.check.to_string())
        .collect();
    assert_eq!(failed, ["start-state", "tls-chain", "tls-identity", "pcr-4"]);
    let verdict = examination.verdict.map_err(|refusal| refusal.check());
    assert_eq!(verdict.err(), Some(Check::StartState));
}

#[tokio::test]
async fn a_new_box_is_appraised_over_its_throw_away_key() {
    let scene = Arc::new(Scene::new_box());
    let other = Arc::clone(&scene);
    let shows = move |_| (copy(&other.tls), self_signed(&other.tls));
    let server = Server::showing(Arc::clone(&scene), Box::new(shows), honest(&scene)).await;
    let (pem, key) = meter_pem(&scene);
    let operator = ClientIdentity::from_pem(pem.as_bytes()).unwrap();
    let mut connection = AnyKeyConnection::open(&server.address, Some(&operator)).await.unwrap();
    assert_eq!(connection.client_key(), Some(key));
    let appraised = connection.appraise_unenrolled(&trust(&scene), Scene::now()).await.unwrap();
    assert_eq!(appraised.attestation_key(), scene.public().area());
}
