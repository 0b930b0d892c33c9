//! `tre-image lock`.

use clap::Args;
use image::assemble::{self, BuildConfig};
use image::checkout::Checkout;
use image::lock::LockMode;
use image::machine::Hardware;
use measured_boot::manifest::Purpose;

use super::say;

#[derive(Args, Debug)]
pub(super) struct Lock {
    /// Build, write neither lock file nor README, and fail if inputs are as locked and the image is
    /// not the committed one
    #[arg(long)]
    check: bool,
}

impl Lock {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let checkout = Checkout::own();
        let config = BuildConfig {
            out: checkout.image(),
            tred: None,
            hardware: Hardware::USUAL,
            purpose: Purpose::Production,
            lock: if self.check { LockMode::Follow } else { LockMode::Renew },
        };
        let image = assemble::build(&checkout, &config)?;
        let hash = image.reference.image.sha256;
        let Some(outcome) = image.outcome else {
            image.lock.write(&checkout)?;
            say(format_args!("inputs.lock and README.md now name the image {hash}"))?;
            return Ok(());
        };
        let moved = outcome.moved.len();
        if moved == 0 {
            outcome.committed()?;
            say(format_args!("the committed image is reproduced: {hash}"))?;
            return Ok(());
        }
        for line in outcome.to_string().lines() {
            say(format_args!("{line}"))?;
        }
        if outcome.is_image_committed() {
            say(format_args!(
                "the committed image is reproduced with {moved} inputs moved: {hash}"
            ))?;
            return Ok(());
        }
        // `make test` counts what it leaves out by this word.
        say(format_args!(
            "skipped 1: the comparison with the committed image, since {moved} inputs moved; the \
             archive of `make sources` still makes it"
        ))?;
        Ok(())
    }
}
