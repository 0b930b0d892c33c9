//! The command line: arguments in, one line of text a result out.

use core::fmt;
use core::time::Duration;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::thread;

use anyhow::bail;
use clap::{Args, Parser, Subcommand, ValueEnum};
use image::assemble::{self, BuildConfig};
use image::checkout::Checkout;
use image::disk;
use image::file::FileError;
use image::machine::{Hardware, Machine, MachineConfig, TpmInterface};
use image::{platform, record, reference};
use measured_boot::digest::Sha256Digest;
use measured_boot::manifest::{Expectation, Purpose};
use measured_boot::predict::DeploymentDigests;
use tre_wire::deployment;

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
    Build(Build),
    /// Say what every PCR must hold once an EFI file has been booted
    Predict(Predict),
    /// Make a data disk with a deployment on it
    Disk(Disk),
    /// Boot once and write down what firmware and machine measure (PCR 0 and 1)
    Record(Record),
    /// Run the appliance in a virtual machine until it ends or Ctrl-C
    Run(Run),
}

#[derive(Args, Clone, Copy, Debug)]
struct Machinery {
    /// Memory of the machine, in MiB
    #[arg(long, value_name = "MIB", default_value_t = Hardware::USUAL.memory_mib,
          value_parser = clap::value_parser!(u32).range(128..=65_536))]
    memory: u32,
    /// How the machine reaches its TPM: tpm-crb or tpm-tis
    #[arg(long, value_name = "DEVICE", default_value_t = Hardware::USUAL.tpm)]
    tpm: TpmInterface,
}

#[derive(Args, Debug)]
struct Build {
    /// Folder for tre.efi, tre.img, tred and manifest.json [default: target/image]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Use this executable instead of compiling tred: the image is then not the reference
    #[arg(long, value_name = "FILE")]
    tred: Option<PathBuf>,
    /// What the manifest may be believed for
    #[arg(long, value_enum, default_value_t = For::Production)]
    purpose: For,
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

#[derive(Args, Debug)]
struct Predict {
    /// The EFI file [default: target/image/tre.efi]
    #[arg(long, value_name = "FILE")]
    efi: Option<PathBuf>,
    /// The deployment: without it, PCR 11 stays open
    #[arg(long, value_name = "FILE")]
    deployment: Option<PathBuf>,
    /// Print the expectations as JSON, with events and reasons
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    machinery: Machinery,
}

#[derive(Args, Debug)]
struct Disk {
    /// The disk to make; an existing file is never overwritten
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The deployment file, placed on the disk as it lies
    #[arg(long, value_name = "FILE")]
    deployment: PathBuf,
}

#[derive(Args, Debug)]
struct Record {
    /// The file for the definition [default: one in the cache, where 'build' finds it]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    machinery: Machinery,
}

#[derive(Args, Debug)]
struct Run {
    /// Folder of this machine: its TPM, its firmware variables, its console log
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// The data disk
    #[arg(long, value_name = "FILE")]
    disk: PathBuf,
    /// The boot disk [default: target/image/tre.img]
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// Port of 127.0.0.1 that leads to the appliance [default: a free one]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    #[command(flatten)]
    machinery: Machinery,
}

/// How often a running machine is looked at.
const POLL: Duration = Duration::from_millis(200);

/// One line of the result.
fn say(line: fmt::Arguments<'_>) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

impl Arguments {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Build(build) => build.run(),
            Command::Predict(predict) => predict.run(),
            Command::Disk(disk) => disk.run(),
            Command::Record(record) => record.run(),
            Command::Run(run) => run.run(),
        }
    }
}

impl Machinery {
    const fn hardware(self) -> Hardware {
        Hardware { memory_mib: self.memory, tpm: self.tpm }
    }
}

