//! The product's whole job on real households, inside the appliance.
//!
//! Makes a trust domain, boots the image, enrols and verifies it, then meters, network operator,
//! suppliers and demand side manager use it for a day of readings. At the end what each party saw
//! stands beside the truth, which `recompute.rs` works out by itself.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command line")]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use tre_tests::demo::homes::{self, Homes};
use tre_tests::demo::{flows, report, stage};

/// Boots the appliance, proves it, and runs real households through all three flows.
#[derive(Debug, Parser)]
#[command(name = "demo")]
struct Arguments {
    /// Wide CSV: first column the slot or its start, then one column a household, whole Wh.
    #[arg(long)]
    readings: PathBuf,
    /// Cut each column into homes of this many days.
    #[arg(long)]
    home_days: usize,
    /// Metering intervals in a day of the file (96 for 15 minutes, 48 for 30).
    #[arg(long)]
    slots_per_day: Option<usize>,
    /// Most homes to take.
    #[arg(long, default_value_t = 120)]
    homes: usize,
    /// Where the report goes.
    #[arg(long, default_value = "target/demo")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    let cut = homes::Cut { days: arguments.home_days, slots_per_day: arguments.slots_per_day };
    let homes = Homes::load(&arguments.readings, cut, arguments.homes)?;
    println!("{homes}");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let stage = stage::set(&homes, stage::boot()?).await?;
        let seen = flows::run(&stage, &homes).await?;
        stage.strike()?;
        report::write(&arguments.out, &stage.shown, &homes, &seen)
    })
}
