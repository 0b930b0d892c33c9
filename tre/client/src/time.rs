//! Carrying a time token to a TRE: what it asks, and what the status key answered, as it lies.
//!
//! A TRE without a time is not attested, for its evidence shows none. Nothing here needs it to be:
//! nonce and token are public, and a token is good for that nonce of that TRE alone.

use std::path::Path;

use attest_verifier::{AnyKeyConnection, ConnectError, Method, RequestError, signature_path};
use tre_wire::json;
use tre_wire::message::Done;
use tre_wire::time::{PutTime, TimeChallenge};

use crate::file::{self, FileError};

/// Why nothing was asked or told.
#[derive(Debug, thiserror::Error)]
pub enum TimeError {
    /// The TRE cannot be reached.
    #[error(transparent)]
    Connect(ConnectError),
    /// The TRE refuses, or gives no good answer.
    #[error(transparent)]
    Request(RequestError),
}

/// Asks the TRE at `address` what a token must answer.
///
/// # Errors
///
/// [`TimeError`].
pub async fn challenge(address: &str) -> Result<TimeChallenge, TimeError> {
    let mut open = AnyKeyConnection::open(address, None).await.map_err(TimeError::Connect)?;
    let answer = open.request(Method::GET, PATH, None).await.map_err(TimeError::Request)?;
    answer.decode(PATH).map_err(TimeError::Request)
}

/// Reads a token, and its signature from `TOKEN.sig` beside it.
///
/// # Errors
///
/// [`FileError`].
pub fn load(token: &Path) -> Result<PutTime, FileError> {
    Ok(PutTime {
        token: file::read(token, file::text)?,
        signature: file::read(&signature_path(token), file::text)?,
    })
}

/// Brings the TRE at `address` a token.
///
/// # Errors
///
/// [`TimeError`], above all why the token is not for this TRE, or not any more.
pub async fn put(address: &str, token: &PutTime) -> Result<(), TimeError> {
    let unsendable = |_| TimeError::Request(RequestError::Unsendable { path: PATH.to_owned() });
    let body = json::encode(token).map_err(unsendable)?;
    let mut open = AnyKeyConnection::open(address, None).await.map_err(TimeError::Connect)?;
    let answer = open.request(Method::PUT, PATH, Some(body)).await;
    let Done {} = answer.and_then(|answer| answer.decode(PATH)).map_err(TimeError::Request)?;
    Ok(())
}

/// Where a TRE asks for the time and is told it.
const PATH: &str = "/v1/time";
