//! `tre-client registrar`

use std::path::PathBuf;

use clap::{Args, Subcommand};
use tre_client::file;
use tre_client::link::LinkError;
use tre_client::registrar::Registrar;
use tre_client::wire::id::{AccountId, PeerId, PointId, TariffId};
use tre_client::wire::message::registrar::{Connection, ConnectionRecord, Connections};
use tre_client::wire::role::Role;
use tre_client::wire::units::Watts;

use crate::options::{Output, Peer, SlotChoice};
use crate::{output, revocations};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say what stands at a connection point.
    PutConnection(PutOptions),
    /// What stands at each connection point.
    Connections(ListOptions),
    /// Put all the records of a table.
    Load(LoadOptions),
    /// Put a revocation list into force: its keys are cut off at their next request.
    PutRevocations(revocations::Options),
}

#[derive(Debug, Args)]
pub(crate) struct PutOptions {
    #[command(flatten)]
    peer: Peer,
    /// The connection point.
    #[arg(value_name = "POINT")]
    point: PointId,
    /// Who is billed.
    #[arg(long, value_name = "ID")]
    account: AccountId,
    /// The meter, by the name in its certificate.
    #[arg(long, value_name = "ID")]
    meter: PeerId,
    /// The supplier, by the name in its certificate.
    #[arg(long, value_name = "ID")]
    supplier: PeerId,
    /// One of the supplier's tariffs.
    #[arg(long, value_name = "ID")]
    tariff: TariffId,
    /// Power that the connection is built for. Unit: W.
    #[arg(long, value_name = "W", value_parser = watts)]
    capacity_w: Watts,
    /// First slot in which the record holds: a number or `next`.
    #[arg(long, value_name = "SLOT", default_value = "next")]
    from_slot: SlotChoice,
    /// First slot in which it no longer holds; open by default.
    #[arg(long, value_name = "SLOT")]
    to_slot: Option<SlotChoice>,
}

#[derive(Debug, Args)]
pub(crate) struct ListOptions {
    #[command(flatten)]
    peer: Peer,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct LoadOptions {
    #[command(flatten)]
    peer: Peer,
    /// Header `point,account,meter,supplier,tariff,capacity_w,from_slot,to_slot`, one record a
    /// row; a blank `to_slot` leaves the record open.
    #[arg(value_name = "CSV")]
    table: PathBuf,
}

/// A table of which only a part was put.
#[derive(Debug, thiserror::Error)]
#[error("record {number} of {all}, point {point}: {source}; those before it are in place")]
struct Stopped {
    number: usize,
    all: usize,
    point: PointId,
    source: LinkError,
}

fn watts(text: &str) -> Result<Watts, String> {
    let number = text.parse().map_err(|_| String::from("expected whole watts"))?;
    Watts::new(number).map_err(|error| error.to_string())
}

pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::PutConnection(options) => put(options).await,
        Command::Connections(ListOptions { peer, output }) => {
            print(connect(&peer).await?.all_connections().await?, output)
        }
        Command::PutRevocations(options) => revocations::run(options, Role::Registrar).await,
        Command::Load(LoadOptions { peer, table }) => {
            let connections = file::read(&table, file::connections::parse)?;
            load(connect(&peer).await?, &connections).await
        }
    }
}

async fn connect(peer: &Peer) -> anyhow::Result<Registrar> {
    Ok(Registrar(peer.link(Role::Registrar).await?))
}

async fn put(options: PutOptions) -> anyhow::Result<()> {
    let mut registrar = connect(&options.peer).await?;
    let from_slot = options.from_slot.resolve(&mut registrar.0).await?;
    let to_slot = match options.to_slot {
        Some(slot) => Some(slot.resolve(&mut registrar.0).await?),
        None => None,
    };
    let PutOptions { point, account, meter, supplier, tariff, capacity_w, .. } = options;
    let record =
        ConnectionRecord { account, meter, supplier, tariff, capacity_w, from_slot, to_slot };
    registrar.put_connection(&point, &record).await?;
    output::line(&format!("point {point}: in force from slot {} on", from_slot.get()))
}

async fn load(mut registrar: Registrar, connections: &[Connection]) -> anyhow::Result<()> {
    let all = connections.len();
    for (number, connection) in (1..).zip(connections) {
        let Connection { point, record } = connection;
        registrar.put_connection(point, record).await.map_err(|source| {
            anyhow::Error::from(Stopped { number, all, point: point.clone(), source })
        })?;
        if number == all || number % PROGRESS_ROWS == 0 {
            eprintln!("[{number}/{all}] connections in place");
        }
    }
    output::line(&format!("{all} connections in place"))
}

/// How many records go by between two lines of progress.
const PROGRESS_ROWS: usize = 100;

fn print(connections: Vec<Connection>, output: Output) -> anyhow::Result<()> {
    if output.json {
        return output::json(&Connections { connections });
    }
    let header =
        ["point", "account", "meter", "supplier", "tariff", "capacity, W", "from slot", "to slot"];
    output::table(header, connections.into_iter().map(row))
}

fn row(Connection { point, record }: Connection) -> [String; 8] {
    [
        point.to_string(),
        record.account.to_string(),
        record.meter.to_string(),
        record.supplier.to_string(),
        record.tariff.to_string(),
        record.capacity_w.get().to_string(),
        record.from_slot.get().to_string(),
        record.to_slot.map_or_else(|| String::from("open"), |slot| slot.get().to_string()),
    ]
}
