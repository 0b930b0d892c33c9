//! What each PCR must hold, and why.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use super::bounded::at_most;
use crate::{
    digest::Sha256Digest,
    limits::MAX_EVENTS,
    pcr::{PCR_COUNT, PcrIndex, replayed},
    predict::DeploymentDigests,
};

/// An event that must be in the log: its digest, and for people what it is.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedEvent {
    /// What it is.
    pub description: String,
    /// Its SHA-256 digest.
    pub digest: Sha256Digest,
}

/// What one PCR must hold.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum Expectation {
    /// Computed from files.
    Exact {
        /// The value after `events`.
        value: Sha256Digest,
        /// Every event, in order; empty for a PCR that nothing may touch.
        #[serde(deserialize_with = "at_most::<_, _, MAX_EVENTS>")]
        events: Vec<ExpectedEvent>,
        /// Why this is the value.
        reason: String,
    },
    /// Seen on this platform, not computed from files.
    Recorded {
        /// The value after `events`.
        value: Sha256Digest,
        /// Every event, in order.
        #[serde(deserialize_with = "at_most::<_, _, MAX_EVENTS>")]
        events: Vec<ExpectedEvent>,
        /// Why it could not be computed.
        reason: String,
    },
    /// Computed from the deployment by whoever judges; PCR 11 alone.
    Deployment {
        /// How it comes about.
        reason: String,
    },
    /// Not judged; PCR 16 and 23 alone, which any software may reset.
    Waived {
        /// Why not.
        reason: String,
    },
}

impl Expectation {
    /// The value expected in a serving TRE; `None` if waived.
    #[must_use]
    pub fn value(&self, deployment: &DeploymentDigests) -> Option<Sha256Digest> {
        match self {
            Self::Exact { value, .. } | Self::Recorded { value, .. } => Some(*value),
            Self::Deployment { .. } => Some(deployment.serving()),
            Self::Waived { .. } => None,
        }
    }

    /// The events expected in the log.
    #[must_use]
    pub fn events(&self) -> &[ExpectedEvent] {
        match self {
            Self::Exact { events, .. } | Self::Recorded { events, .. } => events,
            Self::Deployment { .. } | Self::Waived { .. } => &[],
        }
    }

    /// Why this is expected.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Exact { reason, .. }
            | Self::Recorded { reason, .. }
            | Self::Deployment { reason }
            | Self::Waived { reason } => reason,
        }
    }

    fn check(&self, pcr: PcrIndex) -> Result<(), ExpectationError> {
        match self {
            Self::Exact { value, events, .. } | Self::Recorded { value, events, .. } => {
                let replayed = replayed(pcr, events.iter().map(|event| &event.digest));
                if replayed == *value {
                    Ok(())
                } else {
                    Err(ExpectationError::Value { pcr, replayed, value: *value })
                }
            }
            Self::Deployment { .. } if pcr == PcrIndex::P11 => Ok(()),
            Self::Deployment { .. } => Err(ExpectationError::NotDeployment { pcr }),
            Self::Waived { .. } if [PcrIndex::P16, PcrIndex::P23].contains(&pcr) => Ok(()),
            Self::Waived { .. } => Err(ExpectationError::NotWaivable { pcr }),
        }
    }
}

/// Why a list of expectations is none.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ExpectationError {
    /// A PCR is left out.
    #[error("expected all 24 PCRs, found none for {pcr}")]
    Missing {
        /// The PCR.
        pcr: PcrIndex,
    },
    /// A PCR stands twice.
    #[error("expected each PCR once, found {pcr} again")]
    Repeated {
        /// The PCR.
        pcr: PcrIndex,
    },
    /// A value that its own events do not give.
    #[error("{pcr}: its events give {replayed}, found value {value}")]
    Value {
        /// The PCR.
        pcr: PcrIndex,
        /// What the events give.
        replayed: Sha256Digest,
        /// What stands there.
        value: Sha256Digest,
    },
    /// A PCR that must be judged is waived.
    #[error("expected only PCR 16 and 23 waived, found {pcr}")]
    NotWaivable {
        /// The PCR.
        pcr: PcrIndex,
    },
    /// A PCR that does not depend on the deployment.
    #[error("expected only PCR 11 to depend on the deployment, found {pcr}")]
    NotDeployment {
        /// The PCR.
        pcr: PcrIndex,
    },
}

/// One [`Expectation`] for each of the 24 PCRs, none twice, none contradicting itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PcrExpectations(Vec<Expectation>);

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry<E> {
    pcr: PcrIndex,
    expectation: E,
}

impl PcrExpectations {
    /// Puts the expectations together, in any order.
    ///
    /// # Errors
    ///
    /// [`ExpectationError`] naming the first PCR that is wrong.
    pub fn new(
        entries: impl IntoIterator<Item = (PcrIndex, Expectation)>,
    ) -> Result<Self, ExpectationError> {
        let mut found: [Option<Expectation>; PCR_COUNT] = [const { None }; PCR_COUNT];
        for (pcr, expectation) in entries {
            expectation.check(pcr)?;
            let place = found.get_mut(usize::from(pcr.number()));
            if place.and_then(|place| place.replace(expectation)).is_some() {
                return Err(ExpectationError::Repeated { pcr });
            }
        }
        PcrIndex::all()
            .zip(found)
            .map(|(pcr, expectation)| expectation.ok_or(ExpectationError::Missing { pcr }))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Each PCR with its expectation, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (PcrIndex, &Expectation)> {
        PcrIndex::all().zip(&self.0)
    }
}

impl Serialize for PcrExpectations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(|(pcr, expectation)| Entry { pcr, expectation }))
    }
}

impl<'de> Deserialize<'de> for PcrExpectations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries: Vec<Entry<Expectation>> = at_most::<_, _, PCR_COUNT>(deserializer)?;
        Self::new(entries.into_iter().map(|entry| (entry.pcr, entry.expectation)))
            .map_err(de::Error::custom)
    }
}
