//! The stages of an appraisal. Each consumes the one before, so that no check can be skipped.
//!
//! ```text
//! Unverified -> Claimed -> Channelled -> Keyed -> Signed -> Stated -> Admitted
//!   -> Allowed -> Quoted -> Measured -> Attested
//! ```
//!
//! Three ways lead through them, told apart by a type parameter: [`Live`] evidence ends as
//! [`Attested`], a box that is not enrolled as [`AppraisedUnenrolled`], evidence from files as
//! [`Appraised`]. The first two say by a type parameter of their own what they were held against: a
//! [`Session`](channel::Session), whose nonce was drawn here, or the [`View`] that a log kept of one.
//! Nothing turns one of these into another, and no stage can be left out:
//!
//! ```compile_fail,E0599
//! use attest_verifier_core::channel::Session;
//! use attest_verifier_core::stage::{Keyed, Live};
//!
//! fn read_before_the_signature_is_checked(keyed: Keyed<'_, Live<'_, Session>>) {
//!     let _stated = keyed.read();
//! }
//! ```

mod mode;

use measured_boot::digest::Sha256Digest;
use measured_boot::manifest::ReleaseNumber;
use measured_boot::pcr::PcrValues;
use measured_boot::tpm::{AikPublic, Quote, QuotedPcrs};
use tre_wire::attestation::Evidence;
use tre_wire::message::StartState;
use tre_wire::role::Identity;
use tre_wire::units::UnixMillis;

use crate::channel::{self, ChannelError, View};
use crate::claim::{self, ClaimError};
use crate::closest::Closest;
use crate::denylist::{self, FirmwareError};
use crate::key::{self, KeyError};
use crate::measured::{self, AppraisalError, TimeError};
use crate::quote::{self, BindingError, PcrError, QuoteSignatureError, StatementError};
use crate::reference::Reference;
use crate::verdict::{Appraised, AppraisedUnenrolled, Attested, Facts};

pub use mode::{Enrolling, Live, Unbound};

/// Evidence of which nothing is believed yet.
#[derive(Clone, Copy, Debug)]
pub struct Unverified<'a> {
    evidence: &'a Evidence,
    reference: &'a Reference,
    now: UnixMillis,
}

/// Evidence of the right shape, with what it is held against.
#[derive(Debug)]
struct Case<'a> {
    evidence: &'a Evidence,
    pcrs: PcrValues,
    reference: &'a Reference,
    now: UnixMillis,
}

/// Evidence that says it is of the TRE that is asked for, serving.
#[derive(Debug)]
pub struct Claimed<'a> {
    case: Case<'a>,
    identity: &'a Identity,
}

/// Evidence that says it is of a box that is not enrolled.
#[derive(Debug)]
pub struct ClaimedNew<'a> {
    case: Case<'a>,
}

/// The TLS connection leads to the TRE that is asked for.
#[derive(Debug)]
pub struct Channelled<'a, S> {
    case: Case<'a>,
    mode: Live<'a, S>,
}

/// The attestation key is fit, and certified where it must be.
#[derive(Debug)]
pub struct Keyed<'a, M> {
    case: Case<'a>,
    mode: M,
    key: AikPublic,
}

/// The attestation key signed these bytes. What they say is not yet read.
#[derive(Debug)]
pub struct Signed<'a, M>(Keyed<'a, M>);

/// The signed bytes are a quote of this TPM. What it answers is not yet known.
#[derive(Debug)]
pub struct Stated<'a, M> {
    keyed: Keyed<'a, M>,
    quote: Quote,
}

/// The quote answers whatever it must answer.
#[derive(Debug)]
pub struct Admitted<'a, M>(Stated<'a, M>);

/// The TPM's firmware is not denied, or its judge is the authority that enrols it.
#[derive(Debug)]
pub struct Allowed<'a, M>(Stated<'a, M>);

/// The PCR values are those quoted.
#[derive(Debug)]
pub struct Quoted<'a, M> {
    stated: Stated<'a, M>,
    pcrs: QuotedPcrs,
}

/// Every measurement is that of the reference.
#[derive(Debug)]
pub struct Measured<'a, M> {
    stated: Stated<'a, M>,
    pcrs: QuotedPcrs,
    manifest: Sha256Digest,
    release: Option<ReleaseNumber>,
}

impl<'a> Unverified<'a> {
    /// Starts an appraisal of `evidence` against `reference` at the time `now`.
    #[must_use]
    pub const fn new(evidence: &'a Evidence, reference: &'a Reference, now: UnixMillis) -> Self {
        Self { evidence, reference, now }
    }

