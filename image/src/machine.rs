//! A virtual machine that runs the appliance: QEMU, OVMF firmware and a TPM emulator.
//!
//! It demonstrates and tests; it protects nothing from whoever runs it, who can read its memory.
//! One state folder is one machine: its TPM, its firmware variables, the log of its last boot.

mod config;
mod console;
mod error;
mod hardware;
mod prepare;
mod process;
mod qemu;
mod tpm;

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::ops::ControlFlow;
use core::time::Duration;
use std::fs;
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use config::Places;
pub use config::{DirectBoot, MachineConfig};
use console::Console;
pub use error::MachineError;
pub use hardware::{Firmware, Hardware, NoSuchTpm, TpmInterface};
use prepare::{Lock, failed};
use process::Process;

use crate::tool::Excerpt;

/// The firmware's variables as they leave the factory: secure boot off, no keys.
pub(crate) const BLANK_VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/// How long a machine may take to become ready. A quiet one needs about 10 seconds, one among many
/// that share two cores needs more than a minute.
const READY: Duration = Duration::from_secs(180);

/// How often the console is looked at.
const POLL: Duration = Duration::from_millis(10);

/// Free ports that are tried: between finding one and using it, another process may take it.
const PORTS: u32 = 5;

/// A running machine. Dropped, it is switched off, and none of its processes is left.
#[derive(Debug)]
pub struct Machine {
    // In this order: the TPM ends with the machine that is connected to it.
    qemu: Process,
    tpm: Process,
    port: u16,
    console: Console,
    places: Places,
    _locks: Vec<Lock>,
}

impl Machine {
    /// How the line begins by which the appliance says that it listens.
    pub const LISTENING: &str = "tred: listening";

    /// Starts a machine and waits until the appliance in it listens.
    ///
    /// # Errors
    ///
    /// [`MachineError`]; whatever was started has ended by then.
    pub fn start(config: &MachineConfig) -> Result<Self, MachineError> {
        let machine = Self::start_until(config, Self::LISTENING)?;
        let address = machine.address();
        TcpStream::connect(address)
            .map_err(|source| MachineError::Unreachable { address, source })?;
        Ok(machine)
    }

    /// Starts a machine and waits until a line on its console begins with `milestone`: for a
    /// guest that does something else than listen.
    ///
    /// # Errors
    ///
    /// [`MachineError`], as for [`Machine::start`].
    pub fn start_until(config: &MachineConfig, milestone: &str) -> Result<Self, MachineError> {
        Self::start_watched(config, milestone, |_| ControlFlow::Continue(()))
    }

