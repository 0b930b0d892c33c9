//! `tre-image`: builds the boot image, makes data disks, records platforms, runs the appliance.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command line's results go to its output")]

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

/// Exit code for "refused or failed"; clap itself leaves with 2 for wrong usage.
const FAILED: u8 = 1;

fn main() -> ExitCode {
    match cli::Arguments::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Each of our errors already quotes its cause.
            eprintln!("tre-image: {error}");
            ExitCode::from(FAILED)
        }
    }
}
