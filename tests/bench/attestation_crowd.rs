//! A crowd of verifiers, each of which asks again as soon as it is answered.

use core::mem;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, ensure};
use attest_verifier::core::channel::Session;
use attest_verifier::core::verdict;
use attest_verifier::core::wire::role::Identity;
use attest_verifier::{AnyKeyConnection, ClientIdentity, Method, Trust};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tre_tests::domain::now;
use tre_wire::attestation::{AttestationRequest, Evidence};
use tre_wire::hex::Hex32;
use tre_wire::json;

use crate::attestation_usage::Usage;

/// Whom a verifier asks, and what it holds the answer against.
#[derive(Clone, Debug)]
pub(crate) struct Verifier {
    /// `HOST:PORT`.
    pub(crate) address: String,
    /// Process id of the TRE.
    pub(crate) tred: u32,
    /// The TRE asked for.
    pub(crate) tre: Identity,
    /// What it must be.
    pub(crate) trust: Arc<Trust>,
    /// Certificates that are shown, in turn.
    pub(crate) identities: Vec<ClientIdentity>,
}

/// How a crowd asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    /// Connections at once.
    pub(crate) connections: u32,
    /// Whether they stay.
    pub(crate) habit: Habit,
    /// One answer in so many is verified whole.
    pub(crate) sample: u64,
    /// How long is measured.
    pub(crate) window: Duration,
}

/// What a verifier does once it has its answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Habit {
    /// Asks again over the same connection.
    Stays,
    /// Hangs up and connects anew.
    ComesAnew,
}

/// What came of a crowd, within the window.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// Connections at once.
    pub(crate) connections: u32,
    /// Answers.
    pub(crate) answers: u64,
    /// Answers verified whole.
    pub(crate) verified: u64,
    /// Length of the window. Unit: microseconds.
    pub(crate) window_us: u64,
    /// From each request to its whole answer, sorted. Unit: microseconds.
    pub(crate) waits_us: Vec<u64>,
    /// What `tred` used.
    pub(crate) tred: Usage,
    /// What the crowd used.
    pub(crate) crowd: Usage,
    /// Bytes of one answer.
    pub(crate) answer_bytes: u64,
}

/// What all of a crowd share.
#[derive(Debug)]
struct Round {
    verifier: Verifier,
    crowd: Crowd,
    doors: Semaphore,
    /// Verifiers that have been answered.
    warm: AtomicU64,
    /// Beginning and end of the window, once it is known.
    window: OnceLock<(Instant, Instant)>,
    answers: AtomicU64,
    verified: AtomicU64,
    answer_bytes: AtomicU64,
}

/// Lets a crowd ask. Once every verifier has connected and been answered, all ask without a
/// pause; the window begins when they have fallen in step with the quotes.
///
/// # Errors
///
/// The first answer that is missing, or does not verify.
pub(crate) async fn ask(verifier: &Verifier, crowd: Crowd) -> Result<Outcome> {
    let round = Arc::new(Round {
        verifier: verifier.clone(),
        crowd,
        doors: Semaphore::new(AT_ONCE),
        warm: AtomicU64::new(0),
        window: OnceLock::new(),
        answers: AtomicU64::new(0),
        verified: AtomicU64::new(0),
        answer_bytes: AtomicU64::new(0),
    });
    let mut tasks = JoinSet::new();
    for number in 0..crowd.connections {
        tasks.spawn(Arc::clone(&round).visit(usize::try_from(number)?));
    }
    while round.warm.load(Ordering::Relaxed) < u64::from(crowd.connections) {
        // A verifier that ends before the window has failed.
        if let Some(ended) = tasks.try_join_next() {
            ended??;
        }
        sleep(Duration::from_millis(20)).await;
    }
    let begun = Instant::now().checked_add(SETTLE).context("a window that begins")?;
    let end = begun.checked_add(crowd.window).context("a window that ends")?;
    round.window.set((begun, end)).ok().context("one window")?;
    sleep_until(begun).await;
    let before = (Usage::of(verifier.tred)?, Usage::of(std::process::id())?);
    sleep_until(end).await;
    let after = (Usage::of(verifier.tred)?, Usage::of(std::process::id())?);
    let (mut waits_us, mut late) = (Vec::new(), Vec::new());
    while let Some(waits) = tasks.join_next().await {
        let (within, last) = waits??;
        waits_us.extend(within);
        late.extend(last);
    }
    let answers = u64::try_from(waits_us.len())?;
    // Who was still waiting at the end counts among those who waited, not among those served.
    waits_us.extend(late);
    waits_us.sort_unstable();
    Ok(Outcome {
        connections: crowd.connections,
        answers,
        verified: round.verified.load(Ordering::Relaxed),
        window_us: micros(crowd.window),
        waits_us,
        tred: after.0.since(before.0),
        crowd: after.1.since(before.1),
        answer_bytes: round.answer_bytes.load(Ordering::Relaxed),
    })
}

