//! Recomputes a bill from what a household has itself: receipts of its readings, prices that were
//! published to it, credits that it was promised, penalties, and the policy.
//!
//! Everything in whole numbers; one rounding, half to even, at the end.

use std::collections::BTreeMap;

use serde::Serialize;
use tre_wire::document::price_series;
use tre_wire::hex;
use tre_wire::message::meter::{Bid, MeterPrices, Receipt, ReceiptStatus};
use tre_wire::message::supplier::{Basis, Bill};
use tre_wire::policy::{OverCapacity, Policy};
use tre_wire::units::{NanoCurrency, NetWattHours, PricePerKwh, Slot, WattHours};

/// What a household has to check a bill with.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Receipts of its readings, in any order.
    pub receipts: &'a [Receipt],
    /// Prices of its tariffs, in any order.
    pub prices: &'a [MeterPrices],
    /// Bids that won since the last bill.
    pub credits: &'a [Bid],
    /// Bids that won and were not delivered, whose events ended since the last bill.
    pub penalties: &'a [Bid],
    /// Slots of the bill's period in which the household was off the tariff, between others in
    /// which it was on it.
    pub away: u64,
    /// The rules that it knows.
    pub policy: &'a Policy,
}

/// One line of a bill, beside what it should be.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Line {
    /// Which line.
    pub line: &'static str,
    /// What the household works out.
    pub expected: String,
    /// What the bill says.
    pub found: String,
}

impl Line {
    /// Whether the bill says what it should.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.expected == self.found
    }
}

/// The runs of slots with one price in the bill's period, and how many slots each price covers.
struct Spread {
    runs: Vec<(Slot, PricePerKwh)>,
    levels: BTreeMap<PricePerKwh, u64>,
}

/// Every line of the bill that can be worked out.
#[must_use]
pub fn check(bill: &Bill, evidence: Evidence<'_>) -> Vec<Line> {
    let prices = published(bill, evidence.prices);
    let spread = spread(bill, &prices);
    let names = (&bill.supplier, &bill.tariff);
    let series = price_series(names, (bill.from_slot, bill.to_slot), &spread.runs);
    let rules = &evidence.policy.billing;
    let few = spread.levels.len() <= usize::try_from(rules.levels_most).unwrap_or(usize::MAX);
    let many = spread.levels.values().all(|&slots| slots >= rules.min_slots_per_level);
    // Nobody was there in the slots away, so no price has as many as it seems.
    let there = evidence.away == 0 || spread.levels.is_empty();
    let basis = if there && few && many { Basis::Slots } else { Basis::Mean };
    let total = total(bill, basis, &prices, &spread, evidence);
    let stated = |total: i64| total.to_string();
    vec![
        Line {
            line: "policy",
            expected: hex::encode(&evidence.policy.digest()),
            found: hex::encode(&bill.policy.0),
        },
        Line {
            line: "price series",
            expected: hex::encode(&series),
            found: hex::encode(&bill.price_series.0),
        },
        Line { line: "basis", expected: word(basis), found: word(bill.basis) },
        Line {
            line: "total, minor units",
            expected: total.map_or_else(|| String::from("more than a bill can state"), stated),
            found: stated(bill.total_minor.get()),
        },
    ]
}

fn word(basis: Basis) -> String {
    String::from(match basis {
        Basis::Slots => "slots",
        Basis::Mean => "mean",
    })
}

/// All published prices of the bill's tariff, by slot.
fn published(bill: &Bill, prices: &[MeterPrices]) -> BTreeMap<Slot, PricePerKwh> {
    let own =
        |series: &&MeterPrices| series.supplier == bill.supplier && series.tariff == bill.tariff;
    let rows = prices.iter().filter(own).flat_map(|series| &series.prices);
    rows.map(|row| (row.slot, row.price)).collect()
}

fn price_at(prices: &BTreeMap<Slot, PricePerKwh>, slot: Slot) -> Option<PricePerKwh> {
    prices.range(..=slot).next_back().map(|(_, &price)| price)
}

fn spread(bill: &Bill, prices: &BTreeMap<Slot, PricePerKwh>) -> Spread {
    let (mut runs, mut levels) = (Vec::new(), BTreeMap::new());
    let mut slot = bill.from_slot;
    while slot < bill.to_slot {
        if let Some(price) = price_at(prices, slot) {
            let covered: &mut u64 = levels.entry(price).or_default();
            *covered = covered.saturating_add(1);
            if runs.last().is_none_or(|&(_, last)| last != price) {
                runs.push((slot, price));
            }
        }
        slot = slot.next();
    }
    Spread { runs, levels }
}

