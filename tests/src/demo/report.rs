//! What each party saw beside the truth: a table and `report.html` for people, `result.json` for
//! programs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tre_wire::message::dno::{Aggregate, Span, Withheld};
use tre_wire::message::meter::{BidOutcome, ReceiptStatus};

use crate::demo::flows::{Seen, event_slots, last_before_notice};
use crate::demo::homes::{GROUPS, Homes, SLOTS};
use crate::demo::stage::Shown;
use crate::demo::{page, recompute};
use crate::place;

/// One bill beside its recomputation.
#[derive(Clone, Debug, Serialize)]
struct BillRow {
    home: String,
    supplier: String,
    billed_minor: Option<i64>,
    recomputed_minor: i64,
    /// Whether its bid won, and then whether the home delivered.
    delivered: Option<bool>,
}

impl BillRow {
    fn is_equal(&self) -> bool {
        self.billed_minor == Some(self.recomputed_minor)
    }
}

/// Where `make attacks` leaves its table.
#[must_use]
pub fn attacks() -> PathBuf {
    place::root().join("target/attacks/attacks.json")
}

/// Writes and prints the report; whether every bill equals its recomputation.
///
/// # Errors
///
/// When the folder cannot be written.
#[expect(clippy::print_stdout, reason = "a command line")]
pub fn write(out: &Path, shown: &Shown, homes: &Homes, seen: &Seen) -> Result<bool> {
    let aggregates = aggregates(homes, seen);
    let bills = bills(homes, seen);
    let equal = bills.iter().filter(|row| row.is_equal()).count();
    let [kept, short] =
        [true, false].map(|kept| bills.iter().filter(|row| row.delivered == Some(kept)).count());
    let result = json!({
        "mode": shown.mode,
        "attestation": attestation(shown),
        "image": { "sha256": shown.image_sha256, "pcrs": pcrs(shown) },
        "aggregates": aggregates,
        "extra_query": seen.extra,
        "bills": bills,
        "events": [event(seen, kept, short)],
    });
    fs::create_dir_all(out).with_context(|| format!("making {}", out.display()))?;
    let path = out.join("result.json");
    fs::write(&path, serde_json::to_vec_pretty(&result)?)?;
    let page = out.join("report.html");
    page::write(&page, &result, &attacks())?;

    print_meters(homes, seen);
    print_dno(homes, seen);
    print_extra(&seen.extra);
    print_bills(&bills);
    let (pseudo_bids, accepted, _) = &seen.event;
    println!(
        "\nThe demand side manager saw {pseudo_bids} pseudo-bids without a name, accepted \
        {accepted}. Nobody changed its day for it: {kept} winners drew less than their baseline by \
        what they offered, {short} did not and were charged what their bids earned. Credits and \
        penalties stand inside their bills."
    );
    println!("\n{equal} of {} bills equal their recomputation.", bills.len());
    println!("Report: {}, for programs {}", page.display(), path.display());
    Ok(equal == bills.len() && complete(homes, seen))
}

/// Whether nothing was lost: every reading receipted, every sum there, the event's counts agree.
#[expect(clippy::print_stdout, reason = "a command line")]
fn complete(homes: &Homes, seen: &Seen) -> bool {
    let receipts = seen.meters.iter().flat_map(|meter| meter.receipts.values());
    let receipts = receipts.copied().fold(0, u64::saturating_add);
    let readings = homes.readings.iter().flatten().count();
    let sums: usize = (0..GROUPS).map(|group| released(seen, group).count()).sum();
    let answers = seen.meters.iter().flat_map(|meter| &meter.answers);
    let bids = answers.filter(|answer| answer.bid.is_some()).count();
    let outcomes = seen.meters.iter().flat_map(|meter| &meter.outcomes);
    let won = outcomes.filter(|row| row.outcome == BidOutcome::Accepted).count();
    let (pseudo_bids, accepted, _) = &seen.event;
    let mut whole = refused(&seen.extra).is_some();
    for (what, expected, found) in [
        ("receipts", readings, usize::try_from(receipts).unwrap_or(usize::MAX)),
        ("sums", GROUPS.saturating_mul(SLOTS), sums),
        ("pseudo-bids", bids, *pseudo_bids),
        ("winners", *accepted, won),
    ] {
        if expected != found {
            println!("{what}: expected {expected}, found {found}");
            whole = false;
        }
    }
    whole
}

