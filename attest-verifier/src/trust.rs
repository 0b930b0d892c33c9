//! What a verifier trusts: a deployment file and a reference manifest, as they lie.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use attest_verifier_core::measured_boot::manifest::Purpose;
use attest_verifier_core::reference::{Reference, ReferenceError};

use crate::bounds;
use crate::file::{self, FileError};

/// A deployment and the reference manifest of the image that may run it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Trust {
    reference: Arc<Reference>,
}

/// Why there is nothing to trust.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// A file cannot be read.
    #[error(transparent)]
    File(FileError),
    /// The files are not a reference.
    #[error("{deployment}, {manifest}: {source}",
        deployment = .deployment.display(), manifest = .manifest.display())]
    Reference {
        /// The deployment file.
        deployment: PathBuf,
        /// The manifest file.
        manifest: PathBuf,
        /// Which of them, and why not.
        source: ReferenceError,
    },
}

impl Trust {
    /// Reads both files; the manifest must be one for production.
    ///
    /// # Errors
    ///
    /// [`TrustError`].
    pub fn load(deployment: &Path, manifest: &Path) -> Result<Self, TrustError> {
        let read = |path| file::read(path, bounds::REFERENCE_BYTES).map_err(TrustError::File);
        let (deployment_file, manifest_file) = (read(deployment)?, read(manifest)?);
        Self::from_bytes(&deployment_file, &manifest_file, Purpose::Production).map_err(|source| {
            let (deployment, manifest) = (deployment.to_path_buf(), manifest.to_path_buf());
            TrustError::Reference { deployment, manifest, source }
        })
    }

    /// Takes both files as they lie, for a `purpose` that the caller must know.
    ///
    /// # Errors
    ///
    /// [`ReferenceError`].
    pub fn from_bytes(
        deployment_file: &[u8],
        manifest_file: &[u8],
        purpose: Purpose,
    ) -> Result<Self, ReferenceError> {
        let reference = Reference::from_files(deployment_file, manifest_file, purpose)?;
        Ok(Self { reference: Arc::new(reference) })
    }

    /// What evidence is held against.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    pub(crate) fn shared(&self) -> Arc<Reference> {
        Arc::clone(&self.reference)
    }
}
