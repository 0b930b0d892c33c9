//! The virtual hardware, as far as it changes what the firmware measures.

use core::fmt;
use core::str::FromStr;

/// The interface through which the guest reaches its TPM.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TpmInterface {
    /// Command response buffer: what a firmware TPM has.
    Crb,
    /// FIFO: what a discrete TPM has.
    Tis,
}

/// What a machine is made of. One processor: the appliance's kernel knows no more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hardware {
    /// Memory. Unit: MiB.
    pub memory_mib: u32,
    /// How the guest reaches its TPM.
    pub tpm: TpmInterface,
}

/// A name that no TPM interface has.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected 'tpm-crb' or 'tpm-tis'")]
pub struct NoSuchTpm;

impl Hardware {
    /// QEMU's machine type.
    pub const MACHINE: &str = "q35";

    /// Number of processors.
    pub const CPUS: u32 = 1;

    /// What the appliance is given unless somebody says otherwise.
    pub const USUAL: Self = Self { memory_mib: 256, tpm: TpmInterface::Crb };
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
