//! Running bills and the bills that go out. `[TRE14 III-D]`
//!
//! An account has one *running bill* for each tariff that it is on ([`crate::running`]). The bill
//! grows when slots close; a reading that was replaced before never entered it. It goes out once,
//! and the next starts from zero.
//!
//! Prices are such that a bill tells few sums over many slots each ([`crate::guard`]). Where they
//! are not, for who was there in a part of the period alone, the energy is billed at the mean
//! price of that part.
//!
//! No bill covers less than the policy's minimum period. Who joined late is billed at the end of
//! the next period. Who left is billed once, when the minimum period has elapsed; the account that
//! follows at the point sees nothing of it. Who left a few slots after the end of a period has one
//! bill of that period and those slots: a supplier that knows of a move-out and ends the period just
//! before it would else read the last slot from the final bill.
//!
//! A bill goes out when no reading of its slots may come any more. Nothing is adjusted afterwards:
//! the difference between a bill and a corrected one would be the readings that came in between.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use tre_wire::bounds;
use tre_wire::policy::Policy;
use tre_wire::units::{NanoCurrency, NetWattHours, PricePerKwh, Slot};

use crate::few::Few;
use crate::names::index;
use crate::prices::Tariff;
pub(crate) use crate::running::Issued;
use crate::running::{Running, final_slot, settled};

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

    /// The same under every tariff: one that was left is billed when its period has settled.
    pub(crate) fn all_unbilled(&self) -> &[Running] {
        self.running.all()
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
                running.come_back(from);
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
        if let Some(running) = own.find(|it| it.holds(slot)) {
            running.charge(price, energy);
        }
    }

    /// Adds a credit, which is negative, or a penalty to a running bill.
    pub(crate) fn credit(&mut self, account: u32, tariff: u32, amount: NanoCurrency) {
        if let Some(running) = self.running_mut(account, tariff) {
            running.credit(amount);
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

    /// Ends the tariff's period at `end` for each account that is on the tariff, whose bill began a
    /// minimum period ago and which was there for enough slots: its bill goes out once the period has
    /// settled. Everyone else's runs on.
    pub(crate) fn end_period(&mut self, tariff: u32, end: Slot, policy: &Policy) {
        for (account, found) in (0_u32..).zip(&mut self.accounts) {
            let Some(running) = found.running_mut(tariff) else { continue };
            let elapsed = end.since(running.from) >= policy.billing.minimum_period_slots;
            let few = running.held(end) < policy.billing.min_slots_per_level;
            if running.left <= end || !elapsed || few {
                continue;
            }
            let next = running.next(end);
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

    /// Issues the bills of the period that settled at `due`. Where the next bill would tell of too
    /// few slots, since the account has left again, both are one.
    pub(crate) fn settle(&mut self, (due, tariff): (Slot, u32), prices: &Tariff, policy: &Policy) {
        let least = policy.billing.min_slots_per_level;
        for (account, found) in (0_u32..).zip(&mut self.accounts) {
            let mut all = found.running.all().iter();
            let over =
                |it: &Running| it.tariff == tariff && it.ended && settled(it.left, policy) <= due;
            let Some(place) = all.position(over) else { continue };
            let ended = found.running.change(|all| all.remove(place));
            let mut next = found.running.all_mut().iter_mut();
            let next = next.find(|it| it.tariff == tariff && it.from == ended.left);
            let few = next.as_ref().is_some_and(|next| next.held(due) < least);
            // A total that no bill can state is not lost: it is in the next one.
            let bill = ended.bill(ended.left, prices, policy).filter(|_| !few);
            match (bill, next) {
                (Some(bill), _) => found.issue(bill),
                (None, Some(next)) => {
                    let waiting = self.finals.remove(&(final_slot(next, policy), account, tariff));
                    next.take_in(&ended);
                    if waiting {
                        self.finals.insert((final_slot(next, policy), account, tariff));
                    }
                }
                // Who is to have a bill at the end of a period is on the tariff after it.
                (None, None) => {}
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
