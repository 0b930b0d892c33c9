//! What the status key signs: revocation lists, and denylists of TPM firmware.

use attest_verifier::core::denylist::DeniedFirmware;
use attest_verifier::core::revocation::StatusKey;
use tre_wire::revocation::RevocationList;
use tre_wire::units::UnixMillis;

use super::{Domain, DomainError, KeyName};
use crate::deny::DenyLists;
use crate::revoke::Lists;

impl Domain {
    /// The revocation lists.
    ///
    /// # Errors
    ///
    /// [`DomainError::File`]; [`DomainError::StatusKey`].
    pub fn revocations(&self) -> Result<Lists, DomainError> {
        let key = self.status_key()?;
        Ok(Lists::new(self.folder.join(REVOCATIONS), self.trust_domain.clone(), key))
    }

    /// The newest revocation list, if there is one.
    ///
    /// # Errors
    ///
    /// [`DomainError::File`]; [`DomainError::StatusKey`]; [`DomainError::Lists`].
    pub fn newest_revocations(&self) -> Result<Option<RevocationList>, DomainError> {
        self.revocations()?.newest().map_err(DomainError::Lists)
    }

    /// The denylists of TPM firmware.
    ///
    /// # Errors
    ///
    /// [`DomainError::File`]; [`DomainError::StatusKey`].
    pub fn deny_lists(&self) -> Result<DenyLists, DomainError> {
        let key = self.status_key()?;
        Ok(DenyLists::new(self.folder.join(DENIED), self.trust_domain.clone(), key))
    }

    /// The TPM firmware that is denied now, if there is a list.
    ///
    /// # Errors
    ///
    /// As [`Self::deny_lists`]; [`DomainError::DenyLists`], also for a list that is out of its time.
    pub fn denied_firmware(&self, now: UnixMillis) -> Result<Option<DeniedFirmware>, DomainError> {
        self.deny_lists()?.in_force(now).map_err(DomainError::DenyLists)
    }

    /// The public status key.
    pub(super) fn status_key(&self) -> Result<StatusKey, DomainError> {
        let key = self.public_file(KeyName::Status)?;
        StatusKey::from_pem(&key).map_err(DomainError::StatusKey)
    }
}

/// Folder of the revocation lists.
const REVOCATIONS: &str = "revocations";

/// Folder of the denylists.
const DENIED: &str = "denied";
