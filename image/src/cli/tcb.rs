//! `tre-image tcb`.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use image::checkout::Checkout;
use image::file::{self, FileError};
use image::{reference, tcb};

use super::say;

#[derive(Args, Debug)]
pub(super) struct Tcb {
    /// The image's manifest [default: target/image/manifest.json]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Write docs/TCB.md instead of printing it
    #[arg(long)]
    write: bool,
    /// Count anew what the figures stand beside: Debian's kernel, and the checkout of the Keylime
    /// agent in this folder
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["manifest", "write"])]
    compare: Option<PathBuf>,
}

impl Tcb {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let checkout = Checkout::own();
        if let Some(agent) = self.compare {
            let agent = fs::canonicalize(&agent).map_err(FileError::at("finding", &agent))?;
            let written = tcb::compare(&checkout, &agent)?;
            say(format_args!("{}", written.display()))?;
            return Ok(());
        }
        let path = self.manifest.unwrap_or_else(|| checkout.image().join("manifest.json"));
        let document = tcb::document(&checkout, &reference::read(&path)?)?;
        if self.write {
            let path = checkout.root().join(tcb::DOCUMENT);
            file::replace(&path, document.as_bytes())?;
            say(format_args!("{}", path.display()))?;
        } else {
            io::stdout().write_all(document.as_bytes())?;
        }
        Ok(())
    }
}
