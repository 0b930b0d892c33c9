//! `tre-client supplier`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tre_client::file::{self, prices};
use tre_client::supplier::Supplier;
use tre_client::wire::id::TariffId;
use tre_client::wire::message::Signed;
use tre_client::wire::message::kept::Content;
use tre_client::wire::message::supplier::Bill;
use tre_client::wire::role::Role;

use crate::keep::keep;
use crate::meter::print_bills;
use crate::options::{Output, Peer, SlotChoice};
use crate::output;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Publish prices of slots that have not begun.
    PostPrices(PriceOptions),
    /// End the running billing period of a tariff.
    EndPeriod(EndOptions),
    /// Our bills.
    Bills(BillOptions),
}

#[derive(Debug, Args)]
pub(crate) struct PriceOptions {
    #[command(flatten)]
    peer: Peer,
    /// The tariff.
    #[arg(long, value_name = "ID")]
    tariff: TariffId,
    /// The slot of the first price: a number or `next`.
    #[arg(long, value_name = "SLOT", default_value = "next")]
    from_slot: SlotChoice,
    /// Prices: a header `price_micro_per_kwh`, then one price a row and slot.
    #[arg(long, value_name = "CSV")]
    prices: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct EndOptions {
    #[command(flatten)]
    peer: Peer,
    /// The tariff.
    #[arg(long, value_name = "ID")]
    tariff: TariffId,
    /// First slot after the period: a number or `next`.
    #[arg(long, value_name = "SLOT", default_value = "next")]
    end_slot: SlotChoice,
}

#[derive(Debug, Args)]
pub(crate) struct BillOptions {
    #[command(flatten)]
    peer: Peer,
    /// Bills of periods that ended at this slot or later: a number or `now`.
    #[arg(long, value_name = "SLOT", default_value = "0")]
    from: SlotChoice,
    /// Also write each bill into this folder, as the TRE signed it.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::PostPrices(PriceOptions { peer, tariff, from_slot, prices }) => {
            let prices = file::read(&prices, prices::parse)?;
            let mut supplier = connect(&peer).await?;
            let from = from_slot.resolve(&mut supplier.0).await?;
            let all = prices.len();
            let mut progress = |sent: usize| eprintln!("[{sent}/{all}] prices published");
            supplier.post_prices(&tariff, from, &prices, &mut progress).await?;
            output::line(&format!("tariff {tariff}: {all} prices from slot {} on", from.get()))
        }
        Command::EndPeriod(EndOptions { peer, tariff, end_slot }) => {
            let mut supplier = connect(&peer).await?;
            let end = end_slot.resolve(&mut supplier.0).await?;
            supplier.end_period(&tariff, end).await?;
            output::line(&format!("tariff {tariff}: the period ends before slot {}", end.get()))
        }
        Command::Bills(options) => bills(options).await,
    }
}

async fn bills(options: BillOptions) -> anyhow::Result<()> {
    let mut supplier = connect(&options.peer).await?;
    let from = options.from.resolve(&mut supplier.0).await?;
    let bills = supplier.bills(from).await?;
    if let Some(folder) = &options.keep {
        let named = |bill: &Signed<Bill>| {
            let Bill { account, tariff, to_slot, .. } = &bill.document;
            (format!("bill-{account}-{tariff}-{}", to_slot.get()), Content::Bill(bill.clone()))
        };
        keep(&mut supplier.0, folder, bills.iter().map(named).collect()).await?;
    }
    print_bills(bills, options.output)
}

async fn connect(peer: &Peer) -> anyhow::Result<Supplier> {
    Ok(Supplier(peer.link(Role::Supplier).await?))
}
