//! Every check by name, with both sides, also after one has failed: for people, never a verdict.
//!
//! The rules are those of the stages: the same functions, asked one by one.

use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

use measured_boot::appraise::PcrCheck;
use measured_boot::pcr::{PcrIndex, PcrSelection};
use measured_boot::tpm::{AikPublic, Quote};
use tre_wire::attestation::Evidence;
use tre_wire::denylist::Firmware;
use tre_wire::message::StartState;
use tre_wire::role::Identity;
use tre_wire::units::UnixMillis;

use crate::channel::{self, View};
use crate::check::{Check, Mismatch, Sides};
use crate::closest::{Closest, Considered};
use crate::measured::AppraisalError;
use crate::quote::PcrError;
use crate::reference::Reference;
use crate::{claim, denylist, key, measured, quote};

/// One check, and what came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CheckReport {
    /// Which check; its `Display` is the stable name.
    pub check: Check,
    /// What the verifier wanted.
    pub expected: String,
    /// What the evidence shows, or why the check could not be made.
    pub found: String,
    /// Whether the check passed.
    pub ok: bool,
}

/// Runs every check on what a TRE answered over a connection, in their order.
#[must_use]
pub fn examine(
    evidence: &Evidence,
    session: &View,
    identity: &Identity,
    reference: &Reference,
    now: UnixMillis,
) -> Vec<CheckReport> {
    let mut rows = Rows(Vec::new());
    rows.claims(evidence, StartState::Serving, identity.id.as_str());
    let chain = &session.server_chain;
    let issued = channel::check_chain(chain, reference, now);
    rows.same(Check::TlsChain, issued, channel::EXPECTED_CHAIN);
    rows.same(Check::TlsIdentity, channel::check_identity(chain, identity), identity);
    let key = rows.certified_key(evidence, identity, reference, now);
    rows.quote(evidence, Some(session), key.as_ref(), Some(reference));
    rows.measurements(evidence, reference, now);
    rows.time(evidence, now);
    rows.0
}

/// The same for evidence from a file: without connection, binding and age, which nobody knows.
#[must_use]
pub fn examine_stored(
    evidence: &Evidence,
    identity: &Identity,
    reference: &Reference,
    now: UnixMillis,
) -> Vec<CheckReport> {
    let mut rows = Rows(Vec::new());
    rows.claims(evidence, StartState::Serving, identity.id.as_str());
    let key = rows.certified_key(evidence, identity, reference, now);
    rows.quote(evidence, None, key.as_ref(), Some(reference));
    rows.measurements(evidence, reference, now);
    rows.0
}

/// The same for a box that is not enrolled, which has neither name nor certificates.
#[must_use]
pub fn examine_unenrolled(
    evidence: &Evidence,
    session: &View,
    reference: &Reference,
    now: UnixMillis,
) -> Vec<CheckReport> {
    let mut rows = Rows(Vec::new());
    rows.claims(evidence, StartState::New, "");
    rows.same(Check::AikChain, key::check_no_chain(evidence), key::EXPECTED_NO_CHAIN);
    let key = rows.same(Check::AikProfile, key::check_profile(evidence), key::EXPECTED_PROFILE);
    rows.quote(evidence, Some(session), key.as_ref(), None);
    rows.measurements(evidence, reference, now);
    rows.time(evidence, now);
    rows.0
}

/// The checks that need neither a connection nor a name: is this evidence sound in itself, and
/// does it show the reference? Whose it is, and how old, it does not say.
#[must_use]
pub fn examine_measurements(
    evidence: &Evidence,
    reference: &Reference,
    now: UnixMillis,
) -> Vec<CheckReport> {
    let mut rows = Rows(Vec::new());
    rows.same(Check::EvidenceSize, claim::check_size(evidence), "within bounds");
    rows.same(Check::EvidenceFormat, claim::check_format(evidence), claim::FORMAT);
    let key = rows.same(Check::AikProfile, key::check_profile(evidence), key::EXPECTED_PROFILE);
    rows.quote(evidence, None, key.as_ref(), None);
    rows.measurements(evidence, reference, now);
    rows.0
}

struct Rows(Vec<CheckReport>);

