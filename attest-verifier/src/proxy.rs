//! A way to a TRE for software that knows nothing of attestation.
//!
//! It listens on the loopback. For each connection that it is given it makes an attested one of its
//! own, and only then carries bytes. Every so often it attests the TRE again, over a connection
//! beside them, since between two bytes of somebody else's protocol there is no place for a
//! question. An open connection leads to the process that was attested, whose TLS keys lie in its
//! memory: what another attestation adds is that the same boot of the same box still measures
//! what it did. If not, or if there is no answer, every connection is closed.

use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use attest_verifier_core::measured_boot::digest::Sha256Digest;
use attest_verifier_core::measured_boot::pcr::PcrValues;
use attest_verifier_core::measured_boot::tpm::Name;
use attest_verifier_core::verdict::Attested;
use attest_verifier_core::wire::id::PeerId;
use attest_verifier_core::wire::units::UnixMillis;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use crate::bounds;
use crate::error::AttestError;
use crate::identity::ClientIdentity;
use crate::stream::AttestedStream;
use crate::trust::Trust;

/// Where the bytes go, and what must be there.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// `HOST:PORT`.
    pub address: String,
    /// The name that the TRE must have.
    pub tre_id: PeerId,
    /// What it must be.
    pub trust: Trust,
    /// Who we are, to a proven TRE alone.
    pub identity: Option<ClientIdentity>,
    /// How long an attestation is good for.
    pub every: Duration,
    /// Our time.
    pub now: fn() -> UnixMillis,
}

/// What a proxy has to tell.
#[derive(Debug)]
#[non_exhaustive]
pub enum Told<'a> {
    /// The TRE is attested, for the first time or after a change.
    Attested(&'a Attested),
    /// A connection was not made, or all were closed: the TRE is not attested.
    Refused(&'a AttestError),
    /// All connections were closed: the box is another boot, or another box.
    Changed,
    /// There is no place for one more connection.
    Full,
}

/// Why there is no proxy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The address is not of this machine alone: whoever reaches the proxy speaks to the TRE in our
    /// name.
    #[error("expected an address on the loopback to listen at, found {found}")]
    NotLoopback {
        /// The address.
        found: SocketAddr,
    },
    /// The address cannot be listened at.
    #[error("cannot listen at {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// No more connections can be accepted.
    #[error("cannot accept connections: {0}")]
    Accept(#[source] io::Error),
}

/// A proxy that listens.
#[derive(Debug)]
pub struct Proxy {
    listener: TcpListener,
    address: SocketAddr,
}

/// The one boot of the one box that open connections lead to.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Boot {
    attestation_key: Name,
    server_key: Sha256Digest,
    counts: (u32, u32),
    pcrs: PcrValues,
}

impl Boot {
    const fn of(attested: &Attested) -> Self {
        let facts = attested.facts();
        Self {
            attestation_key: facts.attestation_key,
            server_key: attested.server_key(),
            counts: (facts.clock.reset_count, facts.clock.restart_count),
            pcrs: facts.pcrs,
        }
    }
}

/// Which boot connections lead to. A new generation closes those of the one before.
#[derive(Debug)]
struct Standing {
    boot: Mutex<Option<Boot>>,
    generation: watch::Sender<u64>,
}

/// What another attestation has shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Seen {
    First,
    Same,
    Changed,
}

impl Standing {
    fn new() -> Self {
        Self { boot: Mutex::new(None), generation: watch::Sender::new(0) }
    }

    fn locked(&self) -> MutexGuard<'_, Option<Boot>> {
        self.boot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Compares with the boot that is known; another one takes its place. What is handed out tells
    /// when this boot is no longer the one.
    fn see(&self, attested: &Attested) -> (Seen, watch::Receiver<u64>) {
        let boot = Boot::of(attested);
        let mut known = self.locked();
        let seen = match known.as_ref() {
            None => Seen::First,
            Some(known) if *known == boot => Seen::Same,
            Some(_) => Seen::Changed,
        };
        if seen == Seen::Changed {
            self.close();
        }
        *known = Some(boot);
        (seen, self.generation.subscribe())
    }

