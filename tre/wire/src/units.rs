//! Quantities with their units, as integers.
//!
//! `Wh x micro/kWh = nano`: the units are chosen so that a price times an energy is exact, and the
//! only division in a whole bill is the last one ([`NanoCurrency::to_minor_units`]).

use core::fmt;

use serde::{Deserialize, Serialize};

/// Largest magnitude of any integer that is sent as a JSON number: 2^53 - 1.
pub const JSON_INTEGER_MAX: u64 = 9_007_199_254_740_991;

/// The same with a sign.
const SIGNED_MAX: i64 = JSON_INTEGER_MAX.cast_signed();

/// Why an integer is not the quantity that was expected.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected {least} to {most} {unit}, found {found}")]
pub struct OutOfRange {
    /// Least value allowed.
    pub least: i128,
    /// Greatest value allowed.
    pub most: i128,
    /// Name of the unit.
    pub unit: &'static str,
    /// Value found.
    pub found: i128,
}

macro_rules! quantity {
    ($($(#[$doc:meta])* $name:ident($raw:ty) $least:expr, $most:expr, $unit:literal;)*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize,
        )]
        #[serde(try_from = "i128", into = "i128")]
        pub struct $name($raw);

        impl $name {
            /// Greatest value that can be sent.
            pub const MAX: Self = Self($most);

            /// The number, in the unit that the type names.
            #[must_use]
            pub const fn get(self) -> $raw {
                self.0
            }

            /// The quantity of `value` units.
            ///
            /// # Errors
            ///
            /// [`OutOfRange`] with the range of this type.
            pub fn new(value: $raw) -> Result<Self, OutOfRange> {
                Self::try_from(i128::from(value))
            }
        }

        impl TryFrom<i128> for $name {
            type Error = OutOfRange;

            fn try_from(found: i128) -> Result<Self, OutOfRange> {
                let (least, most): ($raw, $raw) = ($least, $most);
                let (least, most) = (i128::from(least), i128::from(most));
                let outside = OutOfRange { least, most, unit: $unit, found };
                if found < least || found > most {
                    return Err(outside);
                }
                <$raw>::try_from(found).map(Self).map_err(|_| outside)
            }
        }

        impl From<$name> for i128 {
            fn from(value: $name) -> Self {
                Self::from(value.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} {}", self.0, $unit)
            }
        }
    )*};
}

quantity! {
    /// Energy over one metering interval, in one direction. At most 1 GWh.
    WattHours(u64) 0, 1_000_000_000, "Wh";
    /// Energy with a sign: import minus export, a sum over a group, a sum plus noise.
    NetWattHours(i64) -SIGNED_MAX, SIGNED_MAX, "Wh";
    /// Power that a connection is built for. At most 1 GW.
    Watts(u64) 1, 1_000_000_000, "W";
    /// Price of energy in millionths of the currency per kWh. Negative prices are real.
    PricePerKwh(i64) -1_000_000_000_000, 1_000_000_000_000, "micro-currency/kWh";
    /// Money in the currency's minor unit (pence, cents), as a bill states it.
    MinorUnits(i64) -SIGNED_MAX, SIGNED_MAX, "minor units";
    /// Width of the noise, lambda, in thousandths of a watt-hour. `[TRE14 III-C]`
    MilliWattHours(u64) 0, JSON_INTEGER_MAX, "mWh";
    /// Privacy parameter epsilon in millionths. At most 100.
    Epsilon(u64) 1, 100_000_000, "millionths";
    /// What of a privacy budget is spent or left, in millionths of epsilon. May be nothing.
    Budget(u64) 0, 100_000_000, "millionths";
    /// A share of a whole in millionths.
    Share(u64) 1, 1_000_000, "millionths";
    /// A point in time: milliseconds since 1970-01-01 UTC, leap seconds not counted.
    UnixMillis(u64) 0, JSON_INTEGER_MAX, "ms";
    /// Metering interval number: time divided by the policy's slot length, rounded down.
    Slot(u64) 0, JSON_INTEGER_MAX, "slots";
}

/// Money in billionths of the currency: what a price times an energy gives. Never sent.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct NanoCurrency(i128);

impl WattHours {
    /// What `self` imported and `export` exported leave. Exact: both are at most 10^9.
    #[must_use]
    pub fn net_of(self, export: Self) -> NetWattHours {
        NetWattHours(self.0.cast_signed().saturating_sub(export.0.cast_signed()))
    }
}

impl PricePerKwh {
    /// What `energy` costs at this price. Exact: `|i64 x i64| < 2^127` cannot overflow.
    #[must_use]
    #[expect(clippy::arithmetic_side_effects, reason = "|i64 x i64| < 2^127 always fits an i128")]
    pub fn cost_of(self, energy: NetWattHours) -> NanoCurrency {
        NanoCurrency(i128::from(self.0) * i128::from(energy.0))
    }
}

impl NanoCurrency {
    /// Nothing owed.
    pub const ZERO: Self = Self(0);

