//! The deployment: what differs from box to box, public, and measured before it is read.
//!
//! The boot image is one for everyone. Policy and trust anchors stand in the deployment block of
//! the data disk; PID 1 extends [`measurement`] of its bytes into PCR 11 *before* parsing them.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::bounds;
use crate::hex::HexBytes;
use crate::id::TrustDomain;
use crate::json::{self, JsonError};
use crate::policy::{Policy, PolicyError};

/// Longest deployment file. Unit: bytes.
pub const MAX_BYTES: usize = 64 * 1024;

/// First bytes under the first digest of PCR 11.
pub(crate) const DEPLOYMENT_LABEL: &[u8] = b"tre-deployment-v1";

/// All bytes under the second digest of PCR 11.
pub(crate) const STARTED_LABEL: &[u8] = b"tre-started-v1";

/// The version of [`Deployment`]. Format 1 had no status key, so that nobody could be revoked.
pub const FORMAT: u32 = 2;

/// The deployment file, JSON.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// Version of this structure: [`FORMAT`].
    pub format: u32,
    /// The domain in which all identities of this deployment live.
    pub trust_domain: TrustDomain,
    /// Certificates (DER) of the authorities that certify TREs.
    pub tre_authorities: Vec<HexBytes>,
    /// Certificates (DER) of the authorities that certify every other role.
    pub grid_authorities: Vec<HexBytes>,
    /// `SubjectPublicKeyInfo` (DER) of the key that says whose key is no longer believed.
    pub status_key: HexBytes,
    /// The privacy policy.
    pub policy: Policy,
}

/// Why a file is not a deployment.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// Not JSON, or not this structure.
    #[error("deployment is not readable: {0}")]
    Json(#[source] JsonError),
    /// Another format than this TRE reads.
    #[error("expected deployment format {FORMAT}, found {found}; `tre-pki deployment` writes it")]
    Format {
        /// Format found.
        found: u32,
    },
    /// Nobody, or too many, would be trusted.
    #[error("expected 1 to {most} {authority} certificates, found {found}")]
    Anchors {
        /// Which list.
        authority: &'static str,
        /// Most certificates allowed.
        most: usize,
        /// Certificates found.
        found: usize,
    },
    /// The policy cannot govern a TRE.
    #[error("deployment's policy is refused: {0}")]
    Policy(#[source] PolicyError),
}

impl Deployment {
    /// Reads and checks a deployment file.
    ///
    /// # Errors
    ///
    /// [`DeploymentError`] names what was expected and found.
    pub fn from_json(bytes: &[u8]) -> Result<Self, DeploymentError> {
        let found = json::format_at_most(bytes, MAX_BYTES).map_err(DeploymentError::Json)?;
        if found != FORMAT {
            return Err(DeploymentError::Format { found });
        }
        let deployment: Self =
            json::decode_at_most(bytes, MAX_BYTES).map_err(DeploymentError::Json)?;
        let most = bounds::CHAIN;
        for (authority, list) in [
            ("TRE authority", &deployment.tre_authorities),
            ("grid authority", &deployment.grid_authorities),
        ] {
            if list.is_empty() || list.len() > most {
                return Err(DeploymentError::Anchors { authority, most, found: list.len() });
            }
        }
        deployment.policy.check().map_err(DeploymentError::Policy)?;
        Ok(deployment)
    }
}

/// First digest extended into PCR 11: over the deployment file as it lies.
#[must_use]
pub fn measurement(file: &[u8]) -> [u8; 32] {
    let length = u64::try_from(file.len()).unwrap_or(u64::MAX);
    Sha256::new()
        .chain_update(DEPLOYMENT_LABEL)
        .chain_update(length.to_be_bytes())
        .chain_update(file)
        .finalize()
        .into()
}

/// Second digest extended into PCR 11, once secrets are unsealed: nothing unseals after it.
#[must_use]
pub fn started() -> [u8; 32] {
    Sha256::digest(STARTED_LABEL).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_without_a_status_key_is_refused_by_its_number() {
        let older = include_bytes!("../../../tests/vectors/v1/older/deployment-format-1.json");
        let refused = Deployment::from_json(older).expect_err("an older format");
        assert!(matches!(refused, DeploymentError::Format { found: 1 }), "{refused}");
    }
}
