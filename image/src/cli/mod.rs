//! The command line: arguments in, one line of text a result out. A sub-command is a file.

mod boot_disk;
mod build;
mod date;
mod disk;
mod lock;
mod manifest;
mod predict;
mod record;
mod reproduce;
mod run;
mod sources;
mod tcb;
mod variables;

use core::fmt;
use std::io::{self, Write as _};

use clap::{Args, Parser, Subcommand};
use image::machine::{Firmware, Hardware, TpmInterface};

/// Builds, describes and runs the appliance's boot image.
#[derive(Debug, Parser)]
#[command(name = "tre-image", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build the boot image and its reference manifest
    Build(build::Build),
    /// Build, and write inputs.lock and the hash in README.md anew
    Lock(lock::Lock),
    /// Build again, elsewhere and as somebody else, and compare byte for byte
    Reproduce(reproduce::Reproduce),
    /// Write every input of the image to one archive
    Sources(sources::Sources),
    /// Say what every PCR must hold once an EFI file has been booted
    Predict(predict::Predict),
    /// Make the firmware's variables for secure boot: keys, and what may start
    Variables(variables::Variables),
    /// Make a boot disk with an EFI file that was signed after it was built
    BootDisk(boot_disk::BootDisk),
    /// Make the manifest of a built image for another machine or for secure boot
    Manifest(manifest::Manifest),
    /// Say from when until when a manifest may be believed, in a copy of it
    Date(date::Dated),
    /// Say what has to be trusted in the built image, in figures
    Tcb(tcb::Tcb),
    /// Make a data disk with a deployment on it
    Disk(disk::Disk),
    /// Boot once and write down what firmware and machine measure (PCR 0 and 1)
    Record(record::Record),
    /// Run the appliance in a virtual machine until it ends or Ctrl-C
    Run(run::Run),
}

#[derive(Args, Clone, Copy, Debug)]
struct Machinery {
    /// Memory of the machine, in MiB
    #[arg(long, value_name = "MIB", default_value_t = Hardware::USUAL.memory_mib,
          value_parser = clap::value_parser!(u32).range(128..=65_536))]
    memory: u32,
    /// Number of its processors
    #[arg(long, value_name = "CPUS", default_value_t = Hardware::USUAL.cpus,
          value_parser = clap::value_parser!(u32).range(1..=8))]
    smp: u32,
    /// How the machine reaches its TPM: tpm-crb or tpm-tis
    #[arg(long, value_name = "DEVICE", default_value_t = Hardware::USUAL.tpm)]
    tpm: TpmInterface,
}

/// One line of the result.
fn say(line: fmt::Arguments<'_>) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

impl Arguments {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Build(build) => build.run(),
            Command::Lock(lock) => lock.run(),
            Command::Reproduce(reproduce) => reproduce.run(),
            Command::Sources(sources) => sources.run(),
            Command::Predict(predict) => predict.run(),
            Command::Variables(variables) => variables.run(),
            Command::BootDisk(boot_disk) => boot_disk.run(),
            Command::Manifest(manifest) => manifest.run(),
            Command::Date(date) => date.run(),
            Command::Tcb(tcb) => tcb.run(),
            Command::Disk(disk) => disk.run(),
            Command::Record(record) => record.run(),
            Command::Run(run) => run.run(),
        }
    }
}

impl Machinery {
    /// The machine, with firmware that does not know secure boot.
    const fn hardware(self) -> Hardware {
        let Self { memory: memory_mib, smp: cpus, tpm } = self;
        Hardware { memory_mib, cpus, tpm, firmware: Firmware::Plain }
    }
}
