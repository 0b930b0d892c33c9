//! What is made of a look, and which verdicts are news.

use attest_verifier_core::channel::View;
use attest_verifier_core::check::{Mismatch as _, Sides};
use attest_verifier_core::past::Past;
use attest_verifier_core::refusal::Refusal;
use attest_verifier_core::verdict::{self, Attested};
use attest_verifier_core::wire::hex::{Hex32, HexBytes};
use attest_verifier_core::wire::id::PeerId;
use attest_verifier_core::wire::units::UnixMillis;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use super::Seen;
use crate::trust::Trust;

/// What was made of a look.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Verdict {
    /// The TRE asked for, running the reference.
    Accepted(Standing),
    /// Refused, by this check.
    Refused {
        /// Name of the check; or of the list that had ended, by which nothing could be judged.
        check: String,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// No answer, and so no proof.
    Silent,
}

/// What does not change while one boot of one box runs.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// Name of the attestation key.
    pub attestation_key: HexBytes,
    /// SHA-256 of the TLS key.
    pub server_key: Hex32,
    /// TPM resets.
    pub reset_count: u32,
    /// TPM restarts since.
    pub restart_count: u32,
    /// SHA-256 of the manifest that it equals.
    pub manifest: Hex32,
}

/// What a change from one verdict to the next is called: the first argument of a hook.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// Accepted as before, but another boot, key or manifest.
    Changed,
    /// Refused.
    Refused,
    /// No answer any more.
    Silent,
    /// Accepted again.
    Returned,
}

impl Change {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Refused => "refused",
            Self::Silent => "silent",
            Self::Returned => "returned",
        }
    }

    /// What `next` is after `before`, if it is anything new. A first verdict is new unless it is
    /// good. A refusal by the same check is not: what it found may be another time each time.
    #[must_use]
    pub fn between(before: Option<&Verdict>, next: &Verdict) -> Option<Self> {
        if before == Some(next) {
            return None;
        }
        match (before, next) {
            (Some(Verdict::Refused { check, .. }), Verdict::Refused { check: same, .. })
                if check == same =>
            {
                None
            }
            (None, Verdict::Accepted(_)) => None,
            (Some(Verdict::Accepted(_)), Verdict::Accepted(_)) => Some(Self::Changed),
            (Some(_), Verdict::Accepted(_)) => Some(Self::Returned),
            (_, Verdict::Refused { .. }) => Some(Self::Refused),
            (_, Verdict::Silent) => Some(Self::Silent),
        }
    }
}

impl Verdict {
    fn of(outcome: &Result<Attested<View>, Refusal>) -> Self {
        match outcome {
            Ok(attested) => {
                let facts = attested.facts();
                Self::Accepted(Standing {
                    attestation_key: HexBytes(facts.attestation_key.to_bytes().to_vec()),
                    server_key: Hex32(attested.server_key().0),
                    reset_count: facts.clock.reset_count,
                    restart_count: facts.clock.restart_count,
                    manifest: Hex32(facts.manifest.0),
                })
            }
            Err(refusal) => {
                let Sides { expected, found } = refusal.sides();
                Self::Refused { check: refusal.check().to_string(), expected, found }
            }
        }
    }
}

/// Derives the verdict on what was seen, against what the verdicts before leave to remember; gives
/// what is to be remembered from now on. The same for a new look and for one in the log.
pub(super) fn derive(
    seen: &Seen,
    tre_id: &PeerId,
    trust: &Trust,
    past: Option<Past>,
    time: UnixMillis,
) -> (Verdict, Option<Past>) {
    let Seen::Answer(stored) = seen else { return (Verdict::Silent, past) };
    let chain = stored.server_chain.iter();
    let view = View {
        nonce: stored.nonce.0,
        exporter: stored.exporter.0,
        server_chain: chain.map(|der| CertificateDer::from(der.0.clone())).collect(),
        client_key: None,
    };
    let reference = trust.reference();
    let identity = reference.identity_of_tre(tre_id.clone());
    let mut next = past;
    let outcome = verdict::attest(&stored.evidence, view, &identity, reference, time)
        .and_then(|attested| match &past {
            Some(past) => attested.not_before(past).map_err(Refusal::from),
            None => Ok(attested),
        })
        .and_then(|attested| {
            let seen = attested.past();
            next = Some(past.map_or(Ok(seen), |known| known.joined(seen))?);
            Ok(attested)
        });
    (Verdict::of(&outcome), next)
}