/// The energy that counts in each slot of the period: of the receipts that count the one with the
/// highest counter.
fn energy(bill: &Bill, evidence: Evidence<'_>) -> BTreeMap<Slot, NetWattHours> {
    let mut counting: BTreeMap<Slot, (u64, NetWattHours)> = BTreeMap::new();
    for receipt in evidence.receipts {
        let net = match receipt.status {
            ReceiptStatus::Accepted
            | ReceiptStatus::Replaced
            | ReceiptStatus::Repeated
            | ReceiptStatus::AcceptedLate => receipt.import_wh.net_of(receipt.export_wh),
            ReceiptStatus::OverCapacity => match evidence.policy.billing.over_capacity {
                OverCapacity::BilledAsRead => receipt.import_wh.net_of(receipt.export_wh),
                OverCapacity::LeftOut => NetWattHours::default(),
            },
            ReceiptStatus::Closed
            | ReceiptStatus::NotYet
            | ReceiptStatus::NoConnection
            | ReceiptStatus::StaleSequence => continue,
        };
        let within = receipt.slot >= bill.from_slot && receipt.slot < bill.to_slot;
        let repeated = receipt.status == ReceiptStatus::Repeated;
        let newer = match counting.get(&receipt.slot) {
            Some(&(seq, _)) => receipt.seq > seq,
            None => true,
        };
        // A repetition says nothing new, and may be of a reading that is left out.
        if within && newer && !(repeated && counting.contains_key(&receipt.slot)) {
            counting.insert(receipt.slot, (receipt.seq, net));
        }
    }
    counting.into_iter().map(|(slot, (_, net))| (slot, net)).collect()
}

/// Credits and penalties together: what bids earned, less the policy's share of what was promised
/// and not delivered.
fn credits(evidence: Evidence<'_>) -> Option<NanoCurrency> {
    let part = evidence.policy.demand_response.penalty_millionths;
    let none = WattHours::default();
    let won = evidence.credits.iter().try_fold(NanoCurrency::ZERO, |sum, bid| {
        sum.checked_add(bid.price.cost_of(none.net_of(bid.quantity_wh)))
    });
    evidence.penalties.iter().try_fold(won?, |sum, bid| {
        let earned = bid.price.cost_of(bid.quantity_wh.net_of(none));
        sum.checked_add(earned.part_in_million(part)?)
    })
}

/// What is owed, in minor units.
fn total(
    bill: &Bill,
    basis: Basis,
    prices: &BTreeMap<Slot, PricePerKwh>,
    spread: &Spread,
    evidence: Evidence<'_>,
) -> Option<i64> {
    let (mut cost, mut sum_wh) = (NanoCurrency::ZERO, 0_i64);
    for (slot, net) in energy(bill, evidence) {
        let Some(price) = price_at(prices, slot) else { continue };
        cost = cost.checked_add(price.cost_of(net))?;
        sum_wh = sum_wh.checked_add(net.get())?;
    }
    let credits = credits(evidence)?;
    let unit = evidence.policy.billing.minor_unit_nano;
    let rounded = match basis {
        Basis::Slots => cost.checked_add(credits)?.to_minor_units(unit),
        Basis::Mean => {
            // A first price so late that the bill would tell of too few slots earns nothing.
            let priced = spread.levels.values().copied().fold(0, u64::saturating_add);
            let held = priced.saturating_sub(evidence.away);
            let late = priced < bill.to_slot.since(bill.from_slot)
                && held < evidence.policy.billing.min_slots_per_level;
            let energy = NetWattHours::new(if late { 0 } else { sum_wh }).ok()?;
            let (mut all, mut parts) = (NanoCurrency::ZERO, 0_u64);
            for (price, &slots) in &spread.levels {
                all = all.checked_add(price.cost_of(energy).checked_mul(slots.into())?)?;
                parts = parts.checked_add(slots)?;
            }
            let all = all.checked_add(credits.checked_mul(parts.into())?)?;
            all.part_to_minor_units(parts, unit)
        }
    };
    rounded.ok().map(tre_wire::units::MinorUnits::get)
}

#[cfg(test)]
mod tests;
