//! The command line of the verifier.
//!
//! Exit code 0: accepted, or done. 1: refused or failed. 2: wrong usage of the command line.

#![forbid(unsafe_code)]

mod cli;

use core::net::SocketAddr;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::Context as _;
use attest_verifier::AttestError;
use attest_verifier::core::wire::cause::in_one_line;
use attest_verifier::core::wire::id::PeerId;
use attest_verifier::core::wire::units::UnixMillis;
use clap::{Args, Parser, Subcommand};

use crate::cli::reference::ReferenceOptions;

/// Verifies a Trustworthy Remote Entity: exit code 0 accepted, 1 refused, 2 usage.
///
/// Exit codes of every command: 0 accepted, or done; 1 refused, or failed; 2 wrong usage.
///
/// A reference manifest is believed only with its signature in MANIFEST.sig, made by
/// `tre-pki sign-manifest` with the key whose public half is given as --release-key.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Examines whether a box is the TRE asked for, check by check; or evidence from files.
    Verify(Verify),
    /// Fetches a box's evidence into files that other tools take; judges nothing.
    Fetch(Fetch),
    /// Says what differs from the closest manifest, where, and why: 0 nothing, 1 a mismatch.
    Explain(Explain),
    /// Replays an event log into the PCR values of every bank that it has.
    Replay(Replay),
    /// Judges a file that `tre-client` kept: whether the TRE signed it. Needs no connection.
    Document(cli::document::Document),
    /// Listens on the loopback, and carries bytes to the TRE over attested connections alone.
    Proxy(Proxy),
    /// Attests a box again and again, and keeps a log from which each verdict can be derived.
    Watch(cli::watch::Watch),
    /// Strikes a TRE out of the file of `--remember`: for a box that was enrolled anew.
    Forget(cli::forget::Forget),
    /// Writes completions for a shell on the standard output.
    Completions(Completions),
    /// Writes the manual pages into a folder.
    Man(Man),
    /// Turns a manifest into an unsigned CoRIM and back; judges nothing.
    #[command(subcommand)]
    Corim(Corim),
}

#[derive(Args, Debug)]
struct Verify {
    /// Where the box listens: HOST:PORT.
    #[arg(required_unless_present = "evidence", value_parser = cli::address::parse)]
    address: Option<String>,
    /// Evidence of `fetch` instead of a box: evidence.json, or its folder. The verdict is unbound:
    /// it was true once, for somebody.
    #[arg(long, value_name = "PATH",
        conflicts_with_all = ["address", "remember", "out", "token"])]
    evidence: Option<PathBuf>,
    /// The name that the TRE must have.
    #[arg(long)]
    tre_id: PeerId,
    #[command(flatten)]
    reference: ReferenceOptions,
    /// Remembers TREs in this file, which is made if it is missing, and refuses a TRE that shows
    /// an older TPM, state or release than it has shown before. By name: a file for each deployment.
    #[arg(long, value_name = "FILE")]
    remember: Option<PathBuf>,
    /// The image believed to be on the box (tre.img or tre.efi): names what was changed in it.
    #[arg(long)]
    image: Option<PathBuf>,
    /// Answers in JSON, digests in full.
    #[arg(long)]
    json: bool,
    /// Also writes the result into this file as an EAR, signed as a JWT (ES256).
    #[arg(long, value_name = "FILE", requires = "token_key")]
    token: Option<PathBuf>,
    /// The private key (PKCS #8, P-256, PEM) that signs it.
    #[arg(long, value_name = "FILE.pem", requires = "token")]
    token_key: Option<PathBuf>,
    /// Also writes the evidence into this folder, as `fetch` does.
    #[arg(long)]
    out: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct Fetch {
    /// Where the box listens: HOST:PORT.
    #[arg(value_parser = cli::address::parse)]
    address: String,
    /// The folder to write into.
    #[arg(long)]
    out: PathBuf,
}

