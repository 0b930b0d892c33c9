//! Rules of bills, and the price guard: what a supplier may choose of prices.
//!
//! A bill is the sum of price times energy. Whoever may choose every price may read single
//! readings out of it. So prices come on few levels, each over many slots: a bill then tells at
//! most [`Billing::levels_most`] sums, each over at least [`Billing::min_slots_per_level`] slots.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::PolicyError;
use crate::bounds;
use crate::units::{MinorUnit, PricePerKwh};

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
    /// Lowest price that a supplier may publish.
    pub price_floor: PricePerKwh,
    /// Highest price that a supplier may publish.
    pub price_ceiling: PricePerKwh,
    /// L: most different prices in one period.
    pub levels_most: u32,
    /// Fewest slots of a period that each of its prices covers.
    pub min_slots_per_level: u64,
    /// Fewest connections of a tariff whose prices a supplier may publish: a tariff of one would
    /// be priced to its only customer.
    pub minimum_tariff: u32,
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

/// Most levels that a policy may allow: with more the guard would guard nothing.
const MOST_LEVELS: u64 = 64;

impl Billing {
    pub(super) fn check(&self) -> Result<(), PolicyError> {
        let period = self.minimum_period_slots;
        let points = u64::try_from(bounds::POINTS).unwrap_or(u64::MAX);
        for (field, found, least, most) in [
            ("minimum_period_slots", period, 1, 1_000_000),
            ("levels_most", u64::from(self.levels_most), 1, MOST_LEVELS),
            // A level that no period could hold would keep every period from ending.
            ("min_slots_per_level", self.min_slots_per_level, 1, period),
            ("minimum_tariff", u64::from(self.minimum_tariff), 1, points),
        ] {
            if found < least || found > most {
                return Err(PolicyError::Range { field, least, most, found });
            }
        }
        let (floor, ceiling) = (self.price_floor, self.price_ceiling);
        if ceiling < floor {
            return Err(PolicyError::PriceRange { floor, ceiling });
        }
        Ok(())
    }

    pub(super) fn hash_into(&self, hash: &mut Sha256) {
        hash.update(self.minimum_period_slots.to_be_bytes());
        hash.update(u64::from(u32::from(self.minor_unit_nano)).to_be_bytes());
        hash.update([match self.over_capacity {
            OverCapacity::BilledAsRead => 1,
            OverCapacity::LeftOut => 2,
        }]);
        hash.update(self.price_floor.get().to_be_bytes());
        hash.update(self.price_ceiling.get().to_be_bytes());
        hash.update(u64::from(self.levels_most).to_be_bytes());
        hash.update(self.min_slots_per_level.to_be_bytes());
        hash.update(u64::from(self.minimum_tariff).to_be_bytes());
    }
}
