//! What all connections share. One thread, so no lock; nothing here is grid state.

use core::cell::{OnceCell, RefCell};
use std::sync::Arc;

use measured_boot::pcr::PcrValues;
use measured_boot::tpm::Public;
use tokio::sync::{Notify, watch};
use tre_store::TwoSlotRegion;
use tre_tpm::SealPolicy;
use tre_wire::deployment::Deployment;

use crate::calls::attestation::Framed;
use crate::calls::enrolment::Pending;
use crate::clock::Clock;
use crate::metrics::Counters;
use crate::owner::Owner;
use crate::revocations::Revocations;
use crate::rooms::Rooms;
use crate::server::Front;
use crate::standing::Standing;
use crate::status::StatusStore;
use crate::time_nonces::TimeNonces;
use crate::time_tokens::Pace;
use crate::tpm::TpmHandle;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The TRE's time.
    pub(crate) clock: Arc<Clock>,
    /// The deployment, unless it could not be read.
    pub(crate) deployment: Option<Deployment>,
    /// Told of each token that comes into force.
    pub(crate) told: Notify,
    /// The owner of the grid's state, from the first time token on.
    pub(crate) owner: OnceCell<Owner>,
    /// What a time token may answer.
    pub(crate) nonces: RefCell<TimeNonces>,
    /// How fast time tokens are judged.
    pub(crate) pace: Pace,
    /// The TPM thread.
    pub(crate) tpm: TpmHandle,
    /// What the box is; changed once, by an enrolment.
    pub(crate) standing: RefCell<Standing>,
    /// The enrolment under way.
    pub(crate) pending: RefCell<Option<Pending>>,
    /// Where the enrolment record stands.
    pub(crate) region: RefCell<TwoSlotRegion>,
    /// Where what the status key said is kept.
    pub(crate) status: RefCell<StatusStore>,
    /// Which keys are no longer believed.
    pub(crate) revocations: watch::Sender<Revocations>,
    /// The PCR values under which secrets are sealed.
    pub(crate) seal_policy: SealPolicy,
    /// The present TLS side.
    pub(crate) front: watch::Sender<Front>,
    /// The part of evidence that no quote changes, made at the first request.
    pub(crate) framed: Framed,
    /// What evidence says besides the quote.
    pub(crate) measured: Measured,
    /// Memory for the bodies of requests.
    pub(crate) rooms: Rooms,
    /// Counters for the operator.
    pub(crate) counters: Counters,
}

/// What does not change while the box runs.
#[derive(Debug)]
pub(crate) struct Measured {
    /// The attestation key.
    pub(crate) attestation_key: Public,
    /// TCG event log as the firmware left it.
    pub(crate) event_log: Vec<u8>,
    /// All PCRs after the last extension.
    pub(crate) pcrs: PcrValues,
}
