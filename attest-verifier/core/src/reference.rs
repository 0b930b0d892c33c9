//! What evidence is held against: a deployment, and a set of released manifests.
//!
//! The deployment comes from its file as it lies: its measurement and its content are of the same
//! bytes, and nobody can pass the one without the other. There may be several manifests, since
//! boxes are not all updated at once; a box must equal one of them entirely.

use alloc::vec::Vec;

use measured_boot::digest::{Sha256Digest, sha256};
use measured_boot::manifest::Purpose as ManifestPurpose;
use measured_boot::predict::DeploymentDigests;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use tre_wire::deployment::{self, Deployment, DeploymentError};
use tre_wire::id::PeerId;
use tre_wire::role::{Identity, Role};
use tre_wire::units::UnixMillis;

use crate::chain::{self, ChainError, Purpose};
use crate::denylist::DeniedFirmware;
use crate::release::ReleasedManifest;
use crate::revocation::Revocations;

/// Most manifests of one set: the old and the new release on several platforms.
pub const MANIFESTS: usize = 16;

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
    /// Nothing that a box could equal.
    #[error("expected 1 to {MANIFESTS} reference manifests, found {found}")]
    Count {
        /// Manifests found.
        found: usize,
    },
    /// One manifest twice: a mistake in a roll-over.
    #[error("expected each reference manifest once, found {sha256} again")]
    Repeated {
        /// SHA-256 of the manifest file.
        sha256: Sha256Digest,
    },
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
    deployment_sha256: Sha256Digest,
    first: ReleasedManifest,
    others: Vec<ReleasedManifest>,
    revocations: Option<Revocations>,
    denied: Option<DeniedFirmware>,
}

impl Reference {
    /// A deployment file as it lies, with the manifests that its boxes may equal. `purpose` is
    /// what the caller judges; a manifest for anything else is refused.
    ///
    /// # Errors
    ///
    /// [`ReferenceError`].
    pub fn new(
        deployment_file: &[u8],
        manifests: Vec<ReleasedManifest>,
        purpose: ManifestPurpose,
    ) -> Result<Self, ReferenceError> {
        let found = manifests.len();
        let mut manifests = manifests.into_iter();
        let Some(first) = manifests.next().filter(|_| found <= MANIFESTS) else {
            return Err(ReferenceError::Count { found });
        };
        let others: Vec<_> = manifests.collect();
        check_set(&first, &others, purpose)?;
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
        let digests = DeploymentDigests {
            deployment: Sha256Digest(deployment::measurement(deployment_file)),
            started: Sha256Digest(deployment::started()),
        };
        let deployment_sha256 = sha256(deployment_file);
        Ok(Self {
            deployment,
            authorities,
            digests,
            deployment_sha256,
            first,
            others,
            revocations: None,
            denied: None,
        })
    }

    /// The same, and keys on this list are believed no more.
    #[must_use]
    pub fn revoking(self, revocations: Revocations) -> Self {
        Self { revocations: Some(revocations), ..self }
    }

    /// The same, and TPM firmware on this list is believed no more.
    #[must_use]
    pub fn denying(self, denied: DeniedFirmware) -> Self {
        Self { denied: Some(denied), ..self }
    }

    /// The firmware that is believed no more, if a list was given.
    #[must_use]
    pub const fn denied_firmware(&self) -> Option<&DeniedFirmware> {
        self.denied.as_ref()
    }

    /// The deployment: who is trusted, and the privacy policy.
    #[must_use]
    pub const fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// SHA-256 of the deployment file.
    #[must_use]
    pub const fn deployment_sha256(&self) -> Sha256Digest {
        self.deployment_sha256
    }

    /// The keys that are no longer believed, if a list says so.
    #[must_use]
    pub const fn revocations(&self) -> Option<&Revocations> {
        self.revocations.as_ref()
    }

    /// The manifests, in the order given; there is at least one.
    pub fn manifests(&self) -> impl Iterator<Item = &ReleasedManifest> {
        core::iter::once(&self.first).chain(&self.others)
    }

    /// The first of them.
    #[must_use]
    pub const fn first(&self) -> &ReleasedManifest {
        &self.first
    }

    pub(crate) fn others(&self) -> &[ReleasedManifest] {
        &self.others
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
        chain::verify(chain, &self.authorities, now, purpose)?;
        let Some(revocations) = &self.revocations else { return Ok(()) };
        revocations.check(&chain::public_key(chain)?)
    }
}

/// Every manifest is for `purpose`, and none stands twice.
fn check_set(
    first: &ReleasedManifest,
    others: &[ReleasedManifest],
    purpose: ManifestPurpose,
) -> Result<(), ReferenceError> {
    let mut seen = Vec::new();
    for release in core::iter::once(first).chain(others) {
        let (sha256, found) = (release.sha256(), release.manifest().purpose);
        if found != purpose {
            return Err(ReferenceError::Purpose { expected: purpose, found });
        }
        if seen.contains(&sha256) {
            return Err(ReferenceError::Repeated { sha256 });
        }
        seen.push(sha256);
    }
    Ok(())
}
