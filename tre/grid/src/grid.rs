//! The state of a TRE, and the one function that changes it.

use alloc::vec::Vec;

use tre_wire::id::{EventId, GroupId, PeerId, PointId};
use tre_wire::journal::{Command, Record};
use tre_wire::message::dno::PutGroup;
use tre_wire::message::dsm::Decision;
use tre_wire::message::meter::{BidRequest, Receipt};
use tre_wire::message::registrar::ConnectionRecord;
use tre_wire::message::supplier::{EndPeriod, PostPrices};
use tre_wire::policy::{Policy, PolicyError};
use tre_wire::units::{Slot, UnixMillis};

use crate::alerts::AlertDays;
use crate::billing::Accounts;
use crate::clock::first_open;
use crate::compliance::Recent;
use crate::connections::{Connections, Horizon};
use crate::demand_response::Events;
use crate::guard::judge_period;
use crate::ledger::Ledger;
use crate::monitoring::{GroupKey, Groups};
use crate::prices::Tariffs;
use crate::readings::{Readings, takes_late};
use crate::refusal::{
    BidRefusal, ClockRefusal, ConnectionRefusal, PeriodRefusal, PriceRefusal, Refusal,
};

/// Everything that a TRE knows. `[TRE14 III-B]`
#[derive(Clone, Eq, PartialEq)]
pub struct Grid {
    pub(crate) policy: Policy,
    /// Time of the last step.
    pub(crate) now: UnixMillis,
    /// The slot that has begun last.
    pub(crate) begun: Slot,
    /// First slot that has not closed.
    pub(crate) first_open: Slot,
    pub(crate) connections: Connections,
    pub(crate) readings: Readings,
    pub(crate) recent: Recent,
    pub(crate) groups: Groups,
    pub(crate) ledger: Ledger,
    pub(crate) tariffs: Tariffs,
    pub(crate) accounts: Accounts,
    pub(crate) events: Events,
    pub(crate) alerts: AlertDays,
}

/// What a command came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Done; there is nothing more to say.
    Done,
    /// One receipt for each reading, in the order sent; the daemon signs them.
    Receipts(Vec<Receipt>),
}

/// Shows the time alone: everything else is somebody's.
impl core::fmt::Debug for Grid {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Grid").field("now", &self.now).finish_non_exhaustive()
    }
}

/// The version of [`Record`] that [`Grid::apply`] takes.
const FORMAT: u32 = 1;

impl Grid {
    /// A TRE that begins at `now` with nothing in it.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if the policy cannot govern a TRE.
    pub fn new(policy: Policy, now: UnixMillis) -> Result<Self, PolicyError> {
        policy.check()?;
        Ok(Self {
            now,
            begun: policy.slot_at(now),
            first_open: first_open(&policy, now),
            policy,
            connections: Connections::new(),
            readings: Readings::new(),
            recent: Recent::default(),
            groups: Groups::new(),
            ledger: Ledger::new(),
            tariffs: Tariffs::new(),
            accounts: Accounts::new(),
            events: Events(Vec::new()),
            alerts: AlertDays::new(),
        })
    }

    /// The rules of this TRE.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The time of the last step.
    #[must_use]
    pub const fn now(&self) -> UnixMillis {
        self.now
    }

    /// Lets time pass to `record.now`, then carries out `record.command`.
    ///
    /// A refused command leaves the state exactly as a `Tick` of the same time and seed would, so
    /// a journal may keep such a `Tick` in its place.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; for [`Refusal::Clock`] the state is wholly unchanged.
    pub fn apply(&mut self, record: &Record) -> Result<Outcome, Refusal> {
        if record.format != FORMAT {
            return Err(ClockRefusal::Format { expected: FORMAT, found: record.format }.into());
        }
        self.advance(record.now, &record.seed.0)?;
        match &record.command {
            Command::Tick => {}
            Command::PutConnection { point, record } => self.put_connection(point, record)?,
            Command::PutGroup { dno, group, body } => self.put_group(dno, group, body)?,
            Command::PostPrices { supplier, body } => self.post_prices(supplier, body)?,
            Command::EndPeriod { supplier, body } => self.end_period(supplier, body)?,
            Command::Readings { meter, readings } => {
                return Ok(Outcome::Receipts(self.take_readings(meter, readings)?));
            }
            Command::OpenEvent { dsm, body } => {
                let freeze = || self.recent.freeze(self.begun, &self.connections, &self.policy);
                self.events.open(dsm, body, (self.now, &self.policy), freeze)?;
            }
            Command::Bid { meter, body } => self.bid(meter, body)?,
            Command::CancelEvent { dsm, event } => self.events.cancel(dsm, event)?,
            Command::Decide { dsm, event, body } => self.decide(dsm, event, body)?,
        }
        Ok(Outcome::Done)
    }

