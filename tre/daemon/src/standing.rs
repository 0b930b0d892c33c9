//! From power-on to a start state: measure the deployment, then read it; unseal, then say so.
//!
//! The order is the security: the deployment is extended into PCR 11 before it is parsed, secrets
//! are unsealed at that value, and "started" is extended before the first peer is heard, so that
//! nothing that runs later can unseal them. A failed unseal creates and overwrites nothing.

use measured_boot::digest::Sha256Digest;
use measured_boot::pcr::{PcrIndex, PcrValues};
use measured_boot::tpm::SpkiError;
use thiserror::Error;
use tre_store::{Device, DeviceError, Envelope, Extent, TwoSlotError, TwoSlotRegion};
use tre_tpm::{SealPolicy, Tpm, TpmError};
use tre_wire::deployment::{self, Deployment, DeploymentError};
use tre_wire::disk::{self, DiskError};
use tre_wire::message::StartState;
use tre_wire::units::UnixMillis;

use crate::clock::Clock;
use crate::enrolled::{Enrolled, EnrolledError};
use crate::keys::Keys;
use crate::revocations::Revocations;
use crate::status::{StatusError, StatusStore};
use crate::status_key::StatusKey;

/// What a box is once it has started.
#[derive(Debug)]
pub(crate) enum Standing {
    /// Nothing enrolled.
    New,
    /// Everything unsealed.
    Serving(Box<Enrolled>, Keys),
    /// Something is there and does not open.
    Locked {
        /// The record, if it could be read.
        enrolled: Option<Box<Enrolled>>,
        /// Why it is locked.
        reason: LockReason,
    },
}

/// Why a box is locked.
#[derive(Debug, Error)]
pub(crate) enum LockReason {
    /// The deployment block was measured and cannot be read.
    #[error(transparent)]
    Deployment(DeploymentError),
    /// Both copies of the enrolment record are damaged.
    #[error("enrolment record is damaged: {0}")]
    Record(TwoSlotError),
    /// The record does not open.
    #[error(transparent)]
    Enrolled(EnrolledError),
    /// The deployment's status key is none.
    #[error("deployment: status key: {0}")]
    StatusKey(SpkiError),
    /// What the status key said is not as this box kept it.
    #[error(transparent)]
    Status(StatusError),
    /// Just enrolled, and the TPM's owner hierarchy is not closed yet.
    #[error("enrolled; the TPM's owner hierarchy is being closed")]
    Owning,
}

/// Everything that the start leaves behind.
#[derive(Debug)]
pub(crate) struct Started {
    /// What the box is.
    pub(crate) standing: Standing,
    /// The deployment, unless it could not be read.
    pub(crate) deployment: Option<Deployment>,
    /// Where the enrolment record stands.
    pub(crate) region: TwoSlotRegion,
    /// What the status key said: where it is kept.
    pub(crate) status: StatusStore,
    /// Which keys are no longer believed.
    pub(crate) revocations: Revocations,
    /// The PCR values under which secrets are sealed.
    pub(crate) seal_policy: SealPolicy,
    /// All PCRs after the last extension.
    pub(crate) pcrs: PcrValues,
}

