//! `replay`: an event log into PCR values, bank by bank.

use core::fmt::Write as _;
use std::collections::BTreeMap;

use attest_verifier::core::wire::hex;
use attest_verifier::{Replayed, ReplayedBank, read_log, replay};

use crate::{Ending, Replay, answer, complain};

pub(crate) fn run(command: &Replay) -> anyhow::Result<Ending> {
    let log = read_log(&command.log)?;
    let Replayed { banks, events, mismatches } = match replay(&log) {
        Ok(replayed) => replayed,
        Err(error) => {
            complain(format_args!("{}: {error}", command.log.display()));
            return Ok(Ending::Refused);
        }
    };
    // Beside the values, not among them: their form is one that other programs read.
    for mismatch in &mismatches {
        complain(format_args!("{}: {mismatch}", command.log.display()));
    }
    complain(format_args!("{}: {events} events", command.log.display()));
    answer(&if command.json { json(&banks)? } else { text(&banks) })?;
    match mismatches.is_empty() {
        true => Ok(Ending::Accepted),
        // The values stand, since digests alone make them; the log's words are not those measured.
        false => Ok(Ending::Refused),
    }
}

/// `{"sha256": {"0": "hex", ...}, ...}`
fn json(banks: &[ReplayedBank]) -> anyhow::Result<String> {
    let bank = |bank: &ReplayedBank| {
        let pcrs: BTreeMap<u8, String> =
            bank.pcrs.iter().map(|(pcr, value)| (*pcr, hex::encode(value))).collect();
        (bank.algorithm.to_string(), pcrs)
    };
    let shown: BTreeMap<_, _> = banks.iter().map(bank).collect();
    Ok(serde_json::to_string_pretty(&shown)?)
}

fn text(banks: &[ReplayedBank]) -> String {
    let mut shown = String::new();
    for ReplayedBank { algorithm, pcrs } in banks {
        // Writing into a String cannot fail.
        let _written = writeln!(shown, "{algorithm}:");
        for (pcr, value) in pcrs {
            let _written = writeln!(shown, "  {pcr:>2}  {}", hex::encode(value));
        }
    }
    shown.trim_end().to_owned()
}
