//! What time it is, said by the status key: a token, signed as it lies.
//!
//! A token answers one nonce of one running process of one TRE. Whoever carries it need not be
//! believed; who holds it back makes the TRE's clock slow, by no more than a nonce lives.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::hex::Hex32;
use crate::id::{PeerId, TrustDomain};
use crate::json::{self, JsonError};
use crate::units::UnixMillis;

/// First bytes of what the status key signs for a token. See [`crate::signed`].
pub const LABEL: &str = "tre-time-v1";

/// The version of [`TimeToken`].
pub const FORMAT: u32 = 1;

/// Longest token. Unit: bytes. With the longest names it has under 500.
pub const TOKEN_BYTES: usize = 1_024;

/// Longest request that brings a token to a TRE. Unit: bytes. Token and signature file have about
/// 1,000 together; as text in JSON each of their quotation marks takes two.
pub const PUT_BYTES: usize = 2_048;

/// Answer to `GET /v1/time`: what a token must answer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct TimeChallenge {
    /// The domain that the TRE belongs to.
    pub trust_domain: TrustDomain,
    /// Name of the TRE.
    pub tre_id: PeerId,
    /// The nonce; good for minutes, for one token, in this process.
    pub nonce: Hex32,
    /// The TRE's time; 0 before the first token, and once it can no longer be relied on.
    pub time: UnixMillis,
}

/// Body of `PUT /v1/time`: a token and its signature, both as they lie.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PutTime {
    /// The token: the text of its file.
    pub token: String,
    /// The signature file beside it: its text.
    pub signature: String,
}

/// What time it was when the status key signed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TimeToken {
    /// Version of this structure: [`FORMAT`].
    pub format: u32,
    /// The domain whose status key signs.
    pub trust_domain: TrustDomain,
    /// The TRE that it is for.
    pub tre_id: PeerId,
    /// The nonce of that TRE which it answers.
    pub nonce: Hex32,
    /// The time.
    pub value: UnixMillis,
}

/// Why a token that the status key signed is not for this TRE.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Signed, and no token.
    #[error("time token is not readable: {0}")]
    Json(#[source] JsonError),
    /// Another format than this program knows.
    #[error("expected time token format {FORMAT}, found {found}")]
    Format {
        /// Format found.
        found: u32,
    },
    /// Another domain's.
    #[error("expected a time token of {expected}, found one of {found}")]
    OtherDomain {
        /// The domain of the deployment.
        expected: TrustDomain,
        /// The domain of the token.
        found: TrustDomain,
    },
    /// Another TRE's.
    #[error("expected a time token for {expected}, found one for {found}")]
    OtherTre {
        /// This TRE.
        expected: PeerId,
        /// The TRE that it names.
        found: PeerId,
    },
}

impl TimeToken {
    /// Reads a token whose signature holds.
    ///
    /// # Errors
    ///
    /// [`TokenError::Json`]; [`TokenError::Format`].
    pub fn from_json(file: &[u8]) -> Result<Self, TokenError> {
        let found = json::format_at_most(file, TOKEN_BYTES).map_err(TokenError::Json)?;
        if found != FORMAT {
            return Err(TokenError::Format { found });
        }
        json::decode_request_at_most(file, TOKEN_BYTES).map_err(TokenError::Json)
    }

    /// The token is for `tre_id` in `trust_domain`.
    ///
    /// # Errors
    ///
    /// [`TokenError::OtherDomain`]; [`TokenError::OtherTre`].
    pub fn check(&self, trust_domain: &TrustDomain, tre_id: &PeerId) -> Result<(), TokenError> {
        if self.trust_domain != *trust_domain {
            let (expected, found) = (trust_domain.clone(), self.trust_domain.clone());
            return Err(TokenError::OtherDomain { expected, found });
        }
        if self.tre_id != *tre_id {
            let (expected, found) = (tre_id.clone(), self.tre_id.clone());
            return Err(TokenError::OtherTre { expected, found });
        }
        Ok(())
    }
}
