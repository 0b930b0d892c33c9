//! What an appraisal ends as, and the three ways through its stages.

use alloc::vec::Vec;
use core::marker::PhantomData;

use measured_boot::digest::Sha256Digest;
use measured_boot::manifest::ReleaseNumber;
use measured_boot::pcr::PcrValues;
use measured_boot::tpm::{ClockInfo, FirmwareVersion, Name};
use tre_wire::attestation::Evidence;
use tre_wire::role::Identity;
use tre_wire::units::UnixMillis;

use crate::channel::{Session, View};
use crate::past::{Past, PastError};
use crate::reference::Reference;
use crate::refusal::Refusal;
use crate::stage::Unverified;

/// What a TPM and a TRE said, once it is believed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Facts {
    /// Name of the attestation key.
    pub attestation_key: Name,
    /// The TPM's clock and boot counters.
    pub clock: ClockInfo,
    /// The TPM's firmware version.
    pub firmware_version: FirmwareVersion,
    /// SHA-256 of the manifest file that the box equals.
    pub manifest: Sha256Digest,
    /// The release that this manifest is of; `None` if it is of none.
    pub release: Option<ReleaseNumber>,
    /// The 24 PCRs.
    pub pcrs: PcrValues,
    /// Number of the state epoch.
    pub state_epoch: u64,
    /// The TRE's time.
    pub time: UnixMillis,
}

/// Proof that the other end of a connection is the TRE asked for, running exactly the reference.
///
/// For this connection and this moment. Only the stages of [`crate::stage`] make one, and only of a
/// [`Session`]; evidence from a file or a log, or of a box that nobody certified, never becomes one:
///
/// ```compile_fail,E0277
/// use attest_verifier_core::verdict::{Appraised, Attested};
///
/// fn from_a_file(appraised: Appraised) -> Attested {
///     appraised.into()
/// }
/// ```
///
/// ```compile_fail,E0277
/// use attest_verifier_core::verdict::{AppraisedUnenrolled, Attested};
///
/// fn uncertified(appraised: AppraisedUnenrolled) -> Attested {
///     appraised.into()
/// }
/// ```
///
/// ```compile_fail,E0308
/// use attest_verifier_core::channel::View;
/// use attest_verifier_core::verdict::Attested;
///
/// fn from_a_log(derived_again: Attested<View>) -> Attested {
///     derived_again
/// }
/// ```
#[derive(Debug, Eq, PartialEq)]
pub struct Attested<S = Session> {
    identity: Identity,
    server_key: Sha256Digest,
    facts: Facts,
    over: PhantomData<S>,
}

impl<S> Attested<S> {
    pub(crate) const fn new(identity: Identity, server_key: Sha256Digest, facts: Facts) -> Self {
        Self { identity, server_key, facts, over: PhantomData }
    }

    /// Goes on only if nothing in it is older than `past`, which was known before the nonce was
    /// sent.
    ///
    /// # Errors
    ///
    /// [`PastError`].
    pub fn not_before(self, past: &Past) -> Result<Self, PastError> {
        past.check(&self.facts)?;
        Ok(self)
    }

    /// What is to be remembered of it.
    #[must_use]
    pub const fn past(&self) -> Past {
        Past::of(&self.facts)
    }

    /// The TRE.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// SHA-256 of the SubjectPublicKeyInfo (DER) of its end of the connection.
    #[must_use]
    pub const fn server_key(&self) -> Sha256Digest {
        self.server_key
    }

    /// What it said.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }
}

/// Proof that the other end of a connection runs exactly the reference, on some TPM: what an
/// authority wants to know before it certifies. It says nothing of whose TPM that is.
#[derive(Debug, Eq, PartialEq)]
pub struct AppraisedUnenrolled<S = Session> {
    attestation_key: Vec<u8>,
    facts: Facts,
    over: PhantomData<S>,
}

impl<S> AppraisedUnenrolled<S> {
    pub(crate) const fn new(attestation_key: Vec<u8>, facts: Facts) -> Self {
        Self { attestation_key, facts, over: PhantomData }
    }

    /// TPMT_PUBLIC of the attestation key that signed; its profile was checked. `[TPM2-P2]`
    #[must_use]
    pub fn attestation_key(&self) -> &[u8] {
        &self.attestation_key
    }

    /// What the box said.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }
}

/// Evidence that was true once, of the TRE asked for: unbound, good for no connection.
#[derive(Debug, Eq, PartialEq)]
pub struct Appraised {
    identity: Identity,
    facts: Facts,
}

impl Appraised {
    pub(crate) const fn new(identity: Identity, facts: Facts) -> Self {
        Self { identity, facts }
    }

    /// The TRE.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What it said.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }
}

/// Appraises what a TRE answered over a connection. The session, with its nonce, is spent. Over the
/// [`View`] that a log kept of one, derives the verdict of then again, by the same stages.
///
/// # Errors
///
/// [`Refusal`] of the first check that failed, in the order of [`crate::check::Check`].
pub fn attest<S: AsRef<View>>(
    evidence: &Evidence,
    session: S,
    identity: &Identity,
    reference: &Reference,
    now: UnixMillis,
) -> Result<Attested<S>, Refusal> {
    let claimed = Unverified::new(evidence, reference, now).claims_tre(identity)?;
    let keyed = claimed.check_channel(session)?.check_key()?;
    let admitted = keyed.verify_signature()?.read()?.check_binding()?;
    Ok(admitted.check_firmware()?.check_pcrs()?.appraise()?.check_time()?)
}

/// Appraises what a box that is not enrolled answered over a connection: the same, without
/// certificates, which it does not have. The session, with its nonce, is spent.
///
/// # Errors
///
/// [`Refusal`] of the first check that failed.
pub fn appraise_unenrolled<S: AsRef<View>>(
    evidence: &Evidence,
    session: S,
    reference: &Reference,
    now: UnixMillis,
) -> Result<AppraisedUnenrolled<S>, Refusal> {
    let claimed = Unverified::new(evidence, reference, now).claims_new()?;
    let keyed = claimed.check_key(session)?;
    let admitted = keyed.verify_signature()?.read()?.check_binding()?;
    Ok(admitted.without_firmware().check_pcrs()?.appraise()?.check_time()?)
}

/// Appraises evidence from a file. Who asked for it, and when, nobody knows.
///
/// # Errors
///
/// [`Refusal`] of the first check that failed.
pub fn appraise_stored(
    evidence: &Evidence,
    identity: &Identity,
    reference: &Reference,
    now: UnixMillis,
) -> Result<Appraised, Refusal> {
    let claimed = Unverified::new(evidence, reference, now).claims_tre(identity)?;
    let stated = claimed.check_key()?.verify_signature()?.read()?;
    Ok(stated.without_binding().check_firmware()?.check_pcrs()?.appraise()?.unbound())
}
