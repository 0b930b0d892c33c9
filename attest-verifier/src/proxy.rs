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
use tokio::time::{sleep, timeout};

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
    /// What it must be, as far as that is known now; with nothing good at hand nobody is believed.
    pub trust: watch::Receiver<Option<Trust>>,
    /// Who we are, to a proven TRE alone.
    pub identity: Option<ClientIdentity>,
    /// How long an attestation is good for. With a TRE that falls silent, connections end within
    /// this and the bounds of another attestation: 10 s to connect, 20 s to shake hands, 60 s to
    /// answer.
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
    /// A connection was not accepted, for want of descriptors or memory or because it was gone; the
    /// next is tried. Told once until one is accepted.
    NotAccepted(&'a io::Error),
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
    /// No connection can ever be accepted again.
    #[error("cannot accept connections any more: {0}")]
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

impl Boot {
    /// Whether the same box booted again since.
    fn is_before(&self, other: &Self) -> bool {
        self.attestation_key == other.attestation_key && self.counts < other.counts
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
    /// A boot before the one that is known.
    Older,
}

impl Standing {
    fn new() -> Self {
        Self { boot: Mutex::new(None), generation: watch::Sender::new(0) }
    }

    fn locked(&self) -> MutexGuard<'_, Option<Boot>> {
        self.boot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells when the boot that is known now is no longer the one.
    fn watched(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// Compares with the boot that is known; another one takes its place, but no earlier one.
    /// `watched` was handed out before the attestation began. It goes on for a boot that was known
    /// or lost meanwhile, and is another for one that was not known yet.
    fn see(&self, boot: Boot, watched: &mut watch::Receiver<u64>) -> Seen {
        let mut known = self.locked();
        let seen = match known.as_ref() {
            None => Seen::First,
            Some(known) if *known == boot => Seen::Same,
            Some(known) if boot.is_before(known) => return Seen::Older,
            Some(_) => Seen::Changed,
        };
        if seen == Seen::Changed {
            self.close();
            *watched = self.watched();
        }
        *known = Some(boot);
        seen
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
        self.attest(self.identity.as_ref()).await
    }

    /// Attests without our certificate.
    async fn look(&self) -> Result<AttestedStream, AttestError> {
        self.attest(None).await
    }

    async fn attest(&self, own: Option<&ClientIdentity>) -> Result<AttestedStream, AttestError> {
        let trust = self.trust.borrow().clone().ok_or(AttestError::NoTrust)?;
        AttestedStream::connect(&self.address, &self.tre_id, &trust, own, (self.now)()).await
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

    /// The next connection, however many were not to be had before.
    async fn accept(&self, tell: &impl Fn(Told<'_>)) -> Result<TcpStream, ProxyError> {
        let mut is_told = false;
        loop {
            match self.listener.accept().await {
                Ok((local, _)) => return Ok(local),
                Err(error) if is_fatal(&error) => return Err(ProxyError::Accept(error)),
                Err(error) => {
                    if !is_told {
                        tell(Told::NotAccepted(&error));
                    }
                    is_told = true;
                    sleep(bounds::ACCEPT_PAUSE).await;
                }
            }
        }
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
            let local = self.accept(&*tell).await?;
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

/// Whether a socket that gave this error will never accept anything. Any other is of one connection,
/// or of this machine's present load: `accept` passes on what went wrong in the network, too, and is
/// to be called again. Numbers of Linux: EBADF, EFAULT, EINVAL, ENOTSOCK, EOPNOTSUPP.
fn is_fatal(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), None | Some(9 | 14 | 22 | 88 | 95))
}

/// One connection, from its attestation to its end.
async fn carry(
    mut local: TcpStream,
    upstream: &Upstream,
    standing: &Standing,
    tell: &(impl Fn(Told<'_>) + Sync),
) {
    // From before the attestation: one that fails beside it closes this connection, too.
    let mut closed = standing.watched();
    let mut stream = match upstream.connect().await {
        Ok(stream) => stream,
        Err(error) => return tell(Told::Refused(&error)),
    };
    if told(standing, stream.attested(), &mut closed, tell) == Seen::Older {
        return;
    }
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
    let mut trust = upstream.trust.clone();
    loop {
        // At once when the TRE is held against something else.
        if let Ok(Err(_never)) = timeout(upstream.every, trust.changed()).await {
            sleep(upstream.every).await;
        }
        let mut closed = standing.watched();
        match upstream.look().await {
            Ok(stream) => {
                told(&standing, stream.attested(), &mut closed, &*tell);
            }
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
    closed: &mut watch::Receiver<u64>,
    tell: &impl Fn(Told<'_>),
) -> Seen {
    let seen = standing.see(Boot::of(attested), closed);
    match seen {
        Seen::First => tell(Told::Attested(attested)),
        Seen::Same | Seen::Older => {}
        Seen::Changed => {
            tell(Told::Changed);
            tell(Told::Attested(attested));
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use attest_verifier_core::measured_boot::pcr::StartupLocality;

    use super::*;

    /// A boot of one box after so many resets.
    fn boot(resets: u32) -> Boot {
        Boot {
            attestation_key: Name::of_public_area(b"one key"),
            server_key: Sha256Digest::ZERO,
            counts: (resets, 0),
            pcrs: PcrValues::initial(StartupLocality::Zero),
        }
    }

    #[test]
    fn a_socket_that_is_none_ends_the_proxy_and_a_connection_that_is_gone_does_not() {
        let fatal = |number| is_fatal(&io::Error::from_raw_os_error(number));
        // EBADF, EINVAL, ENOTSOCK.
        assert!([9, 22, 88].into_iter().all(fatal));
        // EINTR, EPERM, ENOMEM, ENFILE, EMFILE, EPROTO, ECONNABORTED, ENOBUFS, EHOSTUNREACH.
        assert!(![4, 1, 12, 23, 24, 71, 103, 105, 113].into_iter().any(fatal));
    }

    /// Attested, and before it was noted, an attestation beside it failed.
    #[test]
    fn a_connection_attested_before_the_box_was_lost_is_closed() {
        let standing = Standing::new();
        let mut closed = standing.watched();
        standing.lose();
        assert_eq!(standing.see(boot(1), &mut closed), Seen::First);
        assert!(closed.has_changed().expect("the standing is there"), "it goes on");
        let mut closed = standing.watched();
        assert_eq!(standing.see(boot(1), &mut closed), Seen::Same);
        assert!(!closed.has_changed().expect("the standing is there"));
    }

    #[test]
    fn a_later_boot_closes_the_connections_of_the_one_before_and_never_the_other_way() {
        let standing = Standing::new();
        let (mut first, mut second) = (standing.watched(), standing.watched());
        assert_eq!(standing.see(boot(1), &mut first), Seen::First);
        assert_eq!(standing.see(boot(2), &mut second), Seen::Changed);
        assert!(first.has_changed().expect("the standing is there"));
        assert!(!second.has_changed().expect("the standing is there"), "closed by itself");
        assert_eq!(standing.see(boot(1), &mut first), Seen::Older);
        assert!(!second.has_changed().expect("the standing is there"));
    }
}