fn attestation(shown: &Shown) -> Value {
    let examination = &shown.examination;
    let checks = examination.checks.iter().map(|check| {
        json!({
            "name": check.check.to_string(),
            "expected": check.expected,
            "found": check.found,
            "ok": check.ok,
        })
    });
    let facts = examination.verdict.as_ref().ok().map(|attested| attested.facts().clock);
    json!({
        "verdict": if facts.is_some() { "accepted" } else { "refused" },
        "checks": checks.collect::<Vec<_>>(),
        "clock": facts.map(|clock| clock.clock_ms),
        "reset_count": facts.map(|clock| clock.reset_count),
    })
}

fn pcrs(shown: &Shown) -> Map<String, Value> {
    let values = shown.examination.evidence.pcrs.iter();
    values.enumerate().map(|(pcr, value)| (pcr.to_string(), json!(value.to_string()))).collect()
}

fn members(homes: &Homes, group: usize) -> Vec<&[u64]> {
    let all = homes.readings.iter().enumerate();
    let own = all.filter(|(index, _)| homes.group_of(*index) == group);
    own.map(|(_, readings)| readings.as_slice()).collect()
}

/// The replayed slots of group `group`, each with its number in the day.
fn released(seen: &Seen, group: usize) -> impl Iterator<Item = (usize, &Aggregate)> {
    let name = format!("g{group}");
    seen.aggregates.iter().filter_map(move |aggregate| {
        let slot = usize::try_from(aggregate.slot.since(seen.start)).ok()?;
        let wanted = aggregate.group.as_str() == name && aggregate.span == Span::Slot;
        (wanted && slot < SLOTS).then_some((slot, aggregate))
    })
}

fn aggregates(homes: &Homes, seen: &Seen) -> Vec<Value> {
    let mut rows = Vec::new();
    for group in 0..GROUPS {
        let members = members(homes, group);
        rows.extend(released(seen, group).map(|(slot, aggregate)| {
            json!({
                "group": aggregate.group,
                "slot": aggregate.slot,
                "members": aggregate.members,
                "true_wh": recompute::sum(&members, slot),
                "released_wh": aggregate.released_wh,
                "reason": aggregate.withheld,
                "lambda_milli_wh": aggregate.lambda_milli_wh,
                "standard_deviation_milli_wh": aggregate.standard_deviation_milli_wh,
                "epsilon_millionths": aggregate.epsilon_millionths,
                "epsilon_left_millionths": aggregate.epsilon_left_millionths,
            })
        }));
    }
    rows
}

/// By the slot that closed last before the notice. The demand side manager's clock and the TRE's
/// are not one, so it may be the slot before or after: the same one for all.
fn bills(homes: &Homes, seen: &Seen) -> Vec<BillRow> {
    let last = last_before_notice(&seen.policy);
    let by = [last, last.saturating_sub(1), last.saturating_add(1)]
        .map(|last| bills_by(homes, seen, last))
        .into_iter()
        .max_by_key(|rows| rows.iter().filter(|row| row.is_equal()).count());
    by.unwrap_or_default()
}

fn bills_by(homes: &Homes, seen: &Seen, last: usize) -> Vec<BillRow> {
    let homes = homes.readings.iter().zip(&seen.meters).enumerate();
    let row = |(index, (readings, meter)): (usize, (&Vec<u64>, &tre_client::replay::Summary))| {
        let won = |event| {
            let mut outcomes = meter.outcomes.iter();
            outcomes.any(|row| row.event == event && row.outcome == BidOutcome::Accepted)
        };
        let answers = meter.answers.iter().filter(|answer| won(answer.event.clone()));
        let credits = answers.filter_map(|answer| answer.bid);
        let credits = credits.map(|bid| (bid.quantity_wh.get(), bid.price.get()));
        let credits: Vec<_> = credits.collect();
        let kept =
            |credit: &(u64, i64)| recompute::delivered(readings, last, event_slots(), credit.0);
        let penalties: Vec<_> = credits.iter().copied().filter(|credit| !kept(credit)).collect();
        let account = format!("a{index:03}");
        let billed = seen.bills.iter().find(|(_, bill)| bill.account.as_str() == account);
        BillRow {
            home: account,
            supplier: format!("supplier-{}", index % 2),
            billed_minor: billed.map(|(_, bill)| bill.total_minor.get()),
            recomputed_minor: recompute::bill(readings, &seen.prices, &credits, &penalties),
            delivered: (!credits.is_empty()).then_some(penalties.is_empty()),
        }
    };
    homes.map(row).collect()
}

