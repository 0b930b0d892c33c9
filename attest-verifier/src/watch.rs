//! A log of verdicts on one TRE, chained by hashes, from which each can be derived again.
//!
//! One line of JSON an entry. Each names the hash of the line before, so that none can be altered,
//! left out or put in between without a break. What verdicts are judged by (deployment, manifests,
//! lists, each with its signature) is kept in the log as it lies, once and whenever it changes;
//! what a verdict was made of stands in its own entry. So a verdict need not be believed, and needs no
//! other file to be derived again: only the [`Anchors`] by which the files in the log are believed.
//! What a chain cannot show is that its end was cut off: keep the last hash elsewhere now and then,
//! and ask [`recheck`] for it.
//!
//! Entries of format 1 kept nothing: they are derived again by the first files that the log keeps
//! behind them, or else by files that are given, if these are the ones that the entry names.

mod chain;
mod error;
mod file;
mod grounds;
mod older;
mod verdict;

use attest_verifier_core::wire::attestation::Evidence;
use attest_verifier_core::wire::hex::{Hex32, HexBytes};
use attest_verifier_core::wire::id::PeerId;
use attest_verifier_core::wire::units::UnixMillis;
use serde::{Deserialize, Serialize};

use crate::connection::{Answer, AnyKeyConnection};
use crate::error::AttestError;

pub use error::{LogError, Part};
pub use file::{Rechecked, WatchLog, recheck};
pub use grounds::{Anchors, GroundsError};
pub use verdict::{Change, Standing, Verdict};

/// Version of an entry's layout.
pub const FORMAT: u32 = 2;

/// One line of the log.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Version of this layout: [`FORMAT`].
    pub format: u32,
    /// Number of the entry, from 0.
    pub number: u64,
    /// SHA-256 of the line before, without its end; zeros in the first.
    pub previous: Hex32,
    /// When: the verifier's time.
    pub time: UnixMillis,
    /// The TRE asked for.
    pub tre_id: PeerId,
    /// What it says.
    pub content: Content,
}

/// What an entry says.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Content {
    /// A file, kept for the next grounds.
    File(KeptFile),
    /// What verdicts are judged by from here on.
    Grounds(Grounds),
    /// One look at the TRE.
    Look(Box<Look>),
}

/// A file as it lies.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeptFile {
    /// Its text.
    pub text: String,
    /// The text of its signature file; a deployment has none.
    pub signature: Option<String>,
}

/// What verdicts are judged by: SHA-256 of files that entries before it keep. A file that the
/// grounds before name, too, is not kept again.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Grounds {
    /// The deployment.
    pub deployment: Hex32,
    /// The manifests, in the order given.
    pub manifests: Vec<Hex32>,
    /// The revocation list, if one was given.
    pub revocations: Option<Hex32>,
    /// The denylist of TPM firmware, if one was given.
    pub denylist: Option<Hex32>,
}

/// One look at a TRE.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// Number of the entry with the grounds that it was judged by.
    pub grounds: u64,
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
            let view = session.as_ref();
            let chain = view.server_chain.iter();
            Ok(Seen::Answer(Box::new(Stored {
                nonce: Hex32(view.nonce),
                exporter: Hex32(view.exporter),
                server_chain: chain.map(|der| HexBytes(der.to_vec())).collect(),
                evidence,
                event_log_of: None,
            })))
        }
        Err(error @ AttestError::NoRandomness) => Err(error),
        Err(error) => Ok(Seen::Silence(error.to_string())),
    }
}
