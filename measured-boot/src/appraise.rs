//! Evidence held against expectation: every PCR accounted for, every difference named.
//!
//! Equality, in order, of everything: a subset is not an appraisal, and there is no accept-all.

use alloc::{string::String, string::ToString as _, vec::Vec};
use core::fmt;

use thiserror::Error;

use crate::{
    digest::Sha256Digest,
    eventlog::{Event, EventLog, EventType, LogError},
    manifest::{Expectation, ExpectedEvent, PcrExpectations},
    pcr::{PcrIndex, PcrValues, StartupLocality},
    predict::DeploymentDigests,
    tpm::QuotedPcrs,
};

/// What was found out about one PCR.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PcrOutcome {
    /// The value is the expected one, and the log replays to it.
    Equal,
    /// Not judged, and the manifest says so.
    Waived,
    /// The log replays to the value, which is not the expected one.
    ValueDiffers,
    /// The log does not replay to the value: one of them is not from this boot.
    LogDiffers {
        /// What the log gives.
        replayed: Sha256Digest,
    },
}

/// One PCR: expected, found, outcome.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PcrCheck {
    /// The PCR.
    pub pcr: PcrIndex,
    /// The value expected; `None` if waived.
    pub expected: Option<Sha256Digest>,
    /// The value found.
    pub found: Sha256Digest,
    /// What came of it.
    pub outcome: PcrOutcome,
    /// Why the value was expected, in the manifest's words.
    pub reason: String,
}

impl PcrCheck {
    /// Whether the PCR passed.
    #[must_use]
    pub const fn ok(&self) -> bool {
        matches!(self.outcome, PcrOutcome::Equal | PcrOutcome::Waived)
    }
}

/// An event as the log has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FoundEvent {
    /// Its number in the log.
    pub index: usize,
    /// Where it starts in the log, in bytes.
    pub offset: usize,
    /// The type it says.
    pub event_type: EventType,
    /// What it says it is.
    pub description: String,
    /// Its SHA-256 digest.
    pub digest: Sha256Digest,
}

/// The first thing that is not as it should be in one PCR.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Difference {
    /// An event differs, is missing (`found` is `None`) or too much (`expected` is `None`).
    Event {
        /// The PCR.
        pcr: PcrIndex,
        /// Position among the PCR's own events, from 0.
        position: usize,
        /// The event expected there.
        expected: Option<ExpectedEvent>,
        /// The event found there.
        found: Option<FoundEvent>,
    },
    /// The log does not replay to the quoted value, so its events explain nothing.
    Log {
        /// The PCR.
        pcr: PcrIndex,
        /// What the log gives.
        replayed: Sha256Digest,
        /// What the TPM quoted.
        quoted: Sha256Digest,
    },
    /// The value differs, and no log speaks of it: another deployment, or a box not serving yet.
    Value {
        /// The PCR.
        pcr: PcrIndex,
        /// The value expected.
        expected: Sha256Digest,
        /// The value found.
        found: Sha256Digest,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event { pcr, position, expected, found } => {
                write!(f, "{pcr}, event {position} of its own")?;
                match expected {
                    Some(event) => write!(f, ": expected {} ({})", event.digest, event.description),
                    None => f.write_str(": expected no more events"),
                }?;
                match found {
                    Some(FoundEvent { index, event_type, description, digest, .. }) => {
                        write!(f, ", found {digest} ({description}), {event_type}, number {index}")
                    }
                    None => f.write_str(", found no more events"),
                }
            }
            Self::Log { pcr, replayed, quoted } => {
                write!(f, "{pcr}: the log gives {replayed}, the TPM quoted {quoted}")
            }
            Self::Value { pcr, expected, found } => {
                write!(f, "{pcr}: expected {expected}, found {found}")
            }
        }
    }
}

/// All 24 PCRs, judged, with a difference for each that failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PcrReport {
    checks: Vec<PcrCheck>,
    differences: Vec<Difference>,
}

impl PcrReport {
    /// One check a PCR, ascending.
    #[must_use]
    pub fn checks(&self) -> &[PcrCheck] {
        &self.checks
    }

    /// The first difference in each PCR that failed, ascending. Empty if all passed.
    #[must_use]
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// The first PCR that failed.
    #[must_use]
    pub fn first_failure(&self) -> Option<&PcrCheck> {
        self.checks.iter().find(|check| !check.ok())
    }
}

/// Why evidence is refused.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum AppraisalRefusal {
    /// The log cannot be replayed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// PCR 0 to 7 are all zero: firmware never measured into this bank, so anyone may fill it.
    #[error("expected a measured boot, found PCR 0 to 7 all zero")]
    UnusedBank,
    /// At least one PCR is not as expected.
    #[error("{}", Mismatch(.0))]
    Mismatch(PcrReport),
}

struct Mismatch<'a>(&'a PcrReport);