    /// Size, format, state and name are those of the TRE that is asked for.
    ///
    /// # Errors
    ///
    /// [`ClaimError`].
    pub fn claims_tre(self, identity: &'a Identity) -> Result<Claimed<'a>, ClaimError> {
        let case = self.claims(StartState::Serving, identity.id.as_str())?;
        Ok(Claimed { case, identity })
    }

    /// Size, format and state are those of a box that is not enrolled; it has no name.
    ///
    /// # Errors
    ///
    /// [`ClaimError`].
    pub fn claims_new(self) -> Result<ClaimedNew<'a>, ClaimError> {
        Ok(ClaimedNew { case: self.claims(StartState::New, "")? })
    }

    fn claims(self, state: StartState, tre_id: &str) -> Result<Case<'a>, ClaimError> {
        let Self { evidence, reference, now } = self;
        let pcrs = claim::check_size(evidence)?;
        claim::check_format(evidence)?;
        claim::check_state(evidence, state)?;
        claim::check_tre_id(evidence, tre_id)?;
        Ok(Case { evidence, pcrs, reference, now })
    }
}

impl Case<'_> {
    fn check_certified(&self, identity: &Identity) -> Result<AikPublic, KeyError> {
        key::check_chain(self.evidence, self.reference, self.now)?;
        key::check_identity(self.evidence, identity)?;
        let key = key::check_profile(self.evidence)?;
        key::check_certificate_key(self.evidence, &key)?;
        Ok(key)
    }
}

impl<'a> Claimed<'a> {
    /// The TLS certificate is the asked-for TRE's. The session, and with it the nonce, is spent.
    ///
    /// # Errors
    ///
    /// [`ChannelError`].
    pub fn check_channel<S: AsRef<View>>(
        self,
        session: S,
    ) -> Result<Channelled<'a, S>, ChannelError> {
        let Self { case, identity } = self;
        let chain = &session.as_ref().server_chain;
        let server_key = channel::check_server(chain, case.reference, identity, case.now)?;
        Ok(Channelled { case, mode: Live { identity, session, server_key } })
    }

    /// The attestation key is the asked-for TRE's; no connection is known.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn check_key(self) -> Result<Keyed<'a, Unbound<'a>>, KeyError> {
        let Self { case, identity } = self;
        let key = case.check_certified(identity)?;
        Ok(Keyed { case, mode: Unbound { identity }, key })
    }
}

impl<'a, S> Channelled<'a, S> {
    /// The attestation key is the asked-for TRE's.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn check_key(self) -> Result<Keyed<'a, Live<'a, S>>, KeyError> {
        let Self { case, mode } = self;
        let key = case.check_certified(mode.identity)?;
        Ok(Keyed { case, mode, key })
    }
}

impl<'a> ClaimedNew<'a> {
    /// The attestation key is fit to be certified, and is not yet. The session is spent.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn check_key<S: AsRef<View>>(
        self,
        session: S,
    ) -> Result<Keyed<'a, Enrolling<S>>, KeyError> {
        key::check_no_chain(self.case.evidence)?;
        let key = key::check_profile(self.case.evidence)?;
        Ok(Keyed { case: self.case, mode: Enrolling { session }, key })
    }
}

impl<'a, M> Keyed<'a, M> {
    /// The signature is the attestation key's, over the raw bytes.
    ///
    /// # Errors
    ///
    /// [`QuoteSignatureError`].
    pub fn verify_signature(self) -> Result<Signed<'a, M>, QuoteSignatureError> {
        quote::check_signature(self.case.evidence, &self.key)?;
        Ok(Signed(self))
    }
}

impl<'a, M> Signed<'a, M> {
    /// The bytes are a quote made by a TPM, by this key in its place, and nothing else.
    ///
    /// # Errors
    ///
    /// [`StatementError`].
    pub fn read(self) -> Result<Stated<'a, M>, StatementError> {
        let quote = quote::check_structure(self.0.case.evidence)?;
        quote::check_signer(&quote, &self.0.key)?;
        Ok(Stated { keyed: self.0, quote })
    }
}

impl<'a, M: AsRef<View>> Stated<'a, M> {
    /// The quote answers our nonce, on our connection.
    ///
    /// # Errors
    ///
    /// [`BindingError`].
    pub fn check_binding(self) -> Result<Admitted<'a, M>, BindingError> {
        let Keyed { case, mode, .. } = &self.keyed;
        quote::check_binding(case.evidence, &self.quote, mode.as_ref())?;
        Ok(Admitted(self))
    }
}

