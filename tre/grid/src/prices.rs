//! Tariffs and their published prices. `[TRE14 III-D]`
//!
//! A tariff is the pair of supplier and name, and exists once a connection record names it. A
//! price is published before its slot begins and then stands. A slot without a price of its own
//! has the last price published for a slot before it; before any price, energy costs nothing:
//! what nobody announced, nobody owes. Which prices there may be, [`crate::guard`] judges.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use tre_wire::bounds;
use tre_wire::id::{PeerId, TariffId};
use tre_wire::message::meter::SlotPrice;
use tre_wire::message::supplier::PostPrices;
use tre_wire::policy::Billing;
use tre_wire::units::{PricePerKwh, Slot};

use crate::guard::{Coverage, Prices, judge_prices};
use crate::names::index;
use crate::refusal::PriceRefusal;

/// One tariff of one supplier.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Tariff {
    pub(crate) supplier: PeerId,
    pub(crate) id: TariffId,
    /// First slot of the running billing period.
    pub(crate) period_from: Slot,
    /// First slot after it, once the supplier has said so.
    pub(crate) period_to: Option<Slot>,
    prices: Prices,
}

/// All tariffs of a TRE, by number.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Tariffs {
    numbers: BTreeMap<(PeerId, TariffId), u32>,
    tariffs: Vec<Tariff>,
}

impl Tariffs {
    pub(crate) const fn new() -> Self {
        Self { numbers: BTreeMap::new(), tariffs: Vec::new() }
    }

    /// The number of a known tariff.
    pub(crate) fn number(&self, supplier: &PeerId, id: &TariffId) -> Option<u32> {
        self.numbers.get(&(supplier.clone(), id.clone())).copied()
    }

    pub(crate) fn tariff(&self, number: u32) -> Option<&Tariff> {
        self.tariffs.get(index(number))
    }

    pub(crate) fn tariff_mut(&mut self, number: u32) -> Option<&mut Tariff> {
        self.tariffs.get_mut(index(number))
    }

    /// Whether no new tariff fits.
    pub(crate) fn full(&self) -> bool {
        self.tariffs.len() >= bounds::TARIFFS
    }

    /// The number of a tariff that somebody is on from slot `from` on. Its first billing period
    /// begins with the first of them.
    pub(crate) fn learn(
        &mut self,
        (supplier, id): (&PeerId, &TariffId),
        from: Slot,
        begun: Slot,
    ) -> Option<u32> {
        if let Some(number) = self.number(supplier, id) {
            let tariff = self.tariff_mut(number)?;
            if tariff.period_from > begun {
                tariff.period_from = tariff.period_from.min(from);
            }
            return Some(number);
        }
        let number = u32::try_from(self.tariffs.len()).ok()?;
        let (supplier, id) = (supplier.clone(), id.clone());
        self.numbers.insert((supplier.clone(), id.clone()), number);
        let prices = BTreeMap::new();
        self.tariffs.push(Tariff { supplier, id, period_from: from, period_to: None, prices });
        Some(number)
    }

    /// The price of `slot` in every tariff, by number.
    pub(crate) fn prices_at(&self, slot: Slot) -> Vec<Option<PricePerKwh>> {
        self.tariffs.iter().map(|tariff| tariff.price_at(slot)).collect()
    }

    /// Numbers of the tariffs whose running period ends at `slot`.
    pub(crate) fn ending_at(&self, slot: Slot) -> Vec<u32> {
        let ending = self.tariffs.iter().zip(0_u32..);
        ending
            .filter(|(tariff, _)| tariff.period_to.is_some_and(|end| end <= slot))
            .map(|(_, number)| number)
            .collect()
    }
}

impl Tariff {
    /// What energy of `slot` costs; `None` if no price had been published for it or before.
    pub(crate) fn price_at(&self, slot: Slot) -> Option<PricePerKwh> {
        self.prices.range(..=slot).next_back().map(|(_, &price)| price)
    }

    /// How the prices of the slots `from..to` are spread.
    pub(crate) fn coverage(&self, from: Slot, to: Slot) -> Coverage {
        Coverage::of(&self.prices, from, to)
    }

    /// The prices that stand.
    pub(crate) const fn prices(&self) -> &Prices {
        &self.prices
    }

    /// The price that holds at `from`, under the slot it was published for, and those after it.
    pub(crate) fn series(&self, from: Slot) -> Vec<SlotPrice> {
        let first = self.prices.range(..=from).next_back().map_or(from, |(&slot, _)| slot);
        let series = self.prices.range(first..).take(bounds::ROWS);
        series.map(|(&slot, &price)| SlotPrice { slot, price }).collect()
    }

    /// Publishes the whole batch, or nothing of it.
    ///
    /// `begun` is the slot that has begun last; prices before `needed`, the first slot that some
    /// bill or late reading may still need, are forgotten when room is needed.
    pub(crate) fn publish(
        &mut self,
        body: &PostPrices,
        begun: Slot,
        needed: impl FnOnce() -> Slot,
        rules: &Billing,
    ) -> Result<(), PriceRefusal> {
        let batch = judge_batch(body, begun)?;
        for &(slot, found) in &batch {
            match self.prices.get(&slot) {
                Some(&published) if published != found => {
                    return Err(PriceRefusal::Published { slot, published, found });
                }
                Some(_) | None => {}
            }
        }
        let mut prices = self.prices.clone();
        prices.extend(batch.iter().copied());
        judge_prices(&prices, &batch, (self.period_from, self.period_to), rules)?;
        let excess = prices.len().saturating_sub(bounds::PRICE_SLOTS);
        if excess > 0 {
            // The last price at or before `needed` still holds there; all before it are spent.
            let needed = needed();
            let kept_from = prices.range(..=needed).next_back().map_or(needed, |(&slot, _)| slot);
            if excess > prices.range(..kept_from).count() {
                return Err(PriceRefusal::Full { most: bounds::PRICE_SLOTS });
            }
            for _ in 0..excess {
                prices.pop_first();
            }
        }
        self.prices = prices;
        Ok(())
    }
}

/// The batch with a slot for each price: all in the future, none past the last slot there is.
fn judge_batch(body: &PostPrices, begun: Slot) -> Result<Vec<(Slot, PricePerKwh)>, PriceRefusal> {
    let (most, found) = (bounds::PRICES, body.prices.len());
    if found == 0 || found > most {
        return Err(PriceRefusal::BatchSize { most, found });
    }
    let least = begun.next();
    if body.from_slot < least {
        return Err(PriceRefusal::TooLate { least, found: body.from_slot });
    }
    let length = u64::try_from(found).unwrap_or(u64::MAX);
    let most = Slot::new(Slot::MAX.get().saturating_sub(length)).unwrap_or_default();
    if body.from_slot > most {
        return Err(PriceRefusal::TooFar { most, found: body.from_slot });
    }
    let slots = (0..length).map(|offset| body.from_slot.plus(offset));
    Ok(slots.zip(body.prices.iter().copied()).collect())
}
