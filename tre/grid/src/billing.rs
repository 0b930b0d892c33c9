//! Running bills and the bills that go out. `[TRE14 III-D]`
//!
//! An account has one *running bill* for each tariff that it is on. The bill grows exactly, in
//! billionths of the currency, when slots close; a reading that was replaced before never entered
//! it. It is rounded once, when it goes out, and starts again from zero.
//!
//! Prices are such that a bill tells few sums over many slots each ([`crate::guard`]). Where they
//! are not, for who was there in a part of the period alone, the energy is billed at the mean
//! price of that part.
//!
//! No bill covers less than the policy's minimum period. Who joined late is billed at the end of
//! the next period. Who left is billed once, when the minimum period has elapsed; the account that
//! follows at the point sees nothing of it.
//!
//! A bill goes out when no reading of its slots may come any more. Nothing is adjusted afterwards:
//! the difference between a bill and a corrected one would be the readings that came in between.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use tre_wire::bounds;
use tre_wire::document::price_series;
use tre_wire::message::supplier::Basis;
use tre_wire::policy::Policy;
use tre_wire::units::{MinorUnits, NanoCurrency, NetWattHours, PricePerKwh, Slot};

use crate::few::Few;
use crate::names::index;
use crate::prices::Tariff;

/// What one account owes under one tariff for one period: for the one that runs, or for one that
/// has ended and of which a reading may still come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Running {
    pub(crate) tariff: u32,
    /// Whether the period has ended.
    ended: bool,
    /// First slot of the period.
    pub(crate) from: Slot,
    /// Of a period that has ended the first slot after it. Of the one that runs the first in which
    /// the account was off the tariff; [`Slot::MAX`] while it is on it.
    left: Slot,
    /// The energy of the period's slots, each at its own price.
    cost: NanoCurrency,
    /// That energy, import minus export. Unit: Wh.
    energy_wh: i64,
    /// Credits and penalties.
    apart: NanoCurrency,
}

/// A bill that went out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Issued {
    pub(crate) tariff: u32,
    pub(crate) from: Slot,
    pub(crate) to: Slot,
    pub(crate) total: MinorUnits,
    pub(crate) basis: Basis,
    /// What it was made with.
    pub(crate) series: [u8; 32],
}

/// One account.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Account {
    running: Few<Running>,
    issued: Box<[Issued]>,
}

const _: () = assert!(size_of::<Account>() <= 80, "a million accounts are to fit into memory");

/// All accounts, by number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Accounts {
    accounts: Vec<Account>,
    /// (slot, tariff): of a period of the tariff no reading may come any more when every slot
    /// before this has closed.
    settling: BTreeSet<(Slot, u32)>,
    /// (slot, account, tariff): the final bill may go out when every slot before this has closed.
    finals: BTreeSet<(Slot, u32, u32)>,
    /// (slot, account): an account that got its final bill is over when this slot has come.
    expiries: BTreeSet<(Slot, u32)>,
    /// Until when the bills of an account are kept, whatever happens at the point: its last expiry.
    kept_until: BTreeMap<u32, Slot>,
    /// Readings above capacity, of the accounts that sent any.
    over_capacity: BTreeMap<u32, u64>,
}

impl Running {
    const fn new(tariff: u32, from: Slot) -> Self {
        let (cost, apart) = (NanoCurrency::ZERO, NanoCurrency::ZERO);
        Self { tariff, ended: false, from, left: Slot::MAX, cost, energy_wh: 0, apart }
    }

    /// Whether the slot is in the period.
    fn holds(&self, slot: Slot) -> bool {
        self.from <= slot && (!self.ended || slot < self.left)
    }

    /// What is owed so far, each slot at its own price.
    pub(crate) fn total(&self) -> NanoCurrency {
        // Either alone is far below half of what it could hold: see [`Accounts::charge`].
        self.cost.checked_add(self.apart).unwrap_or_default()
    }

    /// Takes in the period before, which no bill could state.
    fn take_in(&mut self, before: &Self) {
        self.from = before.from;
        self.cost = self.cost.checked_add(before.cost).unwrap_or(self.cost);
        self.energy_wh = self.energy_wh.saturating_add(before.energy_wh);
        self.apart = self.apart.checked_add(before.apart).unwrap_or(self.apart);
    }

    /// The bill up to `to`; `None` if no bill can state the total.
    fn bill(&self, to: Slot, tariff: &Tariff, policy: &Policy) -> Option<Issued> {
        let coverage = tariff.coverage(self.from, to);
        let unit = policy.billing.minor_unit_nano;
        let (basis, total) = if coverage.allowed(&policy.billing) {
            (Basis::Slots, self.total().to_minor_units(unit))
        } else {
            let (cost, slots) = coverage.at_mean(NetWattHours::new(self.energy_wh).ok()?)?;
            let all = cost.checked_add(self.apart.checked_mul(i128::from(slots))?)?;
            (Basis::Mean, all.part_to_minor_units(slots, unit))
        };
        let names = (&tariff.supplier, &tariff.id);
        let series = price_series(names, (self.from, to), &coverage.runs);
        let total = total.ok()?;
        Some(Issued { tariff: self.tariff, from: self.from, to, total, basis, series })
    }
}

