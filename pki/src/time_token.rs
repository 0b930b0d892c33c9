//! Time tokens: what time it is, signed by the status key for one nonce of one TRE.
//!
//! The desk's own clock is the source: it must be right, for a TRE's slots follow it.

use attest_verifier::{AnyKeyConnection, ConnectError, Method, RequestError};
use tre_wire::id::{PeerId, TrustDomain};
use tre_wire::json::{self, JsonError};
use tre_wire::message::Done;
use tre_wire::time::{FORMAT, LABEL, PutTime, TimeChallenge, TimeToken};
use tre_wire::units::UnixMillis;

use crate::domain::{Domain, DomainError};
use crate::enrol::record::RecordError;
use crate::release::Signer;

/// Why no time was signed, or none brought to a TRE.
#[derive(Debug, thiserror::Error)]
pub enum TimeTokenError {
    /// The TRE belongs to another domain.
    #[error("expected a TRE of {expected}, found one of {found}")]
    OtherDomain {
        /// Our domain.
        expected: TrustDomain,
        /// The domain that the challenge names.
        found: TrustDomain,
    },
    /// Another TRE answers.
    #[error("expected {expected} at this address, found {found}")]
    OtherTre {
        /// The TRE that was meant.
        expected: PeerId,
        /// The TRE that the challenge names.
        found: PeerId,
    },
    /// No such TRE was enrolled here.
    #[error("expected an enrolled TRE: {0}")]
    NotEnrolled(#[source] RecordError),
    /// The status key cannot be had.
    #[error(transparent)]
    Domain(DomainError),
    /// The signing library failed.
    #[error("cannot sign: {0}")]
    Sign(ring::error::Unspecified),
    /// The token could not be encoded.
    #[error("cannot encode the token: {0}")]
    Encode(#[source] JsonError),
    /// The TRE cannot be reached.
    #[error(transparent)]
    Connect(ConnectError),
    /// The TRE refuses, or gives no good answer.
    #[error(transparent)]
    Request(RequestError),
}

/// A token and its signature, as they lie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedToken {
    /// The token's file.
    pub token: Vec<u8>,
    /// The signature file beside it.
    pub signature: Vec<u8>,
}

/// Signs that it is `now`, for the nonce in `challenge`, if its TRE was enrolled in `domain`.
///
/// The challenge may come from anybody: a token for a nonce that the TRE did not hand out is worth
/// nothing to it.
///
/// # Errors
///
/// [`TimeTokenError`].
pub fn sign(
    domain: &Domain,
    challenge: &TimeChallenge,
    now: UnixMillis,
) -> Result<SignedToken, TimeTokenError> {
    let TimeChallenge { trust_domain, tre_id, nonce, .. } = challenge;
    if trust_domain != domain.trust_domain() {
        let (expected, found) = (domain.trust_domain().clone(), trust_domain.clone());
        return Err(TimeTokenError::OtherDomain { expected, found });
    }
    domain.records().read(tre_id).map_err(TimeTokenError::NotEnrolled)?;
    let (trust_domain, tre_id) = (trust_domain.clone(), tre_id.clone());
    let token = TimeToken { format: FORMAT, trust_domain, tre_id, nonce: *nonce, value: now };
    sign_with(&domain.status_signer().map_err(TimeTokenError::Domain)?, &token)
}

/// Signs `token` as it is; [`sign`] knows for whom a token may be.
///
/// # Errors
///
/// [`TimeTokenError::Encode`]; [`TimeTokenError::Sign`].
pub fn sign_with(signer: &Signer, token: &TimeToken) -> Result<SignedToken, TimeTokenError> {
    let token = json::encode(token).map_err(TimeTokenError::Encode)?;
    let signature = signer.sign_file(LABEL, &token, None).map_err(TimeTokenError::Sign)?;
    let signature = json::encode(&signature).map_err(TimeTokenError::Encode)?;
    Ok(SignedToken { token, signature })
}

/// A TRE that asks what time it is, and waits for the answer.
#[derive(Debug)]
pub struct Asking {
    open: AnyKeyConnection,
    challenge: TimeChallenge,
}

impl Asking {
    /// Asks the TRE `tre_id` at `address` for its nonce.
    ///
    /// Nothing is attested: a token is public, and good for that nonce of that TRE alone.
    ///
    /// # Errors
    ///
    /// [`TimeTokenError`].
    pub async fn open(address: &str, tre_id: &PeerId) -> Result<Self, TimeTokenError> {
        let open = AnyKeyConnection::open(address, None).await;
        let mut open = open.map_err(TimeTokenError::Connect)?;
        let answer = open.request(Method::GET, PATH, None).await;
        let answer = answer.map_err(TimeTokenError::Request)?;
        let challenge: TimeChallenge = answer.decode(PATH).map_err(TimeTokenError::Request)?;
        if challenge.tre_id != *tre_id {
            let (expected, found) = (tre_id.clone(), challenge.tre_id);
            return Err(TimeTokenError::OtherTre { expected, found });
        }
        Ok(Self { open, challenge })
    }

    /// Signs that it is `now`, read since it asked, and brings it there.
    ///
    /// # Errors
    ///
    /// [`TimeTokenError`].
    pub async fn answer(mut self, domain: &Domain, now: UnixMillis) -> Result<(), TimeTokenError> {
        let body = sign(domain, &self.challenge, now)?.message()?;
        let body = json::encode(&body).map_err(TimeTokenError::Encode)?;
        let answer = self.open.request(Method::PUT, PATH, Some(body)).await;
        let answer = answer.map_err(TimeTokenError::Request)?;
        let Done {} = answer.decode(PATH).map_err(TimeTokenError::Request)?;
        Ok(())
    }
}

impl SignedToken {
    /// What brings it to the TRE.
    ///
    /// # Errors
    ///
    /// [`TimeTokenError::Encode`], which no token of ours causes.
    pub fn message(self) -> Result<PutTime, TimeTokenError> {
        let Self { token, signature } = self;
        let text = |bytes| {
            let not_text = |_| TimeTokenError::Encode(JsonError::NotLiteral);
            String::from_utf8(bytes).map_err(not_text)
        };
        Ok(PutTime { token: text(token)?, signature: text(signature)? })
    }
}

/// Where a TRE asks for the time and is told it.
const PATH: &str = "/v1/time";
