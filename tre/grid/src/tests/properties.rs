//! Properties over any order, interleaving and repetition.

use alloc::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};

use super::*;
use crate::releases::noise;
use tre_wire::message::meter::BidOutcome;

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_release_is_the_clipped_sum_for_any_order_and_interleaving(
        sent in vec(((0..HOMES, 1_u64..3, 0_u64..8), (0_u64..7_000, 0_u64..7_000)), 0..60),
        order in vec(any::<Index>(), 120),
        groups in vec(subsequence((0..HOMES).collect::<Vec<_>>(), 3..=5), 1..4),
    ) {
        release_is_the_clipped_sum(&sent, &order, &groups);
    }

    #[test]
    fn a_bill_is_the_exact_sum_for_any_pattern_of_repetition(
        prices in vec(-2_000_000_i64..2_000_000, 30),
        sent in vec(vec((0..3_u64, 0_u64..7, 0_u64..5_000, 0_u64..5_000, 0_u64..4), 0..8), 30),
    ) {
        bill_is_the_exact_sum(&prices, &sent);
    }

    #[test]
    fn bids_and_pseudo_bids_stand_one_to_one(
        said in vec((0..HOMES, prop::option::of((1_u64..50, 1_i64..100))), 0..25),
        accept in vec(any::<bool>(), 5),
    ) {
        bids_stand_one_to_one(&said, &accept);
    }
}

const HOMES: u64 = 5;

fn home(number: u64) -> String {
    format!("home-{number}")
}

/// Home, slot and counter of a reading; import and export.
type Metered = ((u64, u64, u64), (u64, u64));

/// Without its noise a release is the clipped sum of its members' values with the highest counters,
/// in whatever order they came and however often, readings of two open slots in between each other,
/// and whatever other groups its members are in.
fn release_is_the_clipped_sum(sent: &[Metered], order: &[Index], groups: &[Vec<u64>]) {
    // One value for each home, slot and counter; each may be sent several times.
    let values: Vec<_> = sent.iter().copied().collect::<BTreeMap<_, _>>().into_iter().collect();
    let mut town = Town::with_homes(5);
    for (number, members) in (0..).zip(groups) {
        let names: Vec<String> = members.iter().map(|&member| home(member)).collect();
        let members: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(town.put_group("dno", &format!("g{number}"), &members), Ok(Outcome::Done));
    }
    // Slot START + 2 has begun, and START + 1 has not closed yet.
    town.go(START + 1, 0);
    town.go(START + 2, 0);
    let mut latest = BTreeMap::new();
    for index in order.iter().filter(|_| !values.is_empty()) {
        let ((number, offset, seq), (import, export)) = values[index.index(values.len())];
        town.read_both(&home(number), START + offset, (import, export), seq);
        let kept = latest.entry((number, offset)).or_insert((seq, import, export));
        *kept = (*kept).max((seq, import, export));
    }
    for offset in 1..3 {
        let seed = seed(town.steps);
        town.close(START + offset);
        let rows = town.aggregates("dno").into_iter();
        let rows: Vec<_> = rows.filter(|row| row.slot == slot(START + offset)).collect();
        assert_eq!(rows.len(), groups.len());
        for (row, members) in rows.iter().zip(groups) {
            let counting = members.iter().filter_map(|&member| latest.get(&(member, offset)));
            let within = counting.filter(|(_, import, export)| *import.max(export) <= 5_000);
            let net = within.map(|(_, import, export)| import.cast_signed() - export.cast_signed());
            let expected: i64 = net.map(|net| net.clamp(-1_000, 1_000)).sum();
            let (rules, key) = (&town.grid.policy().monitoring, key("dno", &row.group));
            let noise = noise(rules, Span::Slot, &seed, row.slot, &key).expect("drawn");
            assert_eq!(row.released_wh.expect("released").get(), expected + noise);
        }
    }
}

/// Nearest multiple, ties to the even one; written without the code under test.
fn half_to_even(nano: i128, unit: i128) -> i64 {
    let up = (2 * nano + unit).div_euclid(2 * unit);
    let tie = (2 * nano + unit).rem_euclid(2 * unit) == 0;
    let minor = if tie && up.rem_euclid(2) == 1 { up - 1 } else { up };
    i64::try_from(minor).expect("small")
}

/// What the bills must be, kept beside the town.
struct Ledger<'a> {
    prices: &'a [i64],
    /// By period and home.
    owed: BTreeMap<(u64, usize), i128>,
    received: BTreeSet<(usize, u64)>,
    open: BTreeMap<usize, (u64, i128)>,
}

