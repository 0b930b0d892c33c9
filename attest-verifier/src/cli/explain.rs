//! `explain`: what differs, where, and what probably happened.

use core::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use attest_verifier::core::wire::attestation::Evidence;
use attest_verifier::core::wire::units::UnixMillis;
use attest_verifier::{
    Answer, AnyKeyConnection, Explanation, Finding, compare_image, explain, load_evidence,
};
use serde::Serialize;

use crate::{Ending, Explain, answer};

pub(crate) async fn run(command: &Explain, now: UnixMillis) -> anyhow::Result<Ending> {
    let trust = command.reference.load(now).await?;
    let evidence = evidence(&command.evidence).await?;
    let manifest = trust.closest_to(&evidence, now).manifest();
    let image = command.image.as_deref();
    let image = image.map(|path| compare_image(path, &evidence, manifest)).transpose()?;
    let explanation = explain(&evidence, &trust, image.as_ref(), now);
    answer(&if command.json { json(&explanation)? } else { table(&explanation) })?;
    Ok(if explanation.findings.is_empty() { Ending::Accepted } else { Ending::Refused })
}

/// From a file or folder of `fetch`, or from a box.
async fn evidence(source: &str) -> anyhow::Result<Evidence> {
    let path = Path::new(source);
    if path.exists() {
        return Ok(load_evidence(path)?);
    }
    ensure!(source.contains(':'), "expected an evidence file, its folder or HOST:PORT: {source}");
    let mut connection = AnyKeyConnection::open(source, None).await?;
    let Answer { evidence, .. } = connection.challenge().await.context("no evidence")?;
    Ok(evidence)
}

#[derive(Serialize)]
struct Shown<'a> {
    manifest_sha256: Option<String>,
    platform: Option<&'a str>,
    release: Option<u32>,
    manifests_considered: usize,
    manifests_in_force: usize,
    findings: Vec<ShownFinding<'a>>,
}

#[derive(Serialize)]
struct ShownFinding<'a> {
    check: String,
    pcr: Option<u8>,
    event: Option<ShownEvent<'a>>,
    position: Option<usize>,
    components: &'a [String],
    expected: &'a str,
    found: &'a str,
    cause: &'a str,
}

#[derive(Serialize)]
struct ShownEvent<'a> {
    index: usize,
    offset: usize,
    #[serde(rename = "type")]
    event_type: String,
    description: &'a str,
}

fn json(explanation: &Explanation) -> anyhow::Result<String> {
    let shown = Shown {
        manifest_sha256: explanation.manifest.map(|digest| digest.to_string()),
        platform: explanation.platform.as_deref(),
        release: explanation.release,
        manifests_considered: explanation.considered.given,
        manifests_in_force: explanation.considered.in_force,
        findings: explanation.findings.iter().map(shown).collect(),
    };
    Ok(serde_json::to_string_pretty(&shown)?)
}

fn shown(finding: &Finding) -> ShownFinding<'_> {
    let event = finding.event.as_ref().map(|event| ShownEvent {
        index: event.index,
        offset: event.offset,
        event_type: event.event_type.to_string(),
        description: &event.description,
    });
    ShownFinding {
        check: finding.check.to_string(),
        pcr: finding.pcr.map(|pcr| pcr.number()),
        event,
        position: finding.position,
        components: &finding.components,
        expected: &finding.expected,
        found: &finding.found,
        cause: finding.cause,
    }
}

/// For people. Writing into a String cannot fail.
fn table(explanation: &Explanation) -> String {
    let mut text = String::new();
    let considered = explanation.considered;
    match explanation.manifest {
        Some(manifest) => {
            let platform = explanation.platform.as_deref().unwrap_or("?");
            let release = explanation.release.map(|number| format!("release {number}, "));
            let release = release.unwrap_or_default();
            let _written = writeln!(text, "held against manifest {manifest}");
            let _written = writeln!(text, "  ({release}platform {platform}): {considered}");
        }
        None => {
            let _written = writeln!(text, "held against no manifest: {considered}");
        }
    }
    for finding in &explanation.findings {
        text.push_str(&rows(finding));
    }
    let _written = match explanation.findings.len() {
        0 => write!(
            text,
            "\nnothing to explain: every measurement is the manifest's\n(no verdict: whose evidence \
             it is, and how old, says `attest-verifier verify`)"
        ),
        1 => write!(text, "\n1 mismatch"),
        count => write!(text, "\n{count} mismatches"),
    };
    text
}

fn rows(finding: &Finding) -> String {
    let mut text = String::new();
    let _written = write!(text, "\n{}", finding.check);
    if let Some(position) = finding.position {
        let _written = write!(text, ", event {position} of its own");
    }
    if let Some(event) = &finding.event {
        let (index, event_type) = (event.index, event.event_type);
        let _written = write!(text, ", number {index} of the log, {event_type}");
    }
    text.push('\n');
    let components = finding.components.join(", ");
    for (title, content) in [
        ("component", components.as_str()),
        ("expected", &finding.expected),
        ("found", &finding.found),
        ("likely", finding.cause),
    ] {
        if !content.is_empty() {
            let _written = writeln!(text, "  {title:<10} {content}");
        }
    }
    text
}
