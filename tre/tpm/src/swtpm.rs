//! A software TPM of one's own: manufactured, started, and ended together with its owner.
//!
//! For development, tests and benchmarks. It keeps its secrets in files that anybody with access
//! to them can read, copy and roll back: it protects nothing.

use core::time::Duration;
use std::ffi::OsStr;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::{env, fs, thread};

use tempfile::TempDir;
use thiserror::Error;

use crate::{EsapiTpm, TpmError};

/// Why a software TPM could not be made or started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SwtpmError {
    /// A program is not installed.
    #[error("'{program}' is missing: run 'make deps' (Debian package {package})")]
    MissingProgram {
        /// The program.
        program: &'static str,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// A file or folder could not be used.
    #[error("cannot use {}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot start '{program}'")]
    Spawn {
        /// The program.
        program: &'static str,
        /// The reason.
        #[source]
        source: io::Error,
    },
    /// No TPM was ever made there.
    #[error("{} holds no software TPM: make one first", state.display())]
    NotMade {
        /// The folder.
        state: PathBuf,
    },
    /// Manufacturing failed.
    #[error("swtpm_setup ended with {status}: see {}", log.display())]
    Setup {
        /// How it ended.
        status: ExitStatus,
        /// What it wrote.
        log: PathBuf,
    },
    /// The TPM did not come up, perhaps because another process runs on the same state.
    #[error("swtpm did not answer within {within:?}: see {}", log.display())]
    NotReady {
        /// How long it was waited for.
        within: Duration,
        /// What it wrote.
        log: PathBuf,
    },
}

/// A manufacturer of software TPMs: a root, and an authority that certifies endorsement keys.
///
/// Both are made with the first TPM, and kept.
#[derive(Clone, Debug)]
pub struct Manufacturer {
    folder: PathBuf,
}

impl Manufacturer {
    /// Opens the manufacturer whose keys lie in `folder`, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// [`SwtpmError::File`] if the folder cannot be written.
    pub fn open(folder: &Path) -> Result<Self, SwtpmError> {
        let manufacturer = Self { folder: absolute_folder(folder)? };
        let authority = manufacturer.folder.display();
        write(
            &manufacturer.file("localca.conf"),
            &format!(
                "statedir = {authority}\nsigningkey = {authority}/signkey.pem\n\
                 issuercert = {authority}/issuercert.pem\ncertserial = {authority}/certserial\n"
            ),
        )?;
        write(&manufacturer.file("localca.options"), PLATFORM_OPTIONS)?;
        write(
            &manufacturer.file("setup.conf"),
            &format!(
                "create_certs_tool = swtpm_localca\n\
                 create_certs_tool_config = {authority}/localca.conf\n\
                 create_certs_tool_options = {authority}/localca.options\n"
            ),
        )?;
        Ok(manufacturer)
    }

    /// The root's certificate, PEM. It is there once a TPM was made.
    #[must_use]
    pub fn root_certificate(&self) -> PathBuf {
        self.file("swtpm-localca-rootca-cert.pem")
    }

    /// The certificate of the authority that certifies endorsement keys, PEM, issued by the root.
    /// It is there once a TPM was made.
    #[must_use]
    pub fn issuer_certificate(&self) -> PathBuf {
        self.file("issuercert.pem")
    }