impl Account {
    /// The bill of the period that runs, under a tariff.
    fn running(&self, tariff: u32) -> Option<&Running> {
        self.unbilled(tariff).find(|running| !running.ended)
    }

    fn running_mut(&mut self, tariff: u32) -> Option<&mut Running> {
        let mut running = self.running.all_mut().iter_mut();
        running.find(|running| running.tariff == tariff && !running.ended)
    }

    /// All that no bill has been made of, under a tariff, by period.
    pub(crate) fn unbilled(&self, tariff: u32) -> impl Iterator<Item = &Running> {
        self.running.all().iter().filter(move |running| running.tariff == tariff)
    }

    /// Bills that went out, oldest first.
    pub(crate) fn issued(&self) -> &[Issued] {
        &self.issued
    }

    fn issue(&mut self, bill: Issued) {
        let mut issued = core::mem::take(&mut self.issued).into_vec();
        if issued.len() >= bounds::BILLS_PER_ACCOUNT {
            issued.remove(0);
        }
        issued.push(bill);
        self.issued = issued.into_boxed_slice();
    }
}

impl Accounts {
    pub(crate) const fn new() -> Self {
        Self {
            accounts: Vec::new(),
            settling: BTreeSet::new(),
            finals: BTreeSet::new(),
            expiries: BTreeSet::new(),
            kept_until: BTreeMap::new(),
            over_capacity: BTreeMap::new(),
        }
    }

    pub(crate) fn account(&self, account: u32) -> Option<&Account> {
        self.accounts.get(index(account))
    }

    fn account_mut(&mut self, account: u32) -> Option<&mut Account> {
        self.accounts.get_mut(index(account))
    }

