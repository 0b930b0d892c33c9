//! `deny`: the next denylist of TPM firmware.

use anyhow::bail;
use clap::Args;
use pki::deny::{Change, Range};
use serde::Serialize;
use tre_wire::denylist::{Firmware, LIST_BYTES, TpmManufacturer};
use tre_wire::units::UnixMillis;

use super::NextList;

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
    #[command(flatten)]
    list: NextList,
}

#[derive(Serialize)]
struct Facts {
    file: String,
    sequence: u32,
    valid_until: UnixMillis,
    entries: usize,
}

pub(crate) fn deny(deny: Deny, now: UnixMillis) -> anyhow::Result<()> {
    let Deny { manufacturer, first, last, reason, lift, refresh: _, list: next } = deny;
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
    let domain = next.open()?;
    let lists = domain.deny_lists()?;
    let list = lists.add(&domain.status_signer()?, change, next.days, now)?;
    let path = lists.path(list.sequence);
    let facts = Facts {
        file: path.display().to_string(),
        sequence: list.sequence,
        valid_until: list.valid_until,
        entries: list.denied.len(),
    };
    let said = format!("denylist {} with {} entries", facts.sequence, facts.entries);
    next.tell(&path, LIST_BYTES, &facts, &said)
}
