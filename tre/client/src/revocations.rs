//! Carrying a revocation list to a TRE: both files as they lie, no word of our own.

use std::path::Path;

use attest_verifier::signature_path;
use tre_wire::message::Done;
use tre_wire::revocation::PutRevocations;

use crate::file::{self, FileError};
use crate::link::{Link, LinkError};

/// Reads a list, and its signature from `LIST.sig` beside it.
///
/// Nothing is checked here: the TRE believes the status key alone, and says why it does not.
///
/// # Errors
///
/// [`FileError`].
pub fn load(list: &Path) -> Result<PutRevocations, FileError> {
    Ok(PutRevocations {
        list: file::read(list, file::text)?,
        signature: file::read(&signature_path(list), file::text)?,
    })
}

/// Puts a list into force. Operators and registrars may.
///
/// # Errors
///
/// [`LinkError`]; a list that is older than the one in force is a conflict.
pub async fn put(link: &mut Link, revocations: &PutRevocations) -> Result<(), LinkError> {
    let Done {} = link.put("/v1/revocations", revocations).await?;
    Ok(())
}