    /// The same, while `watch` is told over and over what is new on the console, and may break
    /// the start off.
    ///
    /// # Errors
    ///
    /// [`MachineError`]; [`MachineError::Interrupted`] if `watch` broke it off.
    pub fn start_watched(
        config: &MachineConfig,
        milestone: &str,
        mut watch: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Self, MachineError> {
        let mut tries = 1;
        loop {
            let mut machine = Self::launch(config)?;
            match machine.wait_for(config, milestone, &mut watch) {
                Ok(()) => return Ok(machine),
                Err(MachineError::Ended { said, .. })
                    if config.port.is_none()
                        && tries < PORTS
                        && said.to_string().contains("host forwarding") =>
                {
                    tries = tries.saturating_add(1);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Where the appliance is reached from this machine, and from no other.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The folder with the certificates of the TPM's manufacturer.
    #[must_use]
    pub fn ek_roots(&self) -> PathBuf {
        tpm::ek_roots(&self.places.tpm)
    }

    /// The serial console's log.
    #[must_use]
    pub fn console(&self) -> &Path {
        self.console.path()
    }

    /// What came on the serial console since the last call, or since the machine was ready.
    ///
    /// # Errors
    ///
    /// What the system says of the log file.
    pub fn news(&mut self) -> io::Result<&str> {
        self.console.news()
    }

    /// What the serial console has shown since the machine was started.
    ///
    /// # Errors
    ///
    /// What the system says of the log file.
    pub fn serial(&self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(self.console.path())?).replace('\r', ""))
    }

    /// Whether the machine still runs. A guest that stops or restarts ends it.
    ///
    /// # Errors
    ///
    /// What the system says of the process.
    pub fn is_running(&mut self) -> io::Result<bool> {
        Ok(self.qemu.ended()?.is_none())
    }

    /// Waits until the guest ends the machine by itself, for as long as a boot may take.
    ///
    /// # Errors
    ///
    /// [`MachineError::NotReady`] if it does not.
    pub fn wait_for_end(mut self) -> Result<(), MachineError> {
        self.poll(|machine| Ok(machine.ended()?.then_some(())))
    }

    /// Switches the machine off, as if its power had failed, and waits until it is off. TPM and
    /// data disk stay as they are.
    ///
    /// # Errors
    ///
    /// What the system says of the processes.
    pub fn stop(mut self) -> io::Result<()> {
        self.qemu.stop()?;
        self.tpm.wait()?;
        Ok(())
    }

    fn launch(config: &MachineConfig) -> Result<Self, MachineError> {
        let (config, places) = prepare::settled(config)?;
        let mut locks = vec![prepare::lock(&places.state)?];
        if places.tpm != places.state {
            locks.push(prepare::lock(&places.tpm)?);
        }
        let port = prepare::port(config.port)?;
        prepare::prepare(&config, &places)?;
        tpm::manufacture(&places.tpm)?;
        let tpm = tpm::start(&places.tpm)?;
        let qemu = qemu::start(&config, &places, port)?;
        let console = Console::new(places.console.clone());
        Ok(Self { qemu, tpm, port, console, places, _locks: locks })
    }

    fn wait_for(
        &mut self,
        config: &MachineConfig,
        milestone: &str,
        watch: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), MachineError> {
        self.poll(|machine| {
            let ended = machine.ended()?;
            // Read after looking for the end: a guest's last line counts.
            let path = machine.places.console.clone();
            let news = machine.console.news().map_err(failed("reading", &path))?;
            if watch(news).is_break() {
                return Err(MachineError::Interrupted);
            }
            let said = machine.console.text();
            if said.lines().any(|line| line.starts_with(milestone)) {
                return Ok(Some(()));
            }
            if ended { Err(why(config, &machine.places, said)) } else { Ok(None) }
        })
    }

    fn ended(&mut self) -> Result<bool, MachineError> {
        let running = self.is_running();
        Ok(!running.map_err(failed("watching QEMU in", &self.places.state))?)
    }

    /// Asks `look` until it answers or the time that a boot may take is over.
    #[expect(clippy::disallowed_methods, reason = "a deadline of this process, in no result")]
    fn poll<T>(
        &mut self,
        mut look: impl FnMut(&mut Self) -> Result<Option<T>, MachineError>,
    ) -> Result<T, MachineError> {
        let start = Instant::now();
        loop {
            if let Some(answer) = look(self)? {
                return Ok(answer);
            }
            if start.elapsed() >= READY {
                let console = Excerpt::of_file(self.console.path());
                return Err(MachineError::NotReady { seconds: READY.as_secs(), console });
            }
            thread::sleep(POLL);
        }
    }
}

/// Why a machine ended before it was ready, as far as QEMU's words tell.
fn why(config: &MachineConfig, places: &Places, console: &str) -> MachineError {
    let said = Excerpt::of_file(&places.messages);
    let words = said.to_string();
    if words.contains("Failed to get \"write\" lock") {
        return MachineError::DiskInUse { path: config.disk.clone() };
    }
    if words.contains("Cannot allocate memory") {
        return MachineError::Memory { memory_mib: config.hardware.memory_mib };
    }
    MachineError::Ended { said, console: Excerpt::of(console.as_bytes()) }
}
