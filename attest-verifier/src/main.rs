//! The command line of the verifier.
//!
//! Exit code 0: accepted. 1: refused, or no evidence. 2: the command or a file given is wrong.

#![forbid(unsafe_code)]

mod cli;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::Context as _;
use attest_verifier::AttestError;
use attest_verifier::core::wire::id::PeerId;
use attest_verifier::core::wire::units::UnixMillis;
use clap::{Args, Parser, Subcommand};

/// Verifies a Trustworthy Remote Entity: exit code 0 accepted, 1 refused, 2 usage.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Connects to a box and examines whether it is the TRE asked for, check by check.
    Verify(Verify),
    /// Fetches a box's evidence into files that other tools take; judges nothing.
    Fetch(Fetch),
}

#[derive(Args, Debug)]
struct Verify {
    /// Where the box listens: HOST:PORT.
    address: String,
    /// The name that the TRE must have.
    #[arg(long)]
    tre_id: PeerId,
    /// The deployment file, byte for byte as the box was given it.
    #[arg(long)]
    deployment: PathBuf,
    /// The reference manifest of the image.
    #[arg(long)]
    manifest: PathBuf,
    /// The image believed to be on the box (tre.img or tre.efi): names what was changed in it.
    #[arg(long)]
    image: Option<PathBuf>,
    /// Answers in JSON, digests in full.
    #[arg(long)]
    json: bool,
    /// Also writes the evidence into this folder, as `fetch` does.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct Fetch {
    /// Where the box listens: HOST:PORT.
    address: String,
    /// The folder to write into.
    #[arg(long)]
    out: PathBuf,
}

/// How a command ended, unless the command itself was wrong.
enum Ending {
    Accepted,
    Refused,
}

impl Ending {
    /// No evidence is no proof.
    fn without_evidence(error: &AttestError) -> Self {
        complain(error);
        Self::Refused
    }
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(Ending::Accepted) => ExitCode::SUCCESS,
        Ok(Ending::Refused) => ExitCode::from(1),
        Err(error) => {
            complain(format_args!("{error:#}"));
            ExitCode::from(2)
        }
    }
}

/// Answers on the standard output; whoever reads it may have gone.
fn answer(what: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{what}").context("standard output")
}

/// Says on the standard error what went wrong; with nowhere to say it, the exit code must do.
fn complain(what: impl core::fmt::Display) {
    let _told = writeln!(std::io::stderr(), "attest-verifier: {what}");
}

fn run(command: Command) -> anyhow::Result<Ending> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the input and output loop")?;
    match command {
        Command::Verify(verify) => {
            let job = cli::verify::Job::load(&verify)?;
            runtime.block_on(job.run(now()?))
        }
        Command::Fetch(fetch) => runtime.block_on(cli::fetch::run(&fetch)),
    }
}

#[expect(clippy::disallowed_methods, reason = "a command line reads the time")]
fn now() -> anyhow::Result<UnixMillis> {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .context("this machine's clock stands before 1970")?;
    Ok(UnixMillis::new(u64::try_from(since.as_millis())?)?)
}