/// Why a box cannot even be locked.
#[derive(Debug, Error)]
pub(crate) enum StartError {
    /// The data disk cannot be read.
    #[error("data disk: {0}")]
    Device(#[source] DeviceError),
    /// The data disk is not ours.
    #[error("data disk: {0}")]
    Disk(#[source] DiskError),
    /// The data disk is too small for its layout.
    #[error("data disk: {0}")]
    Region(#[source] TwoSlotError),
    /// The TPM failed.
    #[error("TPM: {0}")]
    Tpm(#[source] TpmError),
}

/// Starts the box on `disk` and `tpm`.
///
/// # Errors
///
/// [`StartError`]: there is nothing to attest or serve with.
pub(crate) fn start(disk: Device, tpm: &mut dyn Tpm) -> Result<Started, StartError> {
    let header = read(&disk, disk::HEADER)?;
    disk::check_header(&header).map_err(StartError::Disk)?;
    let block = read(&disk, disk::DEPLOYMENT)?;
    let file = disk::deployment_file(&block).map_err(StartError::Disk)?;
    extend(tpm, deployment::measurement(file))?;
    let at_unseal = tpm.read_pcrs().map_err(StartError::Tpm)?;

    let extent = |region: disk::Region| Extent { offset: region.offset, length: region.length };
    let [first, second] = disk::ENROLMENT.map(extent);
    let region = TwoSlotRegion::new(disk.clone(), first, second).map_err(StartError::Region)?;
    let [first, second] = disk::STATUS.map(extent);
    let status = TwoSlotRegion::new(disk, first, second).map_err(StartError::Region)?;
    let mut status = StatusStore::new(status);
    let mut revocations = Revocations::default();
    let (deployment, standing) = match Deployment::from_json(file) {
        Ok(deployment) => {
            let standing = match stand(&region, tpm, &deployment) {
                Opened::Not(standing) => standing,
                Opened::Enrolled(mut enrolled, keys, envelope) => match status.open(envelope) {
                    Ok(kept) => {
                        revocations = kept.revocations.clone();
                        if let Some(newer) = kept.certificates.clone() {
                            enrolled.renew(newer);
                        }
                        Standing::Serving(enrolled, keys)
                    }
                    Err(error) => locked(Some(enrolled), LockReason::Status(error)),
                },
            };
            (Some(deployment), standing)
        }
        Err(error) => (None, locked(None, LockReason::Deployment(error))),
    };

    extend(tpm, deployment::started())?;
    let pcrs = tpm.read_pcrs().map_err(StartError::Tpm)?;
    let seal_policy = SealPolicy::fulfilled_by(&at_unseal);
    Ok(Started { standing, deployment, region, status, revocations, seal_policy, pcrs })
}

/// What became of what is enrolled.
enum Opened {
    /// There is nothing, or it does not open.
    Not(Standing),
    /// The record, its keys, and the envelope of the status record.
    Enrolled(Box<Enrolled>, Keys, Envelope),
}

/// Opens what is enrolled, if anything is.
fn stand(region: &TwoSlotRegion, tpm: &mut dyn Tpm, deployment: &Deployment) -> Opened {
    let locked = |enrolled, reason| Opened::Not(locked(enrolled, reason));
    if let Err(error) = StatusKey::of(&deployment.status_key) {
        return locked(None, LockReason::StatusKey(error));
    }
    let bytes = match region.read() {
        Ok(None) => return Opened::Not(Standing::New),
        Ok(Some(record)) => record.bytes,
        Err(error) => return locked(None, LockReason::Record(error)),
    };
    let enrolled = match Enrolled::from_bytes(&bytes) {
        Ok(enrolled) => Box::new(enrolled),
        Err(error) => return locked(None, LockReason::Enrolled(error)),
    };
    match enrolled.open(tpm, deployment) {
        Ok((keys, envelope)) => Opened::Enrolled(enrolled, keys, envelope),
        Err(error) => locked(Some(enrolled), LockReason::Enrolled(error)),
    }
}

fn locked(enrolled: Option<Box<Enrolled>>, reason: LockReason) -> Standing {
    Standing::Locked { enrolled, reason }
}

fn read(disk: &Device, region: disk::Region) -> Result<Vec<u8>, StartError> {
    let length = usize::try_from(region.length).unwrap_or(0);
    disk.read(region.offset, length).map_err(StartError::Device)
}

fn extend(tpm: &mut dyn Tpm, digest: [u8; 32]) -> Result<(), StartError> {
    tpm.extend(PcrIndex::P11, &Sha256Digest(digest)).map_err(StartError::Tpm)
}

impl Standing {
    /// The state as `GET health` names it.
    pub(crate) const fn state(&self) -> StartState {
        match self {
            Self::New => StartState::New,
            Self::Serving(..) => StartState::Serving,
            Self::Locked { .. } => StartState::Locked,
        }
    }

    /// The time that the box shows: 0 while none is proven.
    ///
    /// A new box has no name that a token could be for. It shows its hardware clock, against which
    /// it holds its operator's certificate: an enrolment is refused if that is far off.
    pub(crate) fn time(&self, clock: &Clock) -> UnixMillis {
        match self {
            Self::New => clock.for_certificates(),
            Self::Serving(..) | Self::Locked { .. } => clock.now().unwrap_or_default(),
        }
    }

    /// The record, if there is one that can be read.
    pub(crate) const fn enrolled(&self) -> Option<&Enrolled> {
        match self {
            Self::New => None,
            Self::Serving(enrolled, _) => Some(enrolled),
            Self::Locked { enrolled, .. } => match enrolled {
                Some(enrolled) => Some(enrolled),
                None => None,
            },
        }
    }

    /// Name of the TRE, empty until it is enrolled.
    pub(crate) fn tre_id(&self) -> &str {
        self.enrolled().map_or("", |enrolled| enrolled.tre_id.as_str())
    }

    /// Why it is locked, one line; empty otherwise.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::New | Self::Serving(..) => String::new(),
            Self::Locked { reason, .. } => reason.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