impl Build {
    fn run(self) -> anyhow::Result<()> {
        let checkout = Checkout::own();
        let config = BuildConfig {
            out: self.out.unwrap_or_else(|| checkout.image()),
            tred: self.tred,
            hardware: self.machinery.hardware(),
            purpose: match self.purpose {
                For::Demo => Purpose::Demo,
                For::Production => Purpose::Production,
            },
        };
        let image = assemble::build(&checkout, &config)?;
        if let Some(path) = image.recorded {
            let name = &image.reference.platform.name;
            say(format_args!(
                "platform {name} had no definition: recorded one, {}",
                path.display()
            ))?;
        }
        for input in image.unlocked {
            let (name, expected, found) = (input.name, input.expected, input.found);
            say(format_args!("not as locked: {name}: expected {expected}, found {found}"))?;
        }
        for (path, length, hash) in [
            (image.efi, image.reference.efi.len, image.reference.efi.sha256),
            (image.disk, image.reference.image.len, image.reference.image.sha256),
        ] {
            say(format_args!("{} {length} bytes sha256 {hash}", path.display()))?;
        }
        say(format_args!("{}", image.tred.display()))?;
        say(format_args!("{}", image.manifest.display()))?;
        Ok(())
    }
}

impl Predict {
    fn run(self) -> anyhow::Result<()> {
        let checkout = Checkout::own();
        let path = self.efi.unwrap_or_else(|| checkout.image().join("tre.efi"));
        let efi = fs::read(&path).map_err(FileError::at("reading EFI file", &path))?;
        let platform = platform::identify(&self.machinery.hardware())?;
        let Some(definition) = platform::find(&checkout, &platform)? else {
            bail!("platform {} has no definition: run 'tre-image record'", platform.name);
        };
        let expectations = reference::predicted(&efi, &definition)?;
        if self.json {
            say(format_args!("{}", serde_json::to_string_pretty(&expectations)?))?;
            return Ok(());
        }
        let digests = match &self.deployment {
            None => None,
            Some(path) => {
                let file = fs::read(path).map_err(FileError::at("reading deployment", path))?;
                let deployment = Sha256Digest(deployment::measurement(&file));
                Some(DeploymentDigests { deployment, started: Sha256Digest(deployment::started()) })
            }
        };
        for (pcr, expectation) in expectations.iter() {
            let pcr = pcr.number();
            let value = match (expectation, &digests) {
                (Expectation::Deployment { .. }, Some(digests)) => {
                    say(format_args!(
                        "{pcr:2} {} while secrets are unsealed",
                        digests.at_unseal()
                    ))?;
                    digests.serving().to_string()
                }
                (Expectation::Deployment { .. }, None) => "depends on the deployment".into(),
                (Expectation::Waived { .. }, _) => "not judged".into(),
                (Expectation::Exact { value, .. } | Expectation::Recorded { value, .. }, _) => {
                    value.to_string()
                }
            };
            say(format_args!("{pcr:2} {value} {}", expectation.reason()))?;
        }
        Ok(())
    }
}

impl Disk {
    fn run(self) -> anyhow::Result<()> {
        disk::create(&self.out, &self.deployment)?;
        say(format_args!("{}", self.out.display()))?;
        Ok(())
    }
}

impl Record {
    fn run(self) -> anyhow::Result<()> {
        let definition = record::record(&Checkout::own(), self.machinery.hardware())?;
        let path = match self.out {
            Some(path) => platform::write(&definition, &path).map(|()| path)?,
            None => platform::keep(&definition)?,
        };
        say(format_args!("{}", path.display()))?;
        Ok(())
    }
}

impl Run {
    fn run(self) -> anyhow::Result<()> {
        let config = MachineConfig {
            image: self.image.unwrap_or_else(|| Checkout::own().image().join("tre.img")),
            disk: self.disk,
            state: self.state,
            port: self.port,
            hardware: self.machinery.hardware(),
        };
        let mut machine = Machine::start(&config)?;
        say(format_args!("listening on {}", machine.address()))?;
        say(format_args!("console log {}", machine.console().display()))?;
        say(format_args!("TPM manufacturer's certificates {}", machine.ek_roots().display()))?;
        while machine.is_running()? {
            thread::sleep(POLL);
        }
        bail!("the machine has ended by itself: its console log tells why")
    }
}