impl Ledger<'_> {
    fn owe(&mut self, home: usize, slot: u64, net: i128) {
        // Prices were published from the second slot on.
        let price = self.prices[usize::try_from(slot).expect("small")];
        let cost = if slot == 0 { 0 } else { i128::from(price) * net };
        *self.owed.entry((slot / PERIOD, home)).or_insert(0) += cost;
    }

    /// A reading of the slot `back` slots before the running one.
    fn note(&mut self, home: usize, (now, back): (u64, u64), seq: u64, net: i128) {
        let Some(metered) = now.checked_sub(back) else { return };
        if back == 0 {
            let kept = self.open.entry(home).or_insert((seq, net));
            *kept = if kept.0 < seq { (seq, net) } else { *kept };
            self.received.insert((home, metered));
        } else if back <= LATENESS && self.received.insert((home, metered)) {
            self.owe(home, metered, net);
        }
    }

    /// The bills of the period that begins at `from`.
    fn bills(&self, from: u64) -> Vec<(String, u64, u64, i64)> {
        let period = (START + from, START + from + PERIOD);
        let total = |home| self.owed.get(&(from / PERIOD, home)).copied().unwrap_or(0);
        let minor = |home| half_to_even(total(home), 10_000_000);
        let homes = 0..3_usize;
        homes.map(|it| (format!("account-home-{it}"), period.0, period.1, minor(it))).collect()
    }
}

/// (home, slots back, import, export, counter).
type Sent = (u64, u64, u64, u64, u64);

/// A bill is the exact sum, rounded once, of what counted in the slots of its period: of each the
/// value with the highest counter, or the first that came late, whenever it came. It goes out
/// once, when none may come any more, and says the same for ever. `sent` is one list for each slot.
fn bill_is_the_exact_sum(prices: &[i64], sent: &[Vec<Sent>]) {
    let mut town = Town::with_homes(3);
    assert_eq!(town.post_prices(START + 1, &prices[1..]), Ok(Outcome::Done));
    let (owed, received, open) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
    let mut ledger = Ledger { prices, owed, received, open };
    let mut bills = Vec::new();
    for (now, sent) in (0..).zip(sent) {
        town.go(START + now, GRACE_MS);
        if now % PERIOD == 0 {
            assert_eq!(town.end_period(START + now + PERIOD), Ok(Outcome::Done));
        }
        assert_eq!(town.bills(), bills);
        for &(number, back, import, export, seq) in sent {
            town.read_both(&home(number), START + now - back, (import, export), seq);
            let net = i128::from(import) - i128::from(export);
            ledger.note(usize::try_from(number).expect("small"), (now, back), seq, net);
        }
        for (home, (_, net)) in core::mem::take(&mut ledger.open) {
            ledger.owe(home, now, net);
        }
        if let Some(settled) = (now + 1).checked_sub(LATENESS).filter(|it| it % PERIOD == 0) {
            bills.extend(
                settled.checked_sub(PERIOD).into_iter().flat_map(|from| ledger.bills(from)),
            );
        }
    }
    town.settle(START + 30);
    bills.extend(ledger.bills(20));
    assert_eq!(town.bills(), bills);
}

/// Bids and pseudo-bids stand one to one, and what is accepted is credited to who bid it.
/// `said` is (home, bid as steps of quantity and price).
fn bids_stand_one_to_one(said: &[(u64, Option<(u64, i64)>)], accept: &[bool]) {
    let mut town = Town::with_homes(5);
    assert_eq!(town.open("e", START + 2, START + 4, 10_000), Ok(Outcome::Done));
    let mut standing = BTreeMap::new();
    for &(number, bid) in said {
        let bid = bid.map(|(steps, price)| (100 * steps, 10_000 * price));
        assert_eq!(town.bid(&home(number), "e", bid), Ok(Outcome::Done));
        standing.insert(number, bid);
    }
    standing.retain(|_, bid| bid.is_some());
    town.go(START, 10_000);
    let out = town.grid.pseudo_bids(&id("dsm"), &id("e")).expect("after the deadline").pseudo_bids;
    let said = |bid: Bid| (bid.quantity_wh.get(), bid.price.get());
    let shown: Vec<_> = out.iter().map(|out| said(out.bid)).collect();
    assert_eq!(sorted(shown), sorted(standing.values().copied().flatten().collect()));
    let accepted: Vec<_> = out.iter().zip(accept).filter(|(_, accept)| **accept).collect();
    let ids: Vec<Hex32> = accepted.iter().map(|(out, _)| out.id).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    assert_eq!(town.decide("e", &ids), Ok(Outcome::Done));
    let mut won = Vec::new();
    for number in 0..HOMES {
        let meter = id(format!("meter-home-{number}"));
        let outcome = town.grid.outcomes(&meter).outcomes[0].outcome;
        let owed = match (outcome, standing.get(&number).copied().flatten()) {
            (BidOutcome::Accepted, Some(bid)) => {
                won.push(bid);
                -i128::from(bid.0) * i128::from(bid.1)
            }
            (BidOutcome::Rejected, Some(_)) | (BidOutcome::NoBid, None) => 0,
            other => panic!("no such outcome: {other:?}"),
        };
        assert_eq!(town.running(&home(number)), owed);
    }
    assert_eq!(sorted(won), sorted(accepted.iter().map(|(out, _)| said(out.bid)).collect()));
}

fn sorted(mut bids: Vec<(u64, i64)>) -> Vec<(u64, i64)> {
    bids.sort_unstable();
    bids
}
