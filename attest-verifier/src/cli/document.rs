//! `document`: judges what a TRE signed, offline, by the deployment and a revocation list.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use attest_verifier::core::wire::deployment::{self, Deployment};
use attest_verifier::core::wire::json;
use attest_verifier::core::wire::message::kept::{Content, Kept};
use attest_verifier::core::wire::units::UnixMillis;
use attest_verifier::document::{Anchors, check_kept};
use attest_verifier::{RevocationFiles, read_file};
use clap::Args;
use serde::de::DeserializeOwned;

use crate::{Ending, answer, complain};

/// What to judge, and who is trusted.
#[derive(Args, Debug)]
pub(crate) struct Document {
    /// What `tre-client` kept: a signed receipt, price series, set of sums or pseudo-bids, or bill.
    file: PathBuf,
    /// The deployment file: it names the authorities that certify TREs.
    #[arg(long)]
    deployment: PathBuf,
    /// The newest revocation list, with its signature in FILE.sig; FILE.seen remembers it. It must
    /// be good now, and nothing that a revoked key signed is believed, whenever it did.
    #[arg(long, value_name = "FILE", requires = "status_key")]
    revocations: Option<PathBuf>,
    /// The public status key (PEM) that signs this list: status.pem of the domain.
    #[arg(long, requires = "revocations")]
    status_key: Option<PathBuf>,
    /// The time at which the certificates must be in force, in ms since 1970; now by default.
    #[arg(long, value_name = "MS")]
    at: Option<u64>,
}

/// Longest kept file: the longest answer and its certificates, in hexadecimal. Unit: bytes.
const MAX_BYTES: usize = 1024 * 1024;

pub(crate) fn run(command: &Document, now: UnixMillis) -> anyhow::Result<Ending> {
    let deployment: Deployment = read(&command.deployment, deployment::MAX_BYTES, "a deployment")?;
    let kept: Kept = read(&command.file, MAX_BYTES, "what `tre-client` keeps")?;
    let at = command.at.map_or(Ok(now), UnixMillis::new)?;
    let lists = command.revocations.clone().zip(command.status_key.clone());
    let lists = lists.map(|(list, status_key)| RevocationFiles { list, status_key });
    let revocations = lists.map(|files| files.load(&deployment.trust_domain, now)).transpose()?;
    let anchors = Anchors { deployment: &deployment, revocations: revocations.as_ref() };
    if let Err(refused) = check_kept(&kept, anchors, at) {
        complain(format_args!("{}: {refused}", command.file.display()));
        return Ok(Ending::Refused);
    }
    answer(&format!("{} signed {}", kept.tre, summary(&kept.content)))?;
    Ok(Ending::Accepted)
}

fn read<T: DeserializeOwned>(path: &Path, most: usize, what: &str) -> anyhow::Result<T> {
    let bytes = read_file(path, u64::try_from(most)?)?;
    json::decode_at_most(&bytes, most)
        .with_context(|| format!("{}: expected {what}", path.display()))
}

/// What was signed, in a line.
fn summary(content: &Content) -> String {
    match content {
        Content::Receipts { meter, receipts } => {
            format!("{} reading receipts of meter {meter}", receipts.receipts.len())
        }
        Content::Prices(prices) => {
            let (prices, series) = (prices.document.prices.len(), &prices.document);
            format!("{prices} prices of tariff {} of {}", series.tariff, series.supplier)
        }
        Content::Aggregates { dno, sums } => {
            format!("{} sums for {dno}", sums.document.aggregates.len())
        }
        Content::PseudoBids { dsm, event, bids } => {
            format!("{} pseudo-bids of {dsm}'s event {event}", bids.document.pseudo_bids.len())
        }
        Content::Bill(bill) => {
            let bill = &bill.document;
            let (from, to) = (bill.from_slot.get(), bill.to_slot.get());
            let (account, total) = (&bill.account, bill.total_minor);
            format!("a bill of {account}, slots {from} to {to}: {total}")
        }
    }
}
