//! A TRE in its appliance: the built image under QEMU, firmware and TPM.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use image::machine::{Hardware, Machine, MachineConfig};

use crate::domain::TestDomain;

/// Starts and stops the same box: TPM state and data disk outlive each run.
#[derive(Debug)]
pub struct Appliance {
    state: PathBuf,
    disk: PathBuf,
    hardware: Hardware,
    variables: Option<PathBuf>,
}

impl Appliance {
    /// Makes a box of the usual hardware with a new TPM and a new data disk in the domain's
    /// folder.
    ///
    /// # Errors
    ///
    /// Whatever step fails, named.
    pub fn make(domain: &TestDomain, name: &str) -> Result<Self> {
        let folder = domain.folder().join(name);
        fs::create_dir_all(&folder)?;
        let disk = folder.join("data.img");
        image::disk::create(&disk, &domain.deployment()).context("making a data disk")?;
        let state = folder.join("machine");
        Ok(Self { state, disk, hardware: Hardware::USUAL, variables: None })
    }

    /// The same box of other hardware, whose firmware starts from `variables`.
    #[must_use]
    pub fn with_firmware(self, hardware: Hardware, variables: PathBuf) -> Self {
        Self { hardware, variables: Some(variables), ..self }
    }

    /// What it is started from, with `image` as its boot disk.
    #[must_use]
    pub fn config(&self, image: &Path) -> MachineConfig {
        let (hardware, variables) = (self.hardware, self.variables.clone());
        let (image, disk, state) = (image.to_owned(), self.disk.clone(), self.state.clone());
        MachineConfig { hardware, variables, ..MachineConfig::new(image, disk, state) }
    }

    /// Boots `image` on it and waits until it listens.
    ///
    /// # Errors
    ///
    /// What the machine says, with the end of its console.
    pub fn start(&self, image: &Path) -> Result<Machine> {
        Machine::start(&self.config(image)).context("starting the appliance")
    }

    /// The data disk.
    #[must_use]
    pub fn disk(&self) -> &Path {
        &self.disk
    }
}
