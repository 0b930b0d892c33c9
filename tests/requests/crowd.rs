//! One connection too many.

use core::time::Duration;
use std::io::Read as _;
use std::net::TcpStream;

use attest_verifier::Method;
use tre_tests::descriptors;

use crate::fixture::start;

/// `tred`'s bound on connections: this test's address holds them all.
const CONNECTIONS: usize = 8 * 1024;

/// Part of them that connects at once: well within the listener's queue.
const AT_ONCE: usize = 1024;

#[tokio::test]
async fn one_connection_too_many_is_closed_and_a_free_place_serves_again() {
    descriptors::allow(CONNECTIONS + AT_ONCE).expect("descriptors for a crowd");
    let found = start();

    let connect = || TcpStream::connect(&found.address).expect("the listener's queue");
    let mut crowd = Vec::with_capacity(CONNECTIONS);
    while crowd.len() < CONNECTIONS {
        crowd.extend((0..AT_ONCE).map(|_| connect()));
        // A queue that overflows has the kernel try again only after seconds.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut more = connect();
    more.set_read_timeout(Some(Duration::from_secs(8))).expect("a timeout");
    // Closed at once; those before it may still shake hands.
    let end = more.read(&mut [0; 1]);
    let closed = match &end {
        Ok(read) => *read == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    };
    assert!(closed, "expected a closed connection, found {end:?}");

    drop(crowd);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let answer = found.ask(None, Method::GET, "/v1/health", None).await;
    assert_eq!(answer.status, 200);
}
