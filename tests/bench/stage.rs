//! An enrolled TRE as a process, the bare server beside it, and a meter for each connection.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use attest_verifier::{AttestedStream, ClientIdentity};
use tre_tests::domain::{TestDomain, now};
use tre_tests::hosted::{Hosted, HostedMachine};
use tre_tests::trust::Reference;
use tre_wire::id::PeerId;
use tre_wire::message::Done;
use tre_wire::message::registrar::ConnectionRecord;
use tre_wire::role::Role;
use tre_wire::units::Watts;

use crate::baseline::Baseline;
use crate::load::{End, Meter};

/// Power that a connection is built for: no reading of ours is above it. Unit: W.
const CAPACITY_W: u64 = 11_000;

/// Both servers, running, and everybody who speaks to them.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The TRE, for readings.
    pub(crate) tre: End,
    /// The bare server, for echoes.
    pub(crate) echo: End,
    /// The bare server itself.
    pub(crate) baseline: Baseline,
    /// One meter a connection.
    pub(crate) meters: Vec<Arc<Meter>>,
    _hosted: Hosted,
    _domain: TestDomain,
}

/// Sets the stage: a slot of the production policy takes readings for 15 minutes after its end,
/// so the slot of now stays open as long as a run takes.
///
/// # Errors
///
/// Whatever step fails, named.
pub(crate) async fn set(connections: u32) -> Result<Stage> {
    let domain = TestDomain::make("production", |_| {}).context("making the trust domain")?;
    let machine = HostedMachine::make(&domain, "box")?;
    let hosted = machine.start().context("starting the TRE")?;
    let address = hosted.address().to_string();
    let reference = Reference::of_log(&domain, machine.event_log())?;
    let tre_id: PeerId = "tre-bench".parse()?;
    reference.enrol(&domain, &address, machine.ek_roots(), &tre_id).await?;

    let trust = reference.trust()?;
    let deployment = trust.reference().deployment();
    let slot = deployment.policy.slot_at(now()?);
    let desk = ClientIdentity::load(&domain.credential(Role::Registrar, "desk-1")?)?;
    let registrar = AttestedStream::connect(&address, &tre_id, &trust, Some(&desk), now()?).await?;
    let mut registrar = registrar.into_http().await?;
    let mut meters = Vec::new();
    for index in 0..connections {
        let id = format!("m{index:03}");
        let record = ConnectionRecord {
            account: format!("a{index:03}").parse()?,
            meter: id.parse()?,
            supplier: "supplier-0".parse()?,
            tariff: "standard".parse()?,
            capacity_w: Watts::new(CAPACITY_W)?,
            from_slot: slot,
            to_slot: None,
        };
        let path = format!("/v1/connections/p{index:03}");
        let Done {} = registrar.put(&path, &record).await.context("registrar")?;
        let identity = ClientIdentity::load(&domain.credential(Role::Meter, &id)?)?;
        meters.push(Arc::new(Meter::new(identity, slot)));
    }
    let own = domain.credential(Role::Operator, "bare-1")?;
    let baseline = Baseline::start(&own, &deployment.grid_authorities)?;
    Ok(Stage {
        tre: End::Tre { address },
        echo: End::Echo { address: baseline.address().to_string() },
        baseline,
        meters,
        _hosted: hosted,
        _domain: domain,
    })
}
