//! A small bill by hand, and one fault at a time.

use tre_wire::hex::Hex32;
use tre_wire::message::meter::SlotPrice;
use tre_wire::units::MinorUnits;

use super::*;

fn slot(number: u64) -> Slot {
    Slot::new(number).expect("in range")
}

fn price(micro: i64) -> PricePerKwh {
    PricePerKwh::new(micro).expect("in range")
}

fn wh(energy: u64) -> WattHours {
    WattHours::new(energy).expect("in range")
}

/// The golden policy with `least` slots to a level.
fn policy(least: u64) -> Policy {
    let golden = include_bytes!("../../../../tests/vectors/v1/messages/policy.json");
    let mut policy: Policy = serde_json::from_slice(golden).expect("a policy");
    policy.billing.min_slots_per_level = least;
    policy
}

fn receipt(number: u64, (import, export): (u64, u64), seq: u64, status: ReceiptStatus) -> Receipt {
    Receipt { slot: slot(number), import_wh: wh(import), export_wh: wh(export), seq, status }
}

/// Slot 10 is replaced, 11 repeated, 12 exports, 13 came late, 14 was refused, 20 is of the next
/// period.
fn receipts() -> Vec<Receipt> {
    use ReceiptStatus::{Accepted, AcceptedLate, Closed, Repeated, Replaced};
    vec![
        receipt(10, (9_999, 0), 1, Accepted),
        receipt(10, (1_000, 0), 2, Replaced),
        receipt(11, (500, 0), 1, Accepted),
        receipt(11, (500, 0), 1, Repeated),
        receipt(12, (0, 300), 1, Accepted),
        receipt(13, (40, 0), 1, AcceptedLate),
        receipt(14, (7_000, 0), 1, Closed),
        receipt(20, (8_000, 0), 1, Accepted),
    ]
}

/// Two prices: a tenth until slot 12, then a half.
fn prices() -> Vec<MeterPrices> {
    let row = |number, micro| SlotPrice { slot: slot(number), price: price(micro) };
    let series = |tariff: &str, rows| MeterPrices {
        supplier: "supplier".parse().expect("an identifier"),
        tariff: tariff.parse().expect("an identifier"),
        prices: rows,
    };
    vec![
        series("flat", vec![row(10, 100_000), row(11, 100_000)]),
        series("flat", vec![row(12, 500_000)]),
        series("another", vec![row(11, 900_000)]),
    ]
}

/// Slots 10 to 15 of tariff `flat`.
fn bill(total: i64, basis: Basis, policy: &Policy) -> Bill {
    let supplier = "supplier".parse().expect("an identifier");
    let tariff = "flat".parse().expect("an identifier");
    let period = (slot(10), slot(16));
    let runs = [(slot(10), price(100_000)), (slot(12), price(500_000))];
    let series = price_series((&supplier, &tariff), period, &runs);
    Bill {
        account: "account".parse().expect("an identifier"),
        supplier,
        tariff,
        from_slot: period.0,
        to_slot: period.1,
        total_minor: MinorUnits::new(total).expect("in range"),
        basis,
        price_series: Hex32(series),
        policy: Hex32(policy.digest()),
    }
}

const NONE: (&[Bid], &[Bid]) = (&[], &[]);

/// The lines that differ. `bids` are those that won and those that were not delivered.
fn differing(bill: &Bill, policy: &Policy, bids: (&[Bid], &[Bid])) -> Vec<&'static str> {
    differing_after(0, bill, policy, bids)
}

/// The same of a household that was off the tariff for so many slots.
fn differing_after(
    away: u64,
    bill: &Bill,
    policy: &Policy,
    (credits, penalties): (&[Bid], &[Bid]),
) -> Vec<&'static str> {
    let (receipts, prices) = (&receipts(), &prices());
    let evidence = Evidence { receipts, prices, credits, penalties, away, policy };
    let lines = check(bill, evidence).into_iter();
    lines.filter(|line| !line.agrees()).map(|line| line.line).collect()
}

