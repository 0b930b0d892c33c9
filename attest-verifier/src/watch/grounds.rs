//! What verdicts are judged by, out of the log, by the word of anchors from outside of it.

use std::collections::BTreeMap;
use std::path::Path;

use attest_verifier_core::measured_boot::digest::{Sha256Digest, sha256};
use attest_verifier_core::measured_boot::manifest::Purpose;
use attest_verifier_core::reference::ReferenceError;
use attest_verifier_core::release::ReleaseError;
use attest_verifier_core::revocation;
use attest_verifier_core::wire::hex::Hex32;
use attest_verifier_core::wire::units::UnixMillis;

use super::{Grounds, KeptFile, Verdict};
use crate::bounds;
use crate::file;
use crate::lists::{ListKind, ListRefusal};
use crate::signed_file::SignedFile;
use crate::sources::{Keys, ReferenceFiles};
use crate::trust::{Trust, TrustError};

/// By whose word the files in a log are believed.
#[derive(Clone, Debug)]
pub struct Anchors {
    /// SHA-256 of each deployment file that may stand in the log: nobody signs one, and it says who
    /// certifies TREs.
    pub deployments: Vec<Sha256Digest>,
    /// Who signs the others.
    pub keys: Keys,
}

impl Anchors {
    /// Reads the deployments, and the keys in PEM files.
    ///
    /// # Errors
    ///
    /// [`TrustError::File`]; [`TrustError::ReleaseKey`]; [`TrustError::StatusKey`].
    pub fn load<'a>(
        deployments: impl IntoIterator<Item = &'a Path>,
        release_key: &Path,
        status_key: Option<&Path>,
    ) -> Result<Self, TrustError> {
        let keys = Keys::load(release_key, status_key)?;
        let read = |path| file::read(path, bounds::REFERENCE_BYTES).map(|bytes| sha256(&bytes));
        let deployments = deployments.into_iter().map(read).collect::<Result<_, _>>();
        Ok(Self { deployments: deployments.map_err(TrustError::File)?, keys })
    }
}

/// Why nothing can be judged by the files in a log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GroundsError {
    /// A file is named that no entry keeps.
    #[error("expected the file with SHA-256 {sha256} in an entry before, found none")]
    NotKept {
        /// SHA-256 of the file.
        sha256: Hex32,
    },
    /// A file is kept that is no text.
    #[error("expected a text to keep in the log, found the file with SHA-256 {sha256}")]
    NotText {
        /// SHA-256 of the file.
        sha256: Hex32,
    },
    /// A deployment that the reader of the log does not know.
    #[error(
        "expected a deployment file that was given, found the one with SHA-256 {found}; give it as \
         --past-deployment if it was in force"
    )]
    Deployment {
        /// SHA-256 of the file in the log.
        found: Hex32,
    },
    /// A file without its signature.
    #[error("expected a signature with the file with SHA-256 {sha256}, found none")]
    Unsigned {
        /// SHA-256 of the file.
        sha256: Hex32,
    },
    /// A manifest is not the release key's.
    #[error("manifest with SHA-256 {sha256}: {source}")]
    Release {
        /// SHA-256 of the file.
        sha256: Hex32,
        /// Why not.
        source: ReleaseError,
    },
    /// Deployment and manifests are not a reference.
    #[error(transparent)]
    Reference(ReferenceError),
    /// Nobody's word is given for lists.
    #[error("expected --status-key, since the log was judged by lists; found none")]
    NoStatusKey,
    /// A list is not relied on, or comes after a later one.
    #[error(transparent)]
    List(ListRefusal),
    /// A list was left out that was given before: what it named would be believed again.
    #[error(
        "expected a list in the place of the one before (--{}), found none: a log that was judged \
         by a list goes on with it", .kind.as_str()
    )]
    Dropped {
        /// Which list.
        kind: ListKind,
    },
    /// A look that was judged by nothing.
    #[error("expected an entry with grounds before the first look, found none")]
    None,
    /// Entries of format 1 keep no files.
    #[error("expected the files that entries of format 1 were judged by (--manifest), found none")]
    NoFiles,
}

/// Files by their SHA-256.
pub(super) type Kept = BTreeMap<Hex32, KeptFile>;

/// What was seen of lists so far.
pub(super) type SeenLists = BTreeMap<ListKind, revocation::Seen>;

/// What verdicts are judged by.
#[derive(Debug)]
pub(super) struct InForce {
    pub(super) named: Grounds,
    pub(super) trust: Trust,
    pub(super) seen: SeenLists,
}

