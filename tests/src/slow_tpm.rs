//! The software TPM behind `slow-tpm`: quotes as slow as a discrete TPM's.

use core::time::Duration;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::place;

/// A running `slow-tpm`. It ends with its owner.
#[derive(Debug)]
pub struct SlowTpm {
    process: Child,
    said: BufReader<ChildStdout>,
    sockets: TempDir,
}

impl SlowTpm {
    /// Stands before the software TPM at `tpm`; each quote takes `quote` at least.
    ///
    /// # Errors
    ///
    /// When the program is not built or does not come up.
    pub fn start(tpm: &Path, quote: Duration) -> Result<Self> {
        // Short: a socket's path has at most 107 bytes.
        let sockets = tempfile::Builder::new().prefix("slow-").tempdir()?;
        let mut process = Command::new(place::program("slow-tpm")?)
            .arg("--tpm")
            .arg(tpm)
            .arg("--listen")
            .arg(sockets.path().join(SOCKET))
            .args(["--delay-ms", &quote.as_millis().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting slow-tpm")?;
        let output = process.stdout.take().context("slow-tpm's output")?;
        let mut slow = Self { process, said: BufReader::new(output), sockets };
        let mut first = String::new();
        slow.said.read_line(&mut first)?;
        ensure!(first.starts_with("slow-tpm: listening"), "slow-tpm did not come up");
        Ok(slow)
    }

    /// Where it serves, as the software TPM behind it does.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.sockets.path().join(SOCKET)
    }

    /// Ends it and returns what it counted: for each command code what was answered.
    ///
    /// # Errors
    ///
    /// When it says something else.
    pub fn end(mut self) -> Result<serde_json::Value> {
        drop(self.process.stdin.take());
        let mut counts = String::new();
        self.said.read_to_string(&mut counts)?;
        serde_json::from_str(&counts).context("slow-tpm's counts")
    }
}

impl Drop for SlowTpm {
    fn drop(&mut self) {
        // It ends with its input; one that is gone already has nothing to say.
        drop(self.process.stdin.take());
        drop(self.process.wait());
    }
}

/// File name of the socket.
const SOCKET: &str = "tpm";
