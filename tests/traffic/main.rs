//! Whoever watches the wire: does a household bid, and is anybody at home?
//!
//! The real `tred`, real meters, and between them a relay that notes every TLS record: which way it
//! went, of which kind, how long it was. A coin decides for each meter and event whether it bids,
//! and what; some of it the TRE refuses. Another decides whether a home draws next to nothing, or
//! some amount of up to nine digits, or feeds in; some of it is above its capacity. The watcher has
//! seen one meter of either kind, and guesses of every other trace which of the two it is like. Its
//! bound is a coin's.

#![forbid(unsafe_code)]
#![expect(clippy::expect_used, reason = "a test stops where its own tools fail")]
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

mod relay;
mod scene;

use core::cmp::Ordering;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;

use anyhow::ensure;
use rand_core::{OsRng, RngCore as _};
use serde_json::{Value, json};
use tre_tests::place;
use tre_wire::message::meter::{Bid, ReceiptStatus};
use tre_wire::units::{PricePerKwh, WattHours};

use relay::Trace;
use scene::{Energy, Scene};

/// Meters.
const METERS: usize = 16;

/// Events that each answers.
const EVENTS: usize = 4;

/// Readings that each sends.
const READINGS: usize = 4;

/// What meter `meter` says to an event: the first bids, the second does not, a coin decides for all
/// others but the third. Its bids are off the public steps and refused, like every sixth of others.
fn choose(meter: usize) -> Option<Bid> {
    let coin = OsRng.next_u32();
    let bids = match meter {
        0 | 2 => true,
        1 => false,
        _ => coin.is_multiple_of(2),
    };
    let steps = u64::from(coin >> 8) % 90;
    let off = u64::from(meter == 2 || (coin >> 1).is_multiple_of(6));
    bids.then(|| Bid {
        quantity_wh: WattHours::new(100 + 100 * steps + off).expect("in range"),
        price: PricePerKwh::new(10_000 * (1 + i64::from(coin >> 16) % 90)).expect("in range"),
    })
}

/// How often the watcher is right of `traces`, after the two that it knows: it takes each for one
/// like that whose length it comes nearer to.
fn right(known: (&Trace, &Trace), traces: &[(bool, Trace)]) -> usize {
    let length = |trace: &Trace| trace.iter().map(|(_, _, length)| u64::from(*length)).sum::<u64>();
    let far = |trace: &Trace, known: &Trace| length(trace).abs_diff(length(known));
    let guess = |trace: &Trace| match far(trace, known.0).cmp(&far(trace, known.1)) {
        Ordering::Less => true,
        Ordering::Greater => false,
        Ordering::Equal => OsRng.next_u32().is_multiple_of(2),
    };
    traces.iter().filter(|(is, trace)| guess(trace) == *is).count()
}

/// What meter `meter` says of a slot: the first home is in use, the second is not, a coin decides
/// for all others.
fn metered(meter: usize) -> (bool, Energy) {
    let coin = OsRng.next_u32();
    let in_use = match meter {
        0 => true,
        1 => false,
        _ => coin.is_multiple_of(2),
    };
    let energy = |wh: u64| WattHours::new(wh).expect("in range");
    let nothing = energy(0);
    // Two to nine digits.
    let some = energy(10_u64.pow(1 + (coin >> 1) % 8) * (1 + u64::from(coin >> 8) % 9));
    let (import_wh, export_wh) = match (in_use, (coin >> 4).is_multiple_of(3)) {
        (false, _) => (energy(u64::from(coin >> 8) % 10), nothing),
        (true, false) => (some, nothing),
        (true, true) => (nothing, some),
    };
    // A meter may count as it likes.
    let seq = if in_use { OsRng.next_u64() } else { u64::from(coin >> 24) };
    (in_use, Energy { import_wh, export_wh, seq })
}

/// A game: its name, what the watcher asks itself, its traces, and how many of them are of one
/// meter.
struct Game {
    name: &'static str,
    what: &'static str,
    traces: Vec<(bool, Trace)>,
    of_one: usize,
}

/// Every meter answers every event; then it asks how that went, once all is decided.
async fn bids(scene: &mut Scene) -> anyhow::Result<[Game; 2]> {
    let (mut answers, mut polls) = (Vec::new(), Vec::new());
    let mut bidders = vec![false; METERS];
    for (meter, bidder) in bidders.iter_mut().enumerate() {
        for event in 0..EVENTS {
            let bid = choose(meter);
            *bidder |= bid.is_some();
            answers.push((bid.is_some(), scene.answer(meter, event, bid).await?));
        }
    }
    scene.decide().await?;
    for (meter, bid) in bidders.into_iter().enumerate() {
        polls.push((bid, scene.poll(meter).await?));
    }
    let what = "is it a bidder's?";
    let game = |name, traces, of_one| Game { name, what, traces, of_one };
    Ok([game("answers", answers, EVENTS), game("outcomes", polls, 1)])
}

/// Every meter sends a reading, and another; then it asks what the TRE holds on it.
async fn readings(scene: &mut Scene) -> anyhow::Result<[Game; 2]> {
    let (mut sent, mut held, mut became) = (Vec::new(), Vec::new(), BTreeSet::new());
    for meter in 0..METERS {
        let mut ever = false;
        for _ in 0..READINGS {
            let (in_use, energy) = metered(meter);
            let (trace, status) = scene.send(meter, energy).await?;
            became.insert(status);
            sent.push((in_use, trace));
            ever |= in_use;
        }
        held.push((ever, scene.account(meter).await?));
    }
    // Else the words of the receipts would not be in the game.
    let both = [ReceiptStatus::Accepted, ReceiptStatus::OverCapacity];
    ensure!(both.iter().all(|status| became.contains(status)), "found only {became:?}");
    let what = "is its home in use?";
    let game = |name, traces, of_one| Game { name, what, traces, of_one };
    Ok([game("readings", sent, READINGS), game("accounts", held, 1)])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_packet_trace_tells_neither_who_bids_nor_whose_home_is_in_use() {
    let mut scene = Scene::set(METERS, EVENTS).await.expect("a scene");
    let [answers, outcomes] = bids(&mut scene).await.expect("traces of bids");
    let [sent, held] = readings(&mut scene).await.expect("traces of readings");
    let games = [answers, outcomes, sent, held];
    let mut rows = Vec::new();
    for Game { name, what, traces, of_one } in &games {
        let (known, unknown) = ((&traces[0].1, &traces[*of_one].1), &traces[2 * of_one..]);
        let (right, all) = (right(known, unknown), unknown.len());
        let told = format!("{name}: right of {right} in {all} traces, bound a coin's");
        writeln!(std::io::stderr(), "{told}").expect("an error stream");
        rows.push(json!({
            "name": format!("wire-{name}"),
            "what": format!("whoever watches the wire: {what} {all} traces of {name}"),
            "right_permille": right * 1_000 / all,
            "bound_permille": 500,
            "held": traces.iter().all(|(_, trace)| trace == known.0),
        }));
    }
    keep(&json!({ "rounds": 1, "attacks": rows })).expect("a table");
    for Game { name, traces, .. } in &games {
        for (is, trace) in traces {
            assert_eq!(trace, &traces[0].1, "{name}: told apart; truly: {is}");
        }
    }
}

/// Leaves the table where `make attacks` takes it up.
fn keep(table: &Value) -> anyhow::Result<()> {
    let folder = place::root().join("target/attacks");
    fs::create_dir_all(&folder)?;
    Ok(fs::write(folder.join("traffic.json"), serde_json::to_vec_pretty(table)?)?)
}
