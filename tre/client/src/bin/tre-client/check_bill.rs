//! `tre-client meter check-bill` and what it needs kept.

use std::path::{Path, PathBuf};

use clap::Args;
use tre_client::RevocationFiles;
use tre_client::check_bill::{Evidence, Line, check};
use tre_client::documents::{Anchors, check_kept};
use tre_client::wire::deployment::{self, Deployment};
use tre_client::wire::json;
use tre_client::wire::message::kept::{Content, Kept};
use tre_client::wire::message::meter::{Bid, MeterPrices, Receipt};
use tre_client::wire::message::supplier::Bill;
use tre_client::wire::units::{PricePerKwh, Slot, UnixMillis, WattHours};

use crate::options::{Output, now};
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The bill, as `meter bills --keep` wrote it.
    bill: PathBuf,
    /// The folder of `--keep`: receipts and prices that the TRE signed.
    #[arg(long, value_name = "FOLDER")]
    kept: PathBuf,
    /// The deployment file: the policy, and who certifies a TRE.
    #[arg(long, value_name = "FILE")]
    deployment: PathBuf,
    /// A bid of ours that won in the period: WH@MICRO, energy and price. Repeat it for each.
    #[arg(long, value_name = "WH@MICRO", value_parser = bid)]
    credit: Vec<Bid>,
    /// A bid of ours that won and was not delivered: WH@MICRO. Repeat it for each.
    #[arg(long, value_name = "WH@MICRO", value_parser = bid)]
    penalty: Vec<Bid>,
    /// Slots FROM to TO, TO not among them, in which we were off the tariff and then on it again.
    /// Repeat it for each time.
    #[arg(long, value_name = "FROM..TO", value_parser = slots)]
    away: Vec<(Slot, Slot)>,
    /// The newest revocation list, with its signature in FILE.sig; FILE.seen remembers it. Nothing
    /// that a revoked key signed is believed.
    #[arg(long, value_name = "FILE", requires = "status_key")]
    revocations: Option<PathBuf>,
    /// The public status key that signs this list: status.pem of the domain.
    #[arg(long, value_name = "FILE.pem", requires = "revocations")]
    status_key: Option<PathBuf>,
    /// The time at which the certificates must be in force, in ms since 1970: for an old bill one
    /// of its days [default: now].
    #[arg(long, value_name = "MS")]
    at: Option<u64>,
    #[command(flatten)]
    output: Output,
}

/// What is wrong with a file, or with the bill.
#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("{}: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{}: expected at most {most} bytes, found {found}", path.display())]
    Long { path: PathBuf, most: usize, found: usize },
    #[error("{}: {source}", path.display())]
    Malformed { path: PathBuf, source: json::JsonError },
    #[error("{}: expected a bill, found another document", path.display())]
    NoBill { path: PathBuf },
    #[error("{}: {source}", path.display())]
    NotSigned { path: PathBuf, source: tre_client::documents::KeptError },
    #[error("the bill differs from what the receipts and prices come to; see the lines above")]
    Differs,
}

/// Longest kept file. Unit: bytes.
const MAX_BYTES: usize = 1024 * 1024;

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let deployment: Deployment = read(&options.deployment, deployment::MAX_BYTES)?;
    let lists = options.revocations.clone().zip(options.status_key.clone());
    let lists = lists.map(|(list, status_key)| RevocationFiles { list, status_key });
    let revocations = lists.map(|files| files.load(&deployment.trust_domain, now())).transpose()?;
    let anchors = Anchors { deployment: &deployment, revocations: revocations.as_ref() };
    let at = options.at.map_or(Ok(now()), UnixMillis::new)?;
    let bill: Kept = read(&options.bill, MAX_BYTES)?;
    signed(&bill, &options.bill, anchors, at)?;
    let Content::Bill(bill) = bill.content else {
        return Err(anyhow::Error::from(Problem::NoBill { path: options.bill.clone() }));
    };
    let (receipts, prices) = kept(&options.kept, &bill.document, anchors, at)?;
    let evidence = Evidence {
        receipts: &receipts,
        prices: &prices,
        credits: &options.credit,
        penalties: &options.penalty,
        away: options.away.iter().map(|&away| within(away, &bill.document)).sum(),
        policy: &deployment.policy,
    };
    let lines = check(&bill.document, evidence);
    if options.output.json {
        output::json(&lines)?;
    } else {
        let word = |line: &Line| String::from(if line.agrees() { "agrees" } else { "DIFFERS" });
        let row = |line: &Line| {
            [line.line.to_owned(), word(line), line.expected.clone(), line.found.clone()]
        };
        output::table(["line", "", "worked out", "on the bill"], lines.iter().map(row))?;
    }
    match lines.iter().all(Line::agrees) {
        true => Ok(()),
        false => Err(anyhow::Error::from(Problem::Differs)),
    }
}

