//! An enrolled TRE with meters, each behind a relay of its own, and a demand side manager.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use tre_client::ClientIdentity;
use tre_client::dsm::Dsm;
use tre_client::link::{Link, Target};
use tre_client::meter::{Meter, MeterError};
use tre_client::own::Own;
use tre_client::registrar::Registrar;
use tre_tests::domain::{TestDomain, WallClock, now};
use tre_tests::enrolled::Enrolled;
use tre_tests::hosted::Hosted;
use tre_wire::id::EventId;
use tre_wire::message::dsm::{Direction, EventTerms};
use tre_wire::message::meter::{Bid, Reading, ReceiptStatus};
use tre_wire::message::registrar::ConnectionRecord;
use tre_wire::problem::ProblemType;
use tre_wire::role::Role;
use tre_wire::units::{UnixMillis, WattHours, Watts};

use crate::relay::{Relay, Trace};

/// Time for all meters to answer. Unit: ms.
const ANSWERING_MS: u64 = 30_000;

/// The scene.
#[derive(Debug)]
pub(crate) struct Scene {
    domain: TestDomain,
    target: Target,
    meters: Vec<(Relay, Meter)>,
    events: Vec<EventId>,
    deadline: UnixMillis,
    /// Lives as long as the scene.
    _tre: Hosted,
}

/// What a meter says of one slot.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Energy {
    pub(crate) import_wh: WattHours,
    pub(crate) export_wh: WattHours,
    pub(crate) seq: u64,
}

impl Scene {
    /// Enrols a TRE, connects `meters` meters and opens `events` events.
    pub(crate) async fn set(meters: usize, events: usize) -> Result<Self> {
        let Enrolled { domain, reference, hosted: tre, tre_id, .. } = Enrolled::make().await?;
        let address = tre.address().to_string();
        let (trust, clock) = (reference.trust()?, Arc::new(WallClock));
        let target = Target { address, tre_id, trust, clock };
        let deadline = UnixMillis::default();
        let mut scene =
            Self { domain, target, meters: Vec::new(), events: Vec::new(), deadline, _tre: tre };
        scene.register(meters).await.context("registrar")?;
        for index in 0..meters {
            let relay = Relay::start(scene._tre.address()).await?;
            let target = Target { address: relay.address.to_string(), ..scene.target.clone() };
            let credential = scene.credential(Role::Meter, &name(index))?;
            scene.meters.push((relay, Meter::connect(target, credential).await?));
        }
        scene.open(events).await.context("demand side manager")?;
        Ok(scene)
    }

    fn credential(&self, role: Role, id: &str) -> Result<ClientIdentity> {
        Ok(ClientIdentity::load(&self.domain.credential(role, id)?)?)
    }

    async fn link(&self, role: Role) -> Result<Link> {
        let own = Own::new(self.credential(role, "one")?, role)?;
        Ok(Link::open(self.target.clone(), own).await?)
    }

    /// Every meter has a connection from the running slot on.
    async fn register(&self, meters: usize) -> Result<()> {
        let mut registrar = Registrar(self.link(Role::Registrar).await?);
        for index in 0..meters {
            let record = ConnectionRecord {
                account: name(index).parse()?,
                meter: name(index).parse()?,
                supplier: "supplier".parse()?,
                tariff: "flat".parse()?,
                capacity_w: Watts::MAX,
                from_slot: self.target.policy().slot_at(now()?.plus(1_000)),
                to_slot: None,
            };
            registrar.put_connection(&name(index).parse()?, &record).await?;
        }
        Ok(())
    }

    async fn open(&mut self, events: usize) -> Result<()> {
        let mut dsm = Dsm(self.link(Role::Dsm).await?);
        self.deadline = now()?.plus(ANSWERING_MS);
        let from_slot = self.target.policy().slot_at(self.deadline).plus(10);
        let direction = Direction::Reduce;
        let (to_slot, deadline) = (from_slot.plus(4), self.deadline);
        for index in 0..events {
            let event: EventId = format!("event-{index}").parse()?;
            dsm.open_event(&event, EventTerms { direction, from_slot, to_slot, deadline }).await?;
            self.events.push(event);
        }
        Ok(())
    }

    /// A meter answers one event; what passed on the wire.
    pub(crate) async fn answer(
        &mut self,
        meter: usize,
        event: usize,
        bid: Option<Bid>,
    ) -> Result<Trace> {
        let (relay, meter) = self.meters.get_mut(meter).context("a meter")?;
        let event = self.events.get(event).context("an event")?;
        let before = meter.link().attestations();
        relay.take();
        match meter.bid(event, bid).await {
            Ok(()) => {}
            // Off the public steps.
            Err(MeterError::Link(error)) if error.problem() == Some(ProblemType::OutOfBounds) => {}
            Err(error) => return Err(error.into()),
        }
        ensure!(meter.link().attestations() == before, "the connection was made anew");
        Ok(relay.take())
    }

    /// A meter sends the energy of the slot that runs; what passed on the wire, and what became of
    /// it.
    pub(crate) async fn send(
        &mut self,
        meter: usize,
        energy: Energy,
    ) -> Result<(Trace, ReceiptStatus)> {
        let (relay, meter) = self.meters.get_mut(meter).context("a meter")?;
        let slot = self.target.policy().slot_at(meter.tre_now());
        let Energy { import_wh, export_wh, seq } = energy;
        let reading = Reading { slot, import_wh, export_wh, seq };
        // The TRE closes what was idle: the reading itself goes over a connection that stands.
        meter.events().await?;
        relay.take();
        let answer = meter.send_readings(vec![reading]).await?;
        let status = answer.receipts.first().context("a receipt")?.status;
        Ok((relay.take(), status))
    }

    /// A meter asks what the TRE holds on it; what passed on the wire.
    pub(crate) async fn account(&mut self, meter: usize) -> Result<Trace> {
        let (relay, meter) = self.meters.get_mut(meter).context("a meter")?;
        relay.take();
        meter.account().await?;
        Ok(relay.take())
    }

    /// The manager takes every other pseudo-bid of each event, once the deadline has passed.
    pub(crate) async fn decide(&self) -> Result<()> {
        let wait = self.deadline.plus(500).get().saturating_sub(now()?.get());
        ensure!(wait > 500, "the meters did not answer in time");
        tokio::time::sleep(core::time::Duration::from_millis(wait)).await;
        let mut dsm = Dsm(self.link(Role::Dsm).await?);
        for event in &self.events {
            let bids = dsm.bids(event).await?;
            dsm.decide(event, bids.iter().step_by(2).map(|bid| bid.id).collect()).await?;
        }
        Ok(())
    }

    /// A meter asks for events and outcomes; what passed on the wire.
    pub(crate) async fn poll(&mut self, meter: usize) -> Result<Trace> {
        let (relay, meter) = self.meters.get_mut(meter).context("a meter")?;
        // The TRE closes what was idle: the poll itself goes over a connection that stands.
        meter.events().await?;
        relay.take();
        meter.events().await?;
        meter.outcomes().await?;
        Ok(relay.take())
    }
}

fn name(index: usize) -> String {
    format!("m{index:02}")
}
