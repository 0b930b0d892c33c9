//! Whether a winner delivered what it is paid for. `[TRE14 III-E]`: the TRE "could verify" it from
//! the readings.
//!
//! The *baseline* of a connection is the mean of its readings in the slots that closed last when
//! the event was announced, rounded down: nothing that a household does after it knows of an event
//! changes it. Baselines are taken of all connections at once, and events that are announced within
//! a third of a window after that share them: else each open event would keep a number of every
//! connection. A bid of a home without a baseline is not taken. A winner delivered if its readings of
//! the event differ from the baseline by the energy that it offered, less the policy's tolerance;
//! each in time, within the connection's capacity, of the account that bid. Who did not is charged
//! the policy's share of what the bid earned. The household alone is told; its supplier
//! sees the total of the bill that it is in.
//!
//! Where the TRE itself did not run in one of the slots, of the event or of the baselines, nobody is
//! judged: so it is after a start until a window of baselines has closed. A policy without a
//! penalty judges nobody, and then no reading is kept past its slot's close.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use tre_wire::bounds;
use tre_wire::message::dsm::{Direction, EventTerms};
use tre_wire::message::meter::{Bid, Reading};
use tre_wire::policy::{DemandResponse, Policy};
use tre_wire::units::{NetWattHours, Slot};

use crate::connections::Connections;
use crate::demand_response::Credit;
use crate::event::Placed;
use crate::names::index;
use crate::readings::Slotful;
use crate::releases::Closing;

/// The readings of the slots that closed last, as many as a baseline is the mean of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Recent(VecDeque<(Slot, bool, Slotful)>);

/// The baseline of every point when one event was announced, or shortly before.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Baselines {
    /// Nobody is judged.
    Unjudged,
    /// The same for all events that share them.
    Frozen(Arc<Means>),
}

/// Means of the readings of every point.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Means {
    /// The slot that had begun last when they were taken.
    taken: Slot,
    /// First slot that they are of.
    since: Slot,
    /// By point, [`NO_BASELINE`] where a reading is missing. Unit: Wh a slot.
    means: Vec<i32>,
}

/// What a bid is held to. `None`: it is not judged.
pub(crate) type Baseline = Option<i32>;

/// A bid that won, until the last slot of its event has closed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Promise {
    pub(crate) account: u32,
    pub(crate) point: u32,
    pub(crate) tariff: u32,
    pub(crate) bid: Bid,
    pub(crate) baseline: i32,
    /// Net energy of the event's slots so far. Unit: Wh.
    energy_wh: i64,
    /// Whether every reading so far came and counts.
    whole: bool,
}

/// Stands for a point of which a reading is missing. No mean of readings is so low.
const NO_BASELINE: i32 = i32::MIN;

impl Recent {
    /// Takes in the slot that closes.
    pub(crate) fn note(&mut self, slot: Slot, metered: bool, slotful: Slotful, policy: &Policy) {
        let rules = &policy.demand_response;
        if rules.penalty_millionths == 0 {
            return;
        }
        let most = usize::try_from(rules.baseline_slots).unwrap_or(usize::MAX);
        while self.0.len() >= most {
            self.0.pop_front();
        }
        self.0.push_back((slot, metered, slotful));
    }

    /// What is kept of one point, in order of slots.
    pub(crate) fn of(&self, point: u32) -> impl Iterator<Item = Reading> {
        self.0.iter().filter_map(move |(slot, _, slotful)| {
            slotful.value(point).map(|value| value.reading(*slot))
        })
    }

    /// The baselines of an event that is announced in slot `taken`, which has begun.
    pub(crate) fn freeze(
        &self,
        taken: Slot,
        connections: &Connections,
        policy: &Policy,
    ) -> Baselines {
        let rules = &policy.demand_response;
        let kept = u64::try_from(self.0.len()).unwrap_or(0);
        let whole = kept == rules.baseline_slots && self.0.iter().all(|(_, metered, _)| *metered);
        let Some(since) = self.0.front().map(|(slot, ..)| *slot).filter(|_| whole) else {
            return Baselines::Unjudged;
        };
        if rules.penalty_millionths == 0 {
            return Baselines::Unjudged;
        }
        let points = u32::try_from(connections.count()).unwrap_or(u32::MAX);
        let mean = |point| self.mean(point, connections, policy).unwrap_or(NO_BASELINE);
        Baselines::Frozen(Arc::new(Means { taken, since, means: (0..points).map(mean).collect() }))
    }

