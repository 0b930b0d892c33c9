//! `tre-image boot-disk`.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use image::fat;
use image::file::FileError;
use measured_boot::digest::sha256;
use measured_boot::pe::EfiFile;

use super::say;

#[derive(Args, Debug)]
pub(super) struct BootDisk {
    /// The EFI file
    #[arg(long, value_name = "FILE")]
    efi: PathBuf,
    /// The boot disk to make
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl BootDisk {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let efi = fs::read(&self.efi).map_err(FileError::at("reading EFI file", &self.efi))?;
        EfiFile::parse(&efi).with_context(|| self.efi.display().to_string())?;
        fat::write(&self.efi, &self.out)?;
        let disk = fs::read(&self.out).map_err(FileError::at("reading", &self.out))?;
        let len = disk.len();
        say(format_args!("{} {len} bytes sha256 {}", self.out.display(), sha256(&disk)))?;
        Ok(())
    }
}
