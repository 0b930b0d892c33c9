//! `tre-client meter replay`

use core::hash::{BuildHasher as _, Hasher as _};
use core::time::Duration;
use std::path::{Path, PathBuf};

use clap::Args;
use tre_client::bidding::{BidRule, Offer};
use tre_client::file::readings::WideReadings;
use tre_client::file::{self, TableError};
use tre_client::replay::{Plan, Step, Summary, replay};
use tre_client::wire::message::kept::{Content, Kept};
use tre_client::wire::units::{PricePerKwh, WattHours};

use crate::meter::connect;
use crate::options::{Output, Peer, SlotChoice};
use crate::{keep, output};

#[derive(Debug, Args)]
pub(crate) struct Options {
    #[command(flatten)]
    peer: Peer,
    /// Readings, wide: first column slot or time, then one column a home, whole Wh.
    #[arg(long, value_name = "CSV")]
    readings: PathBuf,
    /// The home to replay.
    #[arg(long, value_name = "NAME")]
    column: String,
    /// First row to replay, from 0.
    #[arg(long, value_name = "N", default_value_t = 0)]
    from_row: usize,
    /// How many rows; all that follow by default.
    #[arg(long, value_name = "N")]
    rows: Option<usize>,
    /// The slot of the first row: a number, `now` or `next`.
    #[arg(long, value_name = "SLOT", default_value = "next")]
    start_slot: SlotChoice,
    /// What to offer: `none`, or `share=PERCENT` of the mean of the last 96 readings.
    #[arg(long, value_name = "RULE", default_value = "none")]
    bid: Offer,
    /// The price to ask, in millionths of the currency per kWh; rounded down to the policy's step.
    #[arg(long, value_name = "MICRO", value_parser = price)]
    bid_price: Option<PricePerKwh>,
    /// How long to try again while nothing succeeds. Unit: seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    patience_s: u64,
    /// Also write the receipts into this folder, as the TRE signed them.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// Options that do not go together, and outcomes that are no success.
#[derive(Debug, thiserror::Error)]
enum ReplayProblem {
    #[error("expected --bid-price MICRO with --bid share=PERCENT")]
    NoPrice,
    #[error("expected rows {from} to {to} in the readings, found {found} rows")]
    Rows { from: usize, to: usize, found: usize },
    #[error("the TRE refused {refused} readings; see their status above")]
    Refused { refused: u64 },
}

fn price(text: &str) -> Result<PricePerKwh, String> {
    let expected = || String::from("expected whole millionths of the currency, up to 10^12");
    let number = text.parse().map_err(|_| expected())?;
    PricePerKwh::new(number).map_err(|_| expected())
}

pub(crate) async fn run(options: Options) -> anyhow::Result<()> {
    let rule = rule(&options)?;
    let readings = readings(&options)?;
    let mut meter = connect(&options.peer).await?;
    eprintln!("attested {}", meter.link().target().identity());
    let running = meter.policy().slot_at(meter.tre_now());
    let start = match options.start_slot {
        SlotChoice::Now => running,
        SlotChoice::Next => running.next(),
        SlotChoice::Number(slot) => slot,
    };
    let (seed, patience) = (seed(), Duration::from_secs(options.patience_s));
    let plan = Plan { readings, start, rule, seed, patience };
    let all = plan.readings.len();
    eprintln!("replaying {all} readings from slot {} on", start.get());
    let mut unkept = Ok(());
    let mut watch = |step: Step<'_>| {
        if let (Step::Receipted { kept }, Some(folder)) = (step, &options.keep) {
            let written = keep_receipts(folder, kept);
            unkept = core::mem::replace(&mut unkept, Ok(())).and(written);
        }
        progress(&step);
    };
    let summary = replay(&mut meter, &plan, &mut watch).await?;
    unkept?;
    print(&summary, options.output)?;
    match summary.refused() {
        0 => Ok(()),
        refused => Err(anyhow::Error::from(ReplayProblem::Refused { refused })),
    }
}

/// A batch is named by its first slot and counter: sent again, it is the same batch.
fn keep_receipts(folder: &Path, kept: &Kept) -> anyhow::Result<()> {
    let Content::Receipts { receipts, .. } = &kept.content else { return Ok(()) };
    let Some(first) = receipts.receipts.first() else { return Ok(()) };
    let (slot, count) = (first.slot.get(), receipts.receipts.len());
    keep::write(folder, &format!("receipts-{slot}-{}-{count}", word(&first.status)), kept)
}

fn rule(options: &Options) -> anyhow::Result<BidRule> {
    match (options.bid, options.bid_price) {
        (Offer::Of(_), None) => Err(anyhow::Error::from(ReplayProblem::NoPrice)),
        (offer, price) => Ok(BidRule { offer, price: price.unwrap_or_default() }),
    }
}

/// The rows to replay.
fn readings(options: &Options) -> anyhow::Result<Vec<WattHours>> {
    let named = |source: TableError| {
        let path = options.readings.clone();
        anyhow::Error::from(file::FileError::Table { path, source })
    };
    let table = file::read(&options.readings, WideReadings::parse)?;
    let home = table.home(&options.column).map_err(named)?;
    let (from, found) = (options.from_row, home.len());
    let to = options.rows.map_or(found, |rows| from.saturating_add(rows));
    match home.get(from..to) {
        Some(rows) if !rows.is_empty() => Ok(rows.to_vec()),
        Some(_) | None => Err(anyhow::Error::from(ReplayProblem::Rows { from, to, found })),
    }
}

/// What decides the random times: 64 bits of what the operating system gave the process.
fn seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

fn progress(step: &Step<'_>) {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum may grow")]
    match step {
        Step::Sent { receipt, done, all } => {
            let (slot, status) = (receipt.slot.get(), receipt.status);
            eprintln!("[{done}/{all}] slot {slot}: {}", word(&status));
        }
        Step::Answered { event, bid: Some(bid) } => {
            eprintln!("event {event}: offered {} at {}", bid.quantity_wh, bid.price);
        }
        Step::Answered { event, bid: None } => eprintln!("event {event}: nothing on offer"),
        Step::NotTaken { event, refusal } => eprintln!("event {event}: {refusal}"),
        Step::TryingAgain { error, wait } => {
            eprintln!("{error}; trying again in {} ms", wait.as_millis());
        }
        _ => {}
    }
}

/// A status as it stands in JSON.
fn word(status: &impl serde::Serialize) -> String {
    match serde_json::to_value(status) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(_) | Err(_) => String::from("?"),
    }
}

fn print(summary: &Summary, output: Output) -> anyhow::Result<()> {
    if output.json {
        return output::json(summary);
    }
    let receipts = summary.receipts.iter().map(|(status, count)| [word(status), count.to_string()]);
    output::table(["receipts", "count"], receipts)?;
    let outcomes = summary.outcomes.iter();
    let outcomes = outcomes.map(|row| [row.event.to_string(), word(&row.outcome)]);
    if !summary.outcomes.is_empty() {
        output::table(["event", "outcome"], outcomes)?;
    }
    Ok(())
}
