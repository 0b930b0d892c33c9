//! A host that moves the clocks of its TRE by a day, and whether a slot moved with them.
//!
//! The library faketime stands between `tred` and the clocks of the system, as a host stands between
//! a guest and its counters: it moves the real-time clock from the start, or the monotonic clock
//! under a TRE that runs. Each attack shows that it did move what it says, or it is no result.

use core::time::Duration;
use std::ffi::OsStr;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use attest_verifier::AnyKeyConnection;
use tokio::time::{Instant, sleep, sleep_until};
use tre_wire::id::PeerId;
use tre_wire::message::Health;

use crate::domain::{SLOT_MS, TestDomain, now};
use crate::enrolled::Enrolled;
use crate::hosted::{Hosted, HostedMachine};

/// What a host does to its TRE's clocks.
#[derive(Debug)]
pub struct MovedClock {
    /// Its name on the command line.
    pub name: &'static str,
    /// Who does what, in a line.
    pub what: &'static str,
    /// What stops it.
    pub stopped: Stopped,
    which: Which,
}

/// What stops an attack.
#[derive(Clone, Copy, Debug)]
pub enum Stopped {
    /// A check: the patch under `tests/mutants` that takes it out alone lets the attack in.
    By(&'static str),
    /// There is no check to take out, for this reason.
    ByConstruction(&'static str),
}

/// Which clock a host moves.
#[derive(Clone, Copy, Debug)]
enum Which {
    /// That of the day, before the TRE starts, by so much. Unit: ms.
    RealTime(i64),
    /// The counter under a TRE that runs and knows the time, by so much, and the clock of the TPM,
    /// which is software of the same host, with it. Unit: ms.
    Counter(i64),
    /// The counter alone, which runs so many times as fast as the time.
    Rate(u32),
}

/// Each clock, both ways.
pub const ATTACKS: &[MovedClock] = &[
    MovedClock {
        name: "clock-ahead",
        what: "the host's clock is a day ahead when the TRE starts: is it tomorrow's slot?",
        stopped: Stopped::By("time-hardware"),
        which: Which::RealTime(DAY_MS),
    },
    MovedClock {
        name: "clock-back",
        what: "the host's clock is a day behind when the TRE starts: is it yesterday's slot?",
        stopped: Stopped::By("time-hardware"),
        which: Which::RealTime(-DAY_MS),
    },
    MovedClock {
        name: "counter-ahead",
        what: "the host moves the counter of a running TRE on by a day: is it tomorrow's slot?",
        stopped: Stopped::By("time-step"),
        which: Which::Counter(DAY_MS),
    },
    MovedClock {
        name: "counter-back",
        what: "the host moves the counter of a running TRE back by a day: is it an earlier slot?",
        stopped: Stopped::ByConstruction(
            "while the counter is behind, every timer is due at once and nobody is answered",
        ),
        which: Which::Counter(-DAY_MS),
    },
    MovedClock {
        name: "counter-fast",
        what: "the host runs the counter of a TRE fast, a little at a time: is it a later slot?",
        stopped: Stopped::By("time-witness"),
        which: Which::Rate(10),
    },
];

/// A TRE that was enrolled and is off, and the host that it stands on.
#[derive(Debug)]
pub struct Host {
    domain: TestDomain,
    machine: HostedMachine,
    tre_id: PeerId,
    /// A box that nobody named yet shows what clock it has.
    probe: HostedMachine,
}

/// What a TRE said of the time, and between which times it said so.
#[derive(Clone, Copy, Debug)]
struct Look {
    time: u64,
    slot: u64,
    asked: u64,
    answered: u64,
}

#[expect(clippy::arithmetic_side_effects, reason = "times of this century, in ms")]
impl Host {
    /// Makes a domain, and enrols a TRE in it.
    ///
    /// # Errors
    ///
    /// Whatever step fails, named.
    pub async fn make() -> Result<Self> {
        let Enrolled { domain, machine, tre_id, .. } = Enrolled::make().await?;
        let probe = HostedMachine::make(&domain, "probe")?;
        Ok(Self { domain, machine, tre_id, probe })
    }

    /// Plays an attack once, with the TRE started anew: what the TRE said if a slot moved.
    ///
    /// # Errors
    ///
    /// Whatever step fails; above all when no clock was moved, which would show nothing.
    pub async fn play(&self, attack: &MovedClock) -> Result<Option<String>> {
        match attack.which {
            Which::RealTime(by_ms) => self.real_time(by_ms).await,
            Which::Counter(by_ms) => self.counter(by_ms).await,
            Which::Rate(times) => self.rate(times).await,
        }
    }

    async fn real_time(&self, by_ms: i64) -> Result<Option<String>> {
        let seconds = format!("FAKETIME={:+}", by_ms / 1_000);
        let others = ["FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1"];
        let settings = [&[seconds.as_str()][..], &others].concat();
        let command = command(&settings);
        let probe = look(&self.probe.start_under(&command, |_| {})?).await?;
        let off = probe.time.cast_signed() - probe.asked.cast_signed() - by_ms;
        ensure!(off.unsigned_abs() < 60_000, "expected a clock that was moved, found {probe:?}");
        let hosted = self.machine.start_under(&command, |_| {})?;
        let untold = look(&hosted).await?;
        self.domain.set_time(&hosted.address().to_string(), &self.tre_id).await?;
        let told = look(&hosted).await?;
        ensure!(told.time != 0, "expected a TRE that was told the time, found {told:?}");
        let moved = [untold, told].into_iter().find(|look| look.time != 0 && !look.is_true());
        Ok(moved.map(|look| format!("{look:?}")))
    }

    async fn counter(&self, by_ms: i64) -> Result<Option<String>> {
        // The library shows the time since 1970 as the monotonic clock, with this added.
        let offset = by_ms / 1_000 + uptime_s()? - (now()?.get() / 1_000).cast_signed();
        let after = format!("FAKETIME_START_AFTER_SECONDS={}", UNMOVED.as_secs());
        let moved_at = Instant::now() + UNMOVED;
        let offset = format!("FAKETIME={offset:+}");
        let hosted = self.machine.start_all_under(&command(&[&offset, &after]))?;
        self.domain.set_time(&hosted.address().to_string(), &self.tre_id).await?;
        let before = look(&hosted).await?;
        ensure!(Instant::now() < moved_at, "the box was not up before its counter was moved");
        ensure!(before.is_true(), "expected a TRE that goes by its token, found {before:?}");
        sleep_until(moved_at + LATER).await;
        let first = match look(&hosted).await {
            // A counter that stood where it was would answer, as before.
            Err(_) if by_ms < 0 => return Ok(None),
            look => look?,
        };
        sleep(LATER).await;
        let second = look(&hosted).await?;
        for look in [first, second] {
            let moved = look.time != 0 && (look.slot < before.slot || look.is_ahead());
            if moved {
                return Ok(Some(format!("{look:?} after {before:?}")));
            }
        }
        // A time that is lost shows a counter that was moved, and so does one that stands.
        let goes_on = first.time != 0 && second.time > first.time;
        ensure!(!goes_on, "expected a counter that was moved, found {first:?}, then {second:?}");
        Ok(None)
    }

    async fn rate(&self, times: u32) -> Result<Option<String>> {
        let rate = format!("FAKETIME=+0 x{times}");
        let hosted = self.machine.start_under(&command(&[&rate]), |_| {})?;
        self.domain.set_time(&hosted.address().to_string(), &self.tre_id).await?;
        let before = look(&hosted).await?;
        ensure!(before.time != 0, "expected a TRE that was told the time, found {before:?}");
        let mut gained = 0;
        // Until more is gained than every verifier would see.
        while gained < GAINED_MS {
            sleep(LATER).await;
            let look = look(&hosted).await?;
            if look.time == 0 {
                ensure!(gained > 0, "expected a counter that runs fast, found {look:?}");
                return Ok(None);
            }
            gained = look.time.saturating_sub(look.answered);
            ensure!(gained > 0, "expected a counter that runs fast, found {look:?}");
        }
        Ok(Some(format!("{gained} ms gained after {before:?}")))
    }
}

impl Look {
    /// Whether it is the slot that it says. A token's way makes a clock slow, never fast.
    fn is_true(self) -> bool {
        let least = self.asked.saturating_sub(SLOW_MS);
        (least..=self.answered).contains(&self.time)
            && (least / SLOT_MS..=self.answered / SLOT_MS).contains(&self.slot)
    }

    /// Whether it is not yet the slot that it says.
    const fn is_ahead(self) -> bool {
        self.slot > self.answered / SLOT_MS
    }
}

async fn look(hosted: &Hosted) -> Result<Look> {
    let asked = now()?.get();
    let mut open = AnyKeyConnection::open(&hosted.address().to_string(), None).await?;
    let Health { time, slot, .. } = open.get(HEALTH).await?;
    Ok(Look { time: time.get(), slot: slot.get(), asked, answered: now()?.get() })
}

/// Runs what follows it under the library, with these settings.
fn command<'a>(settings: &[&'a str]) -> Vec<&'a OsStr> {
    ["env", LIBRARY].iter().chain(settings).map(|word| OsStr::new(*word)).collect()
}

/// What the counter of this machine shows. Unit: seconds.
fn uptime_s() -> Result<i64> {
    let uptime = fs::read_to_string("/proc/uptime").context("reading /proc/uptime")?;
    let seconds = uptime.split('.').next().context("expected seconds in /proc/uptime")?;
    seconds.parse().context("/proc/uptime")
}

/// How the library of the package `faketime` is loaded.
const LIBRARY: &str = "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// How long a TRE has to come up and be told the time before its counter is moved.
const UNMOVED: Duration = Duration::from_secs(12);

/// How long after that it is looked at, and how long until it is looked at again.
const LATER: Duration = Duration::from_secs(2);

/// What a counter that is moved a little at a time must not gain: what every verifier sees. Two looks of
/// the TRE, and the slack between its clocks, are less. Unit: ms.
const GAINED_MS: u64 = 300_000;

/// How slow a token may have made the clock on its way. Unit: ms.
const SLOW_MS: u64 = 60_000;

/// One day. Unit: ms.
const DAY_MS: i64 = 86_400_000;

const HEALTH: &str = "/v1/health";
