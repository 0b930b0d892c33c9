//! The virtual hardware, as far as it changes what the firmware measures.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

/// The interface through which the guest reaches its TPM.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum TpmInterface {
    /// Command response buffer: what a firmware TPM has.
    #[serde(rename = "tpm-crb")]
    Crb,
    /// FIFO: what a discrete TPM has.
    #[serde(rename = "tpm-tis")]
    Tis,
}

/// Which build of the firmware.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Firmware {
    /// Checks nothing, whatever its variables say.
    Plain,
    /// Knows secure boot, and guards its variables in system management mode.
    SecureBoot,
}

/// What a machine is made of.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Hardware {
    /// Memory. Unit: MiB.
    pub memory_mib: u32,
    /// Number of processors.
    pub cpus: u32,
    /// How the guest reaches its TPM.
    pub tpm: TpmInterface,
    /// Its firmware.
    pub firmware: Firmware,
}

/// A name that no TPM interface has.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected 'tpm-crb' or 'tpm-tis'")]
pub struct NoSuchTpm;

impl Hardware {
    /// QEMU's machine type, with the version that made it: `q35` alone is another machine in each
    /// release of QEMU, and what was recorded on it would no longer hold.
    pub const MACHINE: &str = "pc-q35-7.2";

    /// What the appliance is given unless somebody says otherwise.
    pub const USUAL: Self =
        Self { memory_mib: 512, cpus: 1, tpm: TpmInterface::Crb, firmware: Firmware::Plain };
}

impl Firmware {
    /// The file with its code: what PCR 0 speaks of.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Plain => "/usr/share/OVMF/OVMF_CODE_4M.fd",
            Self::SecureBoot => "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd",
        }
    }
}

impl TpmInterface {
    /// QEMU's name of the device.
    #[must_use]
    pub const fn device(self) -> &'static str {
        match self {
            Self::Crb => "tpm-crb",
            Self::Tis => "tpm-tis",
        }
    }
}

impl fmt::Display for Hardware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory_mib, cpus, tpm, firmware } = self;
        let firmware = match firmware {
            Firmware::Plain => "plain",
            Firmware::SecureBoot => "secure-boot",
        };
        let processors = if *cpus == 1 { "processor" } else { "processors" };
        write!(f, "{memory_mib} MiB, {cpus} {processors}, {tpm}, {firmware} firmware")
    }
}

impl fmt::Display for TpmInterface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.device())
    }
}

impl FromStr for TpmInterface {
    type Err = NoSuchTpm;

    fn from_str(name: &str) -> Result<Self, NoSuchTpm> {
        [Self::Crb, Self::Tis].into_iter().find(|tpm| tpm.device() == name).ok_or(NoSuchTpm)
    }
}
