//! What a household may see: all that the TRE holds on it, and nothing of anybody else.
//!
//! Who has left sees what is kept of the connection that was left, until the registrar names
//! another with the same meter. Who follows at a point has a record of its own, and sees nothing of
//! the one before.

use alloc::string::ToString as _;
use alloc::vec::Vec;

use tre_wire::bounds;
use tre_wire::id::PeerId;
use tre_wire::message::dno::Span;
use tre_wire::message::meter::{Account, AccountBudget, AccountEvent, AccountGroup, Reading};
use tre_wire::message::supplier::Bill;
use tre_wire::units::{Budget, NanoCurrency, Slot};

use crate::connections::Stint;
use crate::event::Event;
use crate::grid::Grid;
use crate::refusal::{Refusal, ViewRefusal};
use crate::running::Running;

impl Grid {
    /// All that the TRE holds on the connection that the meter serves, or served last.
    ///
    /// # Errors
    ///
    /// [`ViewRefusal::NoConnection`].
    pub fn account(&self, meter: &PeerId) -> Result<Account, Refusal> {
        let (point, stint) = self.own(meter)?;
        let account = self.accounts.account(stint.account).ok_or(ViewRefusal::NoConnection)?;
        let unbilled = account.all_unbilled();
        let mut owed = unbilled.iter().map(Running::total);
        let owed = owed.try_fold(NanoCurrency::ZERO, NanoCurrency::checked_add);
        let record = self.record(stint).ok_or(ViewRefusal::NoConnection)?;
        // Also from before a change of tariff or supplier.
        let account_at = |slot| self.connections.at(point, slot).map(|there| there.account);
        let held = |reading: &Reading| account_at(reading.slot) == Some(stint.account);
        Ok(Account {
            // Of a final bill that went out nothing runs on.
            period_from: unbilled.iter().map(|it| it.from).min().unwrap_or(stint.to),
            running_nano: owed.unwrap_or_default().get().to_string(),
            over_capacity: self.accounts.over_capacity(stint.account),
            time: self.now,
            record,
            readings: self.recent.of(point).chain(self.readings.of(point)).filter(held).collect(),
            missing: self.missing(point, stint),
            groups: if stint.to > self.begun { self.groups_of(point) } else { Vec::new() },
            budget: self.budget_of(point),
            events: self.events_of(stint.account),
            bills: u32::try_from(account.issued().len()).unwrap_or(u32::MAX),
        })
    }

    /// The bills of the account that the meter serves, or served last.
    ///
    /// # Errors
    ///
    /// [`ViewRefusal::NoConnection`].
    pub fn bills_of_meter(&self, meter: &PeerId) -> Result<Vec<Bill>, Refusal> {
        let (_, stint) = self.own(meter)?;
        let account = self.accounts.account(stint.account).ok_or(ViewRefusal::NoConnection)?;
        let bills = account.issued().iter().filter_map(|bill| self.bill(stint.account, bill));
        Ok(bills.collect())
    }

    /// The stint that the meter has now; or else, if none is to come, its last.
    pub(crate) fn own(&self, meter: &PeerId) -> Result<(u32, &Stint), ViewRefusal> {
        let now = self.connections.of_meter(meter, self.begun);
        now.or_else(|| self.connections.left_by(meter, self.begun)).ok_or(ViewRefusal::NoConnection)
    }

    /// Closed slots that still take a reading of this meter for this account: the latest.
    fn missing(&self, point: u32, stint: &Stint) -> Vec<Slot> {
        let before = |slot: Slot| slot.get().checked_sub(1).and_then(|it| Slot::new(it).ok());
        let closed = core::iter::successors(before(self.first_open), |slot| before(*slot));
        let late = closed.take_while(|slot| self.takes_late(*slot));
        let who = |there: &Stint| (there.account, there.meter);
        let own = |slot| self.connections.at(point, slot).map(who) == Some(who(stint));
        let missing = late.filter(|slot| own(*slot) && !self.readings.metered(*slot, point));
        let mut missing: Vec<Slot> = missing.take(bounds::READINGS).collect();
        missing.reverse();
        missing
    }

    fn groups_of(&self, point: u32) -> Vec<AccountGroup> {
        let mut found = Vec::new();
        for (key, group) in &self.groups.0 {
            let present = group.present(self.begun);
            let latest = group.memberships.last().filter(|it| it.from > self.begun);
            let named = present.into_iter().chain(latest);
            let named = named.filter(|it| it.members.binary_search(&point).is_ok());
            if let Some(membership) = named.min_by_key(|it| it.from) {
                let (dno, group) = (key.dno.clone(), key.group.clone());
                found.push(AccountGroup { dno, group, from_slot: membership.from });
            }
        }
        found
    }

    /// What is left of the point's budget. Totals are charged at the end of their range alone, so
    /// the whole of their share is there for the next.
    fn budget_of(&self, point: u32) -> Vec<AccountBudget> {
        let rules = &self.policy.monitoring;
        let share = |span: Span| {
            let spending = rules.spending(span);
            let left = match span {
                Span::Slot => self.ledger.account(&[point], spending).left(),
                Span::Day | Span::Week => {
                    Budget::new(spending.window_millionths.get()).unwrap_or_default()
                }
            };
            AccountBudget {
                span,
                window_millionths: spending.window_millionths,
                left_millionths: left,
            }
        };
        Vec::from([Span::Slot, Span::Day, Span::Week].map(share))
    }

    fn events_of(&self, account: u32) -> Vec<AccountEvent> {
        let row = |event: &Event| AccountEvent {
            event: event.id.clone(),
            bid: event.bid_of(account),
            outcome: event.outcome(account),
            delivery: event.delivery(account),
        };
        let mut events: Vec<AccountEvent> = self.events.0.iter().map(row).collect();
        events.sort_by(|one, other| one.event.cmp(&other.event));
        events
    }
}
