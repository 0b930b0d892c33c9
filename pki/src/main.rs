//! The command line of a trust domain.
//!
//! Exit code 0: done. 1: refused, and nothing changed unless the message says so. 2: usage.

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command line answers on its standard output")]

mod cli;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use tre_tpm_key::{Place, SigningHandle};
use tre_wire::cause::in_one_line;
use tre_wire::id::{PeerId, TrustDomain};
use tre_wire::role::Role;
use tre_wire::units::UnixMillis;

use crate::cli::{Deny, Enrol, RenewTre, Revoke, SetTime, Show, SignTime, Unlock};

/// Keeps a trust domain: makes its authorities, enrols TREs, certifies roles.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a new domain: root, two authorities, release key, status key.
    Init(Init),
    /// Writes the deployment file that `tre-image disk` puts on a data disk.
    Deployment(Deployment),
    /// Makes a key for a role and a request for its certificate; needs no domain.
    Request(Request),
    /// Certifies a role: the key of a request, or a fresh one, in one file.
    Issue(Issue),
    /// Certifies a fleet: a file of requests, in parts, from where it was stopped.
    IssueFleet(IssueFleet),
    /// Certifies a role anew while its certificate is in force; the old one stays good.
    Renew(Renew),
    /// Takes the keys of an identity out of use: writes and signs the next revocation list.
    Revoke(Revoke),
    /// Believes TPM firmware no more: writes and signs the next denylist.
    Deny(Deny),
    /// Signs a reference manifest as it lies, with the domain's release key.
    SignManifest(SignManifest),
    /// Signs what time it is, for the nonce that a TRE asks it for.
    SignTime(SignTime),
    /// Tells a TRE the time: asks for its nonce, signs, and brings the token there.
    SetTime(SetTime),
    /// Encrypts a private key under another passphrase, or one that lies in clear.
    Reseal(Reseal),
    /// Appraises a new box, makes its TPM prove its keys, and certifies them.
    Enrol(Enrol),
    /// Attests a TRE that serves and hands it newer certificates of its keys.
    RenewTre(RenewTre),
    /// Says what there is in a domain's folder; opens no private key.
    Show(Show),
}

