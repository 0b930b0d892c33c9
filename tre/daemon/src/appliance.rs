//! The appliance: PID 1 of the measured image, with nothing else beside it.

use core::net::{Ipv4Addr, SocketAddr};
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use rustix::system::{RebootCommand, reboot};
use thiserror::Error;
use tre_store::{Device, DeviceError};
use tre_tpm::{EsapiTpm, TpmError};

use crate::bounds;
use crate::log::line;
use crate::serve::{self, Platform, ServeError};

/// Why the appliance stops.
#[derive(Debug, Error)]
enum Stop {
    /// A kernel file system could not be mounted.
    #[error("mounting {what}: {cause}")]
    Mount { what: &'static str, cause: std::io::Error },
    /// No block device carries the data disk's serial number.
    #[error("expected a virtio disk with serial number {DATA_SERIAL}; attach the data disk")]
    NoDataDisk,
    /// The data disk does not open.
    #[error("data disk: {0}")]
    DataDisk(#[source] DeviceError),
    /// The kernel found no TPM.
    #[error("TPM at {TPM}: {0}")]
    Tpm(#[source] TpmError),
    /// The firmware left no event log.
    #[error("event log at {EVENT_LOG}: {0}")]
    EventLog(#[source] std::io::Error),
    /// Serving ended.
    #[error(transparent)]
    Serve(ServeError),
}

/// The kernel's TPM device with its resource manager.
const TPM: &str = "/dev/tpmrm0";

/// The firmware's event log, as the kernel shows it.
const EVENT_LOG: &str = "/sys/kernel/security/tpm0/binary_bios_measurements";

/// Serial number of the data disk: device names follow the order of discovery.
const DATA_SERIAL: &str = "tre-data";

/// Runs as PID 1. Whatever ends it ends the machine.
pub(crate) fn main() -> ExitCode {
    match run() {
        Ok(never) => match never {},
        Err(stop) => line(&format!("stopped: {stop}")),
    }
    if let Err(error) = reboot(RebootCommand::PowerOff) {
        line(&format!("power does not go off: {error}"));
    }
    ExitCode::FAILURE
}

fn run() -> Result<core::convert::Infallible, Stop> {
    mount_all()?;
    let event_log = event_log().map_err(Stop::EventLog)?;
    let disk = Device::open(&data_disk()?).map_err(Stop::DataDisk)?;
    let tpm = Box::new(EsapiTpm::open_device(Path::new(TPM)).map_err(Stop::Tpm)?);
    unmount_what_is_read()?;
    let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, tre_wire::PORT));
    serve::run(Platform { tpm, disk, event_log, listen }).map_err(Stop::Serve)
}

/// Kernel file systems, with what they are mounted on, in order.
const MOUNTS: [(&str, &str); 3] =
    [("devtmpfs", "/dev"), ("sysfs", "/sys"), ("securityfs", "/sys/kernel/security")];

fn mount_all() -> Result<(), Stop> {
    for (what, target) in MOUNTS {
        let stop = |cause| Stop::Mount { what, cause };
        if !Path::new(target).exists() {
            fs::create_dir(target).map_err(stop)?;
        }
        let flags = MountFlags::NOSUID | MountFlags::NOEXEC;
        mount(what, target, what, flags, None).map_err(|errno| stop(errno.into()))?;
    }
    Ok(())
}

/// What was needed to find devices and the log is not needed to serve.
fn unmount_what_is_read() -> Result<(), Stop> {
    for target in ["/sys/kernel/security", "/sys"] {
        let stop = |errno: rustix::io::Errno| Stop::Mount { what: target, cause: errno.into() };
        unmount(target, UnmountFlags::empty()).map_err(stop)?;
    }
    Ok(())
}

fn event_log() -> std::io::Result<Vec<u8>> {
    let limit = u64::try_from(bounds::EVENT_LOG_BYTES).unwrap_or(u64::MAX);
    let mut log = Vec::new();
    File::open(EVENT_LOG)?.take(limit.saturating_add(1)).read_to_end(&mut log)?;
    if log.len() > bounds::EVENT_LOG_BYTES {
        let most = format!("expected at most {limit} bytes; a cut log would never replay");
        return Err(std::io::Error::other(most));
    }
    Ok(log)
}

/// The device whose serial number is [`DATA_SERIAL`].
fn data_disk() -> Result<PathBuf, Stop> {
    let disks = fs::read_dir("/sys/block").map_err(|_| Stop::NoDataDisk)?;
    for disk in disks.flatten() {
        let serial = fs::read_to_string(disk.path().join("serial")).unwrap_or_default();
        if serial.trim() == DATA_SERIAL {
            return Ok(Path::new("/dev").join(disk.file_name()));
        }
    }
    Err(Stop::NoDataDisk)
}