    fn lose(&self) {
        let mut known = self.locked();
        *known = None;
        self.close();
    }

    fn close(&self) {
        self.generation.send_modify(|generation| *generation = generation.wrapping_add(1));
    }
}

impl Upstream {
    async fn connect(&self) -> Result<AttestedStream, AttestError> {
        let now = (self.now)();
        let identity = self.identity.as_ref();
        AttestedStream::connect(&self.address, &self.tre_id, &self.trust, identity, now).await
    }

    /// Attests without our certificate.
    async fn look(&self) -> Result<AttestedStream, AttestError> {
        let now = (self.now)();
        AttestedStream::connect(&self.address, &self.tre_id, &self.trust, None, now).await
    }
}

impl Proxy {
    /// Listens at `address`, which must be on the loopback.
    ///
    /// # Errors
    ///
    /// [`ProxyError`].
    pub async fn listen(address: SocketAddr) -> Result<Self, ProxyError> {
        if !address.ip().is_loopback() {
            return Err(ProxyError::NotLoopback { found: address });
        }
        let failed = |source| ProxyError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Carries connections for ever, and `tell`s what happens.
    ///
    /// # Errors
    ///
    /// [`ProxyError::Accept`].
    pub async fn run(
        self,
        upstream: Upstream,
        tell: impl Fn(Told<'_>) + Send + Sync + 'static,
    ) -> Result<(), ProxyError> {
        let (upstream, tell) = (Arc::new(upstream), Arc::new(tell));
        let standing = Arc::new(Standing::new());
        let places = Arc::new(Semaphore::new(bounds::PROXIED));
        let mut carriers = tokio::task::JoinSet::new();
        carriers.spawn(look_again(Arc::clone(&upstream), Arc::clone(&standing), Arc::clone(&tell)));
        loop {
            let (local, _) = self.listener.accept().await.map_err(ProxyError::Accept)?;
            // What has ended is forgotten.
            while carriers.try_join_next().is_some() {}
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                tell(Told::Full);
                continue;
            };
            let (upstream, standing) = (Arc::clone(&upstream), Arc::clone(&standing));
            let tell = Arc::clone(&tell);
            carriers.spawn(async move {
                carry(local, &upstream, &standing, &*tell).await;
                drop(place);
            });
        }
    }
}

/// One connection, from its attestation to its end.
async fn carry(
    mut local: TcpStream,
    upstream: &Upstream,
    standing: &Standing,
    tell: &(impl Fn(Told<'_>) + Sync),
) {
    let mut stream = match upstream.connect().await {
        Ok(stream) => stream,
        Err(error) => return tell(Told::Refused(&error)),
    };
    let mut closed = told(standing, stream.attested(), tell);
    tokio::select! {
        // Either end may close, in whatever way; the other is closed then.
        _ended = tokio::io::copy_bidirectional(&mut local, &mut stream) => {}
        _changed = closed.changed() => {}
    }
}

async fn look_again(
    upstream: Arc<Upstream>,
    standing: Arc<Standing>,
    tell: Arc<impl Fn(Told<'_>) + Send + Sync>,
) {
    loop {
        sleep(upstream.every).await;
        match upstream.look().await {
            Ok(stream) => drop(told(&standing, stream.attested(), &*tell)),
            Err(error) => {
                standing.lose();
                tell(Told::Refused(&error));
            }
        }
    }
}

fn told(
    standing: &Standing,
    attested: &Attested,
    tell: &impl Fn(Told<'_>),
) -> watch::Receiver<u64> {
    let (seen, closed) = standing.see(attested);
    match seen {
        Seen::First => tell(Told::Attested(attested)),
        Seen::Same => {}
        Seen::Changed => {
            tell(Told::Changed);
            tell(Told::Attested(attested));
        }
    }
    closed
}
