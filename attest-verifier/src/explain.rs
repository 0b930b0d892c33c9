//! What differs, where, and why that may be: for people who stand before a refused box.
//!
//! An explanation is no verdict. It holds the evidence against the closest manifest and looks
//! neither at whose evidence it is nor at how old it is.

mod cause;

use attest_verifier_core::check::Check;
use attest_verifier_core::closest::{Closest, Considered};
use attest_verifier_core::measured_boot::appraise::{Difference, FoundEvent};
use attest_verifier_core::measured_boot::digest::Sha256Digest;
use attest_verifier_core::measured_boot::pcr::PcrIndex;
use attest_verifier_core::report::{self, CheckReport};
use attest_verifier_core::wire::attestation::Evidence;
use attest_verifier_core::wire::units::UnixMillis;

use crate::image::ImageFinding;
use crate::trust::Trust;

/// All that can be said of a box's measurements.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explanation {
    /// SHA-256 of the manifest file that the evidence was held against, if it could be.
    pub manifest: Option<Sha256Digest>,
    /// The platform that this manifest is for.
    pub platform: Option<String>,
    /// The number of the release, if the manifest has one.
    pub release: Option<u32>,
    /// How many manifests there were.
    pub considered: Considered,
    /// Everything that is not as it should be, in the order of the checks. Empty if nothing is to
    /// be explained.
    pub findings: Vec<Finding>,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// The check that failed.
    pub check: Check,
    /// The PCR that it is about.
    pub pcr: Option<PcrIndex>,
    /// The first event in the log that is not the expected one.
    pub event: Option<FoundEvent>,
    /// Its place among the events of the PCR, from 0; also where the event itself is missing.
    pub position: Option<usize>,
    /// The parts of the image that were changed, the most telling first; with the image at hand.
    pub components: Vec<String>,
    /// What the manifest has there.
    pub expected: String,
    /// What the evidence has there.
    pub found: String,
    /// What probably happened.
    pub cause: &'static str,
}

/// Explains `evidence` at the time `now`; `image` is what [`compare_image`](crate::compare_image)
/// found of the image believed to be on the box.
#[must_use]
pub fn explain(
    evidence: &Evidence,
    trust: &Trust,
    image: Option<&ImageFinding>,
    now: UnixMillis,
) -> Explanation {
    let reference = trust.reference();
    let closest = Closest::to(evidence, reference, now).ok();
    let rows = report::examine_measurements(evidence, reference, now);
    let finding = |row: &CheckReport| match (row.check, &closest) {
        (Check::Pcr(pcr), Some(closest)) => of_pcr(row, pcr, closest, trust, image),
        (check, _) => Finding::plain(row, cause::of_check(check)),
    };
    // What could not be checked explains nothing: the row before it says why.
    let failed = rows.iter().filter(|row| !row.ok && row.expected != "-");
    Explanation {
        manifest: closest.as_ref().map(|closest| closest.release.sha256()),
        platform: closest.as_ref().map(|closest| closest.release.manifest().platform.name.clone()),
        release: closest.as_ref().and_then(|closest| {
            closest.release.manifest().release.as_ref().map(|release| release.number.0)
        }),
        considered: Considered::of(reference, now),
        findings: failed.map(finding).collect(),
    }
}

impl Finding {
    fn plain(row: &CheckReport, cause: &'static str) -> Self {
        let (expected, found) = (row.expected.clone(), row.found.clone());
        let (pcr, event, position, components) = (None, None, None, Vec::new());
        Self { check: row.check, pcr, event, position, components, expected, found, cause }
    }
}

fn of_pcr(
    row: &CheckReport,
    pcr: PcrIndex,
    closest: &Closest<'_>,
    trust: &Trust,
    image: Option<&ImageFinding>,
) -> Finding {
    let mut finding = Finding::plain(row, cause::of_pcr(pcr));
    finding.pcr = Some(pcr);
    let mut differences = closest.report.differences().iter();
    match differences.find(|difference| cause::pcr_of(difference) == pcr) {
        Some(Difference::Event { position, expected, found, .. }) => {
            let image_digest = closest.release.manifest().efi.authenticode;
            finding.cause = cause::of_event(pcr, expected.as_ref(), found.as_ref(), image_digest);
            finding.position = Some(*position);
            finding.expected = match expected {
                Some(event) => format!("{} ({})", event.digest, event.description),
                None => String::from("no more events"),
            };
            finding.found = match found {
                Some(event) => format!("{} ({})", event.digest, event.description),
                None => String::from("no more events"),
            };
            finding.event = found.clone();
            if pcr == PcrIndex::P4 {
                finding.components = image.map(changed_parts).unwrap_or_default();
            }
        }
        Some(Difference::Log { .. }) => finding.cause = cause::LOG,
        Some(Difference::Value { found, .. }) if pcr == PcrIndex::P11 => {
            finding.found = found.to_string();
            finding.cause = cause::of_deployment(*found, trust.reference().digests());
        }
        Some(Difference::Value { .. }) | None => {}
    }
    finding
}

/// The changed parts in words; those that follow others only if nothing else changed.
fn changed_parts(image: &ImageFinding) -> Vec<String> {
    if image.measured_as.is_none() {
        return vec![String::from("unknown: the box did not start the image given")];
    }
    let telling = image.changes.iter().filter(|change| !change.follows_others());
    let telling: Vec<String> = telling.map(|change| spoken(change.name())).collect();
    if telling.is_empty() {
        return image.changes.iter().map(|change| spoken(change.name())).collect();
    }
    telling
}

/// A component under the name that people know.
fn spoken(name: &str) -> String {
    match name {
        "/init" => String::from("/init (tred)"),
        other => other.to_owned(),
    }
}
