//! Hosted mode: a normal process against a software TPM, for development, tests and benchmarks.
//!
//! It never holds real data: its measurements are what its caller extended, and say so.

use core::net::SocketAddr;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use tre_store::Device;
use tre_tpm::EsapiTpm;

use crate::bounds;
use crate::log::line;
use crate::random;
use crate::sandbox::{self, Place};
use crate::serve::{self, Platform};

/// The Trustworthy Remote Entity as a normal process (development, tests and benchmarks alone).
#[derive(Debug, Parser)]
#[command(name = "tred", version)]
struct Arguments {
    /// Socket of a running swtpm.
    #[arg(long)]
    swtpm: PathBuf,
    /// Data disk, a file made by `tre-image disk`.
    #[arg(long)]
    disk: PathBuf,
    /// TCG event log of the measurements that the caller extended.
    #[arg(long)]
    event_log: PathBuf,
    /// Address to listen on; port 0 takes a free one and prints it.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

/// Runs until it is ended. Exit code 1 when it cannot start, 2 for wrong arguments.
pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(never) => match never {},
        Err(reason) => {
            line(&format!("stopped: {reason}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<core::convert::Infallible, Box<dyn core::error::Error>> {
    let Arguments { swtpm, disk, event_log, listen } = arguments;
    let place = Place::Hosted;
    sandbox::start(place)?;
    let event_log = fs::read(&event_log)
        .map_err(|error| format!("event log {}: {error}", event_log.display()))?;
    if event_log.len() > bounds::EVENT_LOG_BYTES {
        return Err(format!("event log: expected at most {} bytes", bounds::EVENT_LOG_BYTES).into());
    }
    let disk = Device::open(&disk)?;
    let kernel_random = random::kernel()?;
    sandbox::give_up_privileges(place)?;
    let tpm = Box::new(EsapiTpm::connect_swtpm(&swtpm)?);
    Ok(serve::run(Platform { place, tpm, disk, event_log, kernel_random, listen })?)
}
