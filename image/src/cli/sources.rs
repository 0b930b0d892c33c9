//! `tre-image sources`.

use std::path::PathBuf;

use clap::Args;
use image::checkout::Checkout;
use image::sources;

use super::say;

#[derive(Args, Debug)]
pub(super) struct Sources {
    /// The archive to write [default: target/sources.tar]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Sources {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let checkout = Checkout::own();
        let out = self.out.unwrap_or_else(|| checkout.root().join("target/sources.tar"));
        let made = sources::make(&checkout, &out)?;
        let (files, hash) = (made.files, made.sha256);
        say(format_args!("{} {files} files and the project sha256 {hash}", out.display()))?;
        Ok(())
    }
}
