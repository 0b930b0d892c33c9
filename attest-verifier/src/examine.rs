//! The diagnostic examination: every check by name, also after one has failed, and the verdict.

use attest_verifier_core::check::{Check, Mismatch as _, Sides};
use attest_verifier_core::measured_boot::digest::Sha256Digest;
use attest_verifier_core::past::Past;
use attest_verifier_core::quote::{self, BindingError};
use attest_verifier_core::refusal::Refusal;
use attest_verifier_core::report::{self, CheckReport};
use attest_verifier_core::verdict::{self, Appraised, Attested};
use attest_verifier_core::wire::attestation::Evidence;
use attest_verifier_core::wire::id::PeerId;
use attest_verifier_core::wire::units::UnixMillis;

use crate::connection::{Answer, AnyKeyConnection};
use crate::error::AttestError;
use crate::trust::Trust;

/// All that an examination brought out.
#[derive(Debug)]
pub struct Examination {
    /// The evidence, as it came.
    pub evidence: Evidence,
    /// What the quote must answer, computed at this end.
    pub expected_answer: Result<Sha256Digest, BindingError>,
    /// Every check, in order.
    pub checks: Vec<CheckReport>,
    /// The verdict: of the stages alone, never of the list.
    pub verdict: Result<Attested, Refusal>,
}

/// Connects without a certificate to `address` (`HOST:PORT`), whoever answers there, and examines
/// whether it is the TRE called `tre_id`.
///
/// # Errors
///
/// [`AttestError`] if there is no evidence. Evidence that is refused is no error here.
pub async fn examine(
    address: &str,
    tre_id: &PeerId,
    trust: &Trust,
    now: UnixMillis,
) -> Result<Examination, AttestError> {
    trust.check_lists(now)?;
    let past = trust.recall(tre_id).await?;
    let mut connection = AnyKeyConnection::open(address, None).await?;
    let Answer { evidence, session } = connection.challenge().await?;
    let reference = trust.reference();
    let identity = reference.identity_of_tre(tre_id.clone());
    let expected_answer = quote::expected_answer(&evidence, session.as_ref());
    let mut checks = report::examine(&evidence, session.as_ref(), &identity, reference, now);
    let verdict = match verdict::attest(&evidence, session, &identity, reference, now) {
        Ok(attested) => match trust.not_before(past.as_ref(), attested).await {
            Ok(attested) => Ok(attested),
            Err(AttestError::Refused(refusal)) => Err(refusal),
            Err(error) => return Err(error),
        },
        Err(refusal) => Err(refusal),
    };
    if trust.remembers() {
        checks.push(past_report(past.as_ref(), &verdict));
    }
    Ok(Examination { evidence, expected_answer, checks, verdict })
}

/// All that an examination of evidence from files brought out.
#[derive(Debug)]
pub struct StoredExamination {
    /// Every check that needs no connection, in order.
    pub checks: Vec<CheckReport>,
    /// The verdict: unbound, good for no connection.
    pub verdict: Result<Appraised, Refusal>,
}

/// Examines evidence from files: of the TRE called `tre_id`, at some time, for somebody.
#[must_use]
pub fn examine_stored(
    evidence: &Evidence,
    tre_id: &PeerId,
    trust: &Trust,
    now: UnixMillis,
) -> StoredExamination {
    let reference = trust.reference();
    let identity = reference.identity_of_tre(tre_id.clone());
    let checks = report::examine_stored(evidence, &identity, reference, now);
    let verdict = verdict::appraise_stored(evidence, &identity, reference, now);
    StoredExamination { checks, verdict }
}

/// The row of what is remembered: last, and made only of evidence that is otherwise believed.
fn past_report(past: Option<&Past>, verdict: &Result<Attested, Refusal>) -> CheckReport {
    let row = |expected: &str, found: &str, ok| CheckReport {
        check: Check::Past,
        expected: expected.to_owned(),
        found: found.to_owned(),
        ok,
    };
    match (verdict, past) {
        (Err(refusal @ Refusal::Past(_)), _) => {
            let Sides { expected, found } = refusal.sides();
            row(&expected, &found, false)
        }
        (Err(_), _) => row("-", "not checked: not believed in itself", false),
        (Ok(_), Some(_)) => row("nothing older than remembered", "nothing older", true),
        (Ok(_), None) => row("nothing older than remembered", "nothing was remembered", true),
    }
}