impl fmt::Display for Mismatch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for difference in &self.0.differences {
            write!(f, "{separator}{difference}")?;
            separator = "; ";
        }
        Ok(())
    }
}

/// Proof that quoted PCRs and log are exactly the expected ones. Only [`appraise`] makes one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Appraised(PcrReport);

impl Appraised {
    /// The checks that all passed.
    #[must_use]
    pub const fn report(&self) -> &PcrReport {
        &self.0
    }
}

/// Holds a quote's PCRs and the event log against the expectations of a serving TRE.
///
/// # Errors
///
/// [`AppraisalRefusal`]; [`AppraisalRefusal::Mismatch`] has the whole report.
pub fn appraise(
    log: &EventLog<'_>,
    quoted: &QuotedPcrs,
    expected: &PcrExpectations,
    deployment: &DeploymentDigests,
) -> Result<Appraised, AppraisalRefusal> {
    let report = compare(log, quoted.values(), expected, deployment)?;
    if report.first_failure().is_some() {
        return Err(AppraisalRefusal::Mismatch(report));
    }
    Ok(Appraised(report))
}

/// The same comparison for values that no quote covers: a report, never a proof.
///
/// # Errors
///
/// [`AppraisalRefusal::Log`] or [`AppraisalRefusal::UnusedBank`]; differences are in the report.
pub fn compare(
    log: &EventLog<'_>,
    values: &PcrValues,
    expected: &PcrExpectations,
    deployment: &DeploymentDigests,
) -> Result<PcrReport, AppraisalRefusal> {
    let replayed = log.replay()?;
    let firmware = values.as_array().iter().take(FIRMWARE_PCRS);
    if firmware.clone().all(|value| *value == Sha256Digest::ZERO) {
        return Err(AppraisalRefusal::UnusedBank);
    }
    let (mut checks, mut differences) = (Vec::new(), Vec::new());
    for (pcr, expectation) in expected.iter() {
        let check = check_pcr(pcr, expectation, values, &replayed, deployment);
        differences.extend(explain(log, expectation, &check));
        checks.push(check);
    }
    Ok(PcrReport { checks, differences })
}

fn check_pcr(
    pcr: PcrIndex,
    expectation: &Expectation,
    values: &PcrValues,
    replayed: &PcrValues,
    deployment: &DeploymentDigests,
) -> PcrCheck {
    let found = values.value(pcr);
    let expected = expectation.value(deployment);
    let replayed = replayed.value(pcr);
    // What PID 1 extends is in no log: there the log must say that firmware left the PCR alone.
    let logged = match expectation {
        Expectation::Deployment { .. } => PcrValues::initial(StartupLocality::Zero).value(pcr),
        Expectation::Exact { .. } | Expectation::Recorded { .. } => found,
        Expectation::Waived { .. } => replayed,
    };
    let outcome = match expected {
        None => PcrOutcome::Waived,
        Some(_) if replayed != logged => PcrOutcome::LogDiffers { replayed },
        Some(expected) if expected != found => PcrOutcome::ValueDiffers,
        Some(_) => PcrOutcome::Equal,
    };
    PcrCheck { pcr, expected, found, outcome, reason: expectation.reason().to_string() }
}

fn explain(log: &EventLog<'_>, expectation: &Expectation, check: &PcrCheck) -> Option<Difference> {
    let pcr = check.pcr;
    match check.outcome {
        PcrOutcome::Equal | PcrOutcome::Waived => None,
        PcrOutcome::LogDiffers { replayed } => {
            Some(Difference::Log { pcr, replayed, quoted: check.found })
        }
        PcrOutcome::ValueDiffers => {
            first_difference(log, pcr, expectation.events()).or_else(|| {
                Some(Difference::Value { pcr, expected: check.expected?, found: check.found })
            })
        }
    }
}

/// The first place where the log's events of `pcr` are not the expected ones.
fn first_difference(
    log: &EventLog<'_>,
    pcr: PcrIndex,
    expected: &[ExpectedEvent],
) -> Option<Difference> {
    let mut expected = expected.iter();
    let mut found = log.events_of(pcr);
    for position in 0_usize.. {
        let (expected, found) = (expected.next(), found.next().and_then(found_event));
        if expected.is_none() && found.is_none() {
            return None;
        }
        if expected.map(|event| event.digest) != found.as_ref().map(|event| event.digest) {
            let expected = expected.cloned();
            return Some(Difference::Event { pcr, position, expected, found });
        }
    }
    None
}

fn found_event(event: &Event<'_>) -> Option<FoundEvent> {
    Some(FoundEvent {
        index: event.index,
        offset: event.offset,
        event_type: event.event_type,
        description: event.describe(),
        digest: event.sha256()?,
    })
}

/// PCR 0 to 7 are the firmware's. `[PFP]`
const FIRMWARE_PCRS: usize = 8;

#[cfg(test)]
mod tests;