impl Rows {
    /// Adds a row; `sides` tells what a check that passed has compared.
    fn row<T, E: Mismatch>(
        &mut self,
        check: Check,
        outcome: Result<T, E>,
        sides: impl FnOnce(&T) -> Sides,
    ) -> Option<T> {
        let ok = outcome.is_ok();
        let sides = match &outcome {
            Ok(passed) => sides(passed),
            Err(error) => error.sides(),
        };
        self.push(check, sides, ok);
        outcome.ok()
    }

    fn failed(&mut self, check: Check, error: &impl Mismatch) {
        self.push(check, error.sides(), false);
    }

    fn push(&mut self, check: Check, Sides { expected, found }: Sides, ok: bool) {
        self.0.push(CheckReport { check, expected, found, ok });
    }

    /// Adds a row whose sides are the same once it has passed.
    fn same<T, E: Mismatch>(
        &mut self,
        check: Check,
        outcome: Result<T, E>,
        both: impl core::fmt::Display,
    ) -> Option<T> {
        self.row(check, outcome, |_| Sides::new(&both, &both))
    }

    /// Adds a row for a check that could not be made, which is not a check that passed.
    fn unmade(&mut self, check: Check, why: &str) {
        self.push(check, Sides::new("-", why), false);
    }

    fn claims(&mut self, evidence: &Evidence, state: StartState, tre_id: &str) {
        self.same(Check::EvidenceSize, claim::check_size(evidence), "within bounds");
        self.same(Check::EvidenceFormat, claim::check_format(evidence), claim::FORMAT);
        self.same(Check::StartState, claim::check_state(evidence, state), state.as_str());
        self.same(Check::TreId, claim::check_tre_id(evidence, tre_id), claim::named(tre_id));
    }

    fn certified_key(
        &mut self,
        evidence: &Evidence,
        identity: &Identity,
        reference: &Reference,
        now: UnixMillis,
    ) -> Option<AikPublic> {
        let issued = key::check_chain(evidence, reference, now);
        self.same(Check::AikChain, issued, key::EXPECTED_CHAIN);
        self.same(Check::AikIdentity, key::check_identity(evidence, identity), identity);
        let key = self.same(Check::AikProfile, key::check_profile(evidence), key::EXPECTED_PROFILE);
        match &key {
            Some(key) => {
                let certified = key::check_certificate_key(evidence, key);
                self.same(Check::AikCertificateKey, certified, key.name());
            }
            None => self.unmade(Check::AikCertificateKey, NO_KEY),
        }
        key
    }

    /// Without a session nobody knows what the quote must answer; without a certified key nobody
    /// knows whose TPM it is, and `denying` is none.
    fn quote(
        &mut self,
        evidence: &Evidence,
        session: Option<&View>,
        key: Option<&AikPublic>,
        denying: Option<&Reference>,
    ) {
        match key {
            Some(key) => {
                let signed = quote::check_signature(evidence, key);
                self.same(Check::QuoteSignature, signed, quote::EXPECTED_SIGNATURE);
            }
            None => self.unmade(Check::QuoteSignature, NO_KEY),
        }
        let structure = quote::check_structure(evidence);
        let quote = self.same(Check::QuoteStructure, structure, quote::EXPECTED_STRUCTURE);
        let Some(quote) = quote else {
            let binding = session.map(|_| Check::QualifyingData);
            let firmware = denying.map(|_| Check::Firmware);
            let rest = [Check::PcrSelection, Check::PcrDigest];
            let checks = [Check::QuoteSigner].into_iter().chain(binding).chain(firmware);
            for check in checks.chain(rest) {
                self.unmade(check, "not checked: the quote cannot be read");
            }
            return;
        };
        match key {
            Some(key) => {
                let signer = quote::check_signer(&quote, key);
                self.same(Check::QuoteSigner, signer, key.qualified_name());
            }
            None => self.unmade(Check::QuoteSigner, NO_KEY),
        }
        if let Some(session) = session {
            let bound = quote::check_binding(evidence, &quote, session);
            let answer = measured_boot::digest::Sha256Digest(quote.extra_data);
            self.same(Check::QualifyingData, bound, answer);
        }
        if let Some(reference) = denying {
            self.firmware(evidence, &quote, reference);
        }
        self.quoted(evidence, &quote);
    }

