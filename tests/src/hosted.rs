//! A TRE as a normal process on a software TPM that measured what a real boot measured.

use core::mem;
use core::net::SocketAddr;
use core::time::Duration;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::thread;

use anyhow::{Context as _, Result, bail};
use measured_boot::eventlog::{EventLog, EventType};
use tre_interposer::{Frame, Interposer, Pass};
use tre_tpm::Tpm as _;
use tre_tpm::swtpm::{Manufacturer, Swtpm};

use crate::domain::TestDomain;
use crate::place;
use crate::slow_tpm::SlowTpm;

/// The machine under a hosted TRE: TPM state, data disk and measurements outlive its process.
#[derive(Debug)]
pub struct HostedMachine {
    state: PathBuf,
    disk: PathBuf,
    event_log: PathBuf,
    ek_roots: PathBuf,
}

/// How long a TRE may take to come up: on a busy machine some seconds, as an interpreted one some
/// tens.
const COMES_UP: Duration = Duration::from_secs(300);

/// What stands between a TRE and its TPM.
#[derive(Debug)]
enum Between {
    Nothing,
    Slow(SlowTpm),
    Somebody(Interposer),
}

/// A running hosted TRE. Dropping it is a power cut.
#[derive(Debug)]
pub struct Hosted {
    process: Child,
    between: Between,
    _tpm: Swtpm,
    address: SocketAddr,
}

impl HostedMachine {
    /// Makes a machine with a new TPM and a new data disk in the domain's folder.
    ///
    /// # Errors
    ///
    /// Whatever step fails, named.
    pub fn make(domain: &TestDomain, name: &str) -> Result<Self> {
        Self::make_in(&domain.folder().join(name), &domain.deployment())
    }

    /// The same in a folder of its own, for the deployment file `deployment`.
    ///
    /// # Errors
    ///
    /// Whatever step fails, named.
    pub fn make_in(folder: &Path, deployment: &Path) -> Result<Self> {
        let (state, disk) = (folder.join("tpm"), folder.join("data.img"));
        let ek_roots = folder.join("ek-roots");
        fs::create_dir_all(&ek_roots)?;
        let manufacturer = Manufacturer::open(&folder.join("manufacturer"))?;
        manufacturer.make(&state).context("making a TPM")?;
        fs::copy(manufacturer.root_certificate(), ek_roots.join("root.pem"))?;
        fs::copy(manufacturer.issuer_certificate(), ek_roots.join("issuer.pem"))?;
        image::disk::create(&disk, deployment).context("making a data disk")?;
        let event_log = folder.join("eventlog.bin");
        fs::copy(place::root().join("tests/vectors/eventlog/recorder.bin"), &event_log)?;
        Ok(Self { state, disk, event_log, ek_roots })
    }

    /// The certificates of the TPM's manufacturer.
    #[must_use]
    pub fn ek_roots(&self) -> &Path {
        &self.ek_roots
    }

    /// The data disk.
    #[must_use]
    pub fn disk(&self) -> &Path {
        &self.disk
    }

    /// The event log that [`Self::start`] replays.
    #[must_use]
    pub fn event_log(&self) -> &Path {
        &self.event_log
    }

    /// Powers the TPM on, measures the log into it, and starts `tred`.
    ///
    /// # Errors
    ///
    /// Whatever step fails; what `tred` said if it did not come up.
    pub fn start(&self) -> Result<Hosted> {
        self.start_under(&[], |_| {})
    }