impl KeptFile {
    pub(super) fn sha256(&self) -> Hex32 {
        Hex32(sha256(self.text.as_bytes()).0)
    }
}

impl Grounds {
    pub(super) fn names(&self, sha256: &Hex32) -> bool {
        let lists = [&self.revocations, &self.denylist];
        self.deployment == *sha256
            || self.manifests.contains(sha256)
            || lists.into_iter().flatten().any(|list| list == sha256)
    }

    const fn list(&self, kind: ListKind) -> Option<Hex32> {
        match kind {
            ListKind::Revocations => self.revocations,
            ListKind::Denylist => self.denylist,
        }
    }
}

/// What grounds call these files, and the files as a log keeps them.
pub(super) fn keep(files: &ReferenceFiles) -> Result<(Grounds, Kept), GroundsError> {
    let mut kept = Kept::new();
    let mut keep = |file: &[u8], signature: Option<&[u8]>| {
        let sha256 = Hex32(sha256(file).0);
        let text = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec());
            text.map_err(|_| GroundsError::NotText { sha256 })
        };
        let signature = signature.map(text).transpose()?;
        kept.insert(sha256, KeptFile { text: text(file)?, signature });
        Ok::<_, GroundsError>(sha256)
    };
    let deployment = keep(&files.deployment, None)?;
    let mut signed = |one: &SignedFile| keep(&one.file, Some(&one.signature));
    let manifests = files.manifests.iter().map(&mut signed).collect::<Result<_, _>>()?;
    let revocations = files.revocations.as_ref().map(&mut signed).transpose()?;
    let denylist = files.denylist.as_ref().map(&mut signed).transpose()?;
    Ok((Grounds { deployment, manifests, revocations, denylist }, kept))
}

/// Verifies the files that grounds name, for use from `time` on, after the lists in `seen`.
pub(super) fn verify(
    named: Grounds,
    kept: &Kept,
    anchors: &Anchors,
    seen: &SeenLists,
    time: UnixMillis,
) -> Result<InForce, GroundsError> {
    let found = named.deployment;
    if !anchors.deployments.contains(&Sha256Digest(found.0)) {
        return Err(GroundsError::Deployment { found });
    }
    let deployment = kept_file(kept, found)?;
    let released = |&sha256: &Hex32| {
        let released = signed_file(kept, sha256)?.released(&anchors.keys.release);
        released.map_err(|source| GroundsError::Release { sha256, source })
    };
    let manifests = named.manifests.iter().map(released).collect::<Result<_, _>>()?;
    let mut trust = Trust::new(deployment.text.as_bytes(), manifests, Purpose::Production)
        .map_err(GroundsError::Reference)?;
    let mut seen = seen.clone();
    for kind in [ListKind::Denylist, ListKind::Revocations] {
        let Some(sha256) = named.list(kind) else {
            match seen.contains_key(&kind) {
                true => return Err(GroundsError::Dropped { kind }),
                false => continue,
            }
        };
        let key = anchors.keys.status.as_ref().ok_or(GroundsError::NoStatusKey)?;
        let domain = &trust.reference().deployment().trust_domain;
        let relied = signed_file(kept, sha256)?.relied(kind, key, domain, time);
        let relied = relied.map_err(GroundsError::List)?;
        let next = relied.follows(seen.get(&kind)).map_err(GroundsError::List)?;
        seen.insert(kind, next);
        trust = trust.relying(relied);
    }
    Ok(InForce { named, trust, seen })
}

fn kept_file(kept: &Kept, sha256: Hex32) -> Result<&KeptFile, GroundsError> {
    kept.get(&sha256).ok_or(GroundsError::NotKept { sha256 })
}

fn signed_file(kept: &Kept, sha256: Hex32) -> Result<SignedFile, GroundsError> {
    let KeptFile { text, signature } = kept_file(kept, sha256)?;
    let signature = signature.as_ref().ok_or(GroundsError::Unsigned { sha256 })?;
    Ok(SignedFile { file: text.clone().into_bytes(), signature: signature.clone().into_bytes() })
}

impl InForce {
    /// The verdict on any answer after a list has ended: nothing is believed by an old list.
    pub(super) fn ended(&self, time: UnixMillis) -> Option<Verdict> {
        let (kind, until) = self.trust.ended(time)?;
        Some(Verdict::Refused {
            check: kind.as_str().to_owned(),
            expected: "a list that is good at the time of the look".to_owned(),
            found: format!("one good until {until} (ms since 1970)"),
        })
    }
}