#[test]
fn a_right_bill_agrees_in_every_line() {
    // 1,500 Wh at 0.10 and -260 Wh at 0.50 are 0.15 - 0.13 = 0.02: two cents.
    let policy = policy(2);
    assert_eq!(differing(&bill(2, Basis::Slots, &policy), &policy, NONE), [""; 0]);
}

#[test]
fn a_bill_at_the_mean_price_agrees_in_every_line() {
    // 1,240 Wh at (2 x 0.10 + 4 x 0.50) / 6 = 0.3667 are 45.47 cents.
    let policy = policy(3);
    assert_eq!(differing(&bill(45, Basis::Mean, &policy), &policy, NONE), [""; 0]);
}

/// Slots 5 to 11, of which the last two have a price.
fn priced_late(policy: &Policy) -> Bill {
    let (from_slot, to_slot) = (slot(5), slot(12));
    let right = bill(0, Basis::Mean, policy);
    let runs = [(slot(10), price(100_000))];
    let series = price_series((&right.supplier, &right.tariff), (from_slot, to_slot), &runs);
    Bill { from_slot, to_slot, price_series: Hex32(series), ..right }
}

#[test]
fn slots_that_were_priced_too_late_are_owed_nothing_for() {
    let policy = policy(3);
    let right = priced_late(&policy);
    assert_eq!(differing(&right, &policy, NONE), [""; 0]);
}

#[test]
fn who_left_and_came_back_is_billed_at_the_mean_of_the_whole() {
    let policy = policy(2);
    let back = bill(45, Basis::Mean, &policy);
    assert_eq!(differing_after(1, &back, &policy, NONE), [""; 0]);
    assert_eq!(differing(&back, &policy, NONE), ["basis", "total, minor units"]);
}

#[test]
fn slots_away_do_not_make_a_late_price_early_enough() {
    let policy = policy(2);
    let right = priced_late(&policy);
    assert_eq!(differing_after(1, &right, &policy, NONE), [""; 0]);
    assert_eq!(differing(&right, &policy, NONE), ["basis", "total, minor units"]);
}

#[test]
fn a_credit_is_taken_off() {
    let policy = policy(2);
    let won = Bid { quantity_wh: wh(100), price: price(200_000) };
    assert_eq!(differing(&bill(0, Basis::Slots, &policy), &policy, (&[won], &[])), [""; 0]);
    let differs = differing(&bill(2, Basis::Slots, &policy), &policy, (&[won], &[]));
    assert_eq!(differs, ["total, minor units"]);
}

#[test]
fn the_policys_share_of_what_was_not_delivered_is_charged() {
    let mut policy = policy(2);
    policy.demand_response.penalty_millionths = 1_500_000;
    let won = [Bid { quantity_wh: wh(100), price: price(200_000) }];
    // Two cents earned, three charged.
    assert_eq!(differing(&bill(3, Basis::Slots, &policy), &policy, (&won, &won)), [""; 0]);
}

#[test]
fn every_line_that_differs_is_named() {
    let policy = policy(2);
    let right = bill(2, Basis::Slots, &policy);
    let wrong = Bill { total_minor: MinorUnits::new(3).expect("in range"), ..right.clone() };
    assert_eq!(differing(&wrong, &policy, NONE), ["total, minor units"]);
    let wrong = Bill { price_series: Hex32([0; 32]), ..right.clone() };
    assert_eq!(differing(&wrong, &policy, NONE), ["price series"]);
    let wrong = Bill { policy: Hex32([0; 32]), ..right.clone() };
    assert_eq!(differing(&wrong, &policy, NONE), ["policy"]);
    let wrong = Bill { basis: Basis::Mean, ..right };
    assert_eq!(differing(&wrong, &policy, NONE), ["basis"]);
}
