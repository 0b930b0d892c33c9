//! The privacy policy: what the regulator fixes and the attested deployment carries.
//!
//! No company can choose any of these numbers; each flow reads them and nothing else.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::units::WattHours;
use crate::units::{Epsilon, MilliWattHours, MinorUnit, PricePerKwh, Share, Slot, UnixMillis};

/// The rules of one deployment. JSON, part of the deployment block.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Version of this structure: 1.
    pub format: u32,
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

/// Rules of the sums that the network operator sees. `[TRE14 III-C]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Monitoring {
    /// Delta: one connection contributes at most this much, either way, to one sum.
    pub clip_wh: WattHours,
    /// Epsilon of one released sum.
    pub epsilon_millionths: Epsilon,
    /// k: fewest members that a group needs.
    pub minimum_group: u32,
    /// Largest share of a group's declared capacity that one member may have.
    pub dominance_millionths: Share,
}

/// Rules of the bills that suppliers see. `[TRE14 III-D]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Billing {
    /// Shortest billing period, in slots: "the minimum value specified by the regulator".
    pub minimum_period_slots: u64,
    /// Billionths of the currency in its minor unit.
    pub minor_unit_nano: MinorUnit,
    /// Whether a reading above the connection's capacity enters the bill.
    pub over_capacity: OverCapacity,
}

/// What a reading above the connection's capacity does to the bill.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OverCapacity {
    /// It is billed as read: the meter is certified, the capacity record may be stale.
    BilledAsRead,
    /// It is left out of the bill.
    LeftOut,
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
}

/// Why a policy cannot govern a TRE.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// A later format than this TRE knows.
    #[error("expected policy format 1, found {found}")]
    Format {
        /// Format found.
        found: u32,
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
        if self.format != 1 {
            return Err(PolicyError::Format { found: self.format });
        }
        let steps = &self.demand_response;
        let positive = |price: PricePerKwh| u64::try_from(price.get()).unwrap_or(0);
        let members = u64::try_from(bounds::GROUP_MEMBERS).unwrap_or(u64::MAX);
        let period = self.billing.minimum_period_slots;
        let slots = self.demand_response.event_slots_most;
        let group = u64::from(self.monitoring.minimum_group);
        let price_most = PricePerKwh::MAX.get().unsigned_abs();
        for (field, found, least, most) in [
            ("slot_ms", self.slot_ms, 100, DAY_MS),
            ("grace_ms", self.grace_ms, 0, DAY_MS),
            ("lateness_slots", self.lateness_slots, 0, 10_000),
            ("clip_wh", self.monitoring.clip_wh.get(), 1, 1_000_000_000),
            // Two is the paper's own floor: below it a sum is a reading. [TRE14 III-C]
            ("minimum_group", group, 2, members),
            ("minimum_period_slots", period, 1, 1_000_000),
            ("quantity_step_wh", steps.quantity_step_wh.get(), 1, 1_000_000_000),
            ("price_step", positive(steps.price_step), 1, price_most),
            ("price_most", positive(steps.price_most), 1, price_most),
            ("event_slots_most", slots, 1, 10_000),
        ] {
            if found < least || found > most {
                return Err(PolicyError::Range { field, least, most, found });
            }
        }
        Ok(())
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

    /// When `slot` takes no more readings: its end and the grace after it.
    #[must_use]
    pub fn close_of(&self, slot: Slot) -> UnixMillis {
        self.start_of(slot.next()).plus(self.grace_ms)
    }

    /// Lambda = Delta / epsilon, rounded down to thousandths of a watt-hour, for statements.
    ///
    /// `[TRE14 III-C]` prints Lap(1/epsilon), which presumes Delta = 1 in the unit of the sum.
    #[must_use]
    pub fn lambda(&self) -> MilliWattHours {
        // Delta <= 10^9 and the factor is 10^9: the product fits 64 bits.
        let scaled = self.monitoring.clip_wh.get().saturating_mul(1_000_000_000);
        let lambda = scaled.checked_div(self.monitoring.epsilon_millionths.get());
        MilliWattHours::new(lambda.unwrap_or(0)).unwrap_or(MilliWattHours::MAX)
    }
}
