//! A log of verdicts on one TRE, chained by hashes, from which each can be derived again.
//!
//! One line of JSON an entry. Each names the hash of the line before, so that none can be altered,
//! left out or put in between without a break; and holds all that its verdict was made of, so that
//! the verdict need not be believed. What a chain cannot show is that its end was cut off: keep the
//! last hash elsewhere now and then, and ask [`recheck`] for it.

mod file;

use attest_verifier_core::channel::Session;
use attest_verifier_core::check::{Mismatch as _, Sides};
use attest_verifier_core::measured_boot::digest::{Sha256Digest, sha256};
use attest_verifier_core::past::Past;
use attest_verifier_core::refusal::Refusal;
use attest_verifier_core::verdict::{self, Attested};
use attest_verifier_core::wire::attestation::Evidence;
use attest_verifier_core::wire::hex::{Hex32, HexBytes};
use attest_verifier_core::wire::id::PeerId;
use attest_verifier_core::wire::units::UnixMillis;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use crate::connection::{Answer, AnyKeyConnection};
use crate::error::AttestError;
use crate::trust::Trust;

pub use file::{LogError, Part, Rechecked, WatchLog, recheck};

/// One look at a TRE.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Version of this layout: 1.
    pub format: u32,
    /// Number of the entry, from 0.
    pub number: u64,
    /// SHA-256 of the line before, without its end; zeros in the first.
    pub previous: Hex32,
    /// When: the verifier's time.
    pub time: UnixMillis,
    /// The TRE asked for.
    pub tre_id: PeerId,
    /// SHA-256 of the deployment file that it was held against.
    pub deployment: Hex32,
    /// SHA-256 of each manifest file that it was held against.
    pub manifests: Vec<Hex32>,
    /// What was seen.
    pub seen: Seen,
    /// What was made of it.
    pub verdict: Verdict,
}

/// What was seen of a TRE.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Seen {
    /// It answered.
    Answer(Box<Stored>),
    /// It did not; why not, in words.
    Silence(String),
}

/// An answer, with this end's view of the connection.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    /// The nonce.
    pub nonce: Hex32,
    /// The connection's exporter.
    pub exporter: Hex32,
    /// The server's certificates, leaf first.
    pub server_chain: Vec<HexBytes>,
    /// The evidence; its event log is left out where `event_log_of` says whose it is.
    pub evidence: Evidence,
    /// The entry with the same event log; `None` if it is in this one.
    pub event_log_of: Option<u64>,
}

/// What was made of it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Verdict {
    /// The TRE asked for, running the reference.
    Accepted(Standing),
    /// Refused, by this check.
    Refused {
        /// Name of the check.
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
    /// good.
    #[must_use]
    pub fn between(before: Option<&Verdict>, next: &Verdict) -> Option<Self> {
        if before == Some(next) {
            return None;
        }
        match (before, next) {
            (None, Verdict::Accepted(_)) => None,
            (Some(Verdict::Accepted(_)), Verdict::Accepted(_)) => Some(Self::Changed),
            (Some(_), Verdict::Accepted(_)) => Some(Self::Returned),
            (_, Verdict::Refused { .. }) => Some(Self::Refused),
            (_, Verdict::Silent) => Some(Self::Silent),
        }
    }
}

impl Verdict {
    fn of(outcome: &Result<Attested, Refusal>) -> Self {
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

/// Asks the box at `address` once. No answer is something seen, too; the error is this machine's.
///
/// # Errors
///
/// [`AttestError::NoRandomness`].
pub async fn look(address: &str) -> Result<Seen, AttestError> {
    let challenge = async {
        let mut connection = AnyKeyConnection::open(address, None).await?;
        connection.challenge().await
    };
    match challenge.await {
        Ok(Answer { evidence, session }) => {
            let chain = session.server_chain.iter();
            Ok(Seen::Answer(Box::new(Stored {
                nonce: Hex32(session.nonce),
                exporter: Hex32(session.exporter),
                server_chain: chain.map(|der| HexBytes(der.to_vec())).collect(),
                evidence,
                event_log_of: None,
            })))
        }
        Err(error @ AttestError::NoRandomness) => Err(error),
        Err(error) => Ok(Seen::Silence(error.to_string())),
    }
}

/// Derives the verdict on what was seen, against what the verdicts before leave to remember. The
/// same for a new look and for one in the log.
fn derive(
    seen: &Seen,
    tre_id: &PeerId,
    trust: &Trust,
    past: &mut Option<Past>,
    time: UnixMillis,
) -> Verdict {
    let Seen::Answer(stored) = seen else { return Verdict::Silent };
    let chain = stored.server_chain.iter();
    let session = Session {
        nonce: stored.nonce.0,
        exporter: stored.exporter.0,
        server_chain: chain.map(|der| CertificateDer::from(der.0.clone())).collect(),
        client_key: None,
    };
    let reference = trust.reference();
    let identity = reference.identity_of_tre(tre_id.clone());
    let outcome = verdict::attest(&stored.evidence, session, &identity, reference, time)
        .and_then(|attested| match past.as_ref() {
            Some(past) => attested.not_before(past).map_err(Refusal::from),
            None => Ok(attested),
        })
        .and_then(|attested| {
            let seen = attested.past();
            *past = Some(past.map_or(Ok(seen), |known| known.joined(seen))?);
            Ok(attested)
        });
    Verdict::of(&outcome)
}

/// The hash by which the next line names this one.
fn line_hash(line: &[u8]) -> Sha256Digest {
    sha256(line)
}
