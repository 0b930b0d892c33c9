//! What the document key signs of the three flows.

use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use crate::id::{EventId, PeerId, TariffId};
use crate::message::dno::{Aggregate, Span, Withheld};
use crate::message::dsm::PseudoBid;
use crate::message::meter::MeterPrices;
use crate::message::supplier::{Basis, Bill};
use crate::units::{PricePerKwh, Slot};

/// First bytes of what [`price_series`] hashes.
pub(super) const SERIES: &[u8] = b"tre-price-series-v1";

/// First bytes of a signed bill.
pub(super) const BILL: &[u8] = b"tre-bill-v1";

/// First bytes of a signed price series.
pub(super) const PRICES: &[u8] = b"tre-prices-v1";

/// First bytes of signed sums.
pub(super) const AGGREGATES: &[u8] = b"tre-aggregates-v1";

/// First bytes of a signed set of pseudo-bids.
pub(super) const PSEUDO_BIDS: &[u8] = b"tre-pseudo-bids-v1";

/// What a bill names the prices by that it was made with.
///
/// SHA-256 of: label, H(supplier), H(tariff), first slot u64, first slot after the last u64, then
/// for each run of slots with one price: first slot u64, price i64; big-endian. No price stands
/// before the first run.
#[must_use]
pub fn price_series(
    (supplier, tariff): (&PeerId, &TariffId),
    (from, to): (Slot, Slot),
    runs: &[(Slot, PricePerKwh)],
) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(SERIES);
    hash.update(Sha256::digest(supplier.as_str().as_bytes()));
    hash.update(Sha256::digest(tariff.as_str().as_bytes()));
    hash.update(from.get().to_be_bytes());
    hash.update(to.get().to_be_bytes());
    for (slot, price) in runs {
        hash.update(slot.get().to_be_bytes());
        hash.update(price.get().to_be_bytes());
    }
    hash.finalize().into()
}

/// The bytes signed over one bill.
///
/// Label, H(TRE id), H(supplier), H(tariff), H(account), first slot u64, first slot after the
/// period u64, total i64, basis u8, price series 32, policy 32; integers big-endian.
#[must_use]
pub fn bill(tre_id: &str, bill: &Bill) -> Vec<u8> {
    let mut bytes = BILL.to_vec();
    for name in [tre_id, bill.supplier.as_str(), bill.tariff.as_str(), bill.account.as_str()] {
        bytes.extend_from_slice(&Sha256::digest(name.as_bytes()));
    }
    bytes.extend_from_slice(&bill.from_slot.get().to_be_bytes());
    bytes.extend_from_slice(&bill.to_slot.get().to_be_bytes());
    bytes.extend_from_slice(&bill.total_minor.get().to_be_bytes());
    bytes.push(match bill.basis {
        Basis::Slots => 1,
        Basis::Mean => 2,
    });
    bytes.extend_from_slice(&bill.price_series.0);
    bytes.extend_from_slice(&bill.policy.0);
    bytes
}

/// The bytes signed over the prices of a tariff that a meter is shown.
///
/// Label, H(TRE id), H(supplier), H(tariff), count u32, then for each: slot u64, price i64;
/// integers big-endian.
#[must_use]
pub fn prices(tre_id: &str, series: &MeterPrices) -> Vec<u8> {
    let names = [tre_id, series.supplier.as_str(), series.tariff.as_str()];
    let mut bytes = begin(PRICES, &names, series.prices.len());
    for row in &series.prices {
        bytes.extend_from_slice(&row.slot.get().to_be_bytes());
        bytes.extend_from_slice(&row.price.get().to_be_bytes());
    }
    bytes
}

