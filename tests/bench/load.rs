//! The load: meters that speak as fast as they are answered, for a given time.
//!
//! One client for both servers, and every answer is read: a wrong one ends the benchmark.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use attest_verifier::{AnyKeyConnection, ClientIdentity, Method, Response};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tre_wire::json;
use tre_wire::message::meter::{Reading, Readings, ReceiptStatus, Receipts};
use tre_wire::units::{Slot, WattHours};

use crate::baseline::Baseline;

/// The server at the other end, and with it what a good answer is.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// A TRE: signed receipts.
    Tre {
        /// `HOST:PORT`.
        address: String,
    },
    /// The bare server: the same body.
    Echo {
        /// `HOST:PORT`.
        address: String,
    },
}

/// A meter with its next sequence number.
#[derive(Debug)]
pub(crate) struct Meter {
    identity: ClientIdentity,
    slot: Slot,
    seq: AtomicU64,
}

impl Meter {
    /// A meter that reads `slot` again and again.
    pub(crate) const fn new(identity: ClientIdentity, slot: Slot) -> Self {
        Self { identity, slot, seq: AtomicU64::new(1) }
    }

    async fn open(&self, address: &str) -> Result<AnyKeyConnection> {
        Ok(AnyKeyConnection::open(address, Some(&self.identity)).await?)
    }

    /// Sends one reading and judges the answer.
    async fn send(&self, end: &End, connection: &mut AnyKeyConnection) -> Result<()> {
        let seq = self.seq.fetch_add(1, Ordering::Relaxed);
        let (import_wh, export_wh) = (WattHours::new(272)?, WattHours::new(0)?);
        let reading = Reading { slot: self.slot, import_wh, export_wh, seq };
        let readings = Readings { readings: vec![reading] };
        let body = json::encode_padded(&readings, Readings::bytes(1))?;
        let answer = connection.request(Method::POST, PATH, Some(body.clone())).await?;
        end.judge(&body, &answer)
    }
}

impl End {
    fn address(&self) -> &str {
        match self {
            Self::Tre { address } | Self::Echo { address } => address,
        }
    }

    fn judge(&self, sent: &[u8], answer: &Response) -> Result<()> {
        match self {
            Self::Echo { .. } => {
                ensure!(answer.status == 200, "expected status 200, found {}", answer.status);
                ensure!(answer.body == sent, "expected the body sent, found another");
            }
            Self::Tre { .. } => {
                let receipts: Receipts = answer.decode(PATH)?;
                match receipts.receipts.as_slice() {
                    [one] if TAKEN.contains(&one.status) => {}
                    found => bail!("expected one receipt of a reading taken, found {found:?}"),
                }
            }
        }
        Ok(())
    }
}

/// Requests a second over connections made beforehand, one a meter.
///
/// # Errors
///
/// The first wrong or missing answer.
pub(crate) async fn kept_alive(end: &End, meters: &[Arc<Meter>], window: Duration) -> Result<u64> {
    let mut opened = Vec::new();
    for meter in meters {
        opened.push((Arc::clone(meter), meter.open(end.address()).await?));
    }
    let (begun, until) = from_now(window)?;
    let mut tasks = JoinSet::new();
    for (meter, mut connection) in opened {
        let end = end.clone();
        tasks.spawn(async move {
            let mut done = 0_u64;
            while Instant::now() < until {
                meter.send(&end, &mut connection).await?;
                done = done.saturating_add(1);
            }
            Ok(done)
        });
    }
    let done = total(tasks).await?;
    per_second(done, begun)
}

/// Connections a second, each made anew for one request, with as many at once as meters.
///
/// # Errors
///
/// The first failed handshake, wrong or missing answer.
pub(crate) async fn fresh(end: &End, meters: &[Arc<Meter>], window: Duration) -> Result<u64> {
    let (begun, until) = from_now(window)?;
    let mut tasks = JoinSet::new();
    for meter in meters {
        let (end, meter) = (end.clone(), Arc::clone(meter));
        tasks.spawn(async move {
            let mut done = 0_u64;
            while Instant::now() < until {
                let mut connection = meter.open(end.address()).await?;
                meter.send(&end, &mut connection).await?;
                done = done.saturating_add(1);
            }
            Ok(done)
        });
    }
    let done = total(tasks).await?;
    per_second(done, begun)
}

/// Handshakes a second without any request.
///
/// The server counts: a client is through before the server has verified its certificate.
///
/// # Errors
///
/// A failed handshake, at either end.
pub(crate) async fn handshakes(
    server: &Baseline,
    meters: &[Arc<Meter>],
    window: Duration,
) -> Result<u64> {
    let (before, failed_before) = (server.finished(), server.failed());
    let (begun, until) = from_now(window)?;
    let mut tasks = JoinSet::new();
    for meter in meters {
        let (address, meter) = (server.address().to_string(), Arc::clone(meter));
        tasks.spawn(async move {
            while Instant::now() < until {
                drop(meter.open(&address).await?);
            }
            Ok(0)
        });
    }
    total(tasks).await?;
    let rate = per_second(server.finished().saturating_sub(before), begun)?;
    let failed = server.failed().saturating_sub(failed_before);
    ensure!(failed == 0, "expected every handshake to finish, found {failed} failed");
    Ok(rate)
}

fn from_now(window: Duration) -> Result<(Instant, Instant)> {
    let begun = Instant::now();
    Ok((begun, begun.checked_add(window).context("a window that ends")?))
}

async fn total(mut tasks: JoinSet<Result<u64>>) -> Result<u64> {
    let mut total = 0_u64;
    while let Some(done) = tasks.join_next().await {
        total = total.saturating_add(done??);
    }
    Ok(total)
}

/// Rounded down.
fn per_second(done: u64, begun: Instant) -> Result<u64> {
    let micros = u64::try_from(begun.elapsed().as_micros())?;
    done.saturating_mul(1_000_000).checked_div(micros).context("a window of some length")
}

/// What a meter posts to.
const PATH: &str = "/v1/readings";

/// A first reading of a slot, and every one after it.
const TAKEN: [ReceiptStatus; 2] = [ReceiptStatus::Accepted, ReceiptStatus::Replaced];