    /// Accounts with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Account)> {
        (0_u32..).zip(&self.accounts)
    }

    /// The account is on the tariff from `from` on. One that comes back in time goes on with the
    /// bill that it left.
    pub(crate) fn join(&mut self, account: u32, tariff: u32, from: Slot, policy: &Policy) {
        let place = index(account);
        if self.accounts.len() <= place {
            self.accounts.resize_with(place.saturating_add(1), Account::default);
        }
        let Some(found) = self.accounts.get_mut(place) else { return };
        match found.running_mut(tariff) {
            Some(running) => {
                self.finals.remove(&(final_slot(running, policy), account, tariff));
                running.left = Slot::MAX;
            }
            None => found.running.change(|all| all.push(Running::new(tariff, from))),
        }
    }

    /// The account is off the tariff from `slot` on.
    pub(crate) fn leave(&mut self, account: u32, tariff: u32, slot: Slot, policy: &Policy) {
        let Some(found) = self.accounts.get_mut(index(account)) else { return };
        let Some(running) = found.running_mut(tariff) else { return };
        self.finals.remove(&(final_slot(running, policy), account, tariff));
        running.left = slot;
        self.finals.insert((final_slot(running, policy), account, tariff));
    }

    /// Adds the energy of one slot to the bill of its period. There is one for as long as a reading
    /// of the slot may come.
    ///
    /// Cannot overflow: a slot adds at most 10^9 Wh x 10^12, there are 2^53 slots, and
    /// 10^21 x 2^53 < 2^123. The energy of 2^33 slots fits as well: 400,000 years.
    pub(crate) fn charge(
        &mut self,
        (account, tariff): (u32, u32),
        slot: Slot,
        price: PricePerKwh,
        energy: NetWattHours,
    ) {
        let Some(found) = self.account_mut(account) else { return };
        let all = found.running.all_mut().iter_mut();
        let mut own = all.filter(|running| running.tariff == tariff);
        let Some(running) = own.find(|it| it.holds(slot)) else { return };
        running.cost = running.cost.checked_add(price.cost_of(energy)).unwrap_or(running.cost);
        running.energy_wh = running.energy_wh.saturating_add(energy.get());
    }

    /// Adds a credit, which is negative, or a penalty to a running bill.
    pub(crate) fn credit(&mut self, account: u32, tariff: u32, amount: NanoCurrency) {
        if let Some(running) = self.running_mut(account, tariff) {
            running.apart = running.apart.checked_add(amount).unwrap_or(running.apart);
        }
    }

    fn running_mut(&mut self, account: u32, tariff: u32) -> Option<&mut Running> {
        self.account_mut(account).and_then(|found| found.running_mut(tariff))
    }

    /// First slot that is in no bill yet, of all accounts under the tariff.
    pub(crate) fn oldest(&self, tariff: u32) -> Option<Slot> {
        let unbilled = self.accounts.iter().flat_map(|account| account.unbilled(tariff));
        unbilled.map(|running| running.from).min()
    }

    /// Counts a reading above capacity.
    pub(crate) fn count_over_capacity(&mut self, account: u32) {
        let count = self.over_capacity.entry(account).or_default();
        *count = count.saturating_add(1);
    }

    /// How many readings of the account were above capacity.
    pub(crate) fn over_capacity(&self, account: u32) -> u64 {
        self.over_capacity.get(&account).copied().unwrap_or(0)
    }

    /// Ends the tariff's period at `end` for each account that is on the tariff and has been for
    /// the minimum period: its bill goes out once the period has settled. Everyone else's runs on.
    pub(crate) fn end_period(&mut self, tariff: u32, end: Slot, policy: &Policy) {
        for (account, found) in (0_u32..).zip(&mut self.accounts) {
            let Some(running) = found.running_mut(tariff) else { continue };
            let elapsed = end.since(running.from);
            if running.left <= end || elapsed < policy.billing.minimum_period_slots {
                continue;
            }
            let next = Running { left: running.left, ..Running::new(tariff, end) };
            if self.finals.remove(&(final_slot(running, policy), account, tariff)) {
                self.finals.insert((final_slot(&next, policy), account, tariff));
            }
            (running.ended, running.left) = (true, end);
            found.running.change(|all| all.push(next));
        }
        self.settling.insert((settled(end, policy), tariff));
    }

    /// Takes the next period that has settled when every slot before `slot` has closed.
    pub(crate) fn take_settled(&mut self, slot: Slot) -> Option<(Slot, u32)> {
        let settled = self.settling.first().copied().filter(|&(due, _)| due <= slot)?;
        self.settling.remove(&settled).then_some(settled)
    }

    /// Issues the bills of the period that settled at `due`.
    pub(crate) fn settle(&mut self, (due, tariff): (Slot, u32), prices: &Tariff, policy: &Policy) {
        for (account, found) in (0_u32..).zip(&mut self.accounts) {
            let mut all = found.running.all().iter();
            let over =
                |it: &Running| it.tariff == tariff && it.ended && settled(it.left, policy) <= due;
            let Some(place) = all.position(over) else { continue };
            let ended = found.running.change(|all| all.remove(place));
            if let Some(bill) = ended.bill(ended.left, prices, policy) {
                found.issue(bill);
                continue;
            }
            // A total that no bill can state is not lost: it is in the next one.
            let all = found.running.all_mut().iter_mut();
            let mut later = all.filter(|running| running.tariff == tariff);
            let Some(next) = later.find(|running| running.from == ended.left) else { continue };
            let waiting = self.finals.remove(&(final_slot(next, policy), account, tariff));
            next.take_in(&ended);
            if waiting {
                self.finals.insert((final_slot(next, policy), account, tariff));
            }
        }
    }

    /// Final bills that may go out when every slot before `slot` has closed.
    pub(crate) fn finals_due(&self, slot: Slot) -> Vec<(Slot, u32, u32)> {
        self.finals.range(..=(slot, u32::MAX, u32::MAX)).copied().collect()
    }

    /// Issues a final bill when every slot before `end` has closed, and erases the running one.
    /// The bill stays to be read for at least another minimum period.
    pub(crate) fn issue_final(
        &mut self,
        key: (Slot, u32, u32),
        prices: &Tariff,
        end: Slot,
        policy: &Policy,
    ) {
        let (_, account, tariff) = key;
        let Some(found) = self.accounts.get_mut(index(account)) else { return };
        let Some(running) = found.running(tariff).copied() else { return };
        let Some(bill) = running.bill(running.left, prices, policy) else { return };
        self.finals.remove(&key);
        found.running.change(|all| all.retain(|other| other.tariff != tariff || other.ended));
        found.issue(bill);
        let until = end.plus(policy.billing.minimum_period_slots);
        self.kept_until.insert(account, until);
        self.expiries.insert((until, account));
    }

    /// Takes the accounts whose final bills have been kept until `slot`.
    pub(crate) fn take_expired(&mut self, slot: Slot) -> Vec<u32> {
        let mut expired = Vec::new();
        while let Some(&(until, account)) = self.expiries.first() {
            if until > slot {
                break;
            }
            self.expiries.pop_first();
            if self.kept_until.get(&account).is_some_and(|&last| last <= slot) {
                self.kept_until.remove(&account);
            }
            expired.push(account);
        }
        expired
    }

    /// Whether the account owes nothing and no bill of it is to be kept beyond `slot`.
    pub(crate) fn over(&self, account: u32, slot: Slot) -> bool {
        let kept = self.kept_until.get(&account).is_some_and(|&until| until > slot);
        !kept && self.account(account).is_none_or(|account| account.running.all().is_empty())
    }

    /// Erases an account.
    pub(crate) fn erase(&mut self, account: u32) {
        if let Some(account) = self.account_mut(account) {
            *account = Account::default();
        }
        self.kept_until.remove(&account);
        self.over_capacity.remove(&account);
    }
}

/// When every slot before this one has closed, no reading of a slot before `to` may come any more.
fn settled(to: Slot, policy: &Policy) -> Slot {
    to.plus(policy.lateness_slots)
}

/// The final bill of someone who left may go out when every slot before this one has closed: the
/// minimum period has elapsed, and no late reading is taken any more.
fn final_slot(running: &Running, policy: &Policy) -> Slot {
    let elapsed = running.from.plus(policy.billing.minimum_period_slots);
    elapsed.max(settled(running.left, policy))
}
