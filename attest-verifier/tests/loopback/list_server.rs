//! Revocation lists, and a server that gives them away, or does not.

use attest_verifier::core::wire::hex::Hex32;
use attest_verifier::core::wire::revocation::{LABEL, Reason, RevocationList, Revoked};
use attest_verifier::core::wire::units::UnixMillis;
use rcgen::KeyPair;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::scene::{Scene, spki_hash};
use crate::server::http;
use crate::signing::signature_as;

/// A revocation list of these keys.
pub(crate) fn revocations(sequence: u32, keys: &[&KeyPair], valid_until: UnixMillis) -> Vec<u8> {
    let revoked = |key: &&KeyPair| Revoked {
        spki_sha256: Hex32(spki_hash(key).0),
        identity: Scene::identity(),
        since: Scene::now(),
        reason: Reason::KeyCompromise,
        until: valid_until,
    };
    let list = RevocationList {
        format: 1,
        trust_domain: Scene::identity().trust_domain,
        sequence,
        issued_at: Scene::now(),
        valid_until,
        revoked: keys.iter().map(revoked).collect(),
    };
    serde_json::to_vec(&list).unwrap()
}

/// The signature file of a revocation list.
pub(crate) fn signed(list: &[u8], key: &KeyPair) -> Vec<u8> {
    serde_json::to_vec(&signature_as(LABEL, key, list, None)).unwrap()
}

/// What a server does about a path, or nothing at all.
#[derive(Clone)]
pub(crate) enum Serves {
    List { list: Vec<u8>, signature: Vec<u8> },
    Answer(Vec<u8>),
    Silence,
}

/// A server of lists.
pub(crate) struct ListServer {
    pub(crate) url: String,
    pub(crate) serves: watch::Sender<Serves>,
    task: tokio::task::JoinHandle<()>,
}

impl ListServer {
    pub(crate) async fn start(serves: Serves) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/lists/revocations.json", listener.local_addr().unwrap());
        let (serves, now) = watch::channel(serves);
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.unwrap());
                }
                let is_signature = head.starts_with(b"GET /lists/revocations.json.sig HTTP/1.1");
                assert!(is_signature || head.starts_with(b"GET /lists/revocations.json HTTP/1.1"));
                let serves = now.borrow().clone();
                let answer = match serves {
                    Serves::List { signature, .. } if is_signature => http(200, "a/b", &signature),
                    Serves::List { list, .. } => http(200, "a/b", &list),
                    Serves::Answer(answer) => answer,
                    Serves::Silence => {
                        // It holds the connection, and says nothing.
                        tokio::spawn(async move { stream.read_u8().await });
                        continue;
                    }
                };
                stream.write_all(&answer).await.unwrap();
            }
        });
        Self { url, serves, task }
    }

    /// Nobody listens any more.
    pub(crate) async fn stop(self) -> String {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
        self.url
    }
}
