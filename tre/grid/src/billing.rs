//! Running bills and the bills that go out. `[TRE14 III-D]`
//!
//! An account has one *running bill* for each tariff that it is on. The bill grows exactly, in
//! billionths of the currency, when slots close; a reading that was replaced before never entered
//! it. It is rounded once, when it goes out, and starts again from zero.
//!
//! No bill covers less than the policy's minimum period. Who joined late is billed at the end of
//! the next period. Who left is billed once, when the minimum period has elapsed and no reading of
//! theirs may still come; the account that follows at the point sees nothing of it.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use tre_wire::bounds;
use tre_wire::policy::Policy;
use tre_wire::units::{MinorUnits, NanoCurrency, Slot};

use crate::names::index;

/// What one account owes under one tariff since its last bill.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Running {
    pub(crate) tariff: u32,
    /// First slot of the period.
    pub(crate) from: Slot,
    /// First slot in which the account was off the tariff; [`Slot::MAX`] while it is on it.
    left: Slot,
    pub(crate) total: NanoCurrency,
}

/// A bill that went out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Issued {
    pub(crate) tariff: u32,
    pub(crate) from: Slot,
    pub(crate) to: Slot,
    pub(crate) total: MinorUnits,
}

/// One account.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Account {
    running: Vec<Running>,
    issued: Box<[Issued]>,
    /// Until this slot the bills are kept, whatever happens at the point.
    kept_until: Slot,
    /// Readings above capacity.
    pub(crate) over_capacity: u64,
}

/// All accounts, by number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Accounts {
    accounts: Vec<Account>,
    /// (slot, account, tariff): the final bill may go out when every slot before this has closed.
    finals: BTreeSet<(Slot, u32, u32)>,
    /// (slot, account): an account that got its final bill is over when this slot has come.
    expiries: BTreeSet<(Slot, u32)>,
}

impl Account {
    /// The running bill under a tariff.
    pub(crate) fn running(&self, tariff: u32) -> Option<&Running> {
        self.running.iter().find(|running| running.tariff == tariff)
    }

    fn running_mut(&mut self, tariff: u32) -> Option<&mut Running> {
        self.running.iter_mut().find(|running| running.tariff == tariff)
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
        Self { accounts: Vec::new(), finals: BTreeSet::new(), expiries: BTreeSet::new() }
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
            None => {
                let total = NanoCurrency::ZERO;
                found.running.reserve_exact(1);
                found.running.push(Running { tariff, from, left: Slot::MAX, total });
            }
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

    /// Adds to a running bill; a credit is negative. `false` if there is no such bill.
    ///
    /// Cannot overflow: a slot adds at most 10^9 Wh x 10^12, there are 2^53 slots, and
    /// 10^21 x 2^53 < 2^123.
    pub(crate) fn add(&mut self, account: u32, tariff: u32, amount: NanoCurrency) -> bool {
        let running = self.account_mut(account).and_then(|found| found.running_mut(tariff));
        let Some(running) = running else { return false };
        let Some(total) = running.total.checked_add(amount) else { return false };
        running.total = total;
        true
    }

    /// Counts a reading above capacity.
    pub(crate) fn count_over_capacity(&mut self, account: u32) {
        if let Some(account) = self.account_mut(account) {
            account.over_capacity = account.over_capacity.saturating_add(1);
        }
    }

    /// Ends the tariff's period at `end`: one bill for each account that is on the tariff and has
    /// been for the minimum period. Everyone else's bill runs on.
    pub(crate) fn end_period(&mut self, tariff: u32, end: Slot, policy: &Policy) {
        for (account, found) in (0_u32..).zip(&mut self.accounts) {
            let Some(running) = found.running_mut(tariff) else { continue };
            let elapsed = end.since(running.from);
            if running.left <= end || elapsed < policy.billing.minimum_period_slots {
                continue;
            }
            // A total that no bill can state is not lost: it runs on as well.
            let Ok(total) = running.total.to_minor_units(policy.billing.minor_unit_nano) else {
                continue;
            };
            let bill = Issued { tariff, from: running.from, to: end, total };
            let key = (final_slot(running, policy), account, tariff);
            (running.from, running.total) = (end, NanoCurrency::ZERO);
            if self.finals.remove(&key) {
                self.finals.insert((final_slot(running, policy), account, tariff));
            }
            found.issue(bill);
        }
    }

    /// Final bills that may go out when every slot before `slot` has closed.
    pub(crate) fn finals_due(&self, slot: Slot) -> Vec<(Slot, u32, u32)> {
        self.finals.range(..=(slot, u32::MAX, u32::MAX)).copied().collect()
    }

    /// Issues a final bill when every slot before `end` has closed, and erases the running one.
    /// The bill stays to be read for at least another minimum period.
    pub(crate) fn issue_final(&mut self, key: (Slot, u32, u32), end: Slot, policy: &Policy) {
        let (_, account, tariff) = key;
        let Some(found) = self.accounts.get_mut(index(account)) else { return };
        let Some(running) = found.running(tariff).copied() else { return };
        let Ok(total) = running.total.to_minor_units(policy.billing.minor_unit_nano) else {
            return;
        };
        self.finals.remove(&key);
        found.running.retain(|other| other.tariff != tariff);
        found.issue(Issued { tariff, from: running.from, to: running.left, total });
        found.kept_until = end.plus(policy.billing.minimum_period_slots);
        self.expiries.insert((found.kept_until, account));
    }

    /// Takes the accounts whose final bills have been kept until `slot`.
    pub(crate) fn take_expired(&mut self, slot: Slot) -> Vec<u32> {
        let mut expired = Vec::new();
        while let Some(&(until, account)) = self.expiries.first() {
            if until > slot {
                break;
            }
            self.expiries.pop_first();
            expired.push(account);
        }
        expired
    }

    /// Whether the account owes nothing and no bill of it is to be kept beyond `slot`.
    pub(crate) fn over(&self, account: u32, slot: Slot) -> bool {
        self.account(account)
            .is_none_or(|account| account.running.is_empty() && account.kept_until <= slot)
    }

    /// Erases an account.
    pub(crate) fn erase(&mut self, account: u32) {
        if let Some(account) = self.account_mut(account) {
            *account = Account::default();
        }
    }
}

/// The final bill of someone who left may go out when every slot before this one has closed: the
/// minimum period has elapsed, and no late reading is taken any more.
fn final_slot(running: &Running, policy: &Policy) -> Slot {
    let elapsed = running.from.plus(policy.billing.minimum_period_slots);
    elapsed.max(running.left.plus(policy.lateness_slots))
}
