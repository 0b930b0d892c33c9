//! What a machine is started from, and where it keeps things.

use std::path::{Path, PathBuf};

use super::Hardware;

/// What a machine is started from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MachineConfig {
    /// The boot disk, `tre.img`. Never written.
    pub image: PathBuf,
    /// The data disk. Written by the guest.
    pub disk: PathBuf,
    /// The machine's folder, made if it is not there. It stays when the machine stops.
    pub state: PathBuf,
    /// The folder of the machine's TPM; without one, the machine's own.
    pub tpm: Option<PathBuf>,
    /// The port of 127.0.0.1 that leads to the appliance; without one, a free one.
    pub port: Option<u16>,
    /// Memory, processors, TPM interface, firmware.
    pub hardware: Hardware,
    /// The variable store with which the firmware starts for the first time; without one, the
    /// blank one of its package.
    pub variables: Option<PathBuf>,
    /// Where the console is logged; without one, in the machine's folder.
    pub console: Option<PathBuf>,
    /// How a host that is not to be trusted starts something else. For tests alone: no command
    /// line leads here.
    pub direct: Option<DirectBoot>,
}

/// A kernel started by the hypervisor, past the boot disk, as only its owner can do it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DirectBoot {
    /// The EFI file.
    pub kernel: PathBuf,
    /// An initial file system from outside.
    pub initrd: PathBuf,
    /// A command line from outside.
    pub append: String,
}

impl MachineConfig {
    /// The usual machine, on a free port.
    #[must_use]
    pub const fn new(image: PathBuf, disk: PathBuf, state: PathBuf) -> Self {
        Self {
            image,
            disk,
            state,
            tpm: None,
            port: None,
            hardware: Hardware::USUAL,
            variables: None,
            console: None,
            direct: None,
        }
    }
}

/// Where a machine keeps things. All paths are absolute.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// The machine's folder.
    pub(super) state: PathBuf,
    /// The TPM's.
    pub(super) tpm: PathBuf,
    /// The firmware's variables.
    pub(super) variables: PathBuf,
    /// What the guest writes on its serial line.
    pub(super) console: PathBuf,
    /// What QEMU says.
    pub(super) messages: PathBuf,
}

impl Places {
    pub(super) fn new(state: &Path, tpm: &Path, console: Option<&Path>) -> Self {
        Self {
            state: state.into(),
            tpm: tpm.into(),
            variables: state.join("vars.fd"),
            console: console.map_or_else(|| state.join("serial.log"), Path::to_path_buf),
            messages: state.join("qemu.log"),
        }
    }
}
