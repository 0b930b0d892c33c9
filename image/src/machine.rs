//! A virtual machine that runs the appliance: QEMU, OVMF firmware and a TPM emulator.
//!
//! It demonstrates and tests; it protects nothing from whoever runs it, who can read its memory.
//! One state folder is one machine: its TPM, its firmware variables, the log of its last boot.

mod error;
mod hardware;
mod process;
mod qemu;
mod tpm;

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::time::Duration;
use std::fs::{self, File};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

pub use error::MachineError;
pub use hardware::{Hardware, NoSuchTpm, TpmInterface};
use process::Process;
pub(crate) use qemu::FIRMWARE;
use qemu::Paths;

use crate::file::FileError;
use crate::tool::Excerpt;

/// The line by which the appliance says that it listens.
const LISTENING: &str = "tred: listening";

/// How long a machine may take to become ready. A quiet one needs about 10 seconds.
const READY: Duration = Duration::from_secs(90);

/// How often the console is looked at.
const POLL: Duration = Duration::from_millis(50);

/// Free ports that are tried: between finding one and using it, another process may take it.
const PORTS: u32 = 5;

/// What a machine is started from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MachineConfig {
    /// The boot disk, `tre.img`. Never written.
    pub image: PathBuf,
    /// The data disk. Written by the guest.
    pub disk: PathBuf,
    /// The machine's folder, made if it is not there. It stays when the machine stops.
    pub state: PathBuf,
    /// The port of 127.0.0.1 that leads to the appliance; without one, a free one.
    pub port: Option<u16>,
    /// Memory and TPM interface.
    pub hardware: Hardware,
}

/// A running machine. Dropped, it is switched off, and none of its processes is left.
#[derive(Debug)]
pub struct Machine {
    // In this order: the TPM ends with the machine that is connected to it.
    qemu: Process,
    tpm: Process,
    port: u16,
    console: PathBuf,
    state: PathBuf,
    _lock: File,
}

impl Machine {
    /// Starts a machine and waits until the appliance in it listens.
    ///
    /// # Errors
    ///
    /// [`MachineError`]; whatever was started has ended by then.
    pub fn start(config: &MachineConfig) -> Result<Self, MachineError> {
        let machine = Self::start_until(config, LISTENING)?;
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
        let mut tries = 1;
        loop {
            let mut machine = Self::launch(config)?;
            match machine.wait_for(milestone) {
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
        self.state.join("ek-roots")
    }

    /// The serial console's log.
    #[must_use]
    pub fn console(&self) -> &Path {
        &self.console
    }

    /// What the serial console has shown since the machine was started.
    ///
    /// # Errors
    ///
    /// What the system says of the log file.
    pub fn serial(&self) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.console)?).replace('\r', ""))
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
        let config = &absolute(config)?;
        let lock = lock(&config.state)?;
        let paths = Paths {
            variables: config.state.join("vars.fd"),
            console: config.state.join("serial.log"),
            messages: config.state.join("qemu.log"),
        };
        prepare(&paths)?;
        let port = port(config.port)?;
        tpm::manufacture(&config.state)?;
        let tpm = tpm::start(&config.state)?;
        let qemu = qemu::start(config, &config.state, &paths, port)?;
        let (console, state) = (paths.console, config.state.clone());
        Ok(Self { qemu, tpm, port, console, state, _lock: lock })
    }

    fn wait_for(&mut self, milestone: &str) -> Result<(), MachineError> {
        self.poll(|machine| {
            let ended = machine.ended()?;
            // Read after looking for the end: a guest's last line counts.
            let serial = machine.serial().map_err(file("reading", &machine.console))?;
            if serial.lines().any(|line| line.starts_with(milestone)) {
                return Ok(Some(()));
            }
            if ended {
                let said = Excerpt::of_file(&machine.state.join("qemu.log"));
                let console = Excerpt::of(serial.as_bytes());
                return Err(MachineError::Ended { said, console });
            }
            Ok(None)
        })
    }

    fn ended(&mut self) -> Result<bool, MachineError> {
        let running = self.is_running();
        Ok(!running.map_err(file("watching QEMU in", &self.state))?)
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
                let console = Excerpt::of_file(&self.console);
                return Err(MachineError::NotReady { seconds: READY.as_secs(), console });
            }
            thread::sleep(POLL);
        }
    }
}

/// The same machine with absolute paths, its folder made, and its files known to be there.
fn absolute(config: &MachineConfig) -> Result<MachineConfig, MachineError> {
    let there = |what, path: &Path, remedy| match path.canonicalize() {
        Ok(path) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(MachineError::FileMissing { what, path: path.into(), remedy })
        }
        Err(error) => Err(file("finding", path)(error)),
    };
    let image = there("boot image", &config.image, "'tre-image build' makes one")?;
    let disk = there("data disk", &config.disk, "'tre-image disk' makes one")?;
    for path in [FIRMWARE, qemu::VARIABLES] {
        there("firmware", Path::new(path), "run 'make deps' (Debian package ovmf)")?;
    }
    fs::create_dir_all(&config.state).map_err(file("making", &config.state))?;
    let state = config.state.canonicalize().map_err(file("finding", &config.state))?;
    Ok(MachineConfig { image, disk, state, ..config.clone() })
}

/// Holds the state folder for this machine alone, until the file is closed.
fn lock(state: &Path) -> Result<File, MachineError> {
    let path = state.join("lock");
    let lock = File::create(&path).map_err(file("making", &path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(MachineError::StateInUse { path: state.into() }),
        Err(fs::TryLockError::Error(source)) => Err(file("locking", &path)(source)),
    }
}

/// Factory variables for a new machine; no console from an earlier boot for any.
fn prepare(paths: &Paths) -> Result<(), MachineError> {
    if !paths.variables.exists() {
        let new = paths.variables.with_extension("new");
        fs::copy(qemu::VARIABLES, &new)
            .and_then(|_| fs::rename(&new, &paths.variables))
            .map_err(file("copying the firmware's variables to", &paths.variables))?;
    }
    File::create(&paths.console).map_err(file("writing", &paths.console))?;
    Ok(())
}

/// The port asked for, if nobody has it, or a free one.
fn port(asked: Option<u16>) -> Result<u16, MachineError> {
    let port = asked.unwrap_or(0);
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .and_then(|listener| Ok(listener.local_addr()?.port()))
        .map_err(|source| MachineError::Port { port, source })
}

fn file(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MachineError {
    move |source| MachineError::File(FileError::at(step, path)(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_folder_serves_one_machine_at_a_time() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let first = lock(folder.path()).expect("free");
        let refused = lock(folder.path());
        assert!(
            matches!(&refused, Err(MachineError::StateInUse { path }) if path == folder.path()),
            "{refused:?}",
        );
        drop(first);
        lock(folder.path()).expect("free again");
    }
}
