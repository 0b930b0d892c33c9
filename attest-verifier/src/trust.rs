//! What a verifier trusts: a deployment file and released manifests, as they lie.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use attest_verifier_core::closest::Closest;
use attest_verifier_core::denylist::{DeniedFirmware, DenyError};
use attest_verifier_core::measured_boot::manifest::Purpose;
use attest_verifier_core::past::Past;
use attest_verifier_core::reference::{Reference, ReferenceError};
use attest_verifier_core::refusal::Refusal;
use attest_verifier_core::release::{ReleaseError, ReleaseKey, ReleaseKeyError, ReleasedManifest};
use attest_verifier_core::revocation::RevocationError;
use attest_verifier_core::verdict::Attested;
use attest_verifier_core::wire::attestation::Evidence;
use attest_verifier_core::wire::id::PeerId;
use attest_verifier_core::wire::json::JsonError;
use attest_verifier_core::wire::units::UnixMillis;

use crate::bounds;
use crate::error::AttestError;
use crate::fetch::FetchError;
use crate::file::{self, FileError};
use crate::keep::KeepError;
use crate::lists::{
    Asked, DenyListFiles, List, ListKind, Relied, RevocationFiles, SeenError, load_status_key,
};
use crate::memory::{Memory, MemoryError};
use crate::sources::Sources;

/// A deployment and the released manifests of the images that may run it. Cheap to clone.
///
/// There is no way to one around [`UnverifiedManifest::verify`]: every manifest in it was signed
/// by the release key.
///
/// [`UnverifiedManifest::verify`]: attest_verifier_core::release::UnverifiedManifest::verify
#[derive(Clone, Debug)]
pub struct Trust {
    reference: Arc<Reference>,
    memory: Option<Memory>,
    /// The last moment of each list.
    ends: Vec<(ListKind, UnixMillis)>,
}

/// Why there is nothing to trust.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// A file cannot be read.
    #[error(transparent)]
    File(FileError),
    /// A manifest lies there without its signature.
    #[error(
        "expected the signature of {manifest} beside it: {source}; make it with \
         `tre-pki sign-manifest`", manifest = .manifest.display()
    )]
    Unsigned {
        /// The manifest file.
        manifest: PathBuf,
        /// Why there is no signature.
        source: FileError,
    },
    /// The release key is none.
    #[error("{path}: {source}", path = .path.display())]
    ReleaseKey {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ReleaseKeyError,
    },
    /// The status key is none.
    #[error("{path}: {source}", path = .path.display())]
    StatusKey {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ReleaseKeyError,
    },
    /// A list was not fetched.
    #[error(transparent)]
    Fetch(FetchError),
    /// There is nowhere to keep a list that a server has.
    #[error("{url}: expected a folder to keep this list in (--list-folder), found none")]
    NoFolder {
        /// The list.
        url: String,
    },
    /// A copy of a list that was fetched is not as it was written.
    #[error("{path}: expected a list that was fetched: {source}", path = .path.display())]
    Copy {
        /// The file.
        path: PathBuf,
        /// What the decoder found.
        source: JsonError,
    },
    /// A list was not fetched, and there is no good copy of an earlier one.
    #[error("{fetch}; of the copy that was kept: {copy}")]
    NoCopy {
        /// Why it was not fetched, or what was wrong with it.
        fetch: Box<Self>,
        /// What is wrong with the copy.
        copy: Box<Self>,
    },
    /// What was seen of a list, or a copy of it, is locked or cannot be written.
    #[error(transparent)]
    Keep(KeepError),
    /// A revocation list is not relied on.
    #[error("{path}: {source}", path = .path.display())]
    Revocations {
        /// The list.
        path: PathBuf,
        /// Why not.
        source: RevocationError,
    },
    /// A denylist is not relied on.
    #[error("{path}: {source}", path = .path.display())]
    DenyList {
        /// The list.
        path: PathBuf,
        /// Why not.
        source: DenyError,
    },
    /// What was seen of revocation lists cannot be read or kept.
    #[error("{path}: expected what was seen of revocation lists: {source}",
        path = .path.display())]
    Seen {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: SeenError,
    },
    /// A manifest is not the release key's.
    #[error("{manifest}: {source}", manifest = .manifest.display())]
    Release {
        /// The manifest file.
        manifest: PathBuf,
        /// Why not.
        source: ReleaseError,
    },
    /// Deployment and manifests are not a reference.
    #[error("{deployment}: {source}", deployment = .deployment.display())]
    Reference {
        /// The deployment file.
        deployment: PathBuf,
        /// Which of them, and why not.
        source: ReferenceError,
    },
}

impl Trust {
    /// Reads the deployment and each manifest with its signature, which lies beside it (see
    /// [`signature_path`](crate::signature_path)); the manifests must be for production, and signed
    /// by the key in the PEM file `release_key`.
    ///
    /// # Errors
    ///
    /// [`TrustError`].
    pub fn load(
        deployment: &Path,
        manifests: &[PathBuf],
        release_key: &Path,
    ) -> Result<Self, TrustError> {
        let sources = Sources {
            deployment: deployment.to_path_buf(),
            manifests: manifests.to_vec(),
            release_key: release_key.to_path_buf(),
            lists: None,
        };
        sources.load_files().map(|(trust, _, _)| trust)
    }

