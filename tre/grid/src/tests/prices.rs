//! Prices are published before their slot and then stand.

use super::*;
use crate::PriceRefusal;
use tre_wire::bounds;
use tre_wire::units::PricePerKwh;

fn refused(town: &mut Town, from: u64, prices: &[i64]) -> PriceRefusal {
    match town.post_prices(from, prices) {
        Err(Refusal::Price(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// (slot from START on, micro per kWh) as the meter sees it.
fn series(town: &Town, from: u64) -> Vec<(u64, i64)> {
    let prices = town.grid.prices(&id("meter-home-0"), slot(from)).expect("connected").prices;
    prices.iter().map(|row| (row.slot.get() - START, row.price.get())).collect()
}

#[test]
fn a_price_is_refused_once_its_slot_has_begun() {
    let mut town = Town::with_homes(1);
    let (least, found) = (slot(START + 1), slot(START));
    assert_eq!(refused(&mut town, START, &[1]), PriceRefusal::TooLate { least, found });
    town.go(START + 1, 0);
    let (least, found) = (slot(START + 2), slot(START + 1));
    assert_eq!(refused(&mut town, START + 1, &[1, 2]), PriceRefusal::TooLate { least, found });
    town.go(START + 1, SLOT_MS - 1);
    assert_eq!(town.post_prices(START + 2, &[1, 2]), Ok(Outcome::Done));
}

#[test]
fn a_published_price_stands_and_may_be_repeated() {
    let mut town = Town::with_homes(1);
    assert_eq!(town.post_prices(START + 2, &[10, 20]), Ok(Outcome::Done));
    let before = town.grid.clone();
    assert_eq!(town.post_prices(START + 2, &[10, 20]), Ok(Outcome::Done));
    assert_eq!(town.grid, before);
    let published =
        PriceRefusal::Published { slot: slot(START + 3), published: price(20), found: price(21) };
    assert_eq!(refused(&mut town, START + 3, &[21]), published);
}

#[test]
fn of_a_batch_with_one_conflict_nothing_is_published() {
    let mut town = Town::with_homes(1);
    assert_eq!(town.post_prices(START + 3, &[30]), Ok(Outcome::Done));
    let published =
        PriceRefusal::Published { slot: slot(START + 3), published: price(30), found: price(31) };
    assert_eq!(refused(&mut town, START + 1, &[10, 20, 31, 40]), published);
    assert_eq!(series(&town, 0), [(3, 30)]);
    assert_eq!(town.post_prices(START + 1, &[10, 20, 30, 40]), Ok(Outcome::Done));
    assert_eq!(series(&town, 0), [(1, 10), (2, 20), (3, 30), (4, 40)]);
}

#[test]
fn a_publication_has_one_to_672_prices() {
    let mut town = Town::with_homes(1);
    let most = bounds::PRICES;
    for found in [0, most + 1] {
        let prices = alloc::vec![1; found];
        assert_eq!(refused(&mut town, START + 1, &prices), PriceRefusal::BatchSize { most, found });
    }
}

#[test]
fn a_series_beyond_the_last_slot_is_refused() {
    let mut town = Town::with_homes(1);
    let last = Slot::MAX.get();
    let (most, found) = (slot(last - 2), slot(last - 1));
    assert_eq!(refused(&mut town, last - 1, &[1, 2]), PriceRefusal::TooFar { most, found });
    assert_eq!(town.post_prices(last - 2, &[1, 2]), Ok(Outcome::Done));
}

#[test]
fn an_unknown_tariff_and_that_of_another_supplier_are_refused_alike() {
    let mut town = Town::with_homes(1);
    let mut ask = |supplier: &str, tariff: &str| {
        let body = PostPrices {
            tariff: id(tariff),
            from_slot: slot(START + 1),
            prices: Vec::from([price(1)]),
        };
        town.act(Command::PostPrices { supplier: id(supplier), body })
    };
    let unknown = Err(Refusal::Price(PriceRefusal::UnknownTariff));
    assert_eq!(ask("supplier", "nothing"), unknown);
    assert_eq!(ask("other", "flat"), unknown);
    assert_eq!(ask("supplier", "flat"), Ok(Outcome::Done));
}

#[test]
fn the_same_name_of_two_suppliers_is_two_tariffs() {
    let mut town = Town::with_homes(1);
    let mut record = Town::home("other", START, None);
    record.supplier = id("second");
    assert_eq!(town.put("other", record), Ok(Outcome::Done));
    assert_eq!(town.post_prices(START + 1, &[7]), Ok(Outcome::Done));
    assert_eq!(series(&town, 0), [(1, 7)]);
    assert_eq!(town.grid.prices(&id("meter-other"), slot(0)).map(|all| all.prices), Ok(Vec::new()));
}

#[test]
fn prices_are_kept_up_to_a_bound_and_spent_ones_make_room() {
    let mut town = Town::with_homes(1);
    let batch = alloc::vec![5; 512];
    for number in 0..16 {
        assert_eq!(town.post_prices(START + 1 + 512 * number, &batch), Ok(Outcome::Done));
    }
    let most = bounds::PRICE_SLOTS;
    assert_eq!(refused(&mut town, START + 1 + 8_192, &[6]), PriceRefusal::Full { most });
    // A reading of slot START + 1 may not come any more, but no bill has been made of its price.
    town.close(START + 1 + LATENESS);
    assert_eq!(refused(&mut town, START + 1 + 8_192, &[6]), PriceRefusal::Full { most });
    assert_eq!(town.end_period(START + PERIOD), Ok(Outcome::Done));
    // The period has ended, but a bill of it is still to be made.
    town.close(START + PERIOD + LATENESS - 2);
    assert_eq!(refused(&mut town, START + 1 + 8_192, &[6]), PriceRefusal::Full { most });
    town.settle(START + PERIOD);
    // Now of slots START + 1 to START + 9 neither a bill nor a reading is to come.
    assert_eq!(refused(&mut town, START + 1 + 8_192, &[6; 10]), PriceRefusal::Full { most });
    assert_eq!(town.post_prices(START + 1 + 8_192, &[6; 9]), Ok(Outcome::Done));
    assert_eq!(series(&town, 0)[0], (10, 5));
}

#[test]
fn a_slot_without_a_price_has_the_last_one_before_it() {
    let mut town = Town::with_homes(1);
    assert_eq!(town.post_prices(START + 2, &[1_000_000]), Ok(Outcome::Done));
    assert_eq!(town.post_prices(START + 4, &[-3_000_000]), Ok(Outcome::Done));
    let mut last = 0;
    let mut costs = Vec::new();
    for number in 1..6 {
        town.go(START + number, GRACE_MS);
        town.read("home-0", START + number, 10, number);
        town.close(START + number);
        costs.push((town.running("home-0") - last) / 10_000_000);
        last = town.running("home-0");
    }
    // Before any price energy costs nothing.
    assert_eq!(costs, [0, 1, 1, -3, -3]);
}

#[test]
fn a_meter_sees_the_price_that_holds_at_the_asked_slot_and_those_after_it() {
    let mut town = Town::with_homes(1);
    assert_eq!(town.post_prices(START + 2, &[10, 20]), Ok(Outcome::Done));
    assert_eq!(town.post_prices(START + 9, &[90]), Ok(Outcome::Done));
    assert_eq!(series(&town, START), [(2, 10), (3, 20), (9, 90)]);
    assert_eq!(series(&town, START + 3), [(3, 20), (9, 90)]);
    assert_eq!(series(&town, START + 5), [(3, 20), (9, 90)]);
    assert_eq!(series(&town, START + 20), [(9, 90)]);
}

#[test]
fn the_widest_price_of_the_most_energy_is_exact() {
    let mut town = Town::new(policy());
    let mut record = Town::home("home-0", START, None);
    record.capacity_w = Watts::MAX;
    assert_eq!(town.put("home-0", record), Ok(Outcome::Done));
    assert_eq!(town.post_prices(START + 1, &[PricePerKwh::MAX.get()]), Ok(Outcome::Done));
    town.go(START + 1, 0);
    town.read("home-0", START + 1, 500_000_000, 1);
    town.close(START + 1);
    assert_eq!(town.running("home-0"), 500_000_000_000_000_000_000);
}
