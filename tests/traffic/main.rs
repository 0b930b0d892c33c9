//! Whoever watches the wire: does a household bid?
//!
//! The real `tred`, real meters, and between them a relay that notes every TLS record: which way it
//! went, of which kind, how long it was. A coin decides for each meter and event whether it bids,
//! and what; some of it the TRE refuses. The watcher has seen one meter bid and one not, and
//! guesses of every other trace which of the two it is like. Its bound is a coin's.

#![forbid(unsafe_code)]
#![expect(clippy::expect_used, reason = "a test stops where its own tools fail")]
#![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

mod relay;
mod scene;

use std::fs;
use std::io::Write as _;

use rand_core::{OsRng, RngCore as _};
use serde_json::{Value, json};
use tre_tests::place;
use tre_wire::message::meter::Bid;
use tre_wire::units::{PricePerKwh, WattHours};

use relay::Trace;
use scene::Scene;

/// Meters.
const METERS: usize = 16;

/// Events that each answers.
const EVENTS: usize = 4;

/// What meter `meter` says to event `event`: the first bids, the second does not, a coin decides
/// for all others. Every sixth bid is off the public steps, and refused.
fn choose(meter: usize) -> Option<Bid> {
    let coin = OsRng.next_u32();
    let bids = match meter {
        0 => true,
        1 => false,
        _ => coin.is_multiple_of(2),
    };
    let steps = u64::from(coin >> 8) % 90;
    let off = u64::from((coin >> 1).is_multiple_of(6));
    bids.then(|| Bid {
        quantity_wh: WattHours::new(100 + 100 * steps + off).expect("in range"),
        price: PricePerKwh::new(10_000 * (1 + i64::from(coin >> 16) % 90)).expect("in range"),
    })
}

/// How often the watcher is right of `traces`, after the two that it knows.
fn right(known: (&Trace, &Trace), traces: &[(bool, Trace)]) -> usize {
    let guess = |trace: &Trace| match (trace == known.0, trace == known.1) {
        (true, false) => true,
        (false, true) => false,
        // Like both, or like neither.
        _ => OsRng.next_u32().is_multiple_of(2),
    };
    traces.iter().filter(|(bid, trace)| guess(trace) == *bid).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_packet_trace_does_not_tell_a_bidder_from_who_does_not_bid() {
    let mut scene = Scene::set(METERS, EVENTS).await.expect("a scene");
    let mut answers = Vec::new();
    let mut bidders = vec![false; METERS];
    for (meter, bidder) in bidders.iter_mut().enumerate() {
        for event in 0..EVENTS {
            let bid = choose(meter);
            *bidder |= bid.is_some();
            let trace = scene.answer(meter, event, bid).await.expect("a trace");
            answers.push((bid.is_some(), trace));
        }
    }
    scene.decide().await.expect("decisions");
    let mut polls = Vec::new();
    for (meter, bid) in bidders.into_iter().enumerate() {
        polls.push((bid, scene.poll(meter).await.expect("a trace")));
    }
    let games = [("answers", answers, EVENTS), ("outcomes", polls, 1)];
    let mut rows = Vec::new();
    for (what, traces, second) in &games {
        let (known, unknown) = ((&traces[0].1, &traces[*second].1), &traces[2 * second..]);
        let (right, all) = (right(known, unknown), unknown.len());
        let told = format!("{what}: right of {right} in {all} traces, bound a coin's");
        writeln!(std::io::stderr(), "{told}").expect("an error stream");
        rows.push(json!({
            "name": format!("wire-{what}"),
            "what": format!("whoever watches the wire: is it a bidder's? {all} traces of {what}"),
            "right_permille": right * 1_000 / all,
            "bound_permille": 500,
            "held": traces.iter().all(|(_, trace)| trace == known.0),
        }));
    }
    keep(&json!({ "rounds": 1, "attacks": rows })).expect("a table");
    for (what, traces, _) in &games {
        for (bid, trace) in traces {
            assert_eq!(trace, &traces[0].1, "{what}: told apart; bid: {bid}");
        }
    }
}

/// Leaves the table where `make attacks` takes it up.
fn keep(table: &Value) -> anyhow::Result<()> {
    let folder = place::root().join("target/attacks");
    fs::create_dir_all(&folder)?;
    Ok(fs::write(folder.join("traffic.json"), serde_json::to_vec_pretty(table)?)?)
}
