//! A software TPM as slow as a discrete one: `slow-tpm --tpm SOCKET --listen SOCKET --delay-ms MS`.
//!
//! Stands between a client and a running swtpm, on the same kind of socket pair (commands at
//! PATH, control at PATH.ctrl), and holds back the answers to chosen commands until they have
//! taken as long as they take a real TPM. Commands and answers pass unchanged and are counted.
//! Like a TPM it does one thing at a time: while an answer is held back, nobody else is served.

#![forbid(unsafe_code)]

mod pace;
mod relay;

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Parser;

use pace::{Commands, Pace};
use relay::Relay;

/// Makes a software TPM as slow as a discrete one
///
/// Runs until its standard input ends, then prints as JSON how often each command came. Some
/// quotes of real TPMs, for orientation: 210 ms to 731 ms.
#[derive(Debug, Parser)]
#[command(name = "slow-tpm", version)]
struct Arguments {
    /// Socket of the running swtpm; its control channel is at the same path and `.ctrl`
    #[arg(long)]
    tpm: PathBuf,
    /// Socket to serve at, which must not exist; control at the same path and `.ctrl`
    #[arg(long)]
    listen: PathBuf,
    /// How long a chosen command takes from its arrival to its answer, in milliseconds; the
    /// software TPM's own time counts towards it
    #[arg(long, default_value_t = 731)]
    delay_ms: u64,
    /// The delay differs by up to so many milliseconds, either way, each time
    #[arg(long, default_value_t = 0)]
    jitter_ms: u64,
    /// Which commands: `quote`, `all`, or command codes in hexadecimal, `158,15d`
    #[arg(long, default_value = "quote")]
    commands: Commands,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("slow-tpm: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let Arguments { tpm, listen, delay_ms, jitter_ms, commands } = arguments;
    let relay = Arc::new(Relay::new(tpm, Pace::new(commands, delay_ms, jitter_ms)));
    relay::serve(&relay, &listen)?;
    let mut out = std::io::stdout();
    writeln!(out, "slow-tpm: listening on {}", listen.display())?;
    std::io::stdin().read_to_end(&mut Vec::new()).context("waiting for the input to end")?;
    let counts = serde_json::to_string(&relay.counts()).context("counts")?;
    for socket in [tre_interposer::control(&listen), listen] {
        std::fs::remove_file(&socket).with_context(|| format!("removing {}", socket.display()))?;
    }
    writeln!(out, "{counts}")?;
    Ok(())
}
