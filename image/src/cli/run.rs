//! `tre-image run`.

use core::convert::Infallible;
use core::fmt;
use core::ops::ControlFlow;
use core::str::FromStr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use anyhow::{Context as _, bail};
use clap::Args;
use image::checkout::Checkout;
use image::machine::{Firmware, Hardware, Machine, MachineConfig, MachineError};
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};

use super::{Machinery, say};

/// How often a running machine is looked at.
const POLL: Duration = Duration::from_millis(100);

#[derive(Args, Debug)]
pub(super) struct Run {
    /// Folder of this machine: its TPM, its firmware variables, its console log
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// The data disk
    #[arg(long, value_name = "FILE")]
    disk: PathBuf,
    /// The boot disk [default: target/image/tre.img]
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// Port of 127.0.0.1 that leads to the appliance [default: a free one]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Firmware that knows secure boot, starting from this variable store; it is copied into
    /// the state folder
    #[arg(long, value_name = "VARIABLES")]
    secure_boot: Option<PathBuf>,
    /// Folder of the TPM and its manufacturer's certificates [default: the state folder]
    #[arg(long, value_name = "DIR")]
    tpm_state: Option<PathBuf>,
    /// Where the console goes: a file, or '-' for here [default: serial.log in the state folder]
    #[arg(long, value_name = "FILE")]
    serial: Option<Serial>,
    #[command(flatten)]
    machinery: Machinery,
}

/// Where the console goes.
#[derive(Clone, Debug)]
enum Serial {
    /// To standard output, while the log is kept where it always is.
    Here,
    /// To a file.
    File(PathBuf),
}

impl FromStr for Serial {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "-" { Self::Here } else { Self::File(text.into()) })
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here => f.write_str("-"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Run {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            let flag = Arc::clone(&stop);
            signal_hook::flag::register(signal, flag).context("watching for signals")?;
        }
        let (config, aloud) = self.config();
        let started = Machine::start_watched(&config, Machine::LISTENING, |news| {
            let told = tell(news, aloud);
            if told.is_err() || stop.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        });
        let machine = match started {
            Err(MachineError::Interrupted) => {
                say(format_args!("stopped before the appliance listened"))?;
                return Ok(());
            }
            started => started?,
        };
        serve(machine, &stop, aloud)
    }

    /// The machine, and whether its console is shown.
    fn config(self) -> (MachineConfig, bool) {
        let image = self.image.unwrap_or_else(|| Checkout::own().image().join("tre.img"));
        let firmware = match self.secure_boot {
            Some(_) => Firmware::SecureBoot,
            None => Firmware::Plain,
        };
        let (console, aloud) = match self.serial {
            None => (None, false),
            Some(Serial::Here) => (None, true),
            Some(Serial::File(path)) => (Some(path), false),
        };
        let config = MachineConfig {
            tpm: self.tpm_state,
            port: self.port,
            hardware: Hardware { firmware, ..self.machinery.hardware() },
            variables: self.secure_boot,
            console,
            ..MachineConfig::new(image, self.disk, self.state)
        };
        (config, aloud)
    }
}

/// Until the machine ends or is to be stopped.
fn serve(mut machine: Machine, stop: &AtomicBool, aloud: bool) -> anyhow::Result<()> {
    say(format_args!("listening on {}", machine.address()))?;
    say(format_args!("console log {}", machine.console().display()))?;
    say(format_args!("TPM manufacturer's certificates {}", machine.ek_roots().display()))?;
    while !stop.load(Ordering::Relaxed) {
        let runs = machine.is_running()?;
        tell(machine.news()?, aloud)?;
        if !runs {
            bail!("the machine has ended by itself: its console log tells why");
        }
        thread::sleep(POLL);
    }
    machine.stop().context("stopping the machine")?;
    say(format_args!("stopped"))?;
    Ok(())
}

/// Passes on what the console says, if somebody wants to see it.
fn tell(news: &str, aloud: bool) -> io::Result<()> {
    if !aloud || news.is_empty() {
        return Ok(());
    }
    let mut out = io::stdout();
    out.write_all(news.as_bytes())?;
    out.flush()
}
