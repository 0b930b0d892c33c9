//! What a supplier sends and asks. `[TRE14 III-D]`

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Signed;
use crate::bounds;
use crate::hex::Hex32;
use crate::id::{AccountId, PeerId, TariffId};
use crate::units::{MinorUnits, PricePerKwh, Slot};

/// Body of `POST /v1/prices`: consecutive prices of one tariff, all in the future.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PostPrices {
    /// The supplier's tariff.
    pub tariff: TariffId,
    /// Slot of the first price.
    pub from_slot: Slot,
    /// Prices in millionths of the currency per kWh, at most [`crate::bounds::PRICES`].
    pub prices: Vec<PricePerKwh>,
}

/// Body of `POST /v1/billing-periods`: when the running period of a tariff ends. Its bills go out
/// once no reading of it may come any more and nobody may leave too soon after it:
/// [`crate::policy::Policy::lateness_slots`] later, or
/// [`crate::policy::Billing::min_slots_per_level`] if that is more.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EndPeriod {
    /// The supplier's tariff.
    pub tariff: TariffId,
    /// First slot after the period; not yet begun when the call is made.
    pub end_slot: Slot,
}

/// Answer to `GET /v1/bills?from=SLOT&after=ACCOUNT` of a supplier: its bills of periods that ended
/// at the slot or later, of the accounts after that one; and to `GET /v1/bills` of a meter: its
/// account's.
///
/// Always [`Self::bytes`] long, with spaces at its end: its length says nothing of any total.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bills {
    /// Bills of whole accounts, each account's oldest first, at most [`bounds::BILL_ROWS`]. The
    /// accounts have an order that stays and says nothing. What follows is asked for with the
    /// account of the last; without any there are no more.
    pub bills: Vec<Signed<Bill>>,
}

impl Bills {
    /// Length of every answer with `count` bills. Unit: bytes.
    #[must_use]
    pub const fn bytes(count: usize) -> usize {
        bounds::BILL_BYTES.saturating_mul(count.saturating_add(1))
    }
}

/// One bill, signed as [`crate::document::bill`] has it: "the consumer's aggregated total". `[TRE14 III-D]`
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bill {
    /// Whose.
    pub account: AccountId,
    /// To whom.
    pub supplier: PeerId,
    /// Under which tariff.
    pub tariff: TariffId,
    /// First slot of the period.
    pub from_slot: Slot,
    /// First slot after the period.
    pub to_slot: Slot,
    /// Total with all credits and penalties since the last bill, rounded once, half to even.
    pub total_minor: MinorUnits,
    /// How the energy of the period was priced.
    pub basis: Basis,
    /// The prices that it was made with: [`crate::document::price_series`].
    pub price_series: Hex32,
    /// The rules that it was made under: [`crate::policy::Policy::digest`].
    pub policy: Hex32,
}

/// How the energy of a bill is priced.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// Each slot at its own price.
    Slots,
    /// All slots at their mean price: some price covered too few slots of this account's part of
    /// the period, and would have told too much of them. Slots that a supplier began to price so
    /// late that there are fewer than a price has to cover are not billed at all.
    Mean,
}
