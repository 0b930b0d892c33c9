//! What needs bytes of our own on the wire: sent through `openssl s_client`.

use core::time::Duration;
use std::io::Write as _;
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use tre_wire::role::Role;

use crate::fixture::shared;

/// An open TLS connection as `role`.
fn client(role: Option<Role>, more: &[&str]) -> Child {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &shared().address]).args(more);
    if let Some(role) = role {
        let credential = shared().credential(role, "one");
        command.arg("-cert").arg(&credential).arg("-key").arg(&credential);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("openssl; run `make deps` first")
}

/// Sends `bytes`, waits, hangs up, and returns what came.
fn exchange(mut client: Child, bytes: &[u8], wait: Duration) -> String {
    let mut input = client.stdin.take().expect("input");
    input.write_all(bytes).expect("an open connection");
    thread::sleep(wait);
    drop(input);
    said(&client.wait_with_output().expect("its output"))
}

fn said(output: &Output) -> String {
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&said).into_owned()
}

const SHORT: Duration = Duration::from_secs(2);

#[tokio::test]
async fn half_a_body_changes_nothing() {
    let before = shared().state().await;
    let half =
        b"PUT /v1/connections/p1 HTTP/1.1\r\nhost: tre\r\ncontent-type: application/json\r\n\
        content-length: 200\r\n\r\n{\"account\":\"a1\",";
    let answer = exchange(client(Some(Role::Registrar), &["-quiet"]), half, SHORT);
    assert!(!answer.contains("HTTP/1.1 200"), "{answer}");
    assert_eq!(shared().state().await, before);
}

#[test]
fn a_body_of_another_media_type_is_refused() {
    let request = b"POST /v1/readings HTTP/1.1\r\nhost: tre\r\ncontent-type: text/plain\r\n\
        content-length: 2\r\nconnection: close\r\n\r\n{}";
    let answer = exchange(client(Some(Role::Meter), &["-quiet"]), request, SHORT);
    assert!(answer.contains("HTTP/1.1 415"), "{answer}");
    assert!(answer.contains("urn:tre:problem:unsupported-media"), "{answer}");
}

#[test]
fn a_body_without_a_length_is_refused() {
    let request = b"POST /v1/readings HTTP/1.1\r\nhost: tre\r\ncontent-type: application/json\r\n\
        transfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let answer = exchange(client(Some(Role::Meter), &["-quiet"]), request, SHORT);
    assert!(answer.contains("expected a content-length"), "{answer}");
}

#[test]
fn what_is_no_http_is_closed_cleanly() {
    let answer = exchange(client(None, &["-quiet"]), b"\x00\x01\x02 nonsense\r\n\r\n", SHORT);
    assert!(answer.contains("HTTP/1.1 400") || !answer.contains("HTTP/1.1"), "{answer}");
}

#[test]
fn too_many_headers_are_refused() {
    let many = "x: y\r\n".repeat(40);
    let request = format!("GET /v1/health HTTP/1.1\r\nhost: tre\r\n{many}\r\n");
    let answer = exchange(client(None, &["-quiet"]), request.as_bytes(), SHORT);
    assert!(answer.contains("HTTP/1.1 431"), "{answer}");
}

#[test]
fn a_header_that_never_ends_is_closed_within_its_bound() {
    let client = client(None, &["-quiet"]);
    let wait = Duration::from_secs(33);
    let answer = exchange(client, b"GET /v1/health HTTP/1.1\r\nhost: t", wait);
    assert!(!answer.contains("HTTP/1.1 200"), "{answer}");
}

#[test]
fn tls_1_2_is_refused() {
    let answer = exchange(client(None, &["-tls1_2"]), b"", Duration::ZERO);
    assert!(answer.contains("alert protocol version"), "{answer}");
}

#[test]
fn no_session_is_ever_offered_for_resumption() {
    let request = b"GET /v1/health HTTP/1.1\r\nhost: tre\r\nconnection: close\r\n\r\n";
    let answer = exchange(client(None, &["-tls1_3"]), request, SHORT);
    assert!(answer.contains("HTTP/1.1 200"), "{answer}");
    assert!(!answer.contains("New Session Ticket"), "{answer}");
}
