//! `tre-image date`.

use std::path::PathBuf;

use clap::Args;
use image::checkout::Checkout;
use image::dates;
use image::file;
use image::reference;
use time::Date;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;

use super::say;

#[derive(Args, Debug)]
pub(super) struct Dated {
    /// The manifest as it was built [default: target/image/manifest.json]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// The first day on which it may be believed, from 00:00:00 UTC
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    from: Date,
    /// The last day on which it may be believed, to 23:59:59 UTC
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    until: Date,
    /// The dated copy
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// How a day is written.
const DAY: StaticFormatDescription = format_description!("[year]-[month]-[day]");

fn day(text: &str) -> Result<Date, time::error::Parse> {
    Date::parse(text, DAY)
}

impl Dated {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let path = self.manifest.unwrap_or_else(|| Checkout::own().image().join("manifest.json"));
        let manifest = reference::read(&path)?;
        let manifest = dates::dated(manifest, self.from, self.until)?;
        file::replace(&self.out, reference::text(&manifest)?.as_bytes())?;
        let (from, until) = (self.from, self.until);
        say(format_args!("{} from {from} to {until}, both included, UTC", self.out.display()))?;
        Ok(())
    }
}
