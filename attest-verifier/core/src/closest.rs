//! Which manifest of a set the measurements are held against.
//!
//! A box is accepted if it equals *one* manifest in force entirely; manifests are never mixed. So
//! each is compared on its own, and the closest one is what a report speaks of.

use core::fmt;

use measured_boot::appraise::{self, AppraisalRefusal, PcrOutcome, PcrReport};
use measured_boot::eventlog::EventLog;
use measured_boot::pcr::{PcrIndex, PcrValues};
use tre_wire::attestation::Evidence;
use tre_wire::units::UnixMillis;

use crate::claim;
use crate::measured::{self, AppraisalError};
use crate::reference::Reference;
use crate::refusal::Refusal;
use crate::release::{ReleasedManifest, Standing};

/// How many manifests there were to equal.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Considered {
    /// In the set.
    pub given: usize,
    /// Of these, in force.
    pub in_force: usize,
}

impl Considered {
    /// Counts the manifests of `reference` at the time `now`.
    #[must_use]
    pub fn of(reference: &Reference, now: UnixMillis) -> Self {
        let in_force = |release: &&ReleasedManifest| release.dates().at(now) == Standing::InForce;
        let in_force = reference.manifests().filter(in_force).count();
        Self { given: reference.manifests().count(), in_force }
    }
}

impl fmt::Display for Considered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { given, in_force } = self;
        let plural = if *given == 1 { "manifest" } else { "manifests" };
        write!(f, "{given} {plural} considered, {in_force} in force")
    }
}

/// The manifest that measurements come closest to, with every PCR held against it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Closest<'a> {
    /// The manifest.
    pub release: &'a ReleasedManifest,
    /// Whether it is in force.
    pub standing: Standing,
    /// Every PCR, held against this manifest alone.
    pub report: PcrReport,
    /// How many manifests there were to come close to.
    pub considered: Considered,
}

impl<'a> Closest<'a> {
    /// The manifest of `reference` that `evidence` comes closest to at the time `now`. Says nothing
    /// of who made the evidence.
    ///
    /// # Errors
    ///
    /// [`Refusal`] if the evidence has no log or no PCR values that could be compared.
    pub fn to(
        evidence: &Evidence,
        reference: &'a Reference,
        now: UnixMillis,
    ) -> Result<Self, Refusal> {
        let values = claim::check_size(evidence)?;
        let log = measured::check_log(evidence)?;
        Ok(Self::find(&log, &values, reference, now)?)
    }

    /// Of equal manifests one in force, then one that is not; of others one in force, then of the
    /// same platform, then with the fewest PCRs that differ, then the first.
    pub(crate) fn find(
        log: &EventLog<'_>,
        values: &PcrValues,
        reference: &'a Reference,
        now: UnixMillis,
    ) -> Result<Self, AppraisalError> {
        let considered = Considered::of(reference, now);
        let held = |release: &'a ReleasedManifest| -> Result<Self, AppraisalError> {
            let report = compare(log, values, release, reference)?;
            Ok(Self { release, standing: release.dates().at(now), report, considered })
        };
        let mut closest = held(reference.first())?;
        for release in reference.others() {
            let other = held(release)?;
            if other.distance() < closest.distance() {
                closest = other;
            }
        }
        Ok(closest)
    }

    /// Whether every PCR is as this manifest has it.
    #[must_use]
    pub fn equal(&self) -> bool {
        self.report.first_failure().is_none()
    }

    /// Smaller is closer.
    fn distance(&self) -> (bool, bool, bool, usize) {
        let differing = self.report.checks().iter().filter(|check| !check.ok());
        let (mut platform_differs, mut count) = (false, 0_usize);
        for check in differing {
            // Firmware, memory and processors: PCR 0 tells platforms apart.
            let value_differs = check.outcome == PcrOutcome::ValueDiffers;
            platform_differs |= check.pcr == PcrIndex::P0 && value_differs;
            count = count.saturating_add(1);
        }
        (count > 0, self.standing != Standing::InForce, platform_differs, count)
    }

    /// Accepts the measurements if they equal this manifest and it is in force.
    pub(crate) fn accept(self, now: UnixMillis) -> Result<&'a ReleasedManifest, AppraisalError> {
        let equal = self.equal();
        measured::check_standing(self.release, equal, self.considered, now)?;
        measured::check_report(&self)?;
        Ok(self.release)
    }
}

/// Holds the measurements against one manifest.
fn compare(
    log: &EventLog<'_>,
    values: &PcrValues,
    release: &ReleasedManifest,
    reference: &Reference,
) -> Result<PcrReport, AppraisalError> {
    match appraise::compare(log, values, &release.manifest().pcrs, reference.digests()) {
        Ok(report) | Err(AppraisalRefusal::Mismatch(report)) => Ok(report),
        Err(AppraisalRefusal::Log(cause)) => Err(AppraisalError::Log { cause }),
        Err(AppraisalRefusal::UnusedBank) => Err(AppraisalError::UnusedBank),
    }
}
