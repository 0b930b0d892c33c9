//! Strangers who want all of the box: its places, its time, its quotes.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::fs;
use std::sync::Arc;
use std::time::Instant;

use attest_verifier::{AnyKeyConnection, AttestedStream, ClientIdentity, Method};
use tokio::io::{AsyncReadExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tre_tests::descriptors;
use tre_tests::domain::now;
use tre_wire::id::PeerId;
use tre_wire::role::Role;

use crate::fixture::{Box as Tre, start};

/// Where each flood comes from: at an address whose ports were all used a moment ago, this machine
/// would spend its time looking for a free one.
const FLOODS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)), IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3))];

/// Connections that the flood wants to have and says nothing on: more than there are places.
const SILENT: usize = 8_320;

/// Connections on which it asks for evidence, again and again.
const ASKING: usize = 96;

/// In how long an honest peer has been served, whatever the flood does: two connections, two
/// quotes and a request of a meter.
const BOUND: Duration = Duration::from_secs(30);

/// What the box may keep of the flood when it is over: 12 KiB for each place that it had. Unit: KiB.
const KEPT_KIB: u64 = 8_192 * 12;

/// What it may keep of a second one besides. Unit: KiB.
const GROWTH_KIB: u64 = 8 * 1024;

/// One flood at a time: each wants more of this machine than there is for two.
static ALONE: Mutex<()> = Mutex::const_new(());

async fn connect_from(address: IpAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(address, 0))?;
    socket.connect(to).await
}

/// Connects, says nothing, and comes again whenever it is thrown out.
async fn is_silent(address: IpAddr, to: SocketAddr) {
    loop {
        if let Ok(mut stream) = connect_from(address, to).await {
            let mut nothing = [0; 1];
            // Whatever ends it, it comes again.
            drop(stream.read(&mut nothing).await);
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// Asks for evidence as fast as it is answered.
async fn asks(through: SocketAddr, answered: Arc<AtomicU64>) {
    let nonce = format!(r#"{{"nonce":"{}"}}"#, "00".repeat(32));
    loop {
        if let Ok(mut open) = AnyKeyConnection::open(&through.to_string(), None).await {
            let ask = |body: &str| Some(body.as_bytes().to_vec());
            while let Ok(answer) = open.request(Method::POST, "/v1/attestation", ask(&nonce)).await
            {
                answered.fetch_add(u64::from(answer.status == 200), Ordering::Relaxed);
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// Lets connections to it come from the flood's address.
async fn carrier(address: IpAddr, to: SocketAddr, listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            if let Ok(mut onward) = connect_from(address, to).await {
                drop(copy_bidirectional(&mut stream, &mut onward).await);
            }
        });
    }
}

/// An honest peer, with a certificate or without: the longest that one of several took.
async fn served(found: &Tre, identity: Option<&ClientIdentity>) -> Duration {
    let trust = found.reference.trust().expect("a trust");
    let tre_id: PeerId = "tre-1".parse().expect("a name");
    let mut longest = Duration::ZERO;
    for _ in 0..5 {
        let (now, began) = (now().expect("a clock"), elapsed());
        let done = async {
            let stream =
                AttestedStream::connect(&found.address, &tre_id, &trust, identity, now).await?;
            let mut open = stream.into_http().await?;
            let path = if identity.is_some() { "/v1/events" } else { "/v1/health" };
            let answer = open.request(Method::GET, path, None).await?;
            Ok::<_, attest_verifier::AttestError>(answer.status)
        };
        let status = timeout(BOUND, done).await.expect("served in time").expect("served");
        assert_eq!(status, 200);
        longest = longest.max(began.elapsed());
    }
    longest
}

#[expect(clippy::disallowed_methods, reason = "how long a peer waits is what is measured")]
fn elapsed() -> Instant {
    Instant::now()
}

/// Memory that a process has. Unit: KiB. `proc(5)`
fn resident_kib(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("a process");
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    resident.split_whitespace().next().expect("a number").parse().expect("whole KiB")
}

/// Begins the flood: those who ask first, so that they have places.
async fn rise(address: IpAddr, to: SocketAddr, answered: &Arc<AtomicU64>) -> JoinSet<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a carrier");
    let through = listener.local_addr().expect("its address");
    let mut flood = JoinSet::new();
    flood.spawn(carrier(address, to, listener));
    for _ in 0..ASKING {
        flood.spawn(asks(through, Arc::clone(answered)));
    }
    sleep(Duration::from_secs(1)).await;
    for _ in 0..SILENT / 64 {
        (0..64).for_each(|_| drop(flood.spawn(is_silent(address, to))));
        sleep(Duration::from_millis(10)).await;
    }
    flood
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_from_elsewhere_keeps_no_meter_and_no_verifier_waiting() {
    let _alone = ALONE.lock().await;
    descriptors::allow(SILENT + 4 * ASKING).expect("descriptors for a flood");
    let found = start();
    let to: SocketAddr = found.address.parse().expect("an address");
    let meter = ClientIdentity::load(&found.credential(Role::Meter, "meter-1")).expect("readable");
    let alone = [served(&found, Some(&meter)).await, served(&found, None).await];
    let before = resident_kib(found.id);

    let mut after = Vec::new();
    for address in FLOODS {
        let answered = Arc::new(AtomicU64::new(0));
        let mut flood = rise(address, to, &answered).await;
        let flooded = [served(&found, Some(&meter)).await, served(&found, None).await];
        flood.shutdown().await;
        assert!(answered.load(Ordering::Relaxed) > 100, "expected a flood, found {answered:?}");
        sleep(Duration::from_secs(2)).await;
        let kept = resident_kib(found.id).saturating_sub(before);
        println!(
            "longest wait of meter and verifier: alone {alone:?}, flooded {flooded:?}; \
             the flood was answered {answered:?} times; memory: {before} KiB before, {kept} KiB kept"
        );
        after.push(kept);
    }
    let [first, second] = after[..] else { panic!("{after:?}") };
    assert!(second <= first + GROWTH_KIB, "expected no more kept of a second flood: {after:?} KiB");
    assert!(second <= KEPT_KIB, "expected at most {KEPT_KIB} KiB kept of a flood, found {second}");
    assert_eq!(found.ask(None, Method::GET, "/v1/health", None).await.status, 200);
}

/// As many addresses as there are places and more, each with one connection that says nothing: nobody
/// has shown a certificate before the handshake, and still nobody is kept out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_from_everywhere_that_finishes_no_handshake_keeps_nobody_out() {
    let _alone = ALONE.lock().await;
    descriptors::allow(SILENT + 4 * ASKING).expect("descriptors for a flood");
    let found = start();
    let to: SocketAddr = found.address.parse().expect("an address");
    let meter = ClientIdentity::load(&found.credential(Role::Meter, "meter-1")).expect("readable");
    let mut flood = JoinSet::new();
    for number in 0..SILENT {
        let [.., high, low] = u64::try_from(number).expect("a small number").to_be_bytes();
        flood.spawn(is_silent(IpAddr::V4(Ipv4Addr::new(127, 1, high, low)), to));
        if number % 64 == 63 {
            sleep(Duration::from_millis(10)).await;
        }
    }
    let flooded = [served(&found, Some(&meter)).await, served(&found, None).await];
    println!("longest wait of meter and verifier: {flooded:?}");
    flood.shutdown().await;
}
