//! `deny`: the next denylist of TPM firmware.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use pki::deny::{Change, Range};
use pki::domain::KeyName;
use pki::numbered;
use serde::Serialize;
use tre_wire::denylist::{Firmware, LIST_BYTES, TpmManufacturer};
use tre_wire::units::UnixMillis;

use super::{Unlock, answer};

/// What `deny` takes.
#[derive(Args, Debug)]
pub(crate) struct Deny {
    /// The TPM's manufacturer as the TCG registers it, such as id:49465800.
    #[arg(requires = "first")]
    manufacturer: Option<TpmManufacturer>,
    /// The lowest firmware version denied, 16 hexadecimal digits, as `attest-verifier verify --json`
    /// shows it.
    first: Option<Firmware>,
    /// The highest version denied [default: the lowest].
    last: Option<Firmware>,
    /// Why, for people: 1 to 200 plain characters.
    #[arg(long, required_unless_present_any = ["lift", "refresh"])]
    reason: Option<String>,
    /// Takes exactly this range off the list again.
    #[arg(long, requires = "first", conflicts_with = "reason")]
    lift: bool,
    /// Changes nothing: dates and numbers the list anew.
    #[arg(long, conflicts_with_all = ["manufacturer", "first", "last", "reason", "lift"])]
    refresh: bool,
    /// The domain's folder.
    #[arg(long)]
    domain: PathBuf,
    /// For how many days the list is good; a newer one must be out by then.
    #[arg(long, default_value_t = numbered::DEFAULT_DAYS)]
    days: u32,
    /// A copy of the list, with its signature in OUT.sig, in the place of older ones.
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    unlock: Unlock,
    /// Answers in JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Facts {
    file: String,
    sequence: u32,
    valid_until: UnixMillis,
    entries: usize,
}

pub(crate) fn deny(deny: Deny, now: UnixMillis) -> anyhow::Result<()> {
    let Deny { manufacturer, first, last, reason, lift, days, out, json, .. } = deny;
    let range = manufacturer.zip(first).map(|(manufacturer, first)| Range {
        manufacturer,
        first,
        last: last.unwrap_or(first),
    });
    let change = match (range, reason, lift) {
        (Some(range), Some(reason), false) => Change::Deny(range, reason),
        (Some(range), None, true) => Change::Lift(range),
        (None, None, false) => Change::Refresh,
        _ => bail!("expected MANUFACTURER, FIRST and --reason or --lift, or --refresh alone"),
    };
    let domain = deny.unlock.open(&deny.domain, KeyName::Status)?;
    let lists = domain.deny_lists()?;
    let list = lists.add(&domain.status_signer()?, change, days, now)?;
    let path = lists.path(list.sequence);
    if let Some(out) = &out {
        numbered::hand_out(&path, out, LIST_BYTES)?;
    }
    let facts = Facts {
        file: path.display().to_string(),
        sequence: list.sequence,
        valid_until: list.valid_until,
        entries: list.denied.len(),
    };
    let text = format!(
        "denylist {} with {} entries: {}\ngive it with its .sig to all who verify; the next one is \
         due within {days} days",
        facts.sequence, facts.entries, facts.file
    );
    answer(json, &facts, &text)
}
