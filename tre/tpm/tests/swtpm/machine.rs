//! A machine with a software TPM of its own, and Debian's TPM tools to check it with.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use measured_boot::digest::{Sha256Digest, sha256};
use tempfile::TempDir;
use tre_tpm::swtpm::{Manufacturer, Swtpm};
use tre_tpm::{EsapiTpm, SealPolicy, Secret32, Tpm as _};

/// A machine: the TPM's state, and the TPM running on it.
pub(crate) struct Machine {
    folder: TempDir,
    running: Option<Swtpm>,
}

impl Machine {
    /// A new machine with a new TPM, powered on.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let machine = Self { folder, running: None };
        machine.manufacturer().make(&machine.state()).expect("a new TPM");
        machine.powered_on()
    }

    /// Cuts the power and switches it on again: `swtpm` is killed, not asked to end.
    pub(crate) fn power_cycled(mut self) -> Self {
        self.running = None;
        self.powered_on()
    }

    /// Puts a new TPM in place of the old one.
    pub(crate) fn made_anew(mut self) -> Self {
        self.running = None;
        self.manufacturer().make(&self.state()).expect("a new TPM");
        self.powered_on()
    }

    fn powered_on(mut self) -> Self {
        self.running = Some(Swtpm::start(&self.state()).expect("a running TPM"));
        self
    }

    /// A new connection to the TPM.
    pub(crate) fn tpm(&self) -> EsapiTpm {
        self.running.as_ref().expect("a running TPM").connect().expect("a connection")
    }

    pub(crate) fn manufacturer(&self) -> Manufacturer {
        Manufacturer::open(&self.path("manufacturer")).expect("a manufacturer")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file for a tool.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file");
        path
    }

    /// Runs one of tpm2-tools on this TPM.
    pub(crate) fn tool<A: AsRef<OsStr>>(&self, program: &str, arguments: &[A]) -> Output {
        let socket = self.running.as_ref().expect("a running TPM").socket();
        run(program, &["-T", &format!("swtpm:path={}", socket.display())], arguments)
    }
}

/// Runs one of tpm2-tools without a TPM. Those that could use one are told not to: `-T none`.
pub(crate) fn offline_tool<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Output {
    run(program, &[], arguments)
}

fn run<A: AsRef<OsStr>>(program: &str, tcti: &[&str], arguments: &[A]) -> Output {
    Command::new(program)
        .args(tcti)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program} (Debian package tpm2-tools): {error}"))
}

/// Panics with what the tool wrote unless it succeeded; returns its standard output.
pub(crate) fn succeeded(output: &Output) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stdout}{stderr}", output.status);
    stdout
}

/// The policy that the TPM's present PCRs fulfil.
pub(crate) fn present_policy(tpm: &mut EsapiTpm) -> SealPolicy {
    SealPolicy::fulfilled_by(&tpm.read_pcrs().expect("PCRs"))
}

pub(crate) fn digest(text: &str) -> Sha256Digest {
    sha256(text.as_bytes())
}

pub(crate) fn secret() -> Secret32 {
    Secret32::new(*b"thirty-two bytes that are secret")
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
