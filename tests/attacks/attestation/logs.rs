//! Logs that are not of this boot, or not whole, beside a true quote.

use anyhow::{Context as _, Result, ensure};
use attest_verifier::core::measured::AppraisalError;
use attest_verifier::core::refusal::Refusal;
use measured_boot::eventlog::{Event, EventLog, EventType, LogError};
use measured_boot::pcr::PcrIndex;
use tre_wire::hex::HexBytes;

use crate::attack::{Attack, Outcome, refused_by};
use crate::impostor::Impostor;
use crate::stage::{Image, Stage};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "log-truncated",
        what: "the log ends one event early",
        must: refused_by!(Appraisal(AppraisalError::Replay { .. })),
        mutant: Some("log-replay"),
        play: |stage| {
            showing(stage, Image::Genuine, |log, _| {
                let last = last_extending(log)?;
                Ok(log.get(..last.offset).context("the rest")?.to_vec())
            })
        },
    },
    Attack {
        name: "log-cut",
        what: "one event more than was measured, and the log ends inside it",
        must: refused_by!(Appraisal(AppraisalError::Log { cause: LogError::Cut { .. } })),
        mutant: Some("log-cut"),
        play: |stage| {
            showing(stage, Image::Genuine, |log, _| {
                let event = log.get(last_extending(log)?.offset..).context("an event")?;
                let (_, cut) = event.split_last().context("an event")?;
                Ok([log, cut].concat())
            })
        },
    },
    Attack {
        name: "log-padded",
        what: "one event more than was measured",
        must: refused_by!(Appraisal(AppraisalError::Replay { .. })),
        mutant: Some("log-replay"),
        play: |stage| {
            showing(stage, Image::Genuine, |log, _| {
                let last = last_extending(log)?;
                let event = log.get(last.offset..).context("an event")?;
                Ok([log, event].concat())
            })
        },
    },
    Attack {
        name: "log-padded-bytes",
        what: "bytes behind the log that are no event",
        must: refused_by!(Appraisal(AppraisalError::Log { cause: LogError::Cut { .. } })),
        mutant: Some("log-cut"),
        play: |stage| showing(stage, Image::Genuine, |log, _| Ok([log, &[0; 3]].concat())),
    },
    Attack {
        name: "log-spliced",
        what: "the beginning of one boot's log and the end of another's",
        must: refused_by!(Appraisal(AppraisalError::Replay { .. })),
        mutant: Some("log-replay"),
        play: |stage| {
            showing(stage, Image::Genuine, |log, other| {
                let events = EventLog::parse(log)?;
                let middle = events.events().iter().rev().find(|event| is_image(event));
                let cut = middle.context("an image in the log")?.offset;
                let parts = [log.get(..cut), other.get(cut..)].map(|part| part.context("a part"));
                let [beginning, end] = parts;
                Ok([beginning?, end?].concat())
            })
        },
    },
    Attack {
        name: "log-reordered",
        what: "two events of one PCR change places",
        must: refused_by!(Appraisal(AppraisalError::Replay { .. })),
        mutant: Some("log-replay"),
        play: |stage| showing(stage, Image::Genuine, |log, _| swapped(log)),
    },
    Attack {
        name: "log-words",
        what: "a modified image, named in its own event as the right one",
        must: refused_by!(Appraisal(AppraisalError::Value { pcr: PcrIndex::P4, .. })),
        mutant: Some("pcr-value"),
        play: |stage| {
            showing(stage, Image::Modified, |log, other| {
                ensure!(log != other, "expected another log");
                worded(log)
            })
        },
    },
];

/// Quotes what was measured and shows another log: made of the box's own, and of the other image's.
fn showing(
    stage: &Stage,
    image: Image,
    alter: fn(&[u8], &[u8]) -> Result<Vec<u8>>,
) -> Result<Outcome> {
    let own = Impostor::with_image(stage, image)?;
    let other = if image == Image::Genuine { Image::Modified } else { Image::Genuine };
    let shown = alter(&own.log, &stage.log_of(other)?)?;
    ensure!(shown != own.log, "expected a log that differs from the true one");
    own.await_victim(stage, move |own, seen| {
        let mut evidence = own.honest(seen)?;
        evidence.event_log = HexBytes(shown.clone());
        Ok(evidence)
    })
}

fn is_image(event: &Event<'_>) -> bool {
    event.event_type == EventType::EFI_BOOT_SERVICES_APPLICATION
}

fn last_extending(log: &[u8]) -> Result<Event<'_>> {
    let parsed = EventLog::parse(log)?;
    let last = parsed.events().last().context("an event")?.clone();
    ensure!(last.extends().is_some(), "expected a log that ends with a measurement");
    Ok(last)
}

/// The same log with two neighbours of one PCR, of different digests, swapped.
fn swapped(log: &[u8]) -> Result<Vec<u8>> {
    let parsed = EventLog::parse(log)?;
    let mut pairs = parsed.events().windows(2);
    let differ = |pair: &&[Event<'_>]| match pair {
        [one, two] => one.extends() == two.extends() && one.sha256() != two.sha256(),
        _ => false,
    };
    let Some([one, two]) = pairs.find(differ) else { anyhow::bail!("expected two neighbours") };
    let next = parsed.events().iter().find(|event| event.index > two.index);
    let end = next.map_or(log.len(), |event| event.offset);
    let part = |from: usize, to: usize| log.get(from..to).context("a part of the log");
    let parts = [part(0, one.offset)?, part(two.offset, end)?, part(one.offset, two.offset)?];
    Ok([parts.concat(), part(end, log.len())?.to_vec()].concat())
}

/// The digests stay; what the image's event says in words becomes something else.
fn worded(log: &[u8]) -> Result<Vec<u8>> {
    let parsed = EventLog::parse(log)?;
    let event = parsed.events().iter().find(|event| is_image(event)).context("an image")?;
    let tail = log.get(event.offset..).context("the event")?;
    let inside = tail.windows(event.data.len()).position(|bytes| bytes == event.data);
    let start = event.offset.checked_add(inside.context("its data")?).context("a place")?;
    let mut other = log.to_vec();
    let right = b"\\EFI\\BOOT\\BOOTX64.EFI, as released";
    for (byte, word) in other.get_mut(start..).context("its data")?.iter_mut().zip(right) {
        *byte = *word;
    }
    EventLog::parse(&other).context("expected a log that still parses")?;
    Ok(other)
}
