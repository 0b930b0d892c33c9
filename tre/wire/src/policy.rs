//! The privacy policy: what the regulator fixes and the attested deployment carries.
//!
//! No company can choose any of these numbers; each flow reads them and nothing else.

use alloc::string::String;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

mod billing;

pub use billing::{Billing, OverCapacity};

use crate::bounds;
use crate::message::dno::Span;
use crate::units::WattHours;
use crate::units::{Epsilon, MilliWattHours, PricePerKwh, Share, Slot, UnixMillis};

/// The rules of one deployment. JSON, part of the deployment block.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Version of this structure.
    pub format: Format,
    /// Name for people, such as `production`.
    pub name: String,
    /// Length of a metering interval, in milliseconds. `[TRE14 III-C]`: 15 or 30 minutes.
    pub slot_ms: u64,
    /// How long after its end a slot still takes readings, in milliseconds.
    pub grace_ms: u64,
    /// How many slots after its close a missing reading may still come for the bill.
    pub lateness_slots: u64,
    /// Network monitoring.
    pub monitoring: Monitoring,
    /// Billing.
    pub billing: Billing,
    /// Demand response.
    pub demand_response: DemandResponse,
}

/// The version of [`Policy`] that this TRE reads: 4. Another is refused by its number.
///
/// Format 1 had an epsilon for one sum and no budget for many. It stated no window, so nothing
/// that reads it could say what a household's budget is. Format 2 had no price guard: a supplier
/// could choose any price for any slot, and read single readings out of bills. Format 3 did not say
/// what becomes of a winner that does not deliver.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Format(());

/// Rules of the sums that the network operator sees. `[TRE14 III-C]`
///
/// Whoever sees every release learns at most [`Self::window_epsilon`] of the readings of one
/// connection point in any [`Self::window_slots`] slots.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Monitoring {
    /// Delta: one connection contributes at most this much, either way, to the sum of one slot.
    pub clip_wh: WattHours,
    /// k: fewest members that a group needs.
    pub minimum_group: u32,
    /// Largest share of a group's declared capacity that one member may have.
    pub dominance_millionths: Share,
    /// w: slots of the window that the budget protects, and of a day total; a week total has 7 w.
    pub window_slots: u64,
    /// Sums of one slot.
    pub slot: Spending,
    /// Totals of a day.
    pub day: Spending,
    /// Totals of a week.
    pub week: Spending,
}

/// What one kind of release may spend of a connection point's privacy.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Spending {
    /// Epsilon of one release.
    pub epsilon_millionths: Epsilon,
    /// Most that all releases of this kind may spend on one point in any window.
    pub window_millionths: Epsilon,
}

/// Rules of bids. `[TRE14 III-E]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DemandResponse {
    /// Every bid's quantity is a multiple of this: unusual numbers would name the bidder.
    pub quantity_step_wh: WattHours,
    /// Every bid's price is a multiple of this.
    pub price_step: PricePerKwh,
    /// Highest price that a bid may ask.
    pub price_most: PricePerKwh,
    /// Most slots that one event may span.
    pub event_slots_most: u64,
    /// Slots before an event's announcement whose mean a winner is held against.
    pub baseline_slots: u64,
    /// How much of what it offered a winner may miss. Unit: millionths.
    pub tolerance_millionths: u64,
    /// What a winner that misses more is charged, of what its bid earned. Unit: millionths; with 0
    /// nobody is judged.
    pub penalty_millionths: u64,
}

/// Why a policy cannot govern a TRE.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// Another format than this TRE reads.
    #[error("expected policy format 4, found {found}")]
    Format {
        /// Format found.
        found: u32,
    },
    /// A window that does not hold one release.
    #[error("expected monitoring.{kind}.window_millionths of at least {least}, found {found}")]
    Window {
        /// Kind of release.
        kind: &'static str,
        /// Epsilon of one release.
        least: Epsilon,
        /// Share of the window found.
        found: Epsilon,
    },
    /// A price guard that lets no price through.
    #[error("expected billing.price_ceiling of at least {floor}, the floor, found {ceiling}")]
    PriceRange {
        /// Lowest price allowed.
        floor: PricePerKwh,
        /// Highest price allowed.
        ceiling: PricePerKwh,
    },
    /// A number outside what the flows can work with.
    #[error("expected {field} to be {least} to {most}, found {found}")]
    Range {
        /// Name of the field in the JSON.
        field: &'static str,
        /// Least value allowed.
        least: u64,
        /// Greatest value allowed.
        most: u64,
        /// Value found.
        found: u64,
    },
}

