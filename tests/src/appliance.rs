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
}

impl Appliance {
    /// Makes a box with a new TPM and a new data disk in the domain's folder.
    ///
    /// # Errors
    ///
    /// Whatever step fails, named.
    pub fn make(domain: &TestDomain, name: &str) -> Result<Self> {
        let folder = domain.folder().join(name);
        fs::create_dir_all(&folder)?;
        let disk = folder.join("data.img");
        image::disk::create(&disk, &domain.deployment()).context("making a data disk")?;
        Ok(Self { state: folder.join("machine"), disk })
    }

    /// Boots `image` on it and waits until it listens.
    ///
    /// # Errors
    ///
    /// What the machine says, with the end of its console.
    pub fn start(&self, image: &Path) -> Result<Machine> {
        let config = MachineConfig {
            image: image.to_owned(),
            disk: self.disk.clone(),
            state: self.state.clone(),
            port: None,
            hardware: Hardware::USUAL,
        };
        Machine::start(&config).context("starting the appliance")
    }

    /// The data disk.
    #[must_use]
    pub fn disk(&self) -> &Path {
        &self.disk
    }
}
