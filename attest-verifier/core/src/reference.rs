//! What evidence is held against: a deployment, and the reference manifest of an image.
//!
//! Both come from files as they lie: the deployment's measurement and its content are of the same
//! bytes, and nobody can pass the one without the other.

use alloc::vec::Vec;

use measured_boot::digest::Sha256Digest;
use measured_boot::manifest::{Purpose as ManifestPurpose, ReferenceManifest};
use measured_boot::predict::DeploymentDigests;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use tre_wire::deployment::{self, Deployment, DeploymentError};
use tre_wire::id::PeerId;
use tre_wire::json::{self, JsonError};
use tre_wire::role::{Identity, Role};
use tre_wire::units::UnixMillis;

use crate::chain::{self, ChainError, Purpose};

/// Longest manifest file. Unit: bytes. Ours have under 16 KiB.
pub const MANIFEST_BYTES: usize = 1024 * 1024;

/// Why files cannot serve as a reference.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// The deployment file is none.
    #[error(transparent)]
    Deployment(DeploymentError),
    /// An authority in the deployment file is not a certificate.
    #[error("expected a certificate as TRE authority {position} of the deployment: {cause}")]
    Authority {
        /// Place in the list, from 0.
        position: usize,
        /// What the parser found.
        cause: webpki::Error,
    },
    /// The manifest file is none.
    #[error("reference manifest is not readable: {0}")]
    Manifest(#[source] JsonError),
    /// The manifest speaks of other boxes. The test domain's keys are public.
    #[error("expected a reference manifest for {expected:?}, found one for {found:?}")]
    Purpose {
        /// What the caller judges.
        expected: ManifestPurpose,
        /// What the manifest is made for.
        found: ManifestPurpose,
    },
}

/// The files that evidence is held against.
#[derive(Clone, Debug)]
pub struct Reference {
    deployment: Deployment,
    authorities: Vec<TrustAnchor<'static>>,
    digests: DeploymentDigests,
    manifest: ReferenceManifest,
}

impl Reference {
    /// Reads both files as they lie. `purpose` is what the caller judges; a manifest for anything
    /// else is refused.
    ///
    /// # Errors
    ///
    /// [`ReferenceError`].
    pub fn from_files(
        deployment_file: &[u8],
        manifest_file: &[u8],
        purpose: ManifestPurpose,
    ) -> Result<Self, ReferenceError> {
        let deployment =
            Deployment::from_json(deployment_file).map_err(ReferenceError::Deployment)?;
        let anchor = |(position, der): (usize, &tre_wire::hex::HexBytes)| {
            let der = CertificateDer::from(der.as_slice());
            webpki::anchor_from_trusted_cert(&der)
                .map(|anchor| anchor.to_owned())
                .map_err(|cause| ReferenceError::Authority { position, cause })
        };
        let authorities =
            deployment.tre_authorities.iter().enumerate().map(anchor).collect::<Result<_, _>>()?;
        let manifest: ReferenceManifest = json::decode_at_most(manifest_file, MANIFEST_BYTES)
            .map_err(ReferenceError::Manifest)?;
        if manifest.purpose != purpose {
            let (expected, found) = (purpose, manifest.purpose);
            return Err(ReferenceError::Purpose { expected, found });
        }
        let digests = DeploymentDigests {
            deployment: Sha256Digest(deployment::measurement(deployment_file)),
            started: Sha256Digest(deployment::started()),
        };
        Ok(Self { deployment, authorities, digests, manifest })
    }

    /// The deployment: who is trusted, and the privacy policy.
    #[must_use]
    pub const fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// What the image must measure to.
    #[must_use]
    pub const fn manifest(&self) -> &ReferenceManifest {
        &self.manifest
    }

    /// What PID 1 must have extended into PCR 11.
    #[must_use]
    pub const fn digests(&self) -> &DeploymentDigests {
        &self.digests
    }

    /// The identity of the TRE called `id` in this deployment.
    #[must_use]
    pub fn identity_of_tre(&self, id: PeerId) -> Identity {
        Identity { trust_domain: self.deployment.trust_domain.clone(), role: Role::Tre, id }
    }

    pub(crate) fn verify_chain(
        &self,
        chain: &[CertificateDer<'_>],
        now: UnixMillis,
        purpose: Purpose,
    ) -> Result<(), ChainError> {
        chain::verify(chain, &self.authorities, now, purpose)
    }
}