    /// Makes a new TPM in the folder `state`, in place of the one that may be there: with a
    /// SHA-256 bank only, endorsement keys, and their certificates.
    ///
    /// # Errors
    ///
    /// [`SwtpmError::MissingProgram`], [`SwtpmError::File`], [`SwtpmError::Spawn`], or
    /// [`SwtpmError::Setup`] if `swtpm_setup` fails.
    pub fn make(&self, state: &Path) -> Result<(), SwtpmError> {
        let setup = find("swtpm_setup", "swtpm-tools")?;
        find("swtpm_localca", "swtpm-tools")?;
        let state = absolute_folder(state)?;
        let log = state.join("swtpm_setup.log");
        let status = Command::new(setup)
            .args(["--tpm2", "--createek", "--create-ek-cert", "--lock-nvram", "--overwrite"])
            .args(["--pcr-banks", "sha256", "--vmid", "tre"])
            .args([Path::new("--tpmstate"), &state])
            .args([Path::new("--config"), &self.file("setup.conf")])
            .args([Path::new("--logfile"), &log])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(|source| SwtpmError::Spawn { program: "swtpm_setup", source })?;
        if status.success() { Ok(()) } else { Err(SwtpmError::Setup { status, log }) }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// A running software TPM. Dropping it is a power cut: the process is killed at once.
///
/// The process also ends when its owner ends, however that happens.
#[derive(Debug)]
pub struct Swtpm {
    watcher: Child,
    sockets: TempDir,
}

impl Swtpm {
    /// Whether [`Manufacturer::make`] made a TPM in `state`.
    #[must_use]
    pub fn is_made(state: &Path) -> bool {
        state.join(PERMANENT_STATE).is_file()
    }

    /// Powers on the TPM that [`Manufacturer::make`] made in `state`: a reset, then
    /// `TPM2_Startup(CLEAR)`.
    ///
    /// # Errors
    ///
    /// [`SwtpmError::NotMade`], [`SwtpmError::MissingProgram`], [`SwtpmError::File`],
    /// [`SwtpmError::Spawn`], or [`SwtpmError::NotReady`].
    pub fn start(state: &Path) -> Result<Self, SwtpmError> {
        Self::start_under(state, &[])
    }

    /// The same with the TPM run by another program, of which `command` is the beginning.
    ///
    /// # Errors
    ///
    /// As [`Self::start`].
    pub fn start_under(state: &Path, command: &[&OsStr]) -> Result<Self, SwtpmError> {
        if !Self::is_made(state) {
            return Err(SwtpmError::NotMade { state: state.to_path_buf() });
        }
        let program = find("swtpm", "swtpm")?;
        let state = absolute_folder(state)?;
        let log = state.join("swtpm.log");
        // Of its own, and short: a socket's path has at most 107 bytes.
        let sockets = tempfile::Builder::new()
            .prefix("swtpm-")
            .tempdir()
            .map_err(|source| SwtpmError::File { path: env::temp_dir(), source })?;
        let socket = sockets.path().join(SOCKET);
        let watcher = Command::new("sh")
            .args(["-c", WATCHER, "sh"])
            .args(command)
            .arg(program)
            .args(["socket", "--tpm2", "--flags", "startup-clear"])
            .args(["--tpmstate", &format!("dir={}", state.display())])
            .args(["--server", &format!("type=unixio,path={}", socket.display())])
            .args(["--ctrl", &format!("type=unixio,path={}.ctrl", socket.display())])
            .args(["--log", &format!("file={},level=1,truncate", log.display())])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| SwtpmError::Spawn { program: "sh", source })?;
        let tpm = Self { watcher, sockets };
        if tpm.comes_up() {
            Ok(tpm)
        } else {
            Err(SwtpmError::NotReady { within: POLL_INTERVAL.saturating_mul(MAX_POLLS), log })
        }
    }

    /// The unix socket at which the TPM serves.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.sockets.path().join(SOCKET)
    }

    /// Connects to this TPM.
    ///
    /// # Errors
    ///
    /// [`TpmError::Unreachable`].
    pub fn connect(&self) -> Result<EsapiTpm, TpmError> {
        EsapiTpm::connect_swtpm(&self.socket())
    }

    fn comes_up(&self) -> bool {
        let socket = self.socket();
        (0..MAX_POLLS).any(|_| {
            let up = UnixStream::connect(&socket).is_ok();
            if !up {
                thread::sleep(POLL_INTERVAL);
            }
            up
        })
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        // The watcher reads the end of its input, kills its one child by its id, and ends.
        drop(self.watcher.stdin.take());
        drop(self.watcher.wait());
    }
}

fn absolute_folder(folder: &Path) -> Result<PathBuf, SwtpmError> {
    fs::create_dir_all(folder)
        .and_then(|()| folder.canonicalize())
        .map_err(|source| SwtpmError::File { path: folder.to_path_buf(), source })
}

fn write(path: &Path, content: &str) -> Result<(), SwtpmError> {
    fs::write(path, content).map_err(|source| SwtpmError::File { path: path.to_path_buf(), source })
}

fn find(program: &'static str, package: &'static str) -> Result<PathBuf, SwtpmError> {
    let search_path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&search_path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .ok_or(SwtpmError::MissingProgram { program, package })
}

/// Runs its arguments as a child until its input ends: a pipe whose other end the owner holds.
const WATCHER: &str = r#""$@" & child=$!; read -r _; kill -9 "$child"; wait"#;

/// What the endorsement certificates say of the platform.
const PLATFORM_OPTIONS: &str =
    "--platform-manufacturer id:54524500\n--platform-version 1\n--platform-model software\n";

/// Where `swtpm` keeps what survives a reset.
const PERMANENT_STATE: &str = "tpm2-00.permall";

/// File name of the socket.
const SOCKET: &str = "tpm";

/// Pause between two looks at whether the TPM is up.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// How often is looked: a start takes a few tens of milliseconds, on a busy machine some seconds.
const MAX_POLLS: u32 = 1000;
