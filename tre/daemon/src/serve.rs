//! From an open TPM and disk to a listening TRE, in the one order that is safe.

use core::net::SocketAddr;
use std::fs::File;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use core::cell::{OnceCell, RefCell};

use measured_boot::pcr::PcrValues;
use thiserror::Error;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Notify, watch};
use tre_store::Device;
use tre_tpm::{Tpm, TpmError};
use tre_wire::message::StartState;
use tre_wire::policy::PolicyError;

use crate::bounds;
use crate::calls::attestation::Framed;
use crate::clock::Clock;
use crate::front;
use crate::log::line;
use crate::mark;
use crate::metrics::Counters;
use crate::random::{self, MixError};
use crate::revocations::InForce;
use crate::rooms::Rooms;
use crate::sandbox::{self, Place, SandboxError};
use crate::server;
use crate::shared::{Measured, Shared};
use crate::standing::{self, LockReason, Standing, StartError, Started};
use crate::time_tokens::Pace;
use crate::tls::TlsError;
use crate::tpm;

/// What a box is started with.
pub(crate) struct Platform {
    /// What kind of process it is.
    pub(crate) place: Place,
    /// The TPM.
    pub(crate) tpm: Box<dyn Tpm>,
    /// The data disk.
    pub(crate) disk: Device,
    /// TCG event log as the firmware left it.
    pub(crate) event_log: Vec<u8>,
    /// The kernel's random source.
    pub(crate) kernel_random: File,
    /// Where to listen.
    pub(crate) listen: SocketAddr,
}

/// Why a box does not serve at all.
#[derive(Debug, Error)]
pub(crate) enum ServeError {
    /// The TPM's randomness could not be mixed in.
    #[error(transparent)]
    Random(MixError),
    /// Neither new nor serving nor locked.
    #[error(transparent)]
    Start(StartError),
    /// The TPM has no attestation key.
    #[error("attestation key: {0}")]
    AttestationKey(#[source] TpmError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(TlsError),
    /// The policy cannot govern a grid.
    #[error("policy: {0}")]
    Policy(#[source] PolicyError),
    /// The sandbox does not stand.
    #[error(transparent)]
    Sandbox(SandboxError),
    /// The operating system refuses a thread or a socket.
    #[error("{step}: {cause}")]
    System {
        /// What was asked of it.
        step: &'static str,
        /// Its answer.
        cause: io::Error,
    },
}

/// Starts and serves until the process ends. The caller has given up its privileges.
///
/// # Errors
///
/// [`ServeError`].
pub(crate) fn run(platform: Platform) -> Result<core::convert::Infallible, ServeError> {
    let Platform { place, mut tpm, disk, event_log, kernel_random, listen } = platform;
    random::mix_in(tpm.as_mut(), kernel_random).map_err(ServeError::Random)?;
    let started = standing::start(disk, tpm.as_mut()).map_err(ServeError::Start)?;
    let attestation_key = tpm.attestation_key().map_err(ServeError::AttestationKey)?;
    print_start(&started);
    let measured = Measured { attestation_key, event_log, pcrs: started.pcrs };

    let system = |step| move |cause| ServeError::System { step, cause };
    let tpm = tpm::spawn(tpm).map_err(system("TPM thread"))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(system("event loop"))?;
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, async move {
        let listener = bound_to(listen).map_err(system("listening"))?;
        let address = listener.local_addr().map_err(system("listening"))?;
        let shared = Rc::new(share(started, measured, tpm)?);
        // From here on no file opens and no thread starts, and only then a peer is heard.
        sandbox::serve(place).map_err(ServeError::Sandbox)?;
        begin_epoch(&shared)?;
        tokio::task::spawn_local(mark::keep(Rc::clone(&shared)));
        line(&format!("listening on {address}"));
        server::serve(listener, shared).await
    })
}

/// Listens, with room for more who wait to be accepted than the library leaves by itself.
fn bound_to(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(bounds::UNACCEPTED)
}

fn share(started: Started, measured: Measured, tpm: tpm::TpmHandle) -> Result<Shared, ServeError> {
    let Started { standing, deployment, region, status, revocations, seal_policy, .. } = started;
    let clock = Arc::new(Clock::start(status.mark()));
    let revocations = watch::Sender::new(revocations);
    let revoked = InForce::of(&revocations);
    let front = match &standing {
        Standing::Serving(enrolled, keys) => {
            front::certified(deployment.as_ref(), enrolled, keys, Arc::clone(&clock), revoked)
        }
        Standing::New | Standing::Locked { .. } => {
            front::throw_away(deployment.as_ref(), Arc::clone(&clock), revoked)
        }
    };
    // The grid begins with the first time token: what it could not begin with is said now.
    let policy = deployment.as_ref().map(|found| found.policy.check());
    policy.transpose().map_err(ServeError::Policy)?;
    Ok(Shared {
        clock,
        told: Notify::new(),
        deployment,
        owner: OnceCell::new(),
        nonces: RefCell::default(),
        pace: Pace::default(),
        tpm,
        standing: RefCell::new(standing),
        pending: RefCell::new(None),
        region: RefCell::new(region),
        status: RefCell::new(status),
        revocations,
        seal_policy,
        front: watch::Sender::new(front.map_err(ServeError::Tls)?),
        framed: Framed::default(),
        measured,
        rooms: Rooms::new(),
        counters: Counters::default(),
    })
}

/// Begins the state epoch of this start; a box that cannot write its number down is locked.
fn begin_epoch(shared: &Shared) -> Result<(), ServeError> {
    let mut standing = shared.standing.borrow_mut();
    if standing.state() != StartState::Serving {
        return Ok(());
    }
    let Err(error) = shared.status.borrow_mut().begin_epoch() else { return Ok(()) };
    let enrolled = standing.enrolled().cloned().map(Box::new);
    *standing = Standing::Locked { enrolled, reason: LockReason::Status(error) };
    print_state(&standing);
    let revoked = InForce::of(&shared.revocations);
    let front = front::throw_away(shared.deployment.as_ref(), Arc::clone(&shared.clock), revoked);
    shared.front.send_replace(front.map_err(ServeError::Tls)?);
    Ok(())
}

/// State and PCRs on the console: all public, and all that an operator can compare.
fn print_start(started: &Started) {
    print_pcrs(&started.pcrs);
    print_state(&started.standing);
}

fn print_state(standing: &Standing) {
    line(&format!("state {}", standing.state().as_str()));
    let reason = standing.reason();
    if !reason.is_empty() {
        line(&format!("locked: {reason}"));
    }
}

fn print_pcrs(pcrs: &PcrValues) {
    for (pcr, value) in pcrs.iter() {
        line(&format!("pcr {:02} {value}", pcr.number()));
    }
}
