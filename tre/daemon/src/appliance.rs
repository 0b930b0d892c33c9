//! The appliance: PID 1 of the measured image, with nothing else beside it.

use core::net::{Ipv4Addr, SocketAddr};
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use rustix::system::{RebootCommand, reboot};
use thiserror::Error;
use tre_store::{Device, DeviceError};
use tre_tpm::{EsapiTpm, TpmError};

use crate::bounds;
use crate::log::line;
use crate::random::{self, MixError};
use crate::sandbox::{self, Place, SandboxError};
use crate::serve::{self, Platform, ServeError};

/// Why the appliance stops.
#[derive(Debug, Error)]
enum Stop {
    /// The sandbox does not stand.
    #[error(transparent)]
    Sandbox(SandboxError),
    /// A file system could not be mounted or unmounted.
    #[error("{step} {what}: {cause}")]
    Mount { step: &'static str, what: &'static str, cause: Errno },
    /// The kernel would not refuse debuggers.
    #[error("writing {YAMA}: {0}")]
    Yama(#[source] std::io::Error),
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
    /// The kernel has no random source.
    #[error(transparent)]
    Random(MixError),
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

/// What is still open to who may trace whom, where the kernel has the module of that name.
const YAMA: &str = "/proc/sys/kernel/yama/ptrace_scope";

/// Runs as PID 1. Whatever ends it ends the machine.
///
/// A box that cannot start powers off: it would fail again, and each start writes to the TPM. One
/// that has begun to serve has given up the means; its end is a kernel's panic and a new start.
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
    let place = Place::Appliance;
    sandbox::start(place).map_err(Stop::Sandbox)?;
    mount_all()?;
    refuse_debuggers()?;
    let event_log = event_log().map_err(Stop::EventLog)?;
    let disk = Device::open(&data_disk()?).map_err(Stop::DataDisk)?;
    let kernel_random = random::kernel().map_err(Stop::Random)?;
    let tpm = Box::new(EsapiTpm::open_device(Path::new(TPM)).map_err(Stop::Tpm)?);
    unmount_all()?;
    sandbox::give_up_privileges(place).map_err(Stop::Sandbox)?;
    let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, tre_wire::PORT));
    let platform = Platform { place, tpm, disk, event_log, kernel_random, listen };
    serve::run(platform).map_err(Stop::Serve)
}

/// Kernel file systems, with what they are mounted on, in order.
const MOUNTS: [(&str, &str); 3] =
    [("devtmpfs", "/dev"), ("sysfs", "/sys"), ("securityfs", "/sys/kernel/security")];

/// Nothing mounted holds programs.
const NO_PROGRAMS: MountFlags = MountFlags::NOSUID.union(MountFlags::NOEXEC);

fn mount_all() -> Result<(), Stop> {
    for (what, target) in MOUNTS {
        mount(what, target, what, NO_PROGRAMS, None).map_err(failed("mounting", what))?;
    }
    Ok(())
}

/// Unmounts what was needed to find and open devices, and makes what is left read-only. Open
/// devices stay open; no other can be opened.
fn unmount_all() -> Result<(), Stop> {
    for (what, target) in MOUNTS.into_iter().rev() {
        // `/dev` is in use by what stays open.
        unmount(target, UnmountFlags::DETACH).map_err(failed("unmounting", what))?;
    }
    let read_only = NO_PROGRAMS | MountFlags::NODEV | MountFlags::RDONLY;
    mount_remount("/", read_only, "").map_err(failed("making read-only", "/"))?;
    sandbox::stands("root read-only, no devices, nothing else mounted");
    Ok(())
}

/// Nobody may attach to a process any more, root or not, until the machine restarts.
fn refuse_debuggers() -> Result<(), Stop> {
    const PROTECTION: &str = "no debugger in this kernel";
    match mount("proc", "/proc", "proc", NO_PROGRAMS, None) {
        Ok(()) => {}
        Err(Errno::NODEV) => {
            sandbox::stands_not(PROTECTION, "it has no /proc; there is no second process");
            return Ok(());
        }
        Err(cause) => return Err(failed("mounting", "proc")(cause)),
    }
    match fs::OpenOptions::new().write(true).open(YAMA).and_then(|mut file| file.write_all(b"3")) {
        Ok(()) => sandbox::stands(PROTECTION),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            sandbox::stands_not(PROTECTION, "it has no Yama; there is no second process");
        }
        Err(error) => return Err(Stop::Yama(error)),
    }
    unmount("/proc", UnmountFlags::empty()).map_err(failed("unmounting", "proc"))
}

fn failed(step: &'static str, what: &'static str) -> impl FnOnce(Errno) -> Stop {
    move |cause| Stop::Mount { step, what, cause }
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
