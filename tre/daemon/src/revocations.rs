//! Which keys are no longer believed: the newest list of the status key.
//!
//! Whoever brings a list is asked for nothing but a role.

use std::collections::BTreeSet;

use thiserror::Error;
use tokio::sync::watch;
use tre_wire::id::TrustDomain;
use tre_wire::revocation::{Edition, LABEL, ListError, PutRevocations, RevocationList};
use tre_wire::units::UnixMillis;

use crate::peer::sha256;
use crate::status_key::{NotSigned, StatusKey};

/// The keys that are no longer believed, and which list said so.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Revocations {
    /// The list; none yet.
    pub(crate) edition: Option<Edition>,
    /// SHA-256 of each key's `SubjectPublicKeyInfo`.
    pub(crate) keys: BTreeSet<[u8; 32]>,
}

/// What is in force now, for whoever asks at whatever time.
#[derive(Clone, Debug)]
pub(crate) struct InForce(watch::Receiver<Revocations>);

/// Why a list does not come into force.
#[derive(Debug, Error)]
pub(crate) enum ListRefusal {
    /// The status key did not sign it.
    #[error(transparent)]
    NotSigned(NotSigned),
    /// Not to be relied on, or older than the one in force.
    #[error(transparent)]
    List(ListError),
}

impl Revocations {
    /// What is in force once `put` is accepted: verified, then read, then held against this.
    ///
    /// # Errors
    ///
    /// [`ListRefusal`]; this stays in force then.
    pub(crate) fn replaced_by(
        &self,
        put: &PutRevocations,
        key: &StatusKey,
        trust_domain: &TrustDomain,
        now: UnixMillis,
    ) -> Result<Self, ListRefusal> {
        let file = put.list.as_bytes();
        key.verify(LABEL, file, put.signature.as_bytes()).map_err(ListRefusal::NotSigned)?;
        let list = RevocationList::from_json(file).map_err(ListRefusal::List)?;
        let keys = list.check(trust_domain, now).map_err(ListRefusal::List)?;
        let edition = Edition::of(list.sequence, file);
        edition.follow(self.edition).map_err(|error| ListRefusal::List(error.into()))?;
        Ok(Self { edition: Some(edition), keys })
    }

    /// Number of the list; 0 where there is none yet.
    pub(crate) fn sequence(&self) -> u32 {
        self.edition.map_or(0, |edition| edition.sequence)
    }

    /// Whether this key is no longer believed.
    pub(crate) fn name(&self, key: &[u8; 32]) -> bool {
        self.keys.contains(key)
    }
}

impl InForce {
    /// What `sender` last said.
    pub(crate) fn of(sender: &watch::Sender<Revocations>) -> Self {
        Self(sender.subscribe())
    }

    /// Whether the key with this `SubjectPublicKeyInfo` is no longer believed.
    pub(crate) fn name(&self, spki: &[u8]) -> bool {
        self.0.borrow().name(&sha256(spki))
    }
}

#[cfg(test)]
mod tests;
