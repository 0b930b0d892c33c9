//! `tre-image disk`.

use std::path::PathBuf;

use clap::Args;
use image::disk;

use super::say;

#[derive(Args, Debug)]
pub(super) struct Disk {
    /// The disk to make; an existing file is never overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The deployment file, placed on the disk as it lies
    #[arg(long, value_name = "FILE")]
    deployment: PathBuf,
}

impl Disk {
    pub(super) fn run(self) -> anyhow::Result<()> {
        disk::create(&self.out, &self.deployment)?;
        say(format_args!("{}", self.out.display()))?;
        Ok(())
    }
}
