//! `tre-image build`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use image::assemble::{self, BuildConfig};
use image::checkout::Checkout;
use image::lock::LockMode;
use measured_boot::manifest::Purpose;

use super::{Machinery, say};

#[derive(Args, Debug)]
pub(super) struct Build {
    /// Folder for tre.efi, tre.img, tred and manifest.json [default: target/image]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Use this executable instead of compiling tred: the image is then not the reference
    #[arg(long, value_name = "FILE")]
    tred: Option<PathBuf>,
    /// What the manifest may be believed for
    #[arg(long, value_enum, default_value_t = For::Production)]
    purpose: For,
    /// When inputs are not those of the lock file: 'follow' builds and says what moved, 'strict'
    /// refuses
    #[arg(long, value_name = "MODE", env = "LOCK", default_value = "follow")]
    lock: LockMode,
    /// Build this checkout, an absolute path, instead of the one that this program is from
    #[arg(long, value_name = "DIR")]
    checkout: Option<PathBuf>,
    #[command(flatten)]
    machinery: Machinery,
}

/// What a manifest may be believed for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum For {
    /// Demonstrations and tests
    Demo,
    /// Boxes that may hold real readings
    Production,
}

impl Build {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let checkout = self.checkout.map_or_else(Checkout::own, |root| Checkout::at(&root));
        let config = BuildConfig {
            out: self.out.unwrap_or_else(|| checkout.image()),
            tred: self.tred,
            hardware: self.machinery.hardware(),
            purpose: match self.purpose {
                For::Demo => Purpose::Demo,
                For::Production => Purpose::Production,
            },
            lock: self.lock,
        };
        let image = assemble::build(&checkout, &config)?;
        if let Some(path) = image.recorded {
            let name = &image.reference.platform.name;
            say(format_args!(
                "platform {name} had no definition: recorded one, {}",
                path.display()
            ))?;
        }
        if let Some(outcome) = &image.outcome {
            for line in outcome.to_string().lines() {
                say(format_args!("{line}"))?;
            }
        }
        for (path, length, hash) in [
            (image.efi, image.reference.efi.len, image.reference.efi.sha256),
            (image.disk, image.reference.image.len, image.reference.image.sha256),
        ] {
            say(format_args!("{} {length} bytes sha256 {hash}", path.display()))?;
        }
        if let Some(release) = &image.reference.release {
            say(format_args!("release {}", release.number))?;
        }
        say(format_args!("{}", image.tred.display()))?;
        say(format_args!("{}", image.manifest.display()))?;
        Ok(())
    }
}