impl<'a> Stated<'a, Unbound<'a>> {
    /// Goes on without knowing what the quote answers: the result is good for no connection.
    #[must_use]
    pub const fn without_binding(self) -> Admitted<'a, Unbound<'a>> {
        Admitted(self)
    }
}

impl<'a, M> Admitted<'a, M> {
    /// The TPM's firmware is not on the denylist.
    ///
    /// # Errors
    ///
    /// [`FirmwareError`].
    pub fn check_firmware(self) -> Result<Allowed<'a, M>, FirmwareError> {
        let Case { evidence, reference, .. } = self.0.keyed.case;
        denylist::check_firmware(evidence, &self.0.quote, reference)?;
        Ok(Allowed(self.0))
    }
}

impl<'a, S> Admitted<'a, Enrolling<S>> {
    /// Goes on without: whose TPM it is, nobody has certified yet. Who enrols the box asks the
    /// denylist once it has the endorsement key's certificate.
    #[must_use]
    pub fn without_firmware(self) -> Allowed<'a, Enrolling<S>> {
        Allowed(self.0)
    }
}

impl<'a, M> Allowed<'a, M> {
    /// The quote covers every PCR, and the values in the evidence are those quoted.
    ///
    /// # Errors
    ///
    /// [`PcrError`].
    pub fn check_pcrs(self) -> Result<Quoted<'a, M>, PcrError> {
        let pcrs = quote::check_pcrs(&self.0.quote, self.0.keyed.case.pcrs)?;
        Ok(Quoted { stated: self.0, pcrs })
    }
}

impl<'a, M> Quoted<'a, M> {
    /// The log replays to the PCRs, and every PCR holds its reference value or is waived by name:
    /// all in one manifest, which is in force.
    ///
    /// # Errors
    ///
    /// [`AppraisalError`].
    pub fn appraise(self) -> Result<Measured<'a, M>, AppraisalError> {
        let Case { evidence, reference, now, .. } = self.stated.keyed.case;
        measured::check_in_force(reference, now)?;
        let log = measured::check_log(evidence)?;
        let closest = Closest::find(&log, self.pcrs.values(), reference, now)?;
        let released = closest.accept(now)?;
        let release = released.manifest().release.as_ref().map(|release| release.number);
        let manifest = released.sha256();
        Ok(Measured { stated: self.stated, pcrs: self.pcrs, manifest, release })
    }
}

impl<M> Measured<'_, M> {
    fn facts(&self) -> Facts {
        let Stated { keyed, quote } = &self.stated;
        Facts {
            attestation_key: keyed.key.name(),
            clock: quote.clock,
            firmware_version: quote.firmware_version,
            manifest: self.manifest,
            release: self.release,
            pcrs: *self.pcrs.values(),
            state_epoch: keyed.case.evidence.state_epoch,
            time: keyed.case.evidence.time,
        }
    }
}

impl<S> Measured<'_, Live<'_, S>> {
    /// The TRE's time is ours, within [`CLOCK_BOUND_MS`](measured::CLOCK_BOUND_MS).
    ///
    /// # Errors
    ///
    /// [`TimeError`].
    pub fn check_time(self) -> Result<Attested<S>, TimeError> {
        let Keyed { case, mode, .. } = &self.stated.keyed;
        measured::check_time(case.evidence, case.now)?;
        Ok(Attested::new(mode.identity.clone(), mode.server_key, self.facts()))
    }
}

impl<S> Measured<'_, Enrolling<S>> {
    /// The box's time is ours, within [`CLOCK_BOUND_MS`](measured::CLOCK_BOUND_MS).
    ///
    /// # Errors
    ///
    /// [`TimeError`].
    pub fn check_time(self) -> Result<AppraisedUnenrolled<S>, TimeError> {
        let case = &self.stated.keyed.case;
        measured::check_time(case.evidence, case.now)?;
        let attestation_key = case.evidence.attestation_key.0.clone();
        Ok(AppraisedUnenrolled::new(attestation_key, self.facts()))
    }
}

impl Measured<'_, Unbound<'_>> {
    /// Ends here: how old the evidence is, its reader must judge.
    #[must_use]
    pub fn unbound(self) -> Appraised {
        Appraised::new(self.stated.keyed.mode.identity.clone(), self.facts())
    }
}
