//! Which time tokens come into force, and which do not.

use core::time::Duration;

use thiserror::Error;
use tokio::sync::Semaphore;
use tre_wire::bounds::SLOTS_PER_STEP;
use tre_wire::id::{PeerId, TrustDomain};
use tre_wire::policy::Policy;
use tre_wire::time::{LABEL, PutTime, TimeToken, TokenError};
use tre_wire::units::UnixMillis;

use crate::bounds;
use crate::peer::sha256;
use crate::status_key::{NotSigned, StatusKey};
use crate::time_nonces::{NonceRefusal, TimeNonces};
use crate::timekeeping::{BelowMark, Timekeeping};

/// Why a token does not come into force.
#[derive(Debug, Error)]
pub(crate) enum TimeRefusal {
    /// The status key did not sign it.
    #[error(transparent)]
    NotSigned(NotSigned),
    /// Not for this TRE.
    #[error(transparent)]
    Token(TokenError),
    /// Not for this process, not now, or not again.
    #[error(transparent)]
    Nonce(NonceRefusal),
    /// The time would go back.
    #[error(transparent)]
    BelowMark(BelowMark),
    /// The time would go further than the grid goes in one step.
    #[error(
        "expected a time at most {most} slots after {latest}, the latest that was, found {value} (ms \
         since 1970); if that is right, start the box anew"
    )]
    TooFar {
        /// Most slots.
        most: u64,
        /// The latest time that this process has said.
        latest: UnixMillis,
        /// The token's value.
        value: UnixMillis,
    },
}

/// Who a token must be for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addressee<'a> {
    /// The status key of the deployment.
    pub(crate) key: &'a StatusKey,
    /// The domain of the deployment.
    pub(crate) trust_domain: &'a TrustDomain,
    /// Name of this TRE.
    pub(crate) tre_id: &'a PeerId,
}

impl Addressee<'_> {
    /// Verifies a token, then reads it, then holds it against the nonces and the sealed mark,
    /// `elapsed` after the process began. Nothing is changed.
    ///
    /// # Errors
    ///
    /// [`TimeRefusal`].
    pub(crate) fn judge(
        self,
        put: &PutTime,
        (nonces, elapsed): (&TimeNonces, Duration),
        mark: UnixMillis,
    ) -> Result<TimeToken, TimeRefusal> {
        let file = put.token.as_bytes();
        let signed = self.key.verify(LABEL, file, put.signature.as_bytes());
        signed.map_err(TimeRefusal::NotSigned)?;
        let token = TimeToken::from_json(file).map_err(TimeRefusal::Token)?;
        token.check(self.trust_domain, self.tre_id).map_err(TimeRefusal::Token)?;
        nonces.judge(&token.nonce.0, &sha256(file), elapsed).map_err(TimeRefusal::Nonce)?;
        Timekeeping::judge(mark, token.value).map_err(TimeRefusal::BelowMark)?;
        Ok(token)
    }
}

/// Refuses a time to which a grid that has come to `latest` could not follow.
///
/// # Errors
///
/// [`TimeRefusal::TooFar`].
pub(crate) fn within_reach(
    policy: &Policy,
    latest: UnixMillis,
    value: UnixMillis,
) -> Result<(), TimeRefusal> {
    // The grid may be a slot behind.
    let most = SLOTS_PER_STEP.saturating_sub(1);
    let slots = policy.slot_at(value).since(policy.slot_at(latest));
    if slots > most { Err(TimeRefusal::TooFar { most, latest, value }) } else { Ok(()) }
}

/// How fast tokens are judged: anybody may bring one, and each costs a signature's check. One after
/// the other, in the order in which they came: nobody is turned away, however many come.
///
/// Peers with a certificate have a queue of their own.
#[derive(Debug)]
pub(crate) struct Pace {
    anonymous: Semaphore,
    certified: Semaphore,
}

impl Default for Pace {
    fn default() -> Self {
        Self { anonymous: Semaphore::new(1), certified: Semaphore::new(1) }
    }
}

impl Pace {
    /// Waits for the turn of a peer with or without a certificate.
    pub(crate) async fn turn(&self, certified: bool) {
        let queue = if certified { &self.certified } else { &self.anonymous };
        // It is never closed, and fair.
        if let Ok(_turn) = queue.acquire().await {
            tokio::time::sleep(bounds::TIME_TOKEN_PAUSE).await;
        }
    }
}

#[cfg(test)]
mod tests;
