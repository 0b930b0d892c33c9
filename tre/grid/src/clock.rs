//! What time does by itself: slots begin and close, deadlines pass, bills go out.
//!
//! Things happen in the order of their times. At one and the same time a slot begins first, then a
//! slot closes, then deadlines pass; so who leaves with the end of a slot is known when it closes,
//! however long the grace is.

use tre_wire::bounds;
use tre_wire::policy::Policy;
use tre_wire::units::{Slot, UnixMillis};

use crate::grid::Grid;
use crate::refusal::ClockRefusal;
use crate::releases::Closing;

/// Something that is due, in the order in which things happen at one time.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Due {
    Begin,
    Close,
    Deadline,
}

/// The first slot that has not closed at `now`: its end and the grace after it have not both
/// passed.
pub(crate) fn first_open(policy: &Policy, now: UnixMillis) -> Slot {
    let ended = now.get().checked_sub(policy.grace_ms).and_then(|ms| UnixMillis::new(ms).ok());
    ended.map_or_else(Slot::default, |ended| policy.slot_at(ended))
}

impl Grid {
    /// When the next thing happens by itself: a step at or after this time is due.
    ///
    /// A TRE that makes its steps by this time touches every slot while it is open; a slot that no
    /// step touched counts as not metered.
    #[must_use]
    pub fn next_deadline(&self) -> Option<UnixMillis> {
        let slots = [self.connections.next_turn(), self.events.next_lapse()];
        let begins = slots.into_iter().flatten().map(|slot| self.policy.start_of(slot));
        let close = self.policy.close_of(self.first_open);
        begins.chain(self.events.next_deadline()).chain([close]).min()
    }

    /// Lets time pass to `now`, or refuses and changes nothing.
    pub(crate) fn advance(&mut self, now: UnixMillis, seed: &[u8; 32]) -> Result<(), ClockRefusal> {
        if now < self.now {
            return Err(ClockRefusal::WentBack { least: self.now, found: now });
        }
        let found = self.policy.slot_at(now).since(self.begun);
        if found > bounds::SLOTS_PER_STEP {
            return Err(ClockRefusal::Jumped { most: bounds::SLOTS_PER_STEP, found });
        }
        let last = core::mem::replace(&mut self.now, now);
        // At most two steps a slot and one an event: each makes its own kind of due thing fewer.
        while let Some((_, due)) = self.next_due(now) {
            match due {
                Due::Begin => self.begin(),
                Due::Close => self.close(last, seed),
                Due::Deadline => self.events.pass_deadlines(now, seed),
            }
        }
        Ok(())
    }

    fn next_due(&self, now: UnixMillis) -> Option<(UnixMillis, Due)> {
        let begin = (self.begun < self.policy.slot_at(now))
            .then(|| (self.policy.start_of(self.begun.next()), Due::Begin));
        let close = (self.first_open < first_open(&self.policy, now))
            .then(|| (self.policy.close_of(self.first_open), Due::Close));
        let deadline = self.events.next_deadline().filter(|&deadline| deadline <= now);
        let deadline = deadline.map(|deadline| (deadline, Due::Deadline));
        [begin, close, deadline].into_iter().flatten().min()
    }

    /// The next slot begins: who leaves and joins a tariff with it, what lapses with it.
    fn begin(&mut self) {
        let slot = self.begun.next();
        self.begun = slot;
        let points = self.connections.take_turns(slot);
        // First who leaves, then who joins: one account may do both at two points.
        for &point in &points {
            let mut timeline = self.connections.timeline(point).iter();
            if let Some(stint) = timeline.find(|stint| stint.to == slot) {
                self.accounts.leave(stint.account, stint.tariff, slot, &self.policy);
            }
        }
        points.into_iter().for_each(|point| self.join(point, slot));
        self.events.begin(slot);
    }

    /// The first open slot closes. `last` is the time of the step before this one.
    fn close(&mut self, last: UnixMillis, seed: &[u8; 32]) {
        let slot = self.first_open;
        let slotful = self.readings.close(slot, &self.policy);
        let end = first_open(&self.policy, self.now);
        let history = u64::try_from(bounds::RELEASES_PER_GROUP).unwrap_or(u64::MAX);
        let closing = Closing {
            slot,
            // No reading could come after the slot's beginning unless a step lies in it.
            metered: last >= self.policy.start_of(slot),
            slotful: &slotful,
            connections: &self.connections,
            policy: &self.policy,
            seed,
        };
        // After a long gap, what the bounded history would drop again is not drawn at all.
        if end.since(slot) <= history {
            self.groups.close(&closing, &mut self.ledger);
        }
        let metered = closing.metered;
        let penalties = self.events.meter(&closing);
        self.bill_slot(slot, &slotful);
        for penalty in penalties {
            self.accounts.credit(penalty.account, penalty.tariff, penalty.amount);
        }
        self.recent.note(slot, metered, slotful, &self.policy);
        self.first_open = slot.next();
        self.issue_bills();
    }

    /// Bills that may go out now that every slot before the first open one has closed.
    fn issue_bills(&mut self) {
        let end = self.first_open;
        for number in self.tariffs.ending_at(end) {
            self.accounts.end_period(number, end, &self.policy);
            if let Some(tariff) = self.tariffs.tariff_mut(number) {
                (tariff.period_from, tariff.period_to) = (end, None);
            }
        }
        while let Some(settled) = self.accounts.take_settled(end) {
            if let Some(tariff) = self.tariffs.tariff(settled.1) {
                self.accounts.settle(settled, tariff, &self.policy);
            }
        }
        for account in self.accounts.take_expired(end) {
            self.forget_account(account);
        }
        let finals = self.accounts.finals_due(end);
        if finals.is_empty() {
            return;
        }
        // A bid that may still win or be charged is so in the bill, where it cannot be told apart:
        // the bill waits for it.
        let unsettled = self.events.unsettled();
        for key in finals {
            let (_, account, tariff) = key;
            let Some(prices) = self.tariffs.tariff(tariff) else { continue };
            if !unsettled.contains(&(account, tariff)) {
                self.accounts.issue_final(key, prices, end, &self.policy);
            }
        }
    }
}
