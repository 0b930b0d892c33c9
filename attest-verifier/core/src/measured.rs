//! What was measured, held against the reference: log, replay, every PCR, and the TRE's time.

use alloc::boxed::Box;

use measured_boot::appraise::{
    self, AppraisalRefusal, Difference, PcrCheck, PcrOutcome, PcrReport,
};
use measured_boot::digest::Sha256Digest;
use measured_boot::eventlog::{EventLog, LogError};
use measured_boot::pcr::{PcrIndex, PcrValues};
use measured_boot::tpm::QuotedPcrs;
use tre_wire::attestation::Evidence;
use tre_wire::units::UnixMillis;

use crate::check::{Check, Mismatch, Sides, mismatch_is_error};
use crate::reference::Reference;

/// How far a TRE's time may be from ours, either way. Unit: milliseconds.
///
/// Five minutes: more than a synchronised clock is ever wrong, less than one metering interval.
pub const CLOCK_BOUND_MS: u64 = 300_000;

/// Why measurements are not those of the reference.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AppraisalError {
    /// The manifest is not yet, or no longer, in force. Unit of all: seconds since 1970.
    NotInForce {
        /// From when, if it says so.
        from: Option<u64>,
        /// Until when, if it says so.
        until: Option<u64>,
        /// Our time.
        now: u64,
    },
    /// The log is damaged.
    Log {
        /// Where, and what was expected there.
        cause: LogError,
    },
    /// The firmware measured nothing into this bank.
    UnusedBank,
    /// The log is of another boot.
    Replay {
        /// The first PCR that it does not replay to.
        pcr: PcrIndex,
        /// What the log gives.
        replayed: Sha256Digest,
        /// What the TPM quoted.
        quoted: Sha256Digest,
    },
    /// A PCR does not hold its reference value.
    Value {
        /// The PCR.
        pcr: PcrIndex,
        /// The reference value.
        expected: Sha256Digest,
        /// The value quoted.
        found: Sha256Digest,
        /// The first event that is not as it should be.
        difference: Option<Box<Difference>>,
    },
}

impl Mismatch for AppraisalError {
    fn check(&self) -> Check {
        match self {
            Self::NotInForce { .. } => Check::ManifestValidity,
            Self::Log { .. } => Check::EventLog,
            Self::UnusedBank | Self::Replay { .. } => Check::EventLogReplay,
            Self::Value { pcr, .. } => Check::Pcr(*pcr),
        }
    }

    fn sides(&self) -> Sides {
        match self {
            Self::NotInForce { from, until, now } => Sides::new(in_force(*from, *until), now),
            Self::Log { cause } => Sides::new(EXPECTED_LOG, cause),
            Self::UnusedBank => Sides::new("a measured boot", "PCR 0 to 7 all zero"),
            Self::Replay { pcr, replayed, quoted } => {
                Sides::new(format_args!("{pcr} {quoted}"), format_args!("{pcr} {replayed}"))
            }
            Self::Value { expected, found, difference, .. } => match difference.as_deref() {
                Some(event @ Difference::Event { .. }) => {
                    Sides::new(expected, format_args!("{found}; {event}"))
                }
                Some(Difference::Log { .. } | Difference::Value { .. }) | None => {
                    Sides::new(expected, found)
                }
            },
        }
    }
}

mismatch_is_error!(AppraisalError);

/// What a log should be, in words.
pub(crate) const EXPECTED_LOG: &str = "a whole log with a sha256 bank";

/// The time in which a manifest is in force, in words.
pub(crate) fn in_force(from: Option<u64>, until: Option<u64>) -> alloc::string::String {
    match (from, until) {
        (None, None) => alloc::string::String::from("any time"),
        (Some(from), None) => alloc::format!("{from} or later"),
        (None, Some(until)) => alloc::format!("{until} or earlier"),
        (Some(from), Some(until)) => alloc::format!("{from} to {until}"),
    }
}

/// The TRE's clock is too far from ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TimeError {
    /// Our time.
    pub expected: UnixMillis,
    /// The TRE's time.
    pub found: UnixMillis,
}

impl Mismatch for TimeError {
    fn check(&self) -> Check {
        Check::Time
    }

