//! Which key and certificates new connections are shown.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use tre_wire::deployment::Deployment;

use crate::clock::Clock;
use crate::enrolled::Enrolled;
use crate::keys::{Keys, PrivateKey};
use crate::peer::sha256;
use crate::revocations::InForce;
use crate::server::Front;
use crate::shared::Shared;
use crate::tls::{self, TlsError};

/// The certified TLS key of an enrolled box.
///
/// # Errors
///
/// [`TlsError`].
pub(crate) fn enrolled(
    shared: &Shared,
    enrolled: &Enrolled,
    keys: &Keys,
) -> Result<Front, TlsError> {
    let revoked = InForce::of(&shared.revocations);
    certified(shared.deployment.as_ref(), enrolled, keys, Arc::clone(&shared.clock), revoked)
}

/// The same, before there is anything shared.
///
/// # Errors
///
/// [`TlsError`].
pub(crate) fn certified(
    deployment: Option<&Deployment>,
    enrolled: &Enrolled,
    keys: &Keys,
    clock: Arc<Clock>,
    revoked: InForce,
) -> Result<Front, TlsError> {
    let chain = enrolled.chains.tls_chain.iter();
    let chain = chain.map(|der| CertificateDer::from(der.as_slice().to_vec())).collect();
    front(deployment, &keys.tls, chain, clock, revoked)
}

/// A throw-away key, for a box that is new or locked.
///
/// # Errors
///
/// [`TlsError`].
pub(crate) fn throw_away(
    deployment: Option<&Deployment>,
    clock: Arc<Clock>,
    revoked: InForce,
) -> Result<Front, TlsError> {
    let key = PrivateKey::generate().map_err(TlsError::Key)?;
    let certificate = tls::self_signed(&key)?;
    front(deployment, &key, vec![certificate], clock, revoked)
}

fn front(
    deployment: Option<&Deployment>,
    key: &PrivateKey,
    chain: Vec<CertificateDer<'static>>,
    clock: Arc<Clock>,
    revoked: InForce,
) -> Result<Front, TlsError> {
    let server_key = sha256(&key.spki().map_err(TlsError::Key)?);
    Ok(Front { config: tls::server(deployment, key, chain, clock, revoked)?, server_key })
}
