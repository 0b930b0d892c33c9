//! Denylists of TPM firmware from files, and what was seen of them.

use std::path::PathBuf;

use attest_verifier_core::denylist::{DeniedFirmware, UnverifiedDenyList};
use attest_verifier_core::wire::id::TrustDomain;
use attest_verifier_core::wire::units::UnixMillis;

use crate::bounds;
use crate::file;
use crate::revocations::{load_status_key, remember};
use crate::trust::{TrustError, signature_path};

/// A denylist, with its signature beside it in `LIST.sig`, and who signs it. The newest one seen is
/// remembered beside it in `LIST.seen`: leave that file where it is.
#[derive(Clone, Debug)]
pub struct DenyListFiles {
    /// The list.
    pub list: PathBuf,
    /// The public status key: `status.pem` of the domain.
    pub status_key: PathBuf,
}

impl DenyListFiles {
    /// Reads the list for `trust_domain`, refuses an older one than was seen, and remembers it.
    pub(crate) fn load(
        &self,
        trust_domain: &TrustDomain,
        now: UnixMillis,
    ) -> Result<DeniedFirmware, TrustError> {
        let refused = |source| TrustError::DenyList { path: self.list.clone(), source };
        let list = file::read(&self.list, bounds::REVOCATION_BYTES).map_err(TrustError::File)?;
        let signature = file::read(&signature_path(&self.list), bounds::SIGNATURE_BYTES)
            .map_err(TrustError::File)?;
        let key = load_status_key(&self.status_key)?;
        let denied = UnverifiedDenyList { file: &list, signature: &signature }
            .verify(&key)
            .and_then(|signed| signed.read(trust_domain, now))
            .map_err(refused)?;
        remember(&self.list, |seen| denied.follows(seen).map_err(refused))?;
        Ok(denied)
    }
}