    fn mean(&self, point: u32, connections: &Connections, policy: &Policy) -> Option<i32> {
        let mut sum = 0_i64;
        for (slot, _, slotful) in &self.0 {
            let value = slotful.value(point)?;
            let stint = connections.at(point, *slot)?;
            if value.exceeds(stint, policy) {
                return None;
            }
            sum = sum.checked_add(value.net().get())?;
        }
        let slots = i64::try_from(self.0.len()).ok()?;
        sum.checked_div_euclid(slots).and_then(|mean| i32::try_from(mean).ok())
    }
}

impl Baselines {
    /// What a bid of the point is held to, if there is anything to hold it to: its household has
    /// been there since slot `there`.
    pub(crate) fn of(&self, point: u32, there: Slot) -> Option<Baseline> {
        match self {
            Self::Unjudged => Some(None),
            Self::Frozen(frozen) => {
                let mean = frozen.means.get(index(point)).copied();
                let mean = mean.filter(|&mean| mean != NO_BASELINE && there <= frozen.since);
                mean.map(Some)
            }
        }
    }

    /// Whether an event that is announced in slot `begun` shares these.
    pub(crate) fn serve(&self, begun: Slot, policy: &Policy) -> bool {
        let apart = policy.monitoring.window_slots.div_ceil(bounds::BASELINES_PER_WINDOW);
        match self {
            Self::Unjudged => false,
            Self::Frozen(frozen) => begun < frozen.taken.plus(apart),
        }
    }
}

impl Promise {
    pub(crate) const fn new(placed: &Placed, baseline: i32) -> Self {
        let &Placed { bid, point, account, tariff, .. } = placed;
        Self { account, point, tariff, bid, baseline, energy_wh: 0, whole: true }
    }

    /// Takes in a slot of the event, which closes.
    pub(crate) fn meter(&mut self, closing: &Closing<'_>) {
        let stint = closing.connections.at(self.point, closing.slot);
        let stint = stint.filter(|stint| stint.account == self.account);
        let value = closing.slotful.value(self.point);
        let counts =
            stint.zip(value).filter(|(stint, value)| !value.exceeds(stint, closing.policy));
        match counts {
            Some((_, value)) => {
                self.energy_wh = self.energy_wh.saturating_add(value.net().get());
            }
            None => self.whole = false,
        }
    }

    /// Whether the promise was kept, when all slots of the event have closed.
    pub(crate) fn kept(&self, terms: &EventTerms, rules: &DemandResponse) -> bool {
        let slots = i128::from(terms.to_slot.since(terms.from_slot));
        let usual = i128::from(self.baseline).saturating_mul(slots);
        let less = usual.saturating_sub(i128::from(self.energy_wh));
        let delivered = match terms.direction {
            Direction::Reduce => less,
            Direction::Increase => less.saturating_neg(),
        };
        let offered = i128::from(self.bid.quantity_wh.get());
        let share = MILLION.saturating_sub(i128::from(rules.tolerance_millionths));
        self.whole && delivered.saturating_mul(MILLION) >= offered.saturating_mul(share)
    }

    /// What a broken promise costs: the policy's share of what it earned.
    pub(crate) fn penalty(&self, rules: &DemandResponse) -> Credit {
        // At most 10^9 Wh.
        let energy = NetWattHours::new(self.bid.quantity_wh.get().cast_signed());
        let earned = self.bid.price.cost_of(energy.unwrap_or_default());
        let amount = earned.part_in_million(rules.penalty_millionths).unwrap_or(earned);
        Credit { account: self.account, tariff: self.tariff, amount }
    }
}

/// Millionths in one.
const MILLION: i128 = 1_000_000;
