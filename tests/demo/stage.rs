//! The stage: a trust domain, a booted, enrolled and verified appliance, and everybody's papers.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use attest_verifier::{Examination, Trust, examine};
use image::machine::Machine;
use std::sync::Mutex;
use tre_client::ClientIdentity;
use tre_client::clock::Clock;
use tre_client::link::{Link, Target};
use tre_client::own::Own;
use tre_tests::appliance::Appliance;
use tre_tests::domain::{TestDomain, now};
use tre_tests::place;
use tre_tests::trust::Reference;
use tre_wire::id::PeerId;
use tre_wire::policy::Policy;
use tre_wire::role::Role;
use tre_wire::units::UnixMillis;

use crate::homes::Homes;

/// The stage, with the box running on it.
#[derive(Debug)]
pub(crate) struct Stage {
    domain: TestDomain,
    machine: Mutex<Option<Machine>>,
    trust: Trust,
    tre_id: PeerId,
    address: String,
    /// What was proven before anybody sent a byte.
    pub(crate) shown: Shown,
}

/// What was proven.
#[derive(Debug)]
pub(crate) struct Shown {
    /// Evidence, checks and verdict.
    pub(crate) examination: Examination,
    /// SHA-256 of the boot image.
    pub(crate) image_sha256: String,
}

/// The wall clock of the parties.
#[derive(Debug)]
struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> UnixMillis {
        now().unwrap_or_default()
    }
}

/// Sets the stage.
///
/// # Errors
///
/// Whatever step fails, named. A box that is not proven ends the demo here.
#[expect(clippy::print_stdout, reason = "a command line")]
pub(crate) async fn set(homes: &Homes) -> Result<Stage> {
    let domain = TestDomain::make("demo", |_| {}).context("making the trust domain")?;
    let reference = Reference::of_image(&domain)?;
    let trust = reference.trust()?;
    let manifest: measured_boot::manifest::ReferenceManifest =
        serde_json::from_slice(reference.manifest())?;
    let image_sha256 = manifest.image.sha256.to_string();
    println!("image       target/image/tre.img, SHA-256 {image_sha256}");

    let appliance = Appliance::make(&domain, "box")?;
    let begun = now()?;
    let machine = appliance.start(&place::built("tre.img")?)?;
    let address = machine.address().to_string();
    let took = now()?.get().saturating_sub(begun.get());
    println!("boot        listening at {address} after {took} ms (QEMU, OVMF, swtpm)");

    let tre_id: PeerId = "tre-demo".parse()?;
    reference.enrol(&domain, &address, &machine.ek_roots(), &tre_id).await?;
    println!(
        "enrolment   EK chain, AIK attributes and credential activation: enrolled as {tre_id}"
    );
    let examination = examine(&address, &tre_id, &trust, now()?).await?;
    for check in &examination.checks {
        let mark = if check.ok { "ok" } else { "REFUSED" };
        println!("  {mark:<8} {}", check.check);
    }
    let refused = examination.verdict.as_ref().err().map(ToString::to_string);
    ensure!(refused.is_none(), "the box is not proven: {}", refused.unwrap_or_default());
    println!("attestation accepted: {} checks", examination.checks.len());
    for index in 0..homes.len() {
        domain.credential(Role::Meter, &meter(index))?;
    }
    let shown = Shown { examination, image_sha256 };
    let machine = Mutex::new(Some(machine));
    Ok(Stage { domain, machine, trust, tre_id, address, shown })
}

/// Name of the meter of home `index`.
pub(crate) fn meter(index: usize) -> String {
    format!("m{index:03}")
}

impl Stage {
    /// Where peers find the TRE, and what they trust.
    pub(crate) fn target(&self) -> Target {
        Target {
            address: self.address.clone(),
            tre_id: self.tre_id.clone(),
            trust: self.trust.clone(),
            clock: Arc::new(WallClock),
        }
    }

    /// The credential of one peer.
    ///
    /// # Errors
    ///
    /// When it cannot be issued or read.
    pub(crate) fn credential(&self, role: Role, id: &str) -> Result<ClientIdentity> {
        Ok(ClientIdentity::load(&self.domain.credential(role, id)?)?)
    }

    /// An attested connection for one company.
    ///
    /// # Errors
    ///
    /// When the TRE is not proven.
    pub(crate) async fn link(&self, role: Role, id: &str) -> Result<Link> {
        let own = Own::new(self.credential(role, id)?, role)?;
        Ok(Link::open(self.target(), own).await?)
    }

    /// The policy of the deployment.
    pub(crate) fn policy(&self) -> &Policy {
        &self.trust.reference().deployment().policy
    }

    /// Ends the machine.
    ///
    /// # Errors
    ///
    /// What the system says of its processes.
    pub(crate) fn strike(&self) -> Result<()> {
        let machine = self.machine.lock().map(|mut held| held.take());
        if let Ok(Some(machine)) = machine {
            machine.stop()?;
        }
        Ok(())
    }
}
