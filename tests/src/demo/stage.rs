//! The stage: a trust domain, a booted, enrolled and verified appliance, and everybody's papers.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::appliance::Appliance;
use crate::domain::{TestDomain, WallClock, now};
use crate::hosted::Hosted;
use crate::place;
use crate::trust::Reference;
use anyhow::{Context as _, Result, ensure};
use attest_verifier::{Examination, Trust, examine};
use image::machine::Machine;
use tre_client::ClientIdentity;
use tre_client::link::{Link, Target};
use tre_client::own::Own;
use tre_wire::id::PeerId;
use tre_wire::policy::Policy;
use tre_wire::role::Role;

use crate::demo::homes::Homes;

/// The stage, with the box running on it.
#[derive(Debug)]
pub struct Stage {
    domain: TestDomain,
    running: Mutex<Option<Running>>,
    trust: Trust,
    tre_id: PeerId,
    address: String,
    /// What was proven before anybody sent a byte.
    pub shown: Shown,
}

/// What was proven.
#[derive(Debug)]
pub struct Shown {
    /// Evidence, checks and verdict.
    pub examination: Examination,
    /// SHA-256 of the boot image.
    pub image_sha256: String,
    /// `appliance` or `hosted`.
    pub mode: &'static str,
}

/// A running box, ended when it is dropped.
#[derive(Debug)]
pub enum Running {
    /// The image under QEMU.
    Appliance(Machine),
    /// `tred` as a process.
    Hosted(Hosted),
}

/// A new box before anything is proven of it.
#[derive(Debug)]
pub struct NewBox {
    /// Its domain.
    pub domain: TestDomain,
    /// What it must be.
    pub reference: Reference,
    /// The box.
    pub running: Running,
    /// The certificates of its TPM's manufacturer.
    pub ek_roots: PathBuf,
}

/// Boots the built image under QEMU, in a new domain.
///
/// # Errors
///
/// Whatever step fails, named.
#[expect(clippy::print_stdout, reason = "a command line")]
pub fn boot() -> Result<NewBox> {
    let domain = TestDomain::make("demo", judge_winners).context("making the trust domain")?;
    let reference = Reference::of_image(&domain)?;
    let appliance = Appliance::make(&domain, "box")?;
    let begun = now()?;
    let machine = appliance.start(&place::built("tre.img")?)?;
    let took = now()?.get().saturating_sub(begun.get());
    println!("boot        listening at {} after {took} ms (QEMU, OVMF, swtpm)", machine.address());
    let ek_roots = machine.ek_roots();
    Ok(NewBox { domain, reference, running: Running::Appliance(machine), ek_roots })
}

/// Whoever wins and does not deliver is charged what its bid earned, as under the production policy.
pub fn judge_winners(policy: &mut serde_json::Value) {
    if let Some(rules) = policy.get_mut("demand_response").and_then(|it| it.as_object_mut()) {
        rules.insert("penalty_millionths".to_owned(), 1_000_000.into());
    }
}

/// Enrols and verifies a new box, and issues everybody's papers.
///
/// # Errors
///
/// Whatever step fails, named. A box that is not proven ends the demo here.
#[expect(clippy::print_stdout, reason = "a command line")]
pub async fn set(homes: &Homes, new: NewBox) -> Result<Stage> {
    let NewBox { domain, reference, running, ek_roots } = new;
    let trust = reference.trust()?;
    let released = trust.reference().first();
    let image_sha256 = released.manifest().image.sha256.to_string();
    println!("image       SHA-256 {image_sha256}");
    println!("manifest    SHA-256 {}, signed by the demo's release key", released.sha256());
    let address = running.address();
    let tre_id: PeerId = "tre-demo".parse()?;
    reference.enrol(&domain, &address, &ek_roots, &tre_id).await?;
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
    for index in 0..homes.count() {
        domain.credential(Role::Meter, &meter(index))?;
    }
    let mode = running.mode();
    let shown = Shown { examination, image_sha256, mode };
    Ok(Stage { domain, running: Mutex::new(Some(running)), trust, tre_id, address, shown })
}

impl Running {
    fn address(&self) -> String {
        match self {
            Self::Appliance(machine) => machine.address().to_string(),
            Self::Hosted(hosted) => hosted.address().to_string(),
        }
    }

    const fn mode(&self) -> &'static str {
        match self {
            Self::Appliance(_) => "appliance",
            Self::Hosted(_) => "hosted",
        }
    }
}

/// Name of the meter of home `index`.
#[must_use]
pub fn meter(index: usize) -> String {
    format!("m{index:03}")
}

impl Stage {
    /// Where peers find the TRE, and what they trust.
    pub fn target(&self) -> Target {
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
    pub fn credential(&self, role: Role, id: &str) -> Result<ClientIdentity> {
        Ok(ClientIdentity::load(&self.domain.credential(role, id)?)?)
    }

    /// An attested connection for one company.
    ///
    /// # Errors
    ///
    /// When the TRE is not proven.
    pub async fn link(&self, role: Role, id: &str) -> Result<Link> {
        let own = Own::new(self.credential(role, id)?, role)?;
        Ok(Link::open(self.target(), own).await?)
    }

    /// The policy of the deployment.
    pub fn policy(&self) -> &Policy {
        &self.trust.reference().deployment().policy
    }

    /// Ends the box.
    ///
    /// # Errors
    ///
    /// What the system says of its processes.
    pub fn strike(&self) -> Result<()> {
        let running = self.running.lock().map(|mut held| held.take());
        if let Ok(Some(Running::Appliance(machine))) = running {
            machine.stop()?;
        }
        Ok(())
    }
}
