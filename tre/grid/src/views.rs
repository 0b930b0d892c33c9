//! What each party may see, by its identity. Nothing here changes state.
//!
//! A view shows the state of the last step: whoever needs the present applies a `Tick` first when
//! [`Grid::next_deadline`] has come.

use alloc::vec::Vec;
use core::ops::Bound;

use tre_wire::hex::Hex32;
use tre_wire::id::{AccountId, EventId, GroupId, PeerId, PointId};
use tre_wire::message::dno::{Aggregate, Aggregates, GroupSummary, Groups};
use tre_wire::message::dsm::{EventOutcome, PseudoBids};
use tre_wire::message::meter::{
    BidOutcome, EventNotice, Events, MeterOutcome, MeterPrices, Outcomes,
};
use tre_wire::message::operator::Alerts;
use tre_wire::message::registrar::{Connection, ConnectionRecord, Connections};
use tre_wire::message::supplier::Bill;
use tre_wire::units::{Budget, MilliWattHours, Slot};

use crate::billing::{Account, Issued};
use crate::connections::Stint;
use crate::event::Event;
use crate::grid::Grid;
use crate::monitoring::{Group, GroupKey};
use crate::refusal::{Refusal, ViewRefusal};
use crate::releases::Release;

impl Grid {
    /// Prices of the meter's own tariff: the one that holds at `from`, even if it was published
    /// for an earlier slot, then those after it; at most `bounds::ROWS`.
    ///
    /// # Errors
    ///
    /// [`ViewRefusal::NoConnection`].
    pub fn prices(&self, meter: &PeerId, from: Slot) -> Result<MeterPrices, Refusal> {
        let stint = self.stint(meter)?;
        let tariff = self.tariffs.tariff(stint.tariff).ok_or(ViewRefusal::NoConnection)?;
        let (supplier, tariff_id) = (tariff.supplier.clone(), tariff.id.clone());
        Ok(MeterPrices { supplier, tariff: tariff_id, prices: tariff.series(from) })
    }

    /// Every event that this TRE holds, by id: what a meter may bid on. `[TRE14 III-E]`
    ///
    /// All meters see the same.
    #[must_use]
    pub fn events(&self, _meter: &PeerId) -> Events {
        let notice = |event: &Event| EventNotice {
            event: event.id.clone(),
            terms: event.terms,
            state: event.state(),
        };
        let mut events: Vec<EventNotice> = self.events.0.iter().map(notice).collect();
        events.sort_by(|one, other| one.event.cmp(&other.event));
        Events { events }
    }

    /// How each event went for the account that the meter serves, or served last, whether it bid or
    /// not, by id.
    #[must_use]
    pub fn outcomes(&self, meter: &PeerId) -> Outcomes {
        let account = self.own(meter).ok().map(|(_, stint)| stint.account);
        let outcome = |event: &Event| account.map_or(BidOutcome::NoBid, |it| event.outcome(it));
        let row = |event: &Event| MeterOutcome { event: event.id.clone(), outcome: outcome(event) };
        let mut outcomes: Vec<MeterOutcome> = self.events.0.iter().map(row).collect();
        outcomes.sort_by(|one, other| one.event.cmp(&other.event));
        Outcomes { outcomes }
    }

    /// The network operator's own groups, by id, after group `after`; at most `rows`.
    ///
    /// Each with its membership in the running slot, or the first to come if it has none yet.
    #[must_use]
    pub fn groups(&self, dno: &PeerId, after: Option<&GroupId>, rows: usize) -> Groups {
        let summary = |(key, group): (&GroupKey, &Group)| {
            let present = group.present(self.begun)?;
            let members = u32::try_from(present.members.len()).unwrap_or(u32::MAX);
            Some(GroupSummary { group: key.group.clone(), members, from_slot: present.from })
        };
        let groups = self.own_groups(dno, after).filter_map(summary);
        Groups { groups: groups.take(rows).collect() }
    }

