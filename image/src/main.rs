//! `tre-image`: builds the boot image, makes data disks, records platforms, runs the appliance.
#![forbid(unsafe_code)]

mod cli;

use std::io;
use std::process::ExitCode;

use clap::Parser as _;
use tre_wire::cause::in_one_line;

/// Exit code for "refused or failed"; clap itself leaves with 2 for wrong usage.
const FAILED: u8 = 1;

fn main() -> ExitCode {
    match cli::Arguments::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads our output has read enough.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tre-image: {}", in_one_line(error.as_ref()));
            ExitCode::from(FAILED)
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
