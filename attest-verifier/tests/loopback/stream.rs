//! The attested connection as bytes: the very one that was attested, and nothing before.

use std::sync::Arc;

use attest_verifier::core::wire::message::Done;
use attest_verifier::{AttestError, AttestedStream, ClientIdentity, RequestError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::scene::Scene;
use crate::server::{Act, Noted, Server, answer_honestly, honest, meter_pem, trust};

async fn connect(server: &Server, scene: &Scene) -> Result<AttestedStream, AttestError> {
    let identity = ClientIdentity::from_pem(meter_pem(scene).0.as_bytes()).unwrap();
    let (address, tre_id, now) = (&server.address, Scene::identity().id, Scene::now());
    AttestedStream::connect(address, &tre_id, &trust(scene), Some(&identity), now).await
}

/// Connection and first line of every request.
async fn lines(server: &mut Server, least: usize) -> Vec<(usize, String)> {
    let noted = server.noted(least).await.into_iter();
    noted
        .filter_map(|one| match one {
            Noted::Request { connection, line, .. } => Some((connection, line)),
            Noted::Handshake { .. } | Noted::NoHandshake { .. } => None,
        })
        .collect()
}

fn line(connection: usize, line: &str) -> (usize, String) {
    (connection, line.to_owned())
}

const ATTEST: &str = "POST /v1/attestation HTTP/1.1";

#[tokio::test]
async fn bytes_go_over_the_connection_that_was_attested_with_our_certificate() {
    let scene = Arc::new(Scene::honest());
    let mut server = Server::start(Arc::clone(&scene), honest(&scene)).await;
    let mut stream = connect(&server, &scene).await.unwrap();
    stream.write_all(b"GET /v1/policy HTTP/1.1\r\nhost: tre\r\n\r\n").await.unwrap();
    stream.flush().await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"{}") {
        answer.push(stream.read_u8().await.unwrap());
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    // Between two requests it is attested again, and turned into requests and back.
    let stream = stream.attest_again(&trust(&scene), Scene::now()).await.unwrap();
    let mut requests = stream.into_http().await.unwrap();
    requests.get::<Done>("/v1/health").await.unwrap();
    let mut stream = requests.into_stream().await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(
        lines(&mut server, 7).await,
        [
            line(0, ATTEST),
            line(1, ATTEST),
            line(1, "GET /v1/policy HTTP/1.1"),
            line(1, ATTEST),
            line(1, "GET /v1/health HTTP/1.1"),
        ]
    );
}

/// What a box says behind its evidence would be read as the answer to our first request.
#[tokio::test]
async fn bytes_behind_the_evidence_are_refused() {
    let scene = Arc::new(Scene::honest());
    let played = Arc::clone(&scene);
    let reply = Box::new(move |visit: &crate::server::Visit<'_>| {
        Act::Answer([&answer_honestly(&played, visit)[..], b"HTTP/1.1 200 OK\r\n\r\n"].concat())
    });
    let mut server = Server::start(Arc::clone(&scene), reply).await;
    match connect(&server, &scene).await {
        Err(AttestError::Request(RequestError::Unasked { found: 19 })) => {}
        // The HTTP library may see them first.
        Err(AttestError::Request(RequestError::Closed { source, .. })) => {
            assert_eq!(source.to_string(), "received unexpected message from connection");
        }
        outcome => panic!("{:?}", outcome.map(|stream| stream.attested().server_key())),
    }
    assert_eq!(lines(&mut server, 2).await, [line(0, ATTEST)]);
}
