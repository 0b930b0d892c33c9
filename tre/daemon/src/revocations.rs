//! Which keys are no longer believed: the newest list of the status key.
//!
//! The deployment names the status key and is measured, so no certificate and no clock stands
//! between a list and the box. Whoever brings a list is asked for nothing but a role.

use std::collections::BTreeSet;

use measured_boot::tpm::{P256Point, SpkiError};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use thiserror::Error;
use tokio::sync::watch;
use tre_wire::hex::HexBytes;
use tre_wire::id::TrustDomain;
use tre_wire::revocation::{Edition, LABEL, ListError, PutRevocations, RevocationList};
use tre_wire::signed::{self, SignatureError};
use tre_wire::units::UnixMillis;

use crate::peer::sha256;

/// The key that signs what is said about keys.
#[derive(Clone, Debug)]
pub(crate) struct StatusKey(P256Point);

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
    Signature(SignatureError),
    /// Signed with a reason, which only manifests have.
    #[error("expected a signature without a reason, found one with it")]
    Reason,
    /// Not to be relied on, or older than the one in force.
    #[error(transparent)]
    List(ListError),
}

impl StatusKey {
    /// The key in a deployment.
    ///
    /// # Errors
    ///
    /// [`SpkiError`] for a key of another kind.
    pub(crate) fn of(spki: &HexBytes) -> Result<Self, SpkiError> {
        P256Point::from_spki_der(spki.as_slice()).map(Self)
    }

    fn verify(&self, file: &[u8], signature: &[u8]) -> Result<(), ListRefusal> {
        let id = sha256(&self.0.to_spki_der());
        let claim = signed::read(LABEL, file, signature, &id).map_err(ListRefusal::Signature)?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, self.0.to_sec1())
            .verify(&claim.message, claim.signature.as_slice())
            .map_err(|_| ListRefusal::Signature(SignatureError::Invalid))?;
        match claim.unlocked_because {
            None => Ok(()),
            Some(_) => Err(ListRefusal::Reason),
        }
    }
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
        key.verify(file, put.signature.as_bytes())?;
        let list = RevocationList::from_json(file).map_err(ListRefusal::List)?;
        let keys = list.check(trust_domain, now).map_err(ListRefusal::List)?;
        let edition = Edition::of(list.sequence, file);
        edition.follow(self.edition).map_err(ListRefusal::List)?;
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
