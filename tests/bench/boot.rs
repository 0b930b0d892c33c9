//! From power-on to the first verified quote, and whose time it is.
//!
//! The baseline is the same machine's firmware alone, which finds nothing to start and turns to
//! its built-in shell: what a power-on costs here before anything of ours runs.

use core::ops::ControlFlow;
use core::time::Duration;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow};
use attest_verifier::{Trust, examine};
use image::machine::{Machine, MachineConfig};
use tre_tests::appliance::Appliance;
use tre_tests::domain::{TestDomain, now};
use tre_tests::place;
use tre_tests::trust::Reference;
use tre_wire::id::PeerId;

/// The firmware's last line: it leaves the processor to what it has found.
const FIRMWARE_DONE: &str = "BdsDxe: starting";

/// One start of each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// From power-on to the firmware's last line.
    pub(crate) firmware: Duration,
    /// From there until the appliance listens: kernel and PID 1, unsealing with it.
    pub(crate) ours: Duration,
    /// Once it was told the time, until a quote was verified: connection, quote, every check.
    pub(crate) attestation: Duration,
    /// The baseline: from power-on to the firmware's last line, with nothing of ours.
    pub(crate) bare_firmware: Duration,
}

/// Starts an enrolled box and the bare firmware, alternating.
///
/// # Errors
///
/// What does not start or is not accepted.
pub(crate) async fn measure(rounds: u32) -> Result<Vec<Round>> {
    let domain = TestDomain::make("demo", |_| {})?;
    let reference = Reference::of_image(&domain)?;
    let (trust, tre_id): (Trust, PeerId) = (reference.trust()?, "tre-bench".parse()?);
    let (appliance, bare) = (Appliance::make(&domain, "box")?, Appliance::make(&domain, "bare")?);
    let image = place::built("tre.img")?;
    let machine = appliance.start(&image)?;
    let address = machine.address().to_string();
    reference.enrol(&domain, &address, &machine.ek_roots(), &tre_id).await?;
    machine.stop()?;
    let nothing = bare.config(&boot_disk_with_nothing(&domain)?);
    // Its first start makes its TPM, which is no part of a power-on.
    Machine::start_until(&nothing, FIRMWARE_DONE)?.stop()?;

    let mut measured = Vec::new();
    for _ in 0..rounds {
        let (begun, firmware, machine) = started(&appliance.config(&image), Machine::LISTENING)?;
        let listening = begun.elapsed();
        let address = machine.address().to_string();
        domain.set_time(&address, &tre_id).await?;
        let told = begun.elapsed();
        let examination = examine(&address, &tre_id, &trust, now()?).await?;
        examination.verdict.map_err(|refusal| anyhow!("refused: {refusal}"))?;
        let verified = begun.elapsed();
        machine.stop()?;
        let (_, bare_firmware, machine) = started(&nothing, FIRMWARE_DONE)?;
        machine.stop()?;
        let (ours, attestation) =
            (listening.saturating_sub(firmware), verified.saturating_sub(told));
        measured.push(Round { firmware, ours, attestation, bare_firmware });
    }
    Ok(measured)
}

/// Starts a machine: when that was, when its firmware was done, and the machine at `milestone`.
#[expect(clippy::disallowed_methods, reason = "a benchmark")]
fn started(config: &MachineConfig, milestone: &str) -> Result<(Instant, Duration, Machine)> {
    let begun = Instant::now();
    let (mut console, mut firmware) = (String::new(), None);
    let machine = Machine::start_watched(config, milestone, |news| {
        console.push_str(news);
        if firmware.is_none() && console.lines().any(|line| line.contains(FIRMWARE_DONE)) {
            firmware = Some(begun.elapsed());
        }
        ControlFlow::Continue(())
    })?;
    Ok((begun, firmware.context("expected the firmware's last line")?, machine))
}

/// A boot disk whose EFI file is none.
fn boot_disk_with_nothing(domain: &TestDomain) -> Result<PathBuf> {
    let (file, disk) = (domain.folder().join("nothing"), domain.folder().join("nothing.img"));
    fs::write(&file, [0; 4096])?;
    image::fat::write(&file, &disk)?;
    Ok(disk)
}