    /// Released sums of the network operator's own groups from slot `from` on, of that slot itself
    /// those of groups after `after`: by slot, group and span; a total stands at its last slot.
    ///
    /// Whole slots, as many as fit into `rows`. Of a first slot that alone does not fit: whole
    /// groups, as many as fit and at least one.
    #[must_use]
    pub fn aggregates(
        &self,
        dno: &PeerId,
        from: Slot,
        after: Option<&GroupId>,
        rows: usize,
    ) -> Aggregates {
        let oldest = |group: &Group| group.releases.front().map(|release| release.slot);
        let first = self.own_groups(dno, None).filter_map(|(_, group)| oldest(group)).min();
        let mut slot = first.map_or(self.first_open, |first| first.max(from));
        let mut aggregates: Vec<Aggregate> = Vec::new();
        // Each turn adds a row or passes a slot that some group has released.
        while slot < self.first_open && aggregates.len() < rows {
            let room = rows.saturating_sub(aggregates.len());
            let after = after.filter(|_| slot == from);
            let mut found = self.released_of(dno, slot, after, room);
            if found.len() > room {
                if aggregates.is_empty() {
                    found.truncate(whole_groups(&found, room));
                    return Aggregates { aggregates: found };
                }
                break;
            }
            aggregates.append(&mut found);
            slot = slot.next();
        }
        Aggregates { aggregates }
    }

    /// What the operator's groups after `after` released of `slot`, and no more of them than it takes
    /// to see that they are more than `room`.
    fn released_of(
        &self,
        dno: &PeerId,
        slot: Slot,
        after: Option<&GroupId>,
        room: usize,
    ) -> Vec<Aggregate> {
        let mut found = Vec::new();
        for (key, group) in self.own_groups(dno, after) {
            found.extend(released(group, slot).map(|release| self.aggregate(key, release)));
            if found.len() > room {
                break;
            }
        }
        found
    }

    /// The supplier's bills of periods that ended at `from` or later, of the accounts after `after`:
    /// whole accounts, as many as fit into `rows` and at least one, each account's oldest bill first.
    ///
    /// The accounts have an order in which each keeps its place, and which says nothing.
    #[must_use]
    pub fn bills_of_supplier(
        &self,
        supplier: &PeerId,
        from: Slot,
        after: Option<&AccountId>,
        rows: usize,
    ) -> Vec<Bill> {
        let own = |bill: &&Issued| {
            let tariff = self.tariffs.tariff(bill.tariff);
            bill.to >= from && tariff.is_some_and(|tariff| tariff.supplier == *supplier)
        };
        let mut bills = Vec::new();
        for (_, number) in self.connections.accounts.after(after) {
            let issued = self.accounts.account(number).map_or(&[][..], Account::issued);
            let bill = |bill: &Issued| self.bill(number, bill);
            let mut found: Vec<Bill> = issued.iter().filter(own).filter_map(bill).collect();
            if bills.len().saturating_add(found.len()) > rows && !bills.is_empty() {
                break;
            }
            bills.append(&mut found);
        }
        bills
    }

    /// The pseudo-bids of one of the demand side manager's own events, after its deadline.
    ///
    /// # Errors
    ///
    /// [`ViewRefusal::UnknownEvent`], alike for a foreign event; [`ViewRefusal::TooEarly`].
    pub fn pseudo_bids(&self, dsm: &PeerId, event: &EventId) -> Result<PseudoBids, Refusal> {
        let event = self.events.own(dsm, event).ok_or(ViewRefusal::UnknownEvent)?;
        let deadline = event.terms.deadline;
        let pseudo_bids = event.pseudo_bids().ok_or(ViewRefusal::TooEarly { deadline })?;
        Ok(PseudoBids { pseudo_bids })
    }

    /// Where one of the demand side manager's own events stands.
    ///
    /// # Errors
    ///
    /// [`ViewRefusal::UnknownEvent`], alike for a foreign event.
    pub fn event_outcome(&self, dsm: &PeerId, event: &EventId) -> Result<EventOutcome, Refusal> {
        let event = self.events.own(dsm, event).ok_or(ViewRefusal::UnknownEvent)?;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Ok(EventOutcome {
            state: event.state(),
            pseudo_bids: count(event.pseudo_bids().map_or(0, |bids| bids.len())),
            accepted: count(event.accepted()),
        })
    }

    /// Connection records by point, after point `after`: whole points, as many as fit into `rows`
    /// and at least one.
    #[must_use]
    pub fn connections(&self, after: Option<&PointId>, rows: usize) -> Connections {
        let mut connections = Vec::new();
        for (point, number) in self.connections.after(after) {
            let timeline = self.connections.timeline(number);
            let wanted = connections.len().saturating_add(timeline.len());
            if wanted > rows && !connections.is_empty() {
                break;
            }
            let records = timeline.iter().filter_map(|stint| self.record(stint));
            let rows = records.map(|record| Connection { point: point.clone(), record });
            connections.extend(rows);
        }
        Connections { connections }
    }

    /// Daily counts for the operator, latest last; at most `bounds::ROWS` days.
    #[must_use]
    pub fn alerts(&self) -> Alerts {
        Alerts { days: self.alerts.rows(&self.policy) }
    }

