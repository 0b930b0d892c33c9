//! More bodies at once than the box could hold.

use core::time::Duration;
use std::fs;
use std::sync::Arc;

use attest_verifier::{AttestedStream, ClientIdentity, Method};
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tre_tests::domain::now;
use tre_wire::bounds::BODY_BYTES;
use tre_wire::role::Role;

use crate::fixture::start;

/// Senders: their bodies together have 60 MiB.
const SENDERS: usize = 240;

/// What `tred` may grow by: the room for companies' bodies, 64 KiB for each connection, and what the
/// allocator keeps beside them; far below the bodies' sum. Unit: KiB.
const GROWTH_KIB: u64 = (16 + 15 + 9) * 1024;

/// How long all send: shorter than a body may take.
const SENDING: Duration = Duration::from_secs(6);

/// The most memory that a process ever had. Unit: KiB. `proc(5)`
fn peak_kib(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("a process");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
    let number = peak.split_whitespace().next().expect("a number");
    number.parse().expect("whole KiB")
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_at_once_take_no_more_memory_than_their_room() {
    let found = Arc::new(start());
    let supplier = found.credential(Role::Supplier, "one");
    let supplier = ClientIdentity::load(&supplier).expect("readable");
    let trust = Arc::new(found.reference.trust().expect("a trust"));
    let head = format!(
        "POST /v1/prices HTTP/1.1\r\nhost: tre\r\ncontent-type: application/json\r\n\
         content-length: {BODY_BYTES}\r\n\r\n"
    );
    let request: Arc<[u8]> = [head.as_bytes(), &[b' '; BODY_BYTES - 1]].concat().into();
    let together = Arc::new(Barrier::new(SENDERS + 1));
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let (found, trust, supplier) = (Arc::clone(&found), Arc::clone(&trust), supplier.clone());
        let (request, together) = (Arc::clone(&request), Arc::clone(&together));
        senders.spawn(async move {
            let tre_id = "tre-1".parse().expect("an identifier");
            let now = now().expect("a clock");
            let stream =
                AttestedStream::connect(&found.address, &tre_id, &trust, Some(&supplier), now);
            let mut stream = stream.await.expect("a connection");
            together.wait().await;
            // All but the last byte, as far as the box takes it.
            timeout(SENDING, stream.write_all(&request)).await.map(drop).unwrap_or_default();
            together.wait().await;
        });
    }
    together.wait().await;
    let before = peak_kib(found.id);
    tokio::time::sleep(SENDING).await;
    let answer = found.ask(Some(Role::Operator), Method::GET, "/v1/health", None).await;
    assert_eq!(answer.status, 200, "the box serves others meanwhile");
    let grown = peak_kib(found.id).saturating_sub(before);
    together.wait().await;
    senders.join_all().await;
    assert!(grown <= GROWTH_KIB, "expected at most {GROWTH_KIB} KiB more, found {grown} KiB");
    assert!(grown > 8 * 1024, "expected bodies that arrive, found {grown} KiB");
}
