//! The noisy sums that the network operator receives. `[TRE14 III-C]`
//!
//! A release is drawn once, when its slot closes, kept, and read again as it was: asking twice
//! teaches nothing. Each group gives a sum of every slot, a total of every day (one window of the
//! policy) and of every week (seven), each kind from a share of the budget of its own.
//!
//! Whether a release is withheld depends on public data alone: who is connected with which
//! capacity, whether the TRE ran, and what groups asked before. Never on a reading, nor on whether
//! one came.
//!
//! | what a meter does | what the sum has |
//! |---|---|
//! | sends nothing, or too late | 0 |
//! | sends twice, or replaces before the close | the value with the highest counter |
//! | feeds in | a negative value |
//! | uses or feeds in more than Delta | Delta with its sign |
//! | uses or feeds in more than its connection carries | 0 |
//!
//! A total covers those slots of its range in which the group had the members that it has at the
//! end and was fit to be released; a change of members begins it anew. How many slots that were is
//! public, and stated. A slot in which the TRE did not run is withheld and missing in totals.

use alloc::format;
use alloc::vec::Vec;

use tre_wire::bounds;
use tre_wire::message::dno::{Span, Withheld};
use tre_wire::policy::{Monitoring, Policy};
use tre_wire::units::{Budget, NetWattHours, Slot};

use crate::connections::{Connections, Stint};
use crate::laplace::{self, Scale};
use crate::ledger::{Account, Charges, Ledger};
use crate::monitoring::{Capacities, Group, GroupKey, Groups};
use crate::randomness::{Purpose, Stream};
use crate::readings::Slotful;

/// One sum, or the reason why there is none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Release {
    pub(crate) span: Span,
    /// The slot; of a total the last one.
    pub(crate) slot: Slot,
    /// Slots that were summed.
    pub(crate) slots: u32,
    /// Members with a connection in force in the slot; of a total the fewest in any of its slots.
    pub(crate) members: u32,
    pub(crate) sum: Result<NetWattHours, Withheld>,
    /// What is left to releases of this span, to the member that has least.
    pub(crate) left: Budget,
}

/// A total that grows. It holds exact sums and never leaves the TRE without noise.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    /// Which range of its span it is of, and since when the members are these.
    of: Option<(u64, Slot)>,
    slots: u32,
    /// Fewest members of all those slots.
    members: u32,
    sum: i64,
}

/// What is known of a slot when it closes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Closing<'a> {
    pub(crate) slot: Slot,
    /// Whether the TRE was running while the slot was open.
    pub(crate) metered: bool,
    pub(crate) slotful: &'a Slotful,
    pub(crate) connections: &'a Connections,
    pub(crate) policy: &'a Policy,
    pub(crate) seed: &'a [u8; 32],
}

/// A group in the slot that closes.
#[derive(Clone, Copy, Debug)]
struct Look {
    members: u32,
    sum: i64,
    /// Whether the group is fit to be released, by public data.
    fit: Result<(), Withheld>,
}

/// What is to be said about one group, but for the noise.
#[derive(Clone, Copy, Debug)]
struct Draft {
    span: Span,
    slots: u32,
    members: u32,
    sum: Result<i64, Withheld>,
}

impl Tally {
    /// Takes in the slot that closes.
    fn note(&mut self, of: (u64, Slot), look: &Look) {
        if self.of != Some(of) {
            *self = Self { of: Some(of), ..Self::default() };
        }
        if look.fit.is_ok() {
            let fewest = if self.slots == 0 { look.members } else { self.members };
            self.members = fewest.min(look.members);
            self.slots = self.slots.saturating_add(1);
            // At most 4,096 members, 10^6 Wh and 4,704 slots.
            self.sum = self.sum.saturating_add(look.sum);
        }
    }

    fn draft(&self, span: Span, look: &Look) -> Draft {
        // One slot that was fit is enough: a total of fewer slots says less.
        let (members, sum) = match look.fit {
            _ if self.slots > 0 => (self.members, Ok(self.sum)),
            fit => (look.members, fit.map(|()| self.sum)),
        };
        Draft { span, slots: self.slots, members, sum }
    }
}

impl Group {
    fn keep(&mut self, release: Release) {
        if release.span != Span::Slot {
            self.totals.push_back(release);
            return;
        }
        if self.releases.len() >= bounds::RELEASES_PER_GROUP {
            self.releases.pop_front();
        }
        self.releases.push_back(release);
        let oldest = self.releases.front().map(|oldest| oldest.slot);
        while self.totals.pop_front_if(|total| Some(total.slot) < oldest).is_some() {}
    }
}

impl Groups {
    /// Draws the releases of a slot, groups in order of their ids: first all sums of the slot, then
    /// the totals that end with it.
    pub(crate) fn close(&mut self, closing: &Closing<'_>, ledger: &mut Ledger) {
        let (slot, rules) = (closing.slot, &closing.policy.monitoring);
        let points = closing.connections.count();
        ledger.turn(slot, rules.window_slots);
        let mut looks = Vec::with_capacity(self.0.len());
        for (key, group) in &mut self.0 {
            let Some(membership) = group.at(slot) else {
                looks.push(None);
                continue;
            };
            let look = closing.look(&membership.members);
            let sum = look.fit.map(|()| look.sum);
            let draft = Draft { span: Span::Slot, slots: 1, members: look.members, sum };
            let account = ledger.account(&membership.members, rules.slot);
            let release = closing.release(key, &draft, account);
            if release.sum.is_ok() {
                ledger.charge(slot, &membership.members, points);
            }
            let from = membership.from;
            group.day.note((range(rules, Span::Day, slot), from), &look);
            group.week.note((range(rules, Span::Week, slot), from), &look);
            group.keep(release);
            looks.push(Some(look));
        }
        for span in [Span::Day, Span::Week] {
            if range(rules, span, slot) != range(rules, span, slot.next()) {
                self.close_totals(span, closing, &looks);
            }
        }
        self.0.values_mut().for_each(|group| group.drop_memberships(slot.next()));
    }

