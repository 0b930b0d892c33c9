//! Records a platform: boots a program that does nothing but say what the firmware measured.

use std::io;
use std::path::Path;

use measured_boot::digest::HexError;
use measured_boot::eventlog::{EventLog, LogError};
use measured_boot::manifest::PlatformDefinition;
use measured_boot::pcr::PcrIndex;
use measured_boot::predict;

use crate::checkout::Checkout;
use crate::compile::{self, CompileError};
use crate::disk::{self, NewDiskError};
use crate::fat::{self, FatError};
use crate::file::FileError;
use crate::kernel::Kernel;
use crate::machine::{Hardware, Machine, MachineConfig, MachineError};
use crate::platform::{self, PlatformError};
use crate::tool::ToolError;

/// Why nothing was recorded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The recording program does not compile.
    #[error(transparent)]
    Compile(CompileError),
    /// The kernel does not build.
    #[error("recording: {0}")]
    Kernel(#[source] ToolError),
    /// The boot disk cannot be made.
    #[error("recording: {0}")]
    BootDisk(#[source] FatError),
    /// The data disk cannot be made.
    #[error("recording: {0}")]
    DataDisk(#[source] NewDiskError),
    /// A folder cannot be made, or the console not read.
    #[error("recording: {0}")]
    File(#[source] FileError),
    /// The machine did not boot.
    #[error("recording: {0}")]
    Machine(#[source] MachineError),
    /// The platform cannot be named.
    #[error("recording: {0}")]
    Platform(#[source] PlatformError),
    /// The program in the machine did not say what it should.
    #[error("recording: expected a console line '{line} ...' in hex digits, found none")]
    Line {
        /// How the line begins.
        line: &'static str,
    },
    /// A PCR's value is no digest.
    #[error("recording: value of {pcr}: {source}")]
    Value {
        /// The PCR.
        pcr: PcrIndex,
        /// What is wrong with it.
        #[source]
        source: HexError,
    },
    /// The event log is none.
    #[error("recording: event log: {0}")]
    Log(#[source] LogError),
    /// Firmware that measures more than it logs cannot be described by a log.
    #[error("recording: {pcr} is {value}, but the event log gives {replayed}")]
    Replay {
        /// The PCR.
        pcr: PcrIndex,
        /// Its value.
        value: measured_boot::digest::Sha256Digest,
        /// What the log gives.
        replayed: measured_boot::digest::Sha256Digest,
    },
}

/// How a line with a PCR begins on the recording program's console, and one with the log.
const PCR_LINE: &str = "recorder: pcr ";
const LOG_LINE: &str = "recorder: log ";

/// The line that ends the report.
const DONE: &str = "recorder: done";

/// Boots a machine of this hardware with a new TPM and factory variables, and returns what its
/// firmware measured.
///
/// # Errors
///
/// [`RecordError`].
pub fn record(checkout: &Checkout, hardware: Hardware) -> Result<PlatformDefinition, RecordError> {
    let platform = platform::identify(&hardware).map_err(RecordError::Platform)?;
    let init = compile::executable(checkout, "image", "tre-recorder");
    let init = init.map_err(RecordError::Compile)?;
    let folder = tempfile::tempdir()
        .map_err(FileError::at("making a folder in", &std::env::temp_dir()))
        .map_err(RecordError::File)?;
    let (pcrs, log) = boot(checkout, &init.compiled.executable, hardware, folder.path())?;
    let log = EventLog::parse(&log).map_err(RecordError::Log)?;
    let replayed = log.replay().map_err(RecordError::Log)?;
    for (pcr, value) in pcrs {
        let replayed = replayed.value(pcr);
        if replayed != value {
            return Err(RecordError::Replay { pcr, value, replayed });
        }
    }
    let events = |pcr| predict::record(&log, pcr).map_err(RecordError::Log);
    let (pcr0, pcr1) = (events(PcrIndex::P0)?, events(PcrIndex::P1)?);
    Ok(PlatformDefinition { platform, pcr0, pcr1 })
}

type Report = (Vec<(PcrIndex, measured_boot::digest::Sha256Digest)>, Vec<u8>);

fn boot(
    checkout: &Checkout,
    init: &Path,
    hardware: Hardware,
    folder: &Path,
) -> Result<Report, RecordError> {
    let (efi, image, disk) =
        (folder.join("tre.efi"), folder.join("tre.img"), folder.join("data.img"));
    Kernel::compiled(checkout)
        .and_then(|kernel| kernel.link(checkout, init, &efi))
        .map_err(RecordError::Kernel)?;
    fat::write(&efi, &image).map_err(RecordError::BootDisk)?;
    disk::create_blank(&disk).map_err(RecordError::DataDisk)?;
    let state = folder.join("state");
    let config = MachineConfig { hardware, ..MachineConfig::new(image, disk, state) };
    let machine = Machine::start_until(&config, DONE).map_err(RecordError::Machine)?;
    let step = |step| {
        let path = machine.console().to_path_buf();
        move |source: io::Error| RecordError::File(FileError::at(step, &path)(source))
    };
    let (read, stop) = (step("reading"), step("stopping the machine of"));
    let serial = machine.serial().map_err(read)?;
    machine.stop().map_err(stop)?;
    report(&serial)
}

/// What the console says: the value of every PCR, and the event log.
fn report(serial: &str) -> Result<Report, RecordError> {
    let mut values = Vec::new();
    for pcr in PcrIndex::all() {
        let line = format!("{PCR_LINE}{:02} ", pcr.number());
        let value = serial.lines().find_map(|text| text.strip_prefix(&line));
        let value = value.ok_or(RecordError::Line { line: PCR_LINE })?.trim();
        values.push((pcr, value.parse().map_err(|source| RecordError::Value { pcr, source })?));
    }
    let digits = serial.lines().find_map(|line| line.strip_prefix(LOG_LINE));
    let log = digits.and_then(|digits| tre_wire::hex::decode(digits.trim()).ok());
    Ok((values, log.ok_or(RecordError::Line { line: LOG_LINE })?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console() -> String {
        let line = |pcr| format!("{PCR_LINE}{pcr:02} {}\r\n", "ab".repeat(32));
        (0..24).map(line).collect::<String>() + "recorder: log 0102ff\nrecorder: done\n"
    }

    #[test]
    fn a_console_gives_every_pcr_and_the_log() {
        let (pcrs, log) = report(&console().replace('\r', "")).expect("whole");
        assert_eq!(pcrs.len(), 24);
        assert_eq!(pcrs[23].0, PcrIndex::P23);
        assert_eq!(pcrs[23].1.0, [0xab; 32]);
        assert_eq!(log, [1, 2, 255]);
    }

    #[test]
    fn a_console_without_one_pcr_is_refused() {
        let cut = console().replace("recorder: pcr 07", "recorder: pcr 70");
        assert!(matches!(report(&cut), Err(RecordError::Line { line: PCR_LINE })));
    }

    #[test]
    fn a_log_that_is_no_hex_is_refused() {
        let cut = console().replace("0102ff", "0102f");
        assert!(matches!(report(&cut), Err(RecordError::Line { line: LOG_LINE })));
    }
}