    fn sides(&self) -> Sides {
        Sides::new(within_bound(self.expected), self.found)
    }
}

mismatch_is_error!(TimeError);

/// Our time and the bound, in words.
pub(crate) fn within_bound(now: UnixMillis) -> alloc::string::String {
    alloc::format!("{now} +- {CLOCK_BOUND_MS} ms")
}

/// The manifest is in force.
pub(crate) fn check_in_force(reference: &Reference, now: UnixMillis) -> Result<(), AppraisalError> {
    let manifest = reference.manifest();
    let (from, until, now) = (manifest.valid_from, manifest.valid_until, now.get() / 1_000);
    if from.is_none_or(|from| from <= now) && until.is_none_or(|until| now <= until) {
        return Ok(());
    }
    Err(AppraisalError::NotInForce { from, until, now })
}

/// The log is whole, well formed, and speaks of the SHA-256 bank.
pub(crate) fn check_log(evidence: &Evidence) -> Result<EventLog<'_>, AppraisalError> {
    let log = EventLog::parse(evidence.event_log.as_slice());
    let log = log.map_err(|cause| AppraisalError::Log { cause })?;
    match log.replay() {
        Ok(_) => Ok(log),
        Err(cause) => Err(AppraisalError::Log { cause }),
    }
}

/// Every PCR of a whole report is as the log and the manifest say: the log first.
pub(crate) fn check_report(report: &PcrReport) -> Result<(), AppraisalError> {
    report.checks().iter().try_for_each(check_replay)?;
    report.checks().iter().try_for_each(|check| check_value(check, report))
}

/// The log replays to the value of this PCR.
pub(crate) const fn check_replay(check: &PcrCheck) -> Result<(), AppraisalError> {
    match check.outcome {
        PcrOutcome::LogDiffers { replayed } => {
            Err(AppraisalError::Replay { pcr: check.pcr, replayed, quoted: check.found })
        }
        PcrOutcome::Equal | PcrOutcome::Waived | PcrOutcome::ValueDiffers => Ok(()),
    }
}

/// This PCR holds its reference value, or is waived by name.
pub(crate) fn check_value(check: &PcrCheck, report: &PcrReport) -> Result<(), AppraisalError> {
    match check.expected {
        Some(expected) if expected != check.found => {
            let (pcr, found) = (check.pcr, check.found);
            let difference = report.differences().iter().find(|found| pcr_of(found) == pcr);
            let difference = difference.cloned().map(Box::new);
            Err(AppraisalError::Value { pcr, expected, found, difference })
        }
        Some(_) | None => Ok(()),
    }
}

const fn pcr_of(difference: &Difference) -> PcrIndex {
    match difference {
        Difference::Event { pcr, .. }
        | Difference::Log { pcr, .. }
        | Difference::Value { pcr, .. } => *pcr,
    }
}

/// Holds values that no quote covers against the reference: for a report, never for a verdict.
pub(crate) fn compare(
    log: &EventLog<'_>,
    values: &PcrValues,
    reference: &Reference,
) -> Result<PcrReport, AppraisalError> {
    match appraise::compare(log, values, &reference.manifest().pcrs, reference.digests()) {
        Ok(report) | Err(AppraisalRefusal::Mismatch(report)) => Ok(report),
        Err(AppraisalRefusal::Log(cause)) => Err(AppraisalError::Log { cause }),
        Err(AppraisalRefusal::UnusedBank) => Err(AppraisalError::UnusedBank),
    }
}

/// Holds quoted values and the log against the reference.
pub(crate) fn appraise(
    log: &EventLog<'_>,
    quoted: &QuotedPcrs,
    reference: &Reference,
) -> Result<(), AppraisalError> {
    check_report(&compare(log, quoted.values(), reference)?)
}

/// The TRE's time is ours, within the bound.
pub(crate) fn check_time(evidence: &Evidence, now: UnixMillis) -> Result<(), TimeError> {
    let (expected, found) = (now, evidence.time);
    if expected.get().abs_diff(found.get()) <= CLOCK_BOUND_MS {
        return Ok(());
    }
    Err(TimeError { expected, found })
}