#[derive(Args, Debug)]
struct Init {
    /// The folder to make; there must be none yet.
    #[arg(long)]
    domain: PathBuf,
    /// The name in which all identities live, such as grid.example.
    #[arg(long)]
    trust_domain: TrustDomain,
    /// Makes a domain for tests and demonstrations alone: it also signs manifests for DEMO.
    #[arg(long)]
    demo: bool,
    /// Keeps the private keys in clear; only with --demo.
    #[arg(long, requires = "demo", conflicts_with = "passphrase_file")]
    no_passphrase: bool,
    #[command(flatten)]
    unlock: Unlock,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Deployment {
    /// The domain's folder.
    #[arg(long)]
    domain: PathBuf,
    /// The privacy policy, JSON.
    #[arg(long)]
    policy: PathBuf,
    /// The file to write; one that is there must be the very same.
    #[arg(long)]
    out: PathBuf,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Request {
    /// One of meter, dno, supplier, dsm, registrar, operator.
    role: Role,
    /// The name within the role.
    id: PeerId,
    /// The domain in which the name lives.
    #[arg(long)]
    trust_domain: TrustDomain,
    /// The private key's file (PKCS#8, mode 0600); made if there is none. With --tpm: the file that
    /// names the key.
    #[arg(long)]
    key: PathBuf,
    /// Makes the key in this machine's own TPM, which it cannot leave: device:/dev/tpmrm0.
    #[arg(long, value_name = "PLACE", requires = "handle")]
    tpm: Option<Place>,
    /// Where the TPM keeps the key: a persistent handle that is free, such as 0x81000100.
    #[arg(long, value_name = "HANDLE", requires = "tpm")]
    handle: Option<SigningHandle>,
    /// The request to write; there must be none yet.
    #[arg(long)]
    out: PathBuf,
}

#[derive(Args, Debug)]
struct IssueFleet {
    /// The requests, one behind the other, as `request` writes them.
    requests: PathBuf,
    /// The domain's folder.
    #[arg(long)]
    domain: PathBuf,
    /// The folder for the certificates: one folder a part, one file an identity.
    #[arg(long)]
    out: PathBuf,
    /// Life of the certificates in days.
    #[arg(long, default_value_t = pki::issue::DEFAULT_DAYS)]
    days: u32,
    /// Requests in one part; the same in every run over one file.
    #[arg(long, default_value_t = 1_000)]
    batch: u32,
    #[command(flatten)]
    unlock: Unlock,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Renew {
    /// The certificate, with or without its private key.
    certificate: PathBuf,
    /// A request for the same identity, to certify its key instead of the old one.
    #[arg(long, value_name = "FILE")]
    csr: Option<PathBuf>,
    /// The domain's folder.
    #[arg(long)]
    domain: PathBuf,
    /// The file to write; there must be none yet.
    #[arg(long)]
    out: PathBuf,
    /// Life of the certificate in days.
    #[arg(long, default_value_t = pki::issue::DEFAULT_DAYS)]
    days: u32,
    #[command(flatten)]
    unlock: Unlock,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Issue {
    /// One of meter, dno, supplier, dsm, registrar, operator.
    role: Role,
    /// The name within the role.
    id: PeerId,
    /// The domain's folder.
    #[arg(long)]
    domain: PathBuf,
    /// A request for this role and name; without it a key is made.
    #[arg(long, value_name = "FILE")]
    csr: Option<PathBuf>,
    /// The file to write; there must be none yet. With a request: certificate and authority;
    /// without: the private key, too (mode 0600).
    #[arg(long)]
    out: PathBuf,
    /// Life of the certificate in days.
    #[arg(long, default_value_t = pki::issue::DEFAULT_DAYS)]
    days: u32,
    #[command(flatten)]
    unlock: Unlock,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct SignManifest {
    /// The manifest; it must have an end date (`tre-image date`).
    manifest: PathBuf,
    /// The domain's folder.
    #[arg(long)]
    domain: PathBuf,
    /// The signature file to write [default: MANIFEST.sig]; there must be none yet.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Why a manifest with `locked: false` is signed all the same; signed along.
    #[arg(long, value_name = "REASON")]
    unlocked_because: Option<String>,
    #[command(flatten)]
    unlock: Unlock,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
struct Reseal {
    /// The private key's file, such as domain/root.key.pem; it is replaced.
    key: PathBuf,
    #[command(flatten)]
    unlock: Unlock,
    /// A file of mode 0600 with the new passphrase in one line [default: the terminal is asked].
    #[arg(long, value_name = "FILE")]
    new_passphrase_file: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With nowhere to say it, the exit code must do.
            let _told = writeln!(std::io::stderr(), "tre-pki: {}", in_one_line(error.as_ref()));
            ExitCode::from(1)
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    let (now, random) = (now()?, &mut rsa::rand_core::OsRng);
    match command {
        Command::Init(init) => cli::init(init, now, random),
        Command::Deployment(deployment) => cli::deployment(&deployment),
        Command::Request(request) => cli::request(request),
        Command::IssueFleet(fleet) => cli::issue_fleet(&fleet, now, random),
        Command::Renew(renew) => cli::renew(&renew, now, random),
        Command::Issue(issue) => cli::issue(issue, now, random),
        Command::Revoke(revoke) => cli::revoke(revoke, now),
        Command::Deny(deny) => cli::deny(deny, now),
        Command::SignManifest(sign) => cli::sign_manifest(&sign, now),
        Command::SignTime(sign) => cli::sign_time(&sign),
        Command::SetTime(set) => cli::set_time(&set),
        Command::Reseal(reseal) => cli::reseal(&reseal, random),
        Command::Enrol(enrol) => cli::enrol(&enrol, now, random),
        Command::RenewTre(renew) => cli::renew_tre(&renew, now, random),
        Command::Show(show) => cli::show(&show, now),
    }
}

#[expect(clippy::disallowed_methods, reason = "a command line reads the time")]
fn now() -> anyhow::Result<UnixMillis> {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .context("this machine's clock stands before 1970")?;
    Ok(UnixMillis::new(u64::try_from(since.as_millis())?)?)
}
