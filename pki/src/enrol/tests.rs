//! The last step, where certificates leave: what becomes of the record for each kind of answer.
//! (A real TRE refuses or falls silent there only when its disk or its power does.)

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use rcgen::KeyPair;
use rustls::crypto::ring;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;
use tre_wire::hex::{Hex32, HexBytes};

use super::*;
use crate::ek::TpmModel;

/// A server that takes one request and answers with these bytes, or falls silent.
struct OneAnswer {
    address: String,
    server: JoinHandle<String>,
}

fn answering(response: &'static str) -> OneAnswer {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let key = KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::default();
    let chain = vec![params.self_signed(&key).expect("made").der().clone()];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a pair");
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        let connection = ServerConnection::new(Arc::new(config)).expect("a server");
        let mut stream = StreamOwned::new(connection, stream);
        let mut request = Vec::new();
        let mut buffer = [0; 4_096];
        while !request.ends_with(b"}") {
            let length = stream.read(&mut buffer).expect("a request");
            request.extend_from_slice(&buffer[..length]);
        }
        stream.write_all(response.as_bytes()).expect("sent");
        stream.conn.send_close_notify();
        stream.flush().expect("sent");
        String::from_utf8(request).expect("text")
    });
    OneAnswer { address, server }
}

fn record(identity: &Identity) -> Record {
    Record {
        format: record::FORMAT,
        tre: identity.clone(),
        enrolled_at: now(),
        certificates_end: now().plus(1),
        tpm: TpmModel {
            manufacturer: String::from("id:1"),
            model: String::from("model"),
            version: String::from("id:2"),
        },
        endorsement_certificate_sha256: Some(Hex32([1; 32])),
        endorsement_admitted: BTreeSet::new(),
        endorsement_key_name: HexBytes(vec![2; 34]),
        attestation_key_name: HexBytes(vec![3; 34]),
        storage_key_name: HexBytes(vec![9; 34]),
        attestation_key_spki_sha256: Hex32([4; 32]),
        tls_key_spki_sha256: Hex32([5; 32]),
        document_key_spki_sha256: Hex32([6; 32]),
        manifest_sha256: Hex32([7; 32]),
        deployment_sha256: Hex32([8; 32]),
        record_signature: HexBytes(vec![10]),
    }
}

fn now() -> UnixMillis {
    UnixMillis::new(1_800_000_000_000).expect("in range")
}

/// What the step ended with, the records that then stand, and what the box was sent.
struct Ended {
    result: Result<(), EnrolError>,
    records: Vec<String>,
    request: String,
    _folder: TempDir,
}

fn hand_over_to(server: OneAnswer) -> Ended {
    let folder = tempfile::tempdir().expect("a folder");
    let records = Records::new(folder.path().to_path_buf());
    let identity: Identity = "spiffe://grid.example/tre/tre-1".parse().expect("an identity");
    let record = record(&identity);
    let certificates = CompleteEnrolment {
        attestation_key_chain: vec![HexBytes(vec![1])],
        tls_chain: vec![HexBytes(vec![2])],
        document_chain: vec![HexBytes(vec![3])],
        record_signature: HexBytes(vec![10]),
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let result = runtime.block_on(async {
        let mut connection =
            AnyKeyConnection::open(&server.address, None).await.expect("a connection");
        hand_over(&records, &mut connection, &certificates, &record).await
    });
    let entries = std::fs::read_dir(folder.path()).expect("a folder");
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.expect("an entry").file_name().into_string().expect("plain")
    };
    Ended {
        result,
        records: entries.map(name).collect(),
        request: server.server.join().expect("a server"),
        _folder: folder,
    }
}

const SERVING: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
     content-length: 19\r\n\r\n{\"state\":\"serving\"}";

const STILL_NEW: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
     content-length: 15\r\n\r\n{\"state\":\"new\"}";

const PROBLEM: &str = "HTTP/1.1 500 Internal Server Error\r\n\
     content-type: application/problem+json\r\ncontent-length: 76\r\n\r\n\
     {\"type\":\"urn:tre:problem:internal\",\"status\":500,\"detail\":\"the disk is full\"}";

#[test]
fn a_confirmed_enrolment_leaves_its_record() {
    let ended = hand_over_to(answering(SERVING));
    assert!(matches!(ended.result, Ok(())), "{:?}", ended.result);
    assert_eq!(ended.records, ["tre-1.json"]);
    assert!(ended.request.starts_with("POST /v1/enrolment/complete HTTP/1.1\r\n"));
    let body = r#"{"attestation_key_chain":["01"],"tls_chain":["02"],"document_chain":["03"],"record_signature":"0a"}"#;
    assert!(ended.request.ends_with(body), "{}", ended.request);
}

#[test]
fn a_box_that_refuses_its_certificates_leaves_no_record() {
    let ended = hand_over_to(answering(PROBLEM));
    assert!(
        matches!(
            ended.result,
            Err(EnrolError::Call { step: Step::Complete, source: RequestError::Problem { .. } })
        ),
        "{:?}",
        ended.result
    );
    assert_eq!(ended.records, Vec::<String>::new());
}

#[test]
fn a_box_that_may_have_kept_its_certificates_keeps_its_record() {
    for silent in ["", "HTTP/1.1 200 OK\r\ncontent-length: 19\r\n\r\n{\"sta"] {
        let ended = hand_over_to(answering(silent));
        assert!(matches!(ended.result, Err(EnrolError::Unconfirmed { .. })), "{:?}", ended.result);
        assert_eq!(ended.records, ["tre-1.json"]);
    }
    let ended = hand_over_to(answering(STILL_NEW));
    let found = StartState::New;
    assert!(
        matches!(ended.result, Err(EnrolError::NotServing { found: state, .. }) if state == found),
        "{:?}",
        ended.result
    );
    assert_eq!(ended.records, ["tre-1.json"]);
}