/// How many of these slots are in the bill's period.
fn within((from, to): (Slot, Slot), bill: &Bill) -> u64 {
    to.min(bill.to_slot).since(from.max(bill.from_slot))
}

/// Receipts and prices of the folder that bear on the bill; each of their files must be signed.
fn kept(
    folder: &Path,
    bill: &Bill,
    anchors: Anchors<'_>,
    at: UnixMillis,
) -> anyhow::Result<(Vec<Receipt>, Vec<MeterPrices>)> {
    let unreadable =
        |source| anyhow::Error::from(Problem::Unreadable { path: folder.to_owned(), source });
    let (mut receipts, mut prices) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let kept: Kept = read(&path, MAX_BYTES)?;
        let bears = match &kept.content {
            Content::Receipts { receipts: batch, .. } => {
                let slots = bill.from_slot..bill.to_slot;
                batch.receipts.iter().any(|receipt| slots.contains(&receipt.slot))
            }
            Content::Prices(series) => {
                let MeterPrices { supplier, tariff, prices } = &series.document;
                (supplier, tariff) == (&bill.supplier, &bill.tariff)
                    && prices.iter().any(|price| price.slot < bill.to_slot)
            }
            Content::Aggregates { .. } | Content::PseudoBids { .. } | Content::Bill(_) => false,
        };
        // What was kept for other bills may be older than certificates are good for.
        if !bears {
            continue;
        }
        signed(&kept, &path, anchors, at)?;
        match kept.content {
            Content::Receipts { receipts: batch, .. } => receipts.extend(batch.receipts),
            Content::Prices(series) => prices.push(series.document),
            Content::Aggregates { .. } | Content::PseudoBids { .. } | Content::Bill(_) => {}
        }
    }
    Ok((receipts, prices))
}

/// A kept file whose signature is good; a bad one is a refusal, not a wrong command.
fn signed(kept: &Kept, path: &Path, anchors: Anchors<'_>, at: UnixMillis) -> anyhow::Result<()> {
    let refused =
        |source| anyhow::Error::from(Problem::NotSigned { path: path.to_owned(), source });
    check_kept(kept, anchors, at).map_err(refused)
}

fn read<T: serde::de::DeserializeOwned>(path: &Path, most: usize) -> anyhow::Result<T> {
    let path = path.to_owned();
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(source) => return Err(anyhow::Error::from(Problem::Unreadable { path, source })),
    };
    let found = bytes.len();
    if found > most {
        return Err(anyhow::Error::from(Problem::Long { path, most, found }));
    }
    json::decode_at_most(&bytes, most)
        .map_err(|source| anyhow::Error::from(Problem::Malformed { path, source }))
}

fn slots(text: &str) -> Result<(Slot, Slot), String> {
    let slot = |text: &str| text.parse().ok().and_then(|number| Slot::new(number).ok());
    text.split_once("..")
        .and_then(|(from, to)| slot(from).zip(slot(to)))
        .filter(|(from, to)| from < to)
        .ok_or_else(|| String::from("expected FROM..TO, such as 1000..1096"))
}

fn bid(text: &str) -> Result<Bid, String> {
    let expected = || String::from("expected WH@MICRO, such as 500@120000");
    let (energy, price) = text.split_once('@').ok_or_else(expected)?;
    let quantity_wh = energy.parse().ok().and_then(|wh| WattHours::new(wh).ok());
    let price = price.parse().ok().and_then(|micro| PricePerKwh::new(micro).ok());
    quantity_wh
        .zip(price)
        .map(|(quantity_wh, price)| Bid { quantity_wh, price })
        .ok_or_else(expected)
}
