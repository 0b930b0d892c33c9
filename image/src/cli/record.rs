//! `tre-image record`.

use std::path::PathBuf;

use clap::Args;
use image::checkout::Checkout;
use image::machine::{Firmware, Hardware};
use image::{platform, record};

use super::{Machinery, say};

#[derive(Args, Debug)]
pub(super) struct Record {
    /// The file for the definition [default: one in the cache, where it is found again]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Record the firmware that knows secure boot. It is off while recording: PCR 0 and 1 do not
    /// depend on it
    #[arg(long)]
    secure_boot: bool,
    #[command(flatten)]
    machinery: Machinery,
}

impl Record {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let firmware = if self.secure_boot { Firmware::SecureBoot } else { Firmware::Plain };
        let hardware = Hardware { firmware, ..self.machinery.hardware() };
        let definition = record::record(&Checkout::own(), hardware)?;
        let path = match self.out {
            Some(path) => platform::write(&definition, &path).map(|()| path)?,
            None => platform::keep(&definition)?,
        };
        say(format_args!("{}", path.display()))?;
        Ok(())
    }
}
