//! Records what an enrolled TRE answers once: `record-evidence OUT.json`.
//!
//! Starts a hosted TRE with a software TPM and a test domain, both thrown away afterwards, enrols
//! it, asks it, and writes the answer with all that it is held against. Every part is public.

#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use attest_verifier::AnyKeyConnection;
use clap::Parser;
use tre_decoders::Recorded;
use tre_tests::domain::TestDomain;
use tre_tests::hosted::HostedMachine;
use tre_tests::trust::Reference;
use tre_wire::hex::{Hex32, HexBytes};

/// Records what an enrolled TRE answers once
#[derive(Parser)]
struct Cli {
    /// The file to write
    out: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Cli { out } = Cli::parse();
    let recorded = record().await?;
    write(&out, &recorded)
}

async fn record() -> Result<Recorded> {
    let domain = TestDomain::make("demo", |_| {})?;
    let machine = HostedMachine::make(&domain, "box")?;
    let reference = Reference::of_log(&domain, machine.event_log())?;
    let hosted = machine.start()?;
    let address = hosted.address().to_string();
    let tre_id = "tre-1".parse()?;
    reference.enrol(&domain, &address, machine.ek_roots(), &tre_id).await?;
    let mut connection = AnyKeyConnection::open(&address, None).await?;
    let answer = connection.challenge().await?;
    let view = answer.session.as_ref();
    let chain = view.server_chain.iter();
    Ok(Recorded {
        tre_id,
        nonce: Hex32(view.nonce),
        exporter: Hex32(view.exporter),
        server_chain: chain.map(|der| HexBytes(der.to_vec())).collect(),
        evidence: answer.evidence,
        deployment: HexBytes(fs::read(domain.deployment())?),
        manifest: HexBytes(reference.manifest().to_vec()),
        manifest_signature: HexBytes(reference.signature().to_vec()),
        release_key: fs::read_to_string(domain.domain().release_key_path())?,
    })
}

fn write(out: &Path, recorded: &Recorded) -> Result<()> {
    let text = serde_json::to_string_pretty(recorded)?;
    fs::write(out, text + "\n").with_context(|| format!("writing {}", out.display()))
}
