//! Enrolment of a new box, in one connection.
//!
//! Appraise, then name, then check the keys it offers ([`offer`]), then make its TPM prove that
//! it holds both the endorsement key and the attestation key ([`offer::Challenge`]), and only
//! then certify. The record ([`record`]) is on disk before a certificate leaves this machine, so
//! that no name can be given twice, whatever happens to the connection.

pub mod offer;
pub mod record;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use attest_verifier::core::denylist::FirmwareError;
use attest_verifier::{
    AnyKeyConnection, AttestError, ClientIdentity, ConnectError, RequestError, Trust,
};
use measured_boot::tpm::{FirmwareVersion, Name};
use rsa::rand_core::CryptoRngCore;
use tre_wire::id::TrustDomain;
use tre_wire::message::StartState;
use tre_wire::message::enrolment::{
    ActivatedCredential, BeginEnrolment, CompleteEnrolment, EnrolmentDone, EnrolmentKeys,
};
use tre_wire::role::Identity;
use tre_wire::units::UnixMillis;

use self::offer::{ChallengeError, Offer, OfferError, ProvenTre};
use self::record::{AppraisedAgainst, Record, RecordError, Records};
use crate::authority::{Authority, CertifyError};
use crate::ek::{CertifiedEk, EkRoots};
use crate::validity::Validity;

/// Life of a TRE's certificates where nobody asks for another. Unit: days.
pub const DEFAULT_DAYS: u32 = 365;

/// What a box is enrolled with, and by whom.
#[derive(Debug)]
pub struct Enrolment<'a> {
    /// The identity that the box is to have.
    pub tre: &'a Identity,
    /// Certifies it.
    pub authority: &'a Authority,
    /// TPM makers' certificates that the operator listed.
    pub roots: &'a EkRoots,
    /// Where the record goes.
    pub records: &'a Records,
    /// Deployment and reference manifests, one of which the box must show.
    pub trust: &'a Trust,
    /// Life of the certificates.
    pub validity: Validity,
    /// The present.
    pub now: UnixMillis,
}

/// Why a box is not enrolled. Unless it says otherwise, nothing was issued or written.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The box would run in another domain.
    #[error("expected a deployment of {expected}, found one of {found}")]
    OtherDomain {
        /// The domain of the authority.
        expected: TrustDomain,
        /// The domain of the deployment.
        found: TrustDomain,
    },
    /// The box would not believe the certificates.
    #[error(
        "expected a deployment that names this domain's TRE authority, found other authorities; \
         make it with `tre-pki deployment`"
    )]
    OtherAuthority,
    /// The name is taken, or the record cannot be written.
    #[error(transparent)]
    Record(RecordError),
    /// No connection.
    #[error(transparent)]
    Connect(ConnectError),
    /// The box does not show the reference.
    #[error(
        "not enrolled: {0}; expected a box in state `new` that runs exactly the manifest's image \
         with this deployment"
    )]
    Appraisal(#[source] AttestError),
    /// The box answers a call with a refusal, or not at all.
    #[error("{step}: {source}")]
    Call {
        /// The step of the enrolment.
        step: Step,
        /// Why there is no answer.
        source: RequestError,
    },
    /// What the box offers cannot be certified.
    #[error("not enrolled: {0}")]
    Offer(#[source] OfferError),
    /// The TPM's firmware is denied.
    #[error("not enrolled: {0}")]
    Firmware(#[source] FirmwareError),
    /// The box did not prove that its keys are in one TPM.
    #[error("not enrolled: {0}")]
    Challenge(#[source] ChallengeError),
    /// The certificates could not be made.
    #[error(transparent)]
    Certify(CertifyError),
    /// The certificates left this machine and nobody said that they arrived: the record stands.
    #[error(
        "sent the certificates, and found no confirmation: {source}; the record {record} stands. \
         If `health` says `serving`, the box is enrolled; if it says `new`, remove the record and \
         enrol it again", record = record.display()
    )]
    Unconfirmed {
        /// The record.
        record: PathBuf,
        /// Why there is no answer.
        source: RequestError,
    },
    /// The box took the certificates and is in another state: the record stands.
    #[error(
        "expected the box in state serving, found {found}; the record {record} stands",
        found = found.as_str(), record = record.display()
    )]
    NotServing {
        /// The record.
        record: PathBuf,
        /// The state found.
        found: StartState,
    },
}

/// A call of an enrolment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Names the box and brings out its keys.
    Begin,
    /// Makes its TPM prove that it holds two of them.
    Activate,
    /// Hands it its certificates.
    Complete,
}

impl Step {
    const fn path(self) -> &'static str {
        match self {
            Self::Begin => "/v1/enrolment/begin",
            Self::Activate => "/v1/enrolment/activate",
            Self::Complete => "/v1/enrolment/complete",
        }
    }

    fn failed(self, source: RequestError) -> EnrolError {
        EnrolError::Call { step: self, source }
    }
}