    /// The stint that ties the meter to a point now.
    fn stint(&self, meter: &PeerId) -> Result<&Stint, ViewRefusal> {
        let found = self.connections.of_meter(meter, self.begun);
        found.map(|(_, stint)| stint).ok_or(ViewRefusal::NoConnection)
    }

    /// The network operator's groups by id, after `after`.
    fn own_groups<'a>(
        &'a self,
        dno: &'a PeerId,
        after: Option<&GroupId>,
    ) -> impl Iterator<Item = (&'a GroupKey, &'a Group)> + use<'a> {
        let key = |group: &GroupId| GroupKey { group: group.clone(), dno: dno.clone() };
        let from = after.map(key).map_or(Bound::Unbounded, Bound::Excluded);
        let groups = self.groups.0.range((from, Bound::Unbounded));
        groups.filter(move |(key, _)| key.dno == *dno)
    }

    fn aggregate(&self, key: &GroupKey, release: &Release) -> Aggregate {
        let rules = &self.policy.monitoring;
        let lambda = rules.lambda(release.span);
        let epsilon = rules.spending(release.span).epsilon_millionths.get();
        let spent = if release.sum.is_ok() { Budget::new(epsilon).ok() } else { None };
        Aggregate {
            group: key.group.clone(),
            span: release.span,
            slot: release.slot,
            slots: release.slots,
            members: release.members,
            released_wh: release.sum.ok(),
            withheld: release.sum.err(),
            lambda_milli_wh: lambda,
            mean_error_milli_wh: lambda,
            standard_deviation_milli_wh: standard_deviation(lambda),
            epsilon_millionths: spent.unwrap_or_default(),
            epsilon_left_millionths: release.left,
        }
    }

    pub(crate) fn bill(&self, account: u32, bill: &Issued) -> Option<Bill> {
        let tariff = self.tariffs.tariff(bill.tariff)?;
        Some(Bill {
            account: self.connections.accounts.name(account)?.clone(),
            supplier: tariff.supplier.clone(),
            tariff: tariff.id.clone(),
            from_slot: bill.from,
            to_slot: bill.to,
            total_minor: bill.total,
            basis: bill.basis,
            price_series: Hex32(bill.series),
            policy: Hex32(self.policy.digest()),
        })
    }

    pub(crate) fn record(&self, stint: &Stint) -> Option<ConnectionRecord> {
        let tariff = self.tariffs.tariff(stint.tariff)?;
        Some(ConnectionRecord {
            account: self.connections.accounts.name(stint.account)?.clone(),
            meter: self.connections.meters.name(stint.meter)?.clone(),
            supplier: tariff.supplier.clone(),
            tariff: tariff.id.clone(),
            capacity_w: stint.capacity(),
            from_slot: stint.from,
            to_slot: (stint.to < Slot::MAX).then_some(stint.to),
        })
    }
}

/// What a group released of `slot`: its sum, then the totals that end with it.
fn released(group: &Group, slot: Slot) -> impl Iterator<Item = &Release> {
    let oldest = group.releases.front().map(|release| release.slot);
    let offset = oldest.and_then(|oldest| slot.get().checked_sub(oldest.get()));
    let offset = offset.and_then(|offset| usize::try_from(offset).ok());
    let sum = offset.and_then(|offset| group.releases.get(offset)).into_iter();
    let first = group.totals.partition_point(|total| total.slot < slot);
    let totals = group.totals.range(first..).take_while(move |total| total.slot == slot);
    sum.chain(totals)
}

/// How many of the first of `rows` are those of whole groups: at most `most`, unless one group alone
/// has more.
fn whole_groups(rows: &[Aggregate], most: usize) -> usize {
    let mut whole = 0_usize;
    for group in rows.chunk_by(|one, other| one.group == other.group) {
        let with_it = whole.saturating_add(group.len());
        if with_it > most && whole > 0 {
            break;
        }
        whole = with_it;
    }
    whole
}

/// The square root of 2 times lambda, rounded down.
///
/// `[TRE14 III-C, not followed: it calls lambda itself the standard deviation]`
fn standard_deviation(lambda: MilliWattHours) -> MilliWattHours {
    let lambda = u128::from(lambda.get());
    let deviation = lambda.saturating_mul(lambda).saturating_mul(2).isqrt();
    let deviation = u64::try_from(deviation).ok();
    deviation.and_then(|wh| MilliWattHours::new(wh).ok()).unwrap_or(MilliWattHours::MAX)
}