    /// The same with `tred` run by another program, of which `command` is the beginning. `hear`
    /// is given every line that either says, to the end.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub fn start_under(
        &self,
        command: &[&OsStr],
        hear: impl FnMut(&str) + Send + 'static,
    ) -> Result<Hosted> {
        self.launch(Swtpm::start(&self.state)?, |_| Ok(Between::Nothing), command, hear)
    }

    /// As [`Self::start_under`], with the TPM run by that other program, too.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub fn start_all_under(&self, command: &[&OsStr]) -> Result<Hosted> {
        let tpm = Swtpm::start_under(&self.state, command)?;
        self.launch(tpm, |_| Ok(Between::Nothing), command, |_| {})
    }

    /// As [`Self::start`], on a TPM of which each quote takes `quote` at least.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub fn start_slow(&self, quote: Duration) -> Result<Hosted> {
        let slow = |tpm: &Path| SlowTpm::start(tpm, quote).map(Between::Slow);
        self.launch(Swtpm::start(&self.state)?, slow, &[], |_| {})
    }

    /// As [`Self::start`], with somebody on the bus who does `deed` to each command.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub fn start_betrayed(
        &self,
        deed: impl FnMut(&Frame, &mut Pass<'_>) -> std::io::Result<Option<Frame>> + Send + 'static,
    ) -> Result<Hosted> {
        let somebody = |tpm: &Path| Ok(Between::Somebody(Interposer::before(tpm, deed)?));
        self.launch(Swtpm::start(&self.state)?, somebody, &[], |_| {})
    }

    fn launch(
        &self,
        swtpm: Swtpm,
        between: impl FnOnce(&Path) -> Result<Between>,
        command: &[&OsStr],
        mut hear: impl FnMut(&str) + Send + 'static,
    ) -> Result<Hosted> {
        let log = fs::read(&self.event_log)?;
        let mut tpm = swtpm.connect()?;
        for event in EventLog::parse(&log)?.events() {
            if let (Some(pcr), Some(digest)) = (event.extends(), event.sha256()) {
                tpm.extend(pcr, &digest)?;
            }
        }
        drop(tpm);
        let between = between(&swtpm.socket())?;
        let bus = match &between {
            Between::Nothing => swtpm.socket(),
            Between::Slow(slow) => slow.socket(),
            Between::Somebody(somebody) => somebody.socket(),
        };
        // Ends with whoever started it, however that ends.
        let mut process = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .args(command)
            .arg(place::program("tred")?)
            .arg("--swtpm")
            .arg(bus)
            .arg("--disk")
            .arg(&self.disk)
            .arg("--event-log")
            .arg(&self.event_log)
            .stdout(Stdio::piped())
            .spawn()
            .context("starting tred")?;
        let output = process.stdout.take().context("tred's output")?;
        let (told, comes_up) = sync_channel(1);
        // What it says later is read too, so that its console never fills.
        thread::spawn(move || {
            let mut lines = BufReader::new(output).lines().map_while(std::io::Result::ok);
            // Nobody who has given up waiting needs the answer.
            drop(told.send(listening(lines.by_ref().inspect(|line| hear(line)))));
            lines.for_each(|line| hear(&line));
        });
        let listening = comes_up.recv_timeout(COMES_UP);
        let listening = listening
            .unwrap_or_else(|_| bail!("tred did not listen within {} s", COMES_UP.as_secs()));
        match listening {
            Ok(address) => Ok(Hosted { process, between, _tpm: swtpm, address }),
            Err(error) => {
                process.kill()?;
                process.wait()?;
                Err(error)
            }
        }
    }
}

/// The same log of a boot in which the firmware started another image.
///
/// # Errors
///
/// When the log does not parse, or names no image.
pub fn log_of_another_image(log: &[u8]) -> Result<Vec<u8>> {
    let parsed = EventLog::parse(log)?;
    let mut images = parsed.events().iter();
    let is_image = EventType::EFI_BOOT_SERVICES_APPLICATION;
    let event = images.find(|event| event.event_type == is_image).context("an image in the log")?;
    let digest = event.sha256().context("a SHA-256 digest")?;
    let tail = log.get(event.offset..).context("the event")?;
    let inside = tail.windows(32).position(|bytes| bytes == digest.0).context("its digest")?;
    let mut other = log.to_vec();
    let place = event.offset.checked_add(inside).context("a place in the log")?;
    let byte = other.get_mut(place).context("a byte of the digest")?;
    *byte ^= 1;
    Ok(other)
}

/// Reads until the line that says where it listens.
fn listening(lines: impl Iterator<Item = String>) -> Result<SocketAddr> {
    let mut said = Vec::new();
    for line in lines {
        if let Some(address) = line.strip_prefix("tred: listening on ") {
            return Ok(address.parse()?);
        }
        said.push(line);
    }
    bail!("tred ended before it listened: {}", said.join("\n"))
}

impl Hosted {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Process id of `tred`.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Hosted {
    /// Ends it; of one with a slow TPM, returns what that counted.
    ///
    /// # Errors
    ///
    /// As [`SlowTpm::end`].
    pub fn end(mut self) -> Result<Option<serde_json::Value>> {
        match mem::replace(&mut self.between, Between::Nothing) {
            Between::Slow(slow) => slow.end().map(Some),
            Between::Nothing | Between::Somebody(_) => Ok(None),
        }
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        // Already gone is as good as killed.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
