//! Every way in which there is no good answer has its own error, which says what to do.

use std::sync::Arc;

use attest_verifier::core::wire::bounds;
use attest_verifier::core::wire::json;
use attest_verifier::core::wire::message::Health;
use attest_verifier::core::wire::problem::{self, Problem, ProblemType};
use attest_verifier::{AnyKeyConnection, AttestError, ConnectError, RequestError};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::scene::Scene;
use crate::server::{Act, Reply, Server, http, ok};

async fn asked(reply: impl Fn() -> Act + Send + Sync + 'static) -> RequestError {
    let scene = Arc::new(Scene::honest());
    let reply: Reply = Box::new(move |_| reply());
    let server = Server::start(scene, reply).await;
    let mut connection = AnyKeyConnection::open(&server.address, None).await.unwrap();
    connection.get::<Health>("/v1/health").await.unwrap_err()
}

#[tokio::test]
async fn a_problem_comes_back_as_the_tre_said_it() {
    let said = Problem::new(ProblemType::WrongRole, "expected a meter".to_owned());
    let body = json::encode(&said).unwrap();
    let error = asked(move || Act::Answer(http(403, problem::MEDIA_TYPE, &body))).await;
    let RequestError::Problem { path, problem } = &error else { panic!("{error}") };
    assert_eq!((path.as_str(), problem), ("/v1/health", &said));
    let text = "the TRE refuses /v1/health: expected a meter (urn:tre:problem:wrong-role)";
    assert_eq!(error.to_string(), text);
}

/// Whoever answers may be anybody: its words move no cursor and begin no line of ours.
#[tokio::test]
async fn a_problem_draws_nothing_on_a_terminal() {
    let detail = "no\u{1b}[2J\u{1b}[H\nACCEPTED: h:1 is tre-1";
    let said = Problem::new(ProblemType::WrongRole, detail.to_owned());
    let body = json::encode(&said).unwrap();
    let error = asked(move || Act::Answer(http(403, problem::MEDIA_TYPE, &body))).await;
    let drawn = error.to_string();
    assert!(drawn.chars().all(|character| (' '..='~').contains(&character)), "{drawn:?}");
    assert!(drawn.contains(r"no\u{1b}[2J\u{1b}[H\u{a}ACCEPTED: h:1"), "{drawn}");
}

#[tokio::test]
async fn an_answer_that_is_neither_good_nor_a_problem_is_named_by_its_status() {
    let error = asked(|| Act::Answer(http(502, "text/html", b"<html>"))).await;
    assert!(matches!(&error, RequestError::Status { status: 502, .. }), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_another_message_is_refused() {
    let error = asked(|| Act::Answer(ok(b"{\"state\":\"asleep\"}"))).await;
    let RequestError::Body { source, .. } = &error else { panic!("{error}") };
    assert!(source.to_string().contains("unknown variant `asleep`"), "{source}");
}

#[tokio::test]
async fn an_answer_one_byte_too_long_is_refused() {
    let error = asked(|| Act::Answer(ok(&vec![b' '; bounds::BODY_BYTES + 1]))).await;
    let most = bounds::BODY_BYTES;
    assert!(
        matches!(&error, RequestError::TooLong { most: bound, .. } if *bound == most),
        "{error}"
    );
}

#[tokio::test]
async fn a_connection_that_ends_instead_of_an_answer_is_named() {
    let error = asked(|| Act::Break(Vec::new())).await;
    assert!(matches!(&error, RequestError::Closed { .. }), "{error}");
    let half = http(200, "application/json", b"{}");
    let error = asked(move || Act::Break(half[..half.len() - 1].to_vec())).await;
    assert!(matches!(&error, RequestError::Closed { .. }), "{error}");
}

#[tokio::test]
async fn a_header_without_end_is_refused() {
    let error = asked(|| {
        let mut answer = b"HTTP/1.1 200 OK\r\nx: ".to_vec();
        answer.resize(64 * 1024, b'x');
        Act::Answer(answer)
    })
    .await;
    assert!(matches!(&error, RequestError::Closed { .. }), "{error}");
}

#[tokio::test]
async fn a_path_that_cannot_be_sent_is_refused() {
    let scene = Arc::new(Scene::honest());
    let server = Server::start(scene, Box::new(|_| Act::Break(Vec::new()))).await;
    let mut connection = AnyKeyConnection::open(&server.address, None).await.unwrap();
    let error = connection.get::<Health>("/v1/two words").await.unwrap_err();
    assert!(matches!(&error, RequestError::Unsendable { .. }), "{error}");
}

#[tokio::test]
async fn nobody_listening_is_said_with_what_to_do() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = AnyKeyConnection::open(&address, None).await.unwrap_err();
    let text =
        format!("connection refused at {address}: is the TRE running, and is this its address?");
    assert_eq!(error.to_string(), text);
}

#[tokio::test]
async fn an_address_without_a_port_is_refused() {
    let error = AnyKeyConnection::open("127.0.0.1", None).await.unwrap_err();
    assert!(matches!(&error, ConnectError::Unreachable { .. }), "{error}");
    assert!(error.to_string().ends_with("expected HOST:PORT"), "{error}");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let error = AnyKeyConnection::open(&address, None).await.unwrap_err();
    assert!(matches!(&error, ConnectError::Handshake { .. }), "{error}");
    server.await.unwrap();
}

/// What reading evidence with this text behind its first bracket fails for.
async fn evidence_with(more: &'static str) -> String {
    let scene = Arc::new(Scene::honest());
    let played = Arc::clone(&scene);
    let reply: Reply = Box::new(move |visit| {
        let evidence = String::from_utf8(json::encode(&played.answer(&visit.seen)).unwrap());
        Act::Answer(ok(evidence.unwrap().replacen('{', more, 1).as_bytes()))
    });
    let server = Server::start(scene, reply).await;
    let mut connection = AnyKeyConnection::open(&server.address, None).await.unwrap();
    match connection.challenge().await {
        Err(AttestError::Request(RequestError::Body { source, .. })) => source.to_string(),
        Err(error) => panic!("{error}"),
        Ok(answer) => panic!("{answer:?}"),
    }
}

/// Evidence has no field that this verifier does not know, and none twice: it is signed.
#[tokio::test]
async fn evidence_with_an_unknown_or_repeated_field_is_refused() {
    let text = evidence_with("{\"verdict\":\"accepted\",").await;
    assert!(text.contains("unknown field `verdict`"), "{text}");
    let text = evidence_with("{\"state\":\"serving\",").await;
    assert!(text.contains("duplicate field `state`"), "{text}");
}
