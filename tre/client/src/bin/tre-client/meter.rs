//! `tre-client meter`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tre_client::meter::Meter;
use tre_client::wire::message::Signed;
use tre_client::wire::message::kept::Content;
use tre_client::wire::message::supplier::{Bill, Bills};
use tre_client::wire::role::Role;

use crate::options::{Output, Peer, SlotChoice};
use crate::{account, check_bill, keep, output, replay};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send recorded readings as their slots pass, check the receipts, and bid by a rule.
    Replay(replay::Options),
    /// The prices of our tariff.
    Prices(PriceOptions),
    /// All that the TRE holds on us: readings, groups, privacy budget, bids, running bill.
    Account(PlainOptions),
    /// The bills of our account.
    Bills(BillOptions),
    /// Work out a bill from our own receipts and the published prices, and say which line differs:
    /// exit code 0 none, 1 one does, a signature is not the TRE's, or a file cannot be read.
    CheckBill(check_bill::Options),
}

#[derive(Debug, Args)]
pub(crate) struct PriceOptions {
    #[command(flatten)]
    peer: Peer,
    /// First slot: a number, `now` or `next`.
    #[arg(long, value_name = "SLOT", default_value = "now")]
    from_slot: SlotChoice,
    /// Also write the prices into this folder, as the TRE signed them.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct PlainOptions {
    #[command(flatten)]
    pub(crate) peer: Peer,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct BillOptions {
    #[command(flatten)]
    peer: Peer,
    /// Also write each bill into this folder, as the TRE signed it.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Replay(options) => replay::run(options).await,
        Command::Prices(options) => prices(options).await,
        Command::Account(options) => account::run(options).await,
        Command::Bills(BillOptions { peer, keep: folder, output }) => {
            let meter = &mut connect(&peer).await?;
            let bills = meter.bills().await?;
            if let Some(folder) = folder {
                for bill in &bills {
                    let name = format!("bill-{}", bill.document.to_slot.get());
                    keep::write(&folder, &name, &meter.keep(Content::Bill(bill.clone())))?;
                }
            }
            print_bills(bills, output)
        }
        Command::CheckBill(options) => check_bill::run(&options),
    }
}

/// Reads the files and attests the TRE.
pub(crate) async fn connect(peer: &Peer) -> anyhow::Result<Meter> {
    let (target, renewal) = peer.load(Role::Meter).await?;
    let credential = renewal.own().credential().clone();
    Ok(Meter::connect(target, credential).await?.renewing(renewal))
}

async fn prices(options: PriceOptions) -> anyhow::Result<()> {
    let mut meter = connect(&options.peer).await?;
    let running = meter.policy().slot_at(meter.tre_now());
    let from = match options.from_slot {
        SlotChoice::Now => running,
        SlotChoice::Next => running.next(),
        SlotChoice::Number(slot) => slot,
    };
    let series = meter.prices(from).await?;
    if let Some(folder) = &options.keep {
        let name = format!("prices-{}", from.get());
        keep::write(folder, &name, &meter.keep(Content::Prices(series.clone())))?;
    }
    if options.output.json {
        return output::json(&series);
    }
    let series = series.document;
    output::line(&format!("tariff {} of {}", series.tariff, series.supplier))?;
    let row = |price: &tre_client::wire::message::meter::SlotPrice| {
        [price.slot.get().to_string(), price.price.get().to_string()]
    };
    output::table(["from slot", "micro-currency/kWh"], series.prices.iter().map(row))
}

/// Prints bills, a supplier's or a meter's.
pub(crate) fn print_bills(bills: Vec<Signed<Bill>>, output: Output) -> anyhow::Result<()> {
    if output.json {
        return output::json(&Bills { bills });
    }
    let row = |Signed { document: bill, .. }: Signed<Bill>| {
        [
            bill.account.to_string(),
            bill.tariff.to_string(),
            bill.from_slot.get().to_string(),
            bill.to_slot.get().to_string(),
            bill.total_minor.get().to_string(),
        ]
    };
    let header = ["account", "tariff", "from slot", "to slot", "total, minor units"];
    output::table(header, bills.into_iter().map(row))
}