/// The bytes signed over the sums that a network operator is shown.
///
/// Label, H(TRE id), H(network operator), count u32, then for each: H(group), span u8, slot u64,
/// slots u32, members u32, what was released u8 and i64 (0 and 0 for nothing), why it was withheld
/// u8 (0 if it was not), then lambda, mean error, deviation, epsilon and what is left u64 each;
/// integers big-endian.
#[must_use]
pub fn aggregates(tre_id: &str, dno: &PeerId, rows: &[Aggregate]) -> Vec<u8> {
    let mut bytes = begin(AGGREGATES, &[tre_id, dno.as_str()], rows.len());
    for row in rows {
        bytes.extend_from_slice(&Sha256::digest(row.group.as_str().as_bytes()));
        bytes.push(match row.span {
            Span::Slot => 1,
            Span::Day => 2,
            Span::Week => 3,
        });
        bytes.extend_from_slice(&row.slot.get().to_be_bytes());
        bytes.extend_from_slice(&row.slots.to_be_bytes());
        bytes.extend_from_slice(&row.members.to_be_bytes());
        bytes.push(u8::from(row.released_wh.is_some()));
        bytes.extend_from_slice(&row.released_wh.unwrap_or_default().get().to_be_bytes());
        bytes.push(match row.withheld {
            None => 0,
            Some(Withheld::TooFewMembers) => 1,
            Some(Withheld::Dominance) => 2,
            Some(Withheld::NotMetered) => 3,
            Some(Withheld::BudgetSpent) => 4,
        });
        let noise = [row.lambda_milli_wh, row.mean_error_milli_wh];
        for width in noise.into_iter().chain([row.standard_deviation_milli_wh]) {
            bytes.extend_from_slice(&width.get().to_be_bytes());
        }
        bytes.extend_from_slice(&row.epsilon_millionths.get().to_be_bytes());
        bytes.extend_from_slice(&row.epsilon_left_millionths.get().to_be_bytes());
    }
    bytes
}

/// The bytes signed over the pseudo-bids of an event.
///
/// Label, H(TRE id), H(demand side manager), H(event), count u32, then for each, in the order sent:
/// id 32, quantity u64, price i64; integers big-endian.
#[must_use]
pub fn pseudo_bids(tre_id: &str, dsm: &PeerId, event: &EventId, rows: &[PseudoBid]) -> Vec<u8> {
    let mut bytes = begin(PSEUDO_BIDS, &[tre_id, dsm.as_str(), event.as_str()], rows.len());
    for row in rows {
        bytes.extend_from_slice(&row.id.0);
        bytes.extend_from_slice(&row.bid.quantity_wh.get().to_be_bytes());
        bytes.extend_from_slice(&row.bid.price.get().to_be_bytes());
    }
    bytes
}

