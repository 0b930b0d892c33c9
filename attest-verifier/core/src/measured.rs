//! What was measured, held against the reference: log, replay, every PCR, and the TRE's time.

use alloc::boxed::Box;

use measured_boot::appraise::{Difference, PcrCheck, PcrOutcome};
use measured_boot::digest::Sha256Digest;
use measured_boot::eventlog::{EventLog, LogError};
use measured_boot::pcr::PcrIndex;
use tre_wire::attestation::Evidence;
use tre_wire::units::UnixMillis;

use crate::check::{Check, Mismatch, Sides, mismatch_is_error};
use crate::closest::{Closest, Considered};
use crate::reference::Reference;
use crate::release::{ReleasedManifest, Standing};

/// How far a TRE's time may be from ours, either way. Unit: milliseconds.
///
/// Five minutes: more than a synchronised clock is ever wrong, less than one metering interval.
pub const CLOCK_BOUND_MS: u64 = 300_000;

/// Why measurements are not those of the reference.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AppraisalError {
    /// The manifest is not yet in force. Unit of all times: seconds since 1970.
    NotYetInForce {
        /// SHA-256 of the manifest's file.
        manifest: Sha256Digest,
        /// From when.
        from: u64,
        /// Our time.
        now: u64,
        /// Whether the box equals it otherwise.
        box_equals: bool,
        /// How many manifests there were.
        considered: Considered,
    },
    /// The manifest is no longer in force. Unit of all times: seconds since 1970.
    Expired {
        /// SHA-256 of the manifest's file.
        manifest: Sha256Digest,
        /// Until when it was.
        until: u64,
        /// Our time.
        now: u64,
        /// Whether the box equals it otherwise.
        box_equals: bool,
        /// How many manifests there were.
        considered: Considered,
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
    /// A PCR does not hold its reference value in the manifest that comes closest.
    Value {
        /// The PCR.
        pcr: PcrIndex,
        /// The reference value.
        expected: Sha256Digest,
        /// The value quoted.
        found: Sha256Digest,
        /// The first event that is not as it should be.
        difference: Option<Box<Difference>>,
        /// How many manifests there were.
        considered: Considered,
    },
}

impl Mismatch for AppraisalError {
    fn check(&self) -> Check {
        match self {
            Self::NotYetInForce { .. } | Self::Expired { .. } => Check::ManifestValidity,
            Self::Log { .. } => Check::EventLog,
            Self::UnusedBank | Self::Replay { .. } => Check::EventLogReplay,
            Self::Value { pcr, .. } => Check::Pcr(*pcr),
        }
    }

    fn sides(&self) -> Sides {
        match self {
            Self::NotYetInForce { manifest, from, now, box_equals, considered } => Sides::new(
                in_force_at(*now),
                format_args!(
                    "{manifest}{}, in force from {from} on; {considered}",
                    equals(*box_equals)
                ),
            ),
            Self::Expired { manifest, until, now, box_equals, considered } => Sides::new(
                in_force_at(*now),
                format_args!("{manifest}{}, expired at {until}; {considered}", equals(*box_equals)),
            ),
            Self::Log { cause } => Sides::new(EXPECTED_LOG, cause),
            Self::UnusedBank => Sides::new("a measured boot", "PCR 0 to 7 all zero"),
            Self::Replay { pcr, replayed, quoted } => {
                Sides::new(format_args!("{pcr} {quoted}"), format_args!("{pcr} {replayed}"))
            }
            Self::Value { expected, found, difference, considered, .. } => {
                match difference.as_deref() {
                    Some(event @ Difference::Event { .. }) => {
                        Sides::new(expected, format_args!("{found}; {event}; {considered}"))
                    }
                    Some(Difference::Log { .. } | Difference::Value { .. }) | None => {
                        Sides::new(expected, format_args!("{found}; {considered}"))
                    }
                }
            }
        }
    }
}

mismatch_is_error!(AppraisalError);

/// What a log should be, in words.
pub(crate) const EXPECTED_LOG: &str = "a whole log with a sha256 bank";

/// What there should be in the set, in words.
pub(crate) fn in_force_at(now: u64) -> alloc::string::String {
    alloc::format!("a manifest in force at {now}")
}

const fn equals(box_equals: bool) -> &'static str {
    if box_equals { ", which the box equals" } else { "" }
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

/// At least one manifest of the set is in force. If none is, the error speaks of the one that
/// expired last, or else of the one that will be in force first.
pub(crate) fn check_in_force(
    reference: &Reference,
    now: UnixMillis,
) -> Result<Considered, AppraisalError> {
    let considered = Considered::of(reference, now);
    if considered.in_force > 0 {
        return Ok(considered);
    }
    let mut named = reference.first();
    for release in reference.others() {
        let (one, other) = (named.dates().at(now), release.dates().at(now));
        let nearer = match (one, other) {
            (Standing::Expired { until }, Standing::Expired { until: other }) => other > until,
            (Standing::NotYet { from }, Standing::NotYet { from: other }) => other < from,
            (Standing::NotYet { .. }, Standing::Expired { .. }) => true,
            _ => false,
        };
        if nearer {
            named = release;
        }
    }
    check_standing(named, false, considered, now).map(|()| considered)
}

/// This manifest is in force.
pub(crate) fn check_standing(
    release: &ReleasedManifest,
    box_equals: bool,
    considered: Considered,
    now: UnixMillis,
) -> Result<(), AppraisalError> {
    let (manifest, seconds) = (release.sha256(), now.get() / 1_000);
    match release.dates().at(now) {
        Standing::InForce => Ok(()),
        Standing::NotYet { from } => Err(AppraisalError::NotYetInForce {
            manifest,
            from,
            now: seconds,
            box_equals,
            considered,
        }),
        Standing::Expired { until } => {
            Err(AppraisalError::Expired { manifest, until, now: seconds, box_equals, considered })
        }
    }
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

/// Every PCR is as the log and this manifest say: the log first.
pub(crate) fn check_report(closest: &Closest<'_>) -> Result<(), AppraisalError> {
    let checks = closest.report.checks();
    checks.iter().try_for_each(check_replay)?;
    checks.iter().try_for_each(|check| check_value(check, closest))
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
pub(crate) fn check_value(check: &PcrCheck, closest: &Closest<'_>) -> Result<(), AppraisalError> {
    match check.expected {
        Some(expected) if expected != check.found => {
            let (pcr, found) = (check.pcr, check.found);
            let difference = closest.report.differences().iter().find(|found| pcr_of(found) == pcr);
            let difference = difference.cloned().map(Box::new);
            let considered = closest.considered;
            Err(AppraisalError::Value { pcr, expected, found, difference, considered })
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

/// The TRE's time is ours, within the bound.
pub(crate) fn check_time(evidence: &Evidence, now: UnixMillis) -> Result<(), TimeError> {
    let (expected, found) = (now, evidence.time);
    if expected.get().abs_diff(found.get()) <= CLOCK_BOUND_MS {
        return Ok(());
    }
    Err(TimeError { expected, found })
}