impl Round {
    /// One verifier, until the window has ended. Returns how long it waited for each answer that
    /// came within, and for the one after that, if it was asked for within.
    async fn visit(self: Arc<Self>, number: usize) -> Result<(Vec<u64>, Option<u64>)> {
        let identities = &self.verifier.identities;
        let identity = identities.iter().cycle().nth(number).context("expected a certificate")?;
        let (mut connection, mut waits, mut warm) = (None, Vec::new(), false);
        loop {
            let mut open = match connection.take() {
                Some(open) => open,
                None => self.open(identity).await?,
            };
            let asked = Instant::now();
            let session = open.session()?;
            let answer = self.ask(&mut open, session.nonce()).await?;
            let waited = asked.elapsed();
            if !mem::replace(&mut warm, true) {
                self.warm.fetch_add(1, Ordering::Relaxed);
            }
            match self.window.get().copied() {
                // Until all are there, those who are leave the processors to the others.
                None => sleep(PAUSE).await,
                Some((begun, end)) => {
                    let found = Instant::now();
                    if found > end {
                        return Ok((waits, (asked < end).then(|| micros(waited))));
                    }
                    if found >= begun {
                        waits.push(micros(waited));
                        self.verify(session, &answer)?;
                    }
                }
            }
            if self.crowd.habit == Habit::Stays {
                connection = Some(open);
            }
        }
    }

    async fn open(&self, identity: &ClientIdentity) -> Result<AnyKeyConnection> {
        let _door = self.doors.acquire().await?;
        Ok(AnyKeyConnection::open(&self.verifier.address, Some(identity)).await?)
    }

    /// Asks once and takes the whole answer in.
    async fn ask(
        &self,
        connection: &mut AnyKeyConnection,
        nonce: [u8; 32],
    ) -> Result<attest_verifier::Response> {
        let body = json::encode(&AttestationRequest { nonce: Hex32(nonce) })?;
        let answer = connection.request(Method::POST, PATH, Some(body)).await?;
        let text = || String::from_utf8_lossy(&answer.body).into_owned();
        ensure!(answer.status == 200, "expected status 200, found {}: {}", answer.status, text());
        self.answer_bytes.store(u64::try_from(answer.body.len())?, Ordering::Relaxed);
        Ok(answer)
    }

    /// Verifies an answer, if it is of the sample, as a verifier does that acts on it.
    fn verify(&self, session: Session, answer: &attest_verifier::Response) -> Result<()> {
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        if number.checked_rem(self.crowd.sample) != Some(0) {
            return Ok(());
        }
        let Verifier { tre, trust, .. } = &self.verifier;
        let evidence: Evidence = answer.decode(PATH)?;
        verdict::attest(&evidence, session, tre, trust.reference(), now()?)?;
        self.verified.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// What a verifier posts to.
const PATH: &str = "/v1/attestation";

/// Handshakes at once: enough to keep both ends busy, few enough to finish within their bound.
const AT_ONCE: usize = 32;

/// Pause between two requests of a verifier that waits for the others to connect: well below the
/// time after which an idle connection is closed.
const PAUSE: Duration = Duration::from_secs(2);

/// From the end of the pauses to the window: one pause and some quotes.
const SETTLE: Duration = Duration::from_secs(5);