/// Longest slot and longest grace: one day. Unit: milliseconds.
const DAY_MS: u64 = 86_400_000;

impl Policy {
    /// Checks every number against what the flows can work with.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] for the first number out of range.
    pub fn check(&self) -> Result<(), PolicyError> {
        let steps = &self.demand_response;
        let positive = |price: PricePerKwh| u64::try_from(price.get()).unwrap_or(0);
        let members = u64::try_from(bounds::GROUP_MEMBERS).unwrap_or(u64::MAX);
        let slots = self.demand_response.event_slots_most;
        let group = u64::from(self.monitoring.minimum_group);
        let price_most = PricePerKwh::MAX.get().unsigned_abs();
        for (field, found, least, most) in [
            ("slot_ms", self.slot_ms, 100, DAY_MS),
            ("grace_ms", self.grace_ms, 0, DAY_MS),
            ("lateness_slots", self.lateness_slots, 0, 10_000),
            // With the longest window the widest noise is still drawn within 64 bits.
            ("clip_wh", self.monitoring.clip_wh.get(), 1, 1_000_000),
            ("window_slots", self.monitoring.window_slots, 1, bounds::WINDOW_SLOTS),
            // Two is the paper's own floor: below it a sum is a reading. [TRE14 III-C]
            ("minimum_group", group, 2, members),
            ("quantity_step_wh", steps.quantity_step_wh.get(), 1, 1_000_000_000),
            ("price_step", positive(steps.price_step), 1, price_most),
            ("price_most", positive(steps.price_most), 1, price_most),
            ("event_slots_most", slots, 1, 10_000),
            ("baseline_slots", steps.baseline_slots, 1, bounds::BASELINE_SLOTS),
            ("tolerance_millionths", steps.tolerance_millionths, 0, 1_000_000),
            // All that was earned, and as much again.
            ("penalty_millionths", steps.penalty_millionths, 0, 2_000_000),
        ] {
            if found < least || found > most {
                return Err(PolicyError::Range { field, least, most, found });
            }
        }
        self.billing.check()?;
        self.monitoring.check_spending()
    }

    /// The slot that `time` lies in.
    #[must_use]
    pub fn slot_at(&self, time: UnixMillis) -> Slot {
        let number = time.get().checked_div(self.slot_ms).unwrap_or(0);
        Slot::new(number).unwrap_or(Slot::MAX)
    }

    /// The first millisecond of `slot`.
    #[must_use]
    pub fn start_of(&self, slot: Slot) -> UnixMillis {
        UnixMillis::new(slot.get().saturating_mul(self.slot_ms)).unwrap_or(UnixMillis::MAX)
    }

    /// What a bill names the policy by that it was made under.
    ///
    /// SHA-256 of: label, format u32, H(name), then every number in the order of the fields, u64
    /// each (prices i64), what happens above capacity u8; big-endian.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(POLICY_LABEL);
        hash.update(FORMAT.to_be_bytes());
        hash.update(Sha256::digest(self.name.as_bytes()));
        let rules = &self.monitoring;
        let kinds = [rules.slot, rules.day, rules.week];
        let [slot, day, week] = kinds.map(|kind| (kind.epsilon_millionths, kind.window_millionths));
        for number in [
            self.slot_ms,
            self.grace_ms,
            self.lateness_slots,
            rules.clip_wh.get(),
            u64::from(rules.minimum_group),
            rules.dominance_millionths.get(),
            rules.window_slots,
            slot.0.get(),
            slot.1.get(),
            day.0.get(),
            day.1.get(),
            week.0.get(),
            week.1.get(),
        ] {
            hash.update(number.to_be_bytes());
        }
        self.billing.hash_into(&mut hash);
        let bids = &self.demand_response;
        hash.update(bids.quantity_step_wh.get().to_be_bytes());
        hash.update(bids.price_step.get().to_be_bytes());
        hash.update(bids.price_most.get().to_be_bytes());
        let judged = [bids.baseline_slots, bids.tolerance_millionths, bids.penalty_millionths];
        for number in [bids.event_slots_most].into_iter().chain(judged) {
            hash.update(number.to_be_bytes());
        }
        hash.finalize().into()
    }

    /// When `slot` takes no more readings: its end and the grace after it.
    #[must_use]
    pub fn close_of(&self, slot: Slot) -> UnixMillis {
        self.start_of(slot.next()).plus(self.grace_ms)
    }
}

