//! `tre-image manifest`.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use image::checkout::Checkout;
use image::configuration::Configuration;
use image::file::{self, FileError};
use image::{reference, variables};

use super::{Machinery, say};

#[derive(Args, Debug)]
pub(super) struct Manifest {
    /// The image's manifest as it was built [default: target/image/manifest.json]
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// The EFI file, which may have been signed since [default: target/image/tre.efi]
    #[arg(long, value_name = "FILE")]
    efi: Option<PathBuf>,
    /// The boot disk with it [default: target/image/tre.img]
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// The variable store of a machine with secure boot [default: secure boot off]
    #[arg(long, value_name = "FILE")]
    variables: Option<PathBuf>,
    /// The manifest to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    machinery: Machinery,
}

impl Manifest {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let checkout = Checkout::own();
        let built = |path: Option<PathBuf>, name| {
            let path = path.unwrap_or_else(|| checkout.image().join(name));
            fs::read(&path).map_err(FileError::at("reading", &path)).map(|bytes| (path, bytes))
        };
        let base = self.from.unwrap_or_else(|| checkout.image().join("manifest.json"));
        let base = reference::read(&base)?;
        let ((_, efi), (image, disk)) =
            (built(self.efi, "tre.efi")?, built(self.image, "tre.img")?);
        let name = image.file_name().unwrap_or_default().to_string_lossy();
        let variables = self.variables.as_deref().map(variables::read).transpose()?;
        let configuration = Configuration::new(self.machinery.hardware(), variables);
        let manifest = configuration.manifest(&checkout, base, &efi, (&name, &disk))?;
        file::replace(&self.out, reference::text(&manifest)?.as_bytes())?;
        say(format_args!("{} for platform {}", self.out.display(), manifest.platform.name))?;
        Ok(())
    }
}