/// Label, the hash of each name, the number of rows.
fn begin(label: &[u8], names: &[&str], rows: usize) -> Vec<u8> {
    let mut bytes = label.to_vec();
    for name in names {
        bytes.extend_from_slice(&Sha256::digest(name.as_bytes()));
    }
    bytes.extend_from_slice(&u32::try_from(rows).unwrap_or(u32::MAX).to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::meter::{Bid, SlotPrice};
    use crate::units::WattHours;

    #[test]
    fn a_signed_bill_and_its_prices_are_these_bytes() {
        let [from_slot, to_slot] = [1, 9].map(|slot| Slot::new(slot).expect("in range"));
        let (supplier, tariff): (PeerId, TariffId) =
            ("s".parse().expect("an identifier"), "t".parse().expect("an identifier"));
        let price = PricePerKwh::new(-2).expect("in range");
        let series =
            price_series((&supplier, &tariff), (from_slot, to_slot), &[(from_slot, price)]);
        let bill_sent = Bill {
            account: "a".parse().expect("an identifier"),
            supplier,
            tariff,
            from_slot,
            to_slot,
            total_minor: crate::units::MinorUnits::new(-3).expect("in range"),
            basis: Basis::Mean,
            price_series: crate::hex::Hex32(series),
            policy: crate::hex::Hex32([7; 32]),
        };
        let expected: [u8; 32] = Sha256::digest(
            [
                b"tre-price-series-v1".as_slice(),
                &Sha256::digest("s"),
                &Sha256::digest("t"),
                &[0, 0, 0, 0, 0, 0, 0, 1], // first slot
                &[0, 0, 0, 0, 0, 0, 0, 9], // first slot after
                &[0, 0, 0, 0, 0, 0, 0, 1], // first slot of the run
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe], // its price, -2
            ]
            .concat(),
        )
        .into();
        assert_eq!(series, expected);
        let expected = [
            b"tre-bill-v1".as_slice(),
            &Sha256::digest("tre-1"),
            &Sha256::digest("s"),
            &Sha256::digest("t"),
            &Sha256::digest("a"),
            &[0, 0, 0, 0, 0, 0, 0, 1],                         // first slot
            &[0, 0, 0, 0, 0, 0, 0, 9],                         // first slot after
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd], // total, -3
            &[2],                                              // at the mean price
            &expected,
            &[7; 32],
        ]
        .concat();
        assert_eq!(bill("tre-1", &bill_sent), expected);
    }

    #[test]
    fn signed_prices_and_pseudo_bids_are_these_bytes() {
        let series = MeterPrices {
            supplier: "s".parse().expect("an identifier"),
            tariff: "t".parse().expect("an identifier"),
            prices: Vec::from([SlotPrice {
                slot: Slot::new(1).expect("in range"),
                price: PricePerKwh::new(2).expect("in range"),
            }]),
        };
        let expected = [
            b"tre-prices-v1".as_slice(),
            &Sha256::digest("tre-1"),
            &Sha256::digest("s"),
            &Sha256::digest("t"),
            &[0, 0, 0, 1],             // count
            &[0, 0, 0, 0, 0, 0, 0, 1], // slot
            &[0, 0, 0, 0, 0, 0, 0, 2], // price
        ]
        .concat();
        assert_eq!(prices("tre-1", &series), expected);
        let bid = Bid {
            quantity_wh: WattHours::new(3).expect("in range"),
            price: PricePerKwh::new(4).expect("in range"),
        };
        let row = PseudoBid { id: crate::hex::Hex32([9; 32]), bid };
        let expected = [
            b"tre-pseudo-bids-v1".as_slice(),
            &Sha256::digest("tre-1"),
            &Sha256::digest("d"),
            &Sha256::digest("e"),
            &[0, 0, 0, 1], // count
            &[9; 32],      // id
            &[0, 0, 0, 0, 0, 0, 0, 3],
            &[0, 0, 0, 0, 0, 0, 0, 4],
        ]
        .concat();
        let (dsm, event) = ("d".parse().expect("an id"), "e".parse().expect("an id"));
        assert_eq!(pseudo_bids("tre-1", &dsm, &event, &[row]), expected);
    }

    #[test]
    fn signed_sums_are_these_bytes() {
        let milli = |number| crate::units::MilliWattHours::new(number).expect("in range");
        let row = Aggregate {
            group: "g".parse().expect("an identifier"),
            span: Span::Day,
            slot: Slot::new(1).expect("in range"),
            slots: 2,
            members: 3,
            released_wh: None,
            withheld: Some(Withheld::BudgetSpent),
            lambda_milli_wh: milli(4),
            mean_error_milli_wh: milli(5),
            standard_deviation_milli_wh: milli(6),
            epsilon_millionths: crate::units::Budget::new(0).expect("in range"),
            epsilon_left_millionths: crate::units::Budget::new(7).expect("in range"),
        };
        let expected = [
            b"tre-aggregates-v1".as_slice(),
            &Sha256::digest("tre-1"),
            &Sha256::digest("d"),
            &[0, 0, 0, 1], // count
            &Sha256::digest("g"),
            &[2],                      // a day
            &[0, 0, 0, 0, 0, 0, 0, 1], // slot
            &[0, 0, 0, 2],             // slots
            &[0, 0, 0, 3],             // members
            &[0; 9],                   // nothing released
            &[4],                      // the budget is spent
            &[0, 0, 0, 0, 0, 0, 0, 4], // lambda
            &[0, 0, 0, 0, 0, 0, 0, 5], // mean error
            &[0, 0, 0, 0, 0, 0, 0, 6], // deviation
            &[0; 8],                   // epsilon
            &[0, 0, 0, 0, 0, 0, 0, 7], // left
        ]
        .concat();
        assert_eq!(aggregates("tre-1", &"d".parse().expect("an identifier"), &[row]), expected);
    }
}