    /// Takes a deployment file as it lies and manifests that are verified, for a `purpose` that
    /// the caller must know.
    ///
    /// # Errors
    ///
    /// [`ReferenceError`].
    pub fn new(
        deployment_file: &[u8],
        manifests: Vec<ReleasedManifest>,
        purpose: Purpose,
    ) -> Result<Self, ReferenceError> {
        let reference = Reference::new(deployment_file, manifests, purpose)?;
        Ok(Self { reference: Arc::new(reference), memory: None, ends: Vec::new() })
    }

    /// Remembers in `memory` every TRE that is attested, and refuses one that goes back behind it.
    #[must_use]
    pub fn remembering(self, memory: Memory) -> Self {
        Self { memory: Some(memory), ..self }
    }

    /// What is remembered of the TRE, if anything is to be remembered.
    pub(crate) async fn recall(&self, tre_id: &PeerId) -> Result<Option<Past>, MemoryError> {
        match &self.memory {
            Some(memory) => memory.recall(tre_id.clone()).await,
            None => Ok(None),
        }
    }

    /// Holds the verdict against what was recalled before its nonce was sent, and remembers it.
    pub(crate) async fn not_before(
        &self,
        past: Option<&Past>,
        mut attested: Attested,
    ) -> Result<Attested, AttestError> {
        if let Some(past) = past {
            attested = attested.not_before(past).map_err(Refusal::from)?;
        }
        if let Some(memory) = &self.memory {
            let noted = memory.note(attested.identity().id.clone(), attested.past()).await?;
            noted.map_err(Refusal::from)?;
        }
        Ok(attested)
    }

    /// Whether anything is remembered.
    pub(crate) const fn remembers(&self) -> bool {
        self.memory.is_some()
    }

    /// What evidence is held against.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The manifest that `evidence` comes closest to; where it says too little to tell, the first.
    #[must_use]
    pub fn closest_to(&self, evidence: &Evidence, now: UnixMillis) -> &ReleasedManifest {
        match Closest::to(evidence, &self.reference, now) {
            Ok(closest) => closest.release,
            Err(_) => self.reference.first(),
        }
    }

    /// The same, and keys on a revocation list are believed no more. The newest list seen is
    /// remembered in a file: an older one is refused.
    ///
    /// # Errors
    ///
    /// [`TrustError::File`]; [`TrustError::Revocations`]; [`TrustError::Seen`].
    pub fn revoking(self, files: &RevocationFiles, now: UnixMillis) -> Result<Self, TrustError> {
        self.relying_on_file(ListKind::Revocations, &files.list, &files.status_key, now)
    }

    /// The same, and TPM firmware on a denylist is believed no more. The newest list seen is
    /// remembered in a file: an older one is refused.
    ///
    /// # Errors
    ///
    /// [`TrustError::File`]; [`TrustError::DenyList`]; [`TrustError::Seen`].
    pub fn denying(self, files: &DenyListFiles, now: UnixMillis) -> Result<Self, TrustError> {
        self.relying_on_file(ListKind::Denylist, &files.list, &files.status_key, now)
    }

    fn relying_on_file(
        self,
        kind: ListKind,
        list: &Path,
        status_key: &Path,
        now: UnixMillis,
    ) -> Result<Self, TrustError> {
        let key = &load_status_key(status_key)?;
        let trust_domain = &self.reference.deployment().trust_domain;
        let (relied, _) = Asked { kind, key, trust_domain, now }.load(list)?;
        Ok(self.relying(relied))
    }

    /// The same, and what the list names is believed no more; nobody is, once it has ended.
    pub(crate) fn relying(mut self, relied: Relied) -> Self {
        let Relied { list, until } = relied;
        self.ends.push((list.kind(), until));
        self.applying(list)
    }

    fn applying(self, list: List) -> Self {
        let reference = list.apply(Arc::unwrap_or_clone(self.reference));
        Self { reference: Arc::new(reference), ..self }
    }

    /// The same with a list that is verified; nothing is remembered of it, also not its end.
    #[must_use]
    pub fn denying_firmware(self, denied: DeniedFirmware) -> Self {
        self.applying(List::Denylist(denied))
    }

    /// The list that has ended before `now`, with its last moment: nothing is judged by it.
    pub(crate) fn ended(&self, now: UnixMillis) -> Option<(ListKind, UnixMillis)> {
        self.ends.iter().find(|(_, until)| now > *until).copied()
    }

    /// Nobody is believed by a list that has ended since it was read.
    pub(crate) fn check_lists(&self, now: UnixMillis) -> Result<(), AttestError> {
        match self.ended(now) {
            None => Ok(()),
            Some((kind, until)) => Err(AttestError::ListEnded { kind, now, until }),
        }
    }

    pub(crate) fn shared(&self) -> Arc<Reference> {
        Arc::clone(&self.reference)
    }
}

/// Reads the release key in a PEM file.
///
/// # Errors
///
/// [`TrustError::File`]; [`TrustError::ReleaseKey`].
pub fn load_release_key(path: &Path) -> Result<ReleaseKey, TrustError> {
    let file = file::read(path, bounds::SIGNATURE_BYTES).map_err(TrustError::File)?;
    ReleaseKey::from_pem(&file)
        .map_err(|source| TrustError::ReleaseKey { path: path.to_path_buf(), source })
}