    /// The number of billionths.
    #[must_use]
    pub const fn get(self) -> i128 {
        self.0
    }

    /// The sum, or `None` past the range of 128 bits.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// `self` times `factor`, or `None` past the range of 128 bits.
    #[must_use]
    pub fn checked_mul(self, factor: i128) -> Option<Self> {
        self.0.checked_mul(factor).map(Self)
    }

    /// So many millionths of `self`, rounded towards nothing; `None` past the range of 128 bits.
    #[must_use]
    pub fn part_in_million(self, millionths: u64) -> Option<Self> {
        self.0.checked_mul(i128::from(millionths))?.checked_div(1_000_000).map(Self)
    }

    /// The difference, or `None` past the range of 128 bits.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Rounds to the currency's minor unit, half to even: the one division of a bill.
    ///
    /// `nano_per_minor` is how many billionths one minor unit has: 10^7 for a hundredth.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] when the amount cannot be sent.
    pub fn to_minor_units(self, nano_per_minor: MinorUnit) -> Result<MinorUnits, OutOfRange> {
        self.part_to_minor_units(1, nano_per_minor)
    }

    /// One of `parts` equal parts in the minor unit, rounded once, half to even. Of no part: the
    /// whole.
    ///
    /// # Errors
    ///
    /// [`OutOfRange`] if no bill can state it.
    pub fn part_to_minor_units(
        self,
        parts: u64,
        nano_per_minor: MinorUnit,
    ) -> Result<MinorUnits, OutOfRange> {
        let unit = i128::from(nano_per_minor.0).saturating_mul(i128::from(parts.max(1)));
        let floor = self.0.div_euclid(unit);
        let twice = self.0.rem_euclid(unit).saturating_mul(2);
        let up = twice > unit || (twice == unit && floor.rem_euclid(2) == 1);
        MinorUnits::try_from(floor.saturating_add(i128::from(up)))
    }
}

/// How many billionths of the currency its minor unit has. At least 1.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct MinorUnit(u32);

impl TryFrom<u32> for MinorUnit {
    type Error = OutOfRange;

    fn try_from(nano: u32) -> Result<Self, OutOfRange> {
        if nano == 0 || nano > 1_000_000_000 {
            let found = i128::from(nano);
            return Err(OutOfRange { least: 1, most: 1_000_000_000, unit: "nano", found });
        }
        Ok(Self(nano))
    }
}

impl From<MinorUnit> for u32 {
    fn from(unit: MinorUnit) -> Self {
        unit.0
    }
}

impl Slot {
    /// The slot after this one.
    #[must_use]
    pub fn next(self) -> Self {
        self.plus(1)
    }

    /// The slot `count` later; the last slot of all time has no successor.
    #[must_use]
    pub fn plus(self, count: u64) -> Self {
        Self(self.0.saturating_add(count).min(Self::MAX.0))
    }

    /// How many slots lie between `earlier` and this one; zero if it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl UnixMillis {
    /// The time `ms` milliseconds later, at most the last that can be sent.
    #[must_use]
    pub fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms).min(Self::MAX.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn penny() -> MinorUnit {
        MinorUnit::try_from(10_000_000).expect("a hundredth")
    }

    fn rounded(nano: i128) -> i64 {
        NanoCurrency(nano).to_minor_units(penny()).expect("in range").get()
    }

    #[test]
    fn half_a_penny_rounds_to_the_even_penny() {
        assert_eq!(rounded(5_000_000), 0);
        assert_eq!(rounded(15_000_000), 2);
        assert_eq!(rounded(25_000_000), 2);
        assert_eq!(rounded(-5_000_000), 0);
        assert_eq!(rounded(-15_000_000), -2);
        assert_eq!(rounded(-25_000_000), -2);
    }

    #[test]
    fn just_beside_half_rounds_to_the_nearer_penny() {
        assert_eq!(rounded(4_999_999), 0);
        assert_eq!(rounded(5_000_001), 1);
        assert_eq!(rounded(-5_000_001), -1);
        assert_eq!(rounded(-4_999_999), 0);
    }

    #[test]
    fn a_kilowatt_hour_costs_its_price() {
        let price = PricePerKwh::new(672_000).expect("67.20 pence are 0.672 pounds");
        let kwh = WattHours::new(1_000).expect("in range").net_of(WattHours::default());
        assert_eq!(price.cost_of(kwh), NanoCurrency(672_000_000));
        assert_eq!(price.cost_of(kwh).to_minor_units(penny()).map(MinorUnits::get), Ok(67));
    }

    #[test]
    fn a_number_beyond_its_range_is_refused_with_the_range() {
        let found = i128::from(u64::MAX) + 1;
        let refused = OutOfRange { least: 0, most: 1_000_000_000, unit: "Wh", found };
        assert_eq!(WattHours::try_from(found), Err(refused));
        assert_eq!(WattHours::try_from(-1).map_err(|error| error.found), Err(-1));
    }
}