impl core::fmt::Display for Step {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Begin => "beginning the enrolment",
            Self::Activate => "activating the credential",
            Self::Complete => "handing over the certificates",
        })
    }
}

impl Enrolment<'_> {
    /// Enrols the new box at `address` (`HOST:PORT`), as `operator`.
    ///
    /// # Errors
    ///
    /// [`EnrolError`]. Nothing is issued or written, but for [`EnrolError::Unconfirmed`] and
    /// [`EnrolError::NotServing`], whose certificates have left this machine.
    pub async fn run(
        &self,
        address: &str,
        operator: &ClientIdentity,
        random: &mut dyn CryptoRngCore,
    ) -> Result<Record, EnrolError> {
        self.check_deployment()?;
        self.records.check_free(&self.tre.id).map_err(EnrolError::Record)?;
        let mut connection =
            AnyKeyConnection::open(address, Some(operator)).await.map_err(EnrolError::Connect)?;
        let appraised = connection
            .appraise_unenrolled(self.trust, self.now)
            .await
            .map_err(EnrolError::Appraisal)?;
        let appraised_key = appraised.facts().attestation_key;
        let deployment = self.trust.reference().deployment_sha256();
        let against = AppraisedAgainst { manifest: appraised.facts().manifest, deployment };
        let firmware = appraised.facts().firmware_version;
        let proven = self.prove(&mut connection, appraised_key, firmware, random).await?;
        let certificates =
            proven.certify(self.authority, self.validity, random).map_err(EnrolError::Certify)?;
        let record = Record::of(&proven, against, &certificates, self.now, self.validity.ends());
        hand_over(self.records, &mut connection, &certificates, &record).await?;
        Ok(record)
    }

    /// The box will live in this domain, and believe this authority.
    fn check_deployment(&self) -> Result<(), EnrolError> {
        let deployment = self.trust.reference().deployment();
        let (expected, found) = (&self.tre.trust_domain, &deployment.trust_domain);
        if expected != found {
            let (expected, found) = (expected.clone(), found.clone());
            return Err(EnrolError::OtherDomain { expected, found });
        }
        let own = self.authority.certificate().as_ref();
        if deployment.tre_authorities.iter().any(|listed| listed.as_slice() == own) {
            Ok(())
        } else {
            Err(EnrolError::OtherAuthority)
        }
    }

    /// The firmware that quoted is not denied of the TPM's manufacturer.
    fn check_firmware(
        &self,
        endorsement: &CertifiedEk,
        firmware: FirmwareVersion,
    ) -> Result<(), FirmwareError> {
        match self.trust.reference().denied_firmware() {
            Some(denied) => denied.check(endorsement.manufacturer(), firmware),
            None => Ok(()),
        }
    }

    /// Brings out the keys, checks them, and makes the TPM prove that it holds them.
    async fn prove(
        &self,
        connection: &mut AnyKeyConnection,
        appraised_key: Name,
        firmware: FirmwareVersion,
        random: &mut dyn CryptoRngCore,
    ) -> Result<ProvenTre, EnrolError> {
        let exporter = *connection.exporter();
        let begin = BeginEnrolment { tre_id: self.tre.id.clone() };
        let keys: EnrolmentKeys = connection
            .post(Step::Begin.path(), &begin)
            .await
            .map_err(|source| Step::Begin.failed(source))?;
        let offer = Offer { tre: self.tre, appraised_key, exporter: &exporter, keys: &keys };
        let checked = offer.check(self.roots, self.now).map_err(EnrolError::Offer)?;
        self.check_firmware(checked.endorsement(), firmware).map_err(EnrolError::Firmware)?;
        let (challenge, request) = checked.challenge(random).map_err(EnrolError::Challenge)?;
        let answer: ActivatedCredential = connection
            .post(Step::Activate.path(), &request)
            .await
            .map_err(|source| Step::Activate.failed(source))?;
        challenge.check(&answer).map_err(EnrolError::Challenge)
    }
}

/// Writes the record, then sends the certificates.
///
/// A box that refuses them says so on the connection on which it was appraised: it has not
/// kept them, and the record goes. A box that says nothing may have kept them.
async fn hand_over(
    records: &Records,
    connection: &mut AnyKeyConnection,
    certificates: &CompleteEnrolment,
    record: &Record,
) -> Result<(), EnrolError> {
    let path = records.write(record).map_err(EnrolError::Record)?;
    let answer: Result<EnrolmentDone, RequestError> =
        connection.post(Step::Complete.path(), certificates).await;
    match answer {
        Ok(EnrolmentDone { state: StartState::Serving }) => Ok(()),
        Ok(EnrolmentDone { state: found }) => Err(EnrolError::NotServing { record: path, found }),
        Err(source @ RequestError::Problem { .. }) => {
            records.withdraw(&path).map_err(EnrolError::Record)?;
            Err(Step::Complete.failed(source))
        }
        Err(source) => Err(EnrolError::Unconfirmed { record: path, source }),
    }
}