impl Monitoring {
    /// What releases of one kind may spend.
    #[must_use]
    pub const fn spending(&self, span: Span) -> Spending {
        match span {
            Span::Slot => self.slot,
            Span::Day => self.day,
            Span::Week => self.week,
        }
    }

    /// Most that one connection can change the sum: Delta for a slot, w Delta for a total, since
    /// no window reaches more than w slots of it.
    #[must_use]
    pub const fn sensitivity_wh(&self, span: Span) -> u64 {
        match span {
            Span::Slot => self.clip_wh.get(),
            Span::Day | Span::Week => self.clip_wh.get().saturating_mul(self.window_slots),
        }
    }

    /// Lambda of one kind of release: sensitivity / epsilon, rounded down to thousandths of a
    /// watt-hour, for statements.
    ///
    /// `[TRE14 III-C]` prints Lap(1/epsilon), which presumes Delta = 1 in the unit of the sum.
    #[must_use]
    pub fn lambda(&self, span: Span) -> MilliWattHours {
        // At most 10^6 Wh times 672 slots times 10^9: 64 bits hold it.
        let scaled = self.sensitivity_wh(span).saturating_mul(1_000_000_000);
        let lambda = scaled.checked_div(self.spending(span).epsilon_millionths.get());
        MilliWattHours::new(lambda.unwrap_or(0)).unwrap_or(MilliWattHours::MAX)
    }

    /// Epsilon of a window: what all releases together may tell of one point's readings in any
    /// [`Self::window_slots`] slots. Unit: millionths.
    #[must_use]
    pub const fn window_epsilon(&self) -> u64 {
        let (slot, day, week) = (self.slot, self.day, self.week);
        let totals = day.window_millionths.get().saturating_add(week.window_millionths.get());
        slot.window_millionths.get().saturating_add(totals)
    }

    fn check_spending(&self) -> Result<(), PolicyError> {
        for (kind, field, spending) in [
            ("slot", "slot.epsilon_millionths", self.slot),
            ("day", "day.epsilon_millionths", self.day),
            ("week", "week.epsilon_millionths", self.week),
        ] {
            let (epsilon, window) = (spending.epsilon_millionths, spending.window_millionths);
            let (least, most, found) = (LEAST_EPSILON, MOST_EPSILON, epsilon.get());
            if found < least || found > most {
                return Err(PolicyError::Range { field, least, most, found });
            }
            if window < epsilon {
                return Err(PolicyError::Window { kind, least: epsilon, found: window });
            }
        }
        Ok(())
    }
}

/// First bytes of what [`Policy::digest`] hashes.
pub(crate) const POLICY_LABEL: &[u8] = b"tre-policy-v1";

/// The format of [`Policy`].
const FORMAT: u32 = 4;

/// Least epsilon of one release: below it lambda is beyond what a statement can hold. Unit:
/// millionths.
const LEAST_EPSILON: u64 = 1_000;

/// Greatest epsilon of one release: above it the noise hides nothing. Unit: millionths.
const MOST_EPSILON: u64 = 10_000_000;

impl TryFrom<u32> for Format {
    type Error = PolicyError;

    fn try_from(found: u32) -> Result<Self, PolicyError> {
        if found == FORMAT { Ok(Self(())) } else { Err(PolicyError::Format { found }) }
    }
}

impl From<Format> for u32 {
    fn from(_: Format) -> Self {
        FORMAT
    }
}

#[cfg(test)]
mod tests;
