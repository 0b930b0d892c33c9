//! A result as JSON, digests in full, integers only.

use attest_verifier::core::check::{Mismatch as _, Sides};
use attest_verifier::core::measured_boot::component::Component;
use attest_verifier::core::measured_boot::tpm::Quote;
use serde::Serialize;

use super::verify::{Conclusion, Outcome};

#[derive(Serialize)]
struct Shown<'a> {
    verdict: &'static str,
    /// Of the box, or of the file.
    address: &'a str,
    tre_id: &'a str,
    refusal: Option<Row>,
    checks: Vec<Row>,
    /// From the quote, believed only if the verdict is "accepted". Unit: milliseconds.
    clock: Option<u64>,
    clock_safe: Option<bool>,
    reset_count: Option<u32>,
    restart_count: Option<u32>,
    /// Sixteen hexadecimal digits: a manufacturer's encoding, not a number.
    firmware_version: Option<String>,
    /// The TRE's time. Unit: milliseconds since 1970.
    time: u64,
    state_epoch: u64,
    pcrs: Vec<String>,
    image: Option<Image>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    expected: String,
    found: String,
    ok: bool,
}

#[derive(Serialize)]
struct Image {
    authenticode: String,
    measured: bool,
    event: Option<usize>,
    changed: Vec<Change>,
}

#[derive(Serialize)]
struct Change {
    name: String,
    expected: Option<String>,
    found: Option<String>,
}

pub(crate) fn show(outcome: &Outcome<'_>) -> anyhow::Result<String> {
    let evidence = outcome.evidence;
    let quote = Quote::parse(evidence.attest.as_slice()).ok();
    let clock = quote.map(|quote| quote.clock);
    let (verdict, refusal) = match outcome.verdict {
        Conclusion::Accepted => ("accepted", None),
        Conclusion::Unbound => ("appraised-unbound", None),
        Conclusion::Refused(refusal) => ("refused", Some(refusal)),
    };
    let refusal = refusal.map(|refusal| {
        let Sides { expected, found } = refusal.sides();
        Row { name: refusal.check().to_string(), expected, found, ok: false }
    });
    let shown = Shown {
        verdict,
        address: outcome.subject,
        tre_id: outcome.tre_id.as_str(),
        refusal,
        checks: rows(outcome),
        clock: clock.map(|clock| clock.clock_ms),
        clock_safe: clock.map(|clock| clock.safe),
        reset_count: clock.map(|clock| clock.reset_count),
        restart_count: clock.map(|clock| clock.restart_count),
        firmware_version: quote.map(|quote| format!("{:016x}", quote.firmware_version.0)),
        time: evidence.time.get(),
        state_epoch: evidence.state_epoch,
        pcrs: evidence.pcrs.iter().map(ToString::to_string).collect(),
        image: image(outcome),
    };
    Ok(serde_json::to_string_pretty(&shown)?)
}

fn rows(outcome: &Outcome<'_>) -> Vec<Row> {
    let checks = outcome.checks.iter();
    let row = |check: &attest_verifier::core::report::CheckReport| Row {
        name: check.check.to_string(),
        expected: check.expected.clone(),
        found: check.found.clone(),
        ok: check.ok,
    };
    checks.map(row).collect()
}

fn image(outcome: &Outcome<'_>) -> Option<Image> {
    let finding = outcome.image?;
    let hash = |side: &Option<Component>| side.as_ref().map(|part| part.sha256.to_string());
    let name = |side: &Option<Component>| side.as_ref().map(|part| part.name.clone());
    let changed = finding.changes.iter().map(|change| Change {
        name: name(&change.expected).or_else(|| name(&change.found)).unwrap_or_default(),
        expected: hash(&change.expected),
        found: hash(&change.found),
    });
    Some(Image {
        authenticode: finding.authenticode.to_string(),
        measured: finding.measured_as.is_some(),
        event: finding.measured_as,
        changed: changed.collect(),
    })
}
