//! The diagnostic examination: every check by name, also after one has failed, and the verdict.

use attest_verifier_core::measured_boot::digest::Sha256Digest;
use attest_verifier_core::quote::{self, BindingError};
use attest_verifier_core::refusal::Refusal;
use attest_verifier_core::report::{self, CheckReport};
use attest_verifier_core::verdict::{self, Attested};
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
    let mut connection = AnyKeyConnection::open(address, None).await?;
    let Answer { evidence, session } = connection.challenge().await?;
    let reference = trust.reference();
    let identity = reference.identity_of_tre(tre_id.clone());
    let expected_answer = quote::expected_answer(&evidence, &session);
    let checks = report::examine(&evidence, &session, &identity, reference, now);
    let verdict = verdict::attest(&evidence, session, &identity, reference, now);
    Ok(Examination { evidence, expected_answer, checks, verdict })
}