#[derive(Args, Debug)]
struct Proxy {
    /// Where the TRE listens: HOST:PORT.
    #[arg(value_parser = cli::address::parse)]
    address: String,
    /// Where to listen: an address of the loopback. Port 0 takes a free one, and says which.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The name that the TRE must have.
    #[arg(long)]
    tre_id: PeerId,
    #[command(flatten)]
    reference: ReferenceOptions,
    /// Our private key and certificates (PEM), shown to nobody but the TRE once it is proven.
    #[arg(long, value_name = "FILE.pem")]
    identity: Option<PathBuf>,
    /// Remembers TREs in this file, as `verify` does.
    #[arg(long, value_name = "FILE")]
    remember: Option<PathBuf>,
    /// Seconds between two attestations; a change or no answer closes every connection.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: u64,
}

#[derive(Args, Debug)]
struct Completions {
    /// The shell.
    shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
struct Man {
    /// The folder, which is made if it is missing.
    #[arg(long)]
    out: PathBuf,
}

#[derive(Args, Debug)]
struct Explain {
    /// An evidence.json of `fetch`, the folder it is in, or where a box listens: HOST:PORT.
    #[arg(value_name = "EVIDENCE|HOST:PORT")]
    evidence: String,
    #[command(flatten)]
    reference: ReferenceOptions,
    /// The image believed to be on the box (tre.img or tre.efi): names what was changed in it.
    #[arg(long)]
    image: Option<PathBuf>,
    /// Answers in JSON, digests in full.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Replay {
    /// A binary event log: eventlog.bin of `fetch`, or the kernel's binary_bios_measurements.
    log: PathBuf,
    /// Answers in JSON: {"sha256": {"0": "hex", ...}, ...}.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Corim {
    /// Writes the values of a manifest as a CoRIM; says what CoRIM cannot carry.
    Export(CorimExport),
    /// Shows the values in a CoRIM that `corim export` wrote.
    Import(CorimImport),
}

#[derive(Args, Debug)]
struct CorimExport {
    /// The reference manifest; its signature is not looked at.
    #[arg(long)]
    manifest: PathBuf,
    /// The file to write.
    #[arg(long)]
    out: PathBuf,
}

#[derive(Args, Debug)]
struct CorimImport {
    /// The CoRIM, CBOR.
    corim: PathBuf,
    /// A reference manifest that it must equal in every value: exit code 1 names each difference.
    /// The manifest's signature is not looked at.
    #[arg(long, value_name = "MANIFEST")]
    against: Option<PathBuf>,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
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
            complain(in_one_line(error.as_ref()));
            ExitCode::from(1)
        }
    }
}

/// Answers on the standard output. Whoever reads it may have read enough and gone: the exit code
/// says the rest.
fn answer(what: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout(), "{what}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("standard output"),
    }
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
        Command::Verify(verify) => match (&verify.evidence, &verify.address) {
            (Some(path), _) => runtime.block_on(cli::verify::stored(&verify, path, now()?)),
            (None, address) => {
                let address = address.as_deref().context("expected HOST:PORT or --evidence")?;
                let now = now()?;
                runtime.block_on(async {
                    cli::verify::Job::load(&verify, address, now).await?.run(now).await
                })
            }
        },
        Command::Proxy(proxy) => runtime.block_on(cli::proxy::run(&proxy)),
        Command::Watch(watch) => runtime.block_on(cli::watch::run(&watch)),
        Command::Completions(completions) => cli::generate::completions(&completions),
        Command::Man(man) => cli::generate::man(&man),
        Command::Fetch(fetch) => runtime.block_on(cli::fetch::run(&fetch)),
        Command::Explain(explain) => runtime.block_on(cli::explain::run(&explain, now()?)),
        Command::Forget(forget) => cli::forget::run(&forget),
        Command::Document(document) => cli::document::run(&document, now()?),
        Command::Replay(replay) => cli::replay::run(&replay),
        Command::Corim(Corim::Export(export)) => cli::corim::export(&export),
        Command::Corim(Corim::Import(import)) => cli::corim::import(&import),
    }
}

#[expect(clippy::disallowed_methods, reason = "a command line reads the time")]
fn now() -> anyhow::Result<UnixMillis> {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .context("this machine's clock stands before 1970")?;
    Ok(UnixMillis::new(u64::try_from(since.as_millis())?)?)
}