fn event(seen: &Seen, kept: usize, short: usize) -> Value {
    let (pseudo_bids, accepted, _) = &seen.event;
    let answers = seen.meters.iter().flat_map(|meter| &meter.answers);
    let count = |outcome| {
        let all = seen.meters.iter().flat_map(|meter| &meter.outcomes);
        all.filter(|row| row.outcome == outcome).count()
    };
    json!({
        "bids": answers.filter(|answer| answer.bid.is_some()).count(),
        "pseudo_bids": pseudo_bids,
        "decision": accepted,
        "delivered": kept,
        "short": short,
        "outcomes": {
            "accepted": count(BidOutcome::Accepted),
            "rejected": count(BidOutcome::Rejected),
            "no_bid": count(BidOutcome::NoBid),
            "pending": count(BidOutcome::Pending),
        },
    })
}

#[expect(clippy::print_stdout, reason = "a command line")]
fn print_meters(homes: &Homes, seen: &Seen) {
    let count = |status: ReceiptStatus| -> u64 {
        let counts = seen.meters.iter().filter_map(|meter| meter.receipts.get(&status));
        counts.copied().fold(0, u64::saturating_add)
    };
    let attested = seen.meters.iter().map(|meter| meter.attestations).fold(0, u64::saturating_add);
    println!(
        "\n{} meters attested {attested} connections and sent readings: {} in time, {} late \
        (billed, not in a sum), {} above capacity.",
        homes.count(),
        count(ReceiptStatus::Accepted),
        count(ReceiptStatus::AcceptedLate),
        count(ReceiptStatus::OverCapacity)
    );
}

#[expect(clippy::print_stdout, reason = "a command line")]
fn print_dno(homes: &Homes, seen: &Seen) {
    println!("\nThe network operator saw, for each group and slot, one noisy sum:");
    println!("  group  slot  members   true Wh  released Wh  lambda mWh");
    for group in 0..GROUPS {
        let members = members(homes, group);
        for (slot, aggregate) in released(seen, group).filter(|(slot, _)| slot % 24 == 0) {
            let released = aggregate.released_wh.map(|wh| wh.get().to_string());
            let released = released.unwrap_or_else(|| "withheld".to_owned());
            let (name, number) = (aggregate.group.as_str(), aggregate.members);
            let (truth, lambda) = (recompute::sum(&members, slot), aggregate.lambda_milli_wh.get());
            println!(
                "  {name:<5}  {slot:>4}  {number:>7}  {truth:>8}  {released:>11}  {lambda:>10}"
            );
        }
    }
}

/// The first sum of the extra group that was withheld because its homes' budget was spent.
fn refused(extra: &[Aggregate]) -> Option<&Aggregate> {
    extra.iter().find(|row| row.withheld == Some(Withheld::BudgetSpent))
}

#[expect(clippy::print_stdout, reason = "a command line")]
fn print_extra(extra: &[Aggregate]) {
    println!("\nIt then put the homes of g0 into one group more, to ask for them a second time:");
    match refused(extra) {
        Some(row) => println!(
            "  {}  slot {}: withheld, budget spent; {} of epsilon left to them in this window.",
            row.group,
            row.slot.get(),
            row.epsilon_left_millionths
        ),
        None => println!("  expected it to be withheld for lack of budget, found {extra:?}"),
    }
}

#[expect(clippy::print_stdout, reason = "a command line")]
fn print_bills(bills: &[BillRow]) {
    println!("\nEach supplier saw one total a customer, and no reading:");
    println!("  home  supplier    billed p  recomputed p");
    for row in bills.iter().take(6) {
        let billed = row.billed_minor.map_or_else(|| "none".to_owned(), |minor| minor.to_string());
        println!("  {}  {}  {billed:>8}  {:>12}", row.home, row.supplier, row.recomputed_minor);
    }
    println!("  ... all {} in result.json", bills.len());
}