    fn firmware(&mut self, evidence: &Evidence, quote: &Quote, reference: &Reference) {
        let version = Firmware(quote.firmware_version.0);
        let listed = reference.denied_firmware().map_or(" (no denylist given)", |_| "");
        self.row(Check::Firmware, denylist::check_firmware(evidence, quote, reference), |()| {
            Sides::new(denylist::EXPECTED_FIRMWARE, format_args!("{version}{listed}"))
        });
    }

    fn quoted(&mut self, evidence: &Evidence, quote: &Quote) {
        let Ok(claimed) = claim::pcr_values(evidence) else {
            for check in [Check::PcrSelection, Check::PcrDigest] {
                self.unmade(check, "not checked: not one value for each PCR");
            }
            return;
        };
        match quote::check_pcrs(quote, claimed) {
            Err(error @ PcrError::Selection { .. }) => {
                self.failed(Check::PcrSelection, &error);
                self.unmade(Check::PcrDigest, "not checked: other PCRs were quoted");
            }
            outcome @ (Ok(_) | Err(PcrError::Digest { .. })) => {
                let selection = Sides::new(PcrSelection::ALL, quote.selection);
                self.push(Check::PcrSelection, selection, true);
                self.same(Check::PcrDigest, outcome, quote.pcr_digest);
            }
        }
    }

    fn measurements(&mut self, evidence: &Evidence, reference: &Reference, now: UnixMillis) {
        let (log, values) = (measured::check_log(evidence), claim::pcr_values(evidence));
        let closest = match (&log, &values) {
            (Ok(log), Ok(values)) => Some(Closest::find(log, values, reference, now)),
            (Err(_), _) | (_, Err(_)) => None,
        };
        self.validity(reference, closest.as_ref().and_then(|found| found.as_ref().ok()), now);
        self.row(Check::EventLog, log, |log| {
            Sides::new(measured::EXPECTED_LOG, format_args!("{} events", log.events().len()))
        });
        match closest {
            None => self.pcrs_unmade(true, "not checked: no log or no PCR values to judge"),
            Some(Ok(closest)) => self.pcrs(&closest),
            Some(Err(error)) => {
                self.failed(Check::EventLogReplay, &error);
                self.pcrs_unmade(false, "not checked: nothing was measured");
            }
        }
    }

    /// A manifest is in force, and the box does not equal one that is not.
    fn validity(&mut self, reference: &Reference, closest: Option<&Closest<'_>>, now: UnixMillis) {
        let in_force = measured::check_in_force(reference, now);
        let in_force: Result<Considered, AppraisalError> = match closest {
            Some(closest) if closest.equal() => in_force.and_then(|considered| {
                measured::check_standing(closest.release, true, considered, now)?;
                Ok(considered)
            }),
            Some(_) | None => in_force,
        };
        let seconds = now.get() / 1_000;
        self.row(Check::ManifestValidity, in_force, |considered| {
            let expected = measured::in_force_at(seconds);
            match closest {
                Some(closest) => {
                    let named = closest.release.sha256();
                    Sides::new(expected, format_args!("{considered}; closest {named}"))
                }
                None => Sides::new(expected, considered),
            }
        });
    }

    fn pcrs(&mut self, closest: &Closest<'_>) {
        let checks = closest.report.checks();
        let replay = checks.iter().try_for_each(measured::check_replay);
        self.same(Check::EventLogReplay, replay, "the PCR values");
        for check in checks {
            let value = measured::check_value(check, closest);
            self.row(Check::Pcr(check.pcr), value, |()| sides_of(check));
        }
    }

    fn pcrs_unmade(&mut self, with_replay: bool, why: &str) {
        if with_replay {
            self.unmade(Check::EventLogReplay, why);
        }
        for pcr in PcrIndex::all() {
            self.unmade(Check::Pcr(pcr), why);
        }
    }

    fn time(&mut self, evidence: &Evidence, now: UnixMillis) {
        self.row(Check::Time, measured::check_time(evidence, now), |()| {
            Sides::new(measured::within_bound(now), evidence.time)
        });
    }
}

fn sides_of(check: &PcrCheck) -> Sides {
    let expected = match check.expected {
        Some(expected) => expected.to_string(),
        None => alloc::format!("waived: {}", check.reason),
    };
    Sides { expected, found: check.found.to_string() }
}

const NO_KEY: &str = "not checked: no attestation key that is fit";
