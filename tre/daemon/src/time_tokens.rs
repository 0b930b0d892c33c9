//! Which time tokens come into force, and which do not.

use core::cell::Cell;
use core::time::Duration;

use thiserror::Error;
use tre_wire::id::{PeerId, TrustDomain};
use tre_wire::time::{LABEL, PutTime, TimeToken, TokenError};
use tre_wire::units::UnixMillis;

use crate::bounds;
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
        nonces.judge(&token.nonce.0, elapsed).map_err(TimeRefusal::Nonce)?;
        Timekeeping::judge(mark, token.value).map_err(TimeRefusal::BelowMark)?;
        Ok(token)
    }
}

/// How fast tokens are judged: anybody may bring one, and each costs a signature's check.
///
/// Peers with a certificate have a turn of their own: nobody else keeps them out.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    anonymous: Turn,
    certified: Turn,
}

/// When a token was last judged. Since the process began.
#[derive(Debug, Default)]
struct Turn(Cell<Option<Duration>>);

impl Pace {
    /// Whether a peer without a certificate has a turn now, which it has taken then.
    pub(crate) fn anonymous(&self, elapsed: Duration) -> bool {
        self.anonymous.take(elapsed)
    }

    /// The same for one with a certificate.
    pub(crate) fn certified(&self, elapsed: Duration) -> bool {
        self.certified.take(elapsed)
    }
}

impl Turn {
    fn take(&self, elapsed: Duration) -> bool {
        let pause = bounds::TIME_TOKEN_PAUSE;
        let early = |last: Duration| elapsed.saturating_sub(last) < pause;
        let free = !self.0.get().is_some_and(early);
        if free {
            self.0.set(Some(elapsed));
        }
        free
    }
}

#[cfg(test)]
mod tests;