    fn put_connection(&mut self, id: &PointId, record: &ConnectionRecord) -> Result<(), Refusal> {
        let tariff = self.tariffs.number(&record.supplier, &record.tariff);
        let lateness = self.policy.lateness_slots;
        let horizon = Horizon { begun: self.begun, first_open: self.first_open, lateness };
        let Some(change) = self.connections.judge(id, record, tariff, horizon)? else {
            return Ok(());
        };
        let full = ConnectionRefusal::TariffsFull { most: tre_wire::bounds::TARIFFS };
        if tariff.is_none() && self.tariffs.full() {
            return Err(full.into());
        }
        let names = (&record.supplier, &record.tariff);
        let tariff = self.tariffs.learn(names, record.from_slot, self.begun).ok_or(full)?;
        let put = self.connections.put(id, record, tariff, change, self.begun);
        let most = tre_wire::bounds::POINTS;
        let (point, former) = put.ok_or(ConnectionRefusal::PointsFull { most })?;
        if record.from_slot == self.begun {
            self.join(point, self.begun);
        }
        former.into_iter().for_each(|account| self.forget_account(account));
        Ok(())
    }

    /// A stint of the point begins at `slot`: its account is on its tariff.
    pub(crate) fn join(&mut self, point: u32, slot: Slot) {
        if let Some(stint) = self.connections.at(point, slot).filter(|stint| stint.from == slot) {
            self.accounts.join(stint.account, stint.tariff, slot, &self.policy);
        }
    }

    /// Forgets an account that no record names, that owes nothing and whose bills have been there
    /// to be read for long enough.
    pub(crate) fn forget_account(&mut self, account: u32) {
        let over = self.accounts.over(account, self.first_open);
        if over && !self.connections.names_account(account) {
            self.accounts.erase(account);
            self.events.forget(account);
            self.connections.accounts.forget(account);
        }
    }

    fn put_group(&mut self, dno: &PeerId, id: &GroupId, body: &PutGroup) -> Result<(), Refusal> {
        let from = self.begun.next();
        let key = GroupKey { group: id.clone(), dno: dno.clone() };
        self.groups.put((key, body), from, &mut self.connections, &self.policy)?;
        Ok(())
    }

    fn post_prices(&mut self, supplier: &PeerId, body: &PostPrices) -> Result<(), Refusal> {
        let rules = &self.policy.billing;
        let number = self.tariffs.number(supplier, &body.tariff);
        let number = number.ok_or(PriceRefusal::UnknownTariff)?;
        let (least, found) = (
            rules.minimum_tariff,
            self.connections.on_tariff(number, self.begun, rules.minimum_tariff),
        );
        if found < least {
            return Err(PriceRefusal::TooFew { least, found }.into());
        }
        // The first slot for which a reading may still come, at its close or late, or that is in
        // a bill to come.
        let late = self.first_open.get().saturating_sub(self.policy.lateness_slots);
        let late = Slot::new(late).unwrap_or_default();
        let accounts = &self.accounts;
        let needed = || accounts.oldest(number).map_or(late, |oldest| oldest.min(late));
        let tariff = self.tariffs.tariff_mut(number).ok_or(PriceRefusal::UnknownTariff)?;
        tariff.publish(body, self.begun, needed, rules)?;
        Ok(())
    }

    fn end_period(&mut self, supplier: &PeerId, body: &EndPeriod) -> Result<(), Refusal> {
        let number = self.tariffs.number(supplier, &body.tariff);
        let tariff = number.and_then(|number| self.tariffs.tariff_mut(number));
        let tariff = tariff.ok_or(PeriodRefusal::UnknownTariff)?;
        let found = body.end_slot;
        if let Some(pending) = tariff.period_to {
            return Err(PeriodRefusal::Pending { pending }.into());
        }
        if found <= self.begun {
            return Err(PeriodRefusal::Begun { least: self.begun.next(), found }.into());
        }
        let least = tariff.period_from.plus(self.policy.billing.minimum_period_slots);
        if found < least {
            return Err(PeriodRefusal::TooShort { least, found }.into());
        }
        judge_period(tariff.prices(), (tariff.period_from, found), &self.policy.billing)?;
        tariff.period_to = Some(found);
        Ok(())
    }

    fn bid(&mut self, meter: &PeerId, body: &BidRequest) -> Result<(), Refusal> {
        let connection = self.connections.of_meter(meter, self.begun);
        let (point, stint) = connection.ok_or(BidRefusal::NoConnection)?;
        let there = self.connections.there_since(point, stint);
        self.events.bid((point, stint, there), (&body.event, body.bid), &self.policy)?;
        Ok(())
    }

    fn decide(&mut self, dsm: &PeerId, id: &EventId, body: &Decision) -> Result<(), Refusal> {
        for credit in self.events.decide(dsm, id, body)? {
            // The running bill is there: it is held for as long as a bid may be credited to it.
            self.accounts.credit(credit.account, credit.tariff, credit.amount);
        }
        Ok(())
    }

    /// Whether a slot that has closed still takes a missing reading.
    pub(crate) fn takes_late(&self, slot: Slot) -> bool {
        takes_late(slot, self.first_open, &self.policy)
    }
}