    /// Draws the totals of a range that ends.
    fn close_totals(&mut self, span: Span, closing: &Closing<'_>, looks: &[Option<Look>]) {
        let spending = closing.policy.monitoring.spending(span);
        let mut charges = Charges::default();
        for ((key, group), look) in self.0.iter_mut().zip(looks) {
            let Some(membership) = group.at(closing.slot) else { continue };
            let Some(look) = look else { continue };
            let tally = if span == Span::Day { &group.day } else { &group.week };
            let account = charges.account(&membership.members, spending);
            let release = closing.release(key, &tally.draft(span, look), account);
            if release.sum.is_ok() {
                charges.charge(&membership.members, closing.connections.count());
            }
            group.keep(release);
        }
    }
}

impl Closing<'_> {
    /// Everything about a group in this slot, in one pass over its members.
    fn look(&self, members: &[u32]) -> Look {
        let (mut count, mut sum) = (0_u32, 0_i64);
        let mut capacities = Capacities::default();
        for &member in members {
            let Some(stint) = self.connections.at(member, self.slot) else { continue };
            count = count.saturating_add(1);
            capacities.add(stint.capacity_w());
            sum = sum.saturating_add(self.contribution(member, stint));
        }
        Look { members: count, sum, fit: self.judge(count, &capacities) }
    }

    /// Whether a sum may go out, by public data alone.
    fn judge(&self, count: u32, capacities: &Capacities) -> Result<(), Withheld> {
        let rules = &self.policy.monitoring;
        if !self.metered {
            return Err(Withheld::NotMetered);
        }
        if count < rules.minimum_group {
            return Err(Withheld::TooFewMembers);
        }
        match capacities.dominant(rules) {
            Some(_) => Err(Withheld::Dominance),
            None => Ok(()),
        }
    }

    /// What one member adds: its net energy, clipped; nothing if missing or above capacity.
    fn contribution(&self, member: u32, stint: &Stint) -> i64 {
        let value = self.slotful.value(member);
        let Some(value) = value.filter(|value| !value.exceeds(stint, self.policy)) else {
            return 0;
        };
        let clip = self.policy.monitoring.clip_wh.get().cast_signed();
        value.net().get().clamp(clip.saturating_neg(), clip)
    }

    /// The draft with its noise, or withheld if a member's budget does not pay for it.
    fn release(&self, key: &GroupKey, draft: &Draft, account: Account) -> Release {
        let Draft { span, slots, members, sum } = *draft;
        let sum = sum.and_then(|sum| {
            if !account.affords_one() {
                return Err(Withheld::BudgetSpent);
            }
            let noise = noise(&self.policy.monitoring, span, self.seed, self.slot, key);
            noise.map(|noise| noisy(sum, noise)).ok_or(Withheld::NotMetered)
        });
        let left = if sum.is_ok() { account.after_one().left() } else { account.left() };
        Release { span, slot: self.slot, slots, members, sum, left }
    }
}

/// The number of the range that `slot` lies in. Days begin at multiples of w, weeks at multiples
/// of 7 w, less three days: 1970 began on a Thursday.
fn range(rules: &Monitoring, span: Span, slot: Slot) -> u64 {
    let window = rules.window_slots;
    let (number, length) = match span {
        Span::Slot => (slot.get(), 1),
        Span::Day => (slot.get(), window),
        Span::Week => {
            (slot.get().saturating_add(window.saturating_mul(3)), window.saturating_mul(7))
        }
    };
    number.checked_div(length).unwrap_or(0)
}

/// The noise of one release.
///
/// `None` with probability below 2^-100, when the sampler reached a bound: the release is then
/// withheld rather than drawn from another distribution.
pub(crate) fn noise(
    rules: &Monitoring,
    span: Span,
    seed: &[u8; 32],
    slot: Slot,
    key: &GroupKey,
) -> Option<i64> {
    let purpose = match span {
        Span::Slot => Purpose::Noise,
        Span::Day => Purpose::DayNoise,
        Span::Week => Purpose::WeekNoise,
    };
    // No identifier has a space: no two groups have one noise.
    let name = format!("{} {}", key.group, key.dno);
    let mut stream = Stream::new(seed, purpose, slot.get(), &name);
    laplace::sample(Scale::of(rules, span)?, &mut stream)
}

/// Sum plus noise, held within what can be sent. That looks at the noisy value alone, so it says
/// nothing more than it.
pub(crate) fn noisy(sum: i64, noise: i64) -> NetWattHours {
    let most = NetWattHours::MAX.get();
    let noisy = sum.saturating_add(noise).clamp(most.saturating_neg(), most);
    NetWattHours::new(noisy).unwrap_or_default()
}
