//! Lists of the status key: verified as they lie, and never older than was seen before.
//!
//! Revocation lists and denylists of TPM firmware differ in what they say, not in how they are
//! signed, numbered, dated and remembered.

use std::io;
use std::path::{Path, PathBuf};

use attest_verifier_core::denylist::{DeniedFirmware, DenyError, UnverifiedDenyList};
use attest_verifier_core::reference::Reference;
use attest_verifier_core::revocation::{
    RevocationError, Revocations, Seen, StatusKey, UnverifiedRevocations,
};
use attest_verifier_core::wire::id::TrustDomain;
use attest_verifier_core::wire::json::{self, JsonError};
use attest_verifier_core::wire::units::UnixMillis;
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::file;
use crate::keep::{self, KeepError, Lock};
use crate::signed_file::{SignedFile, Unread};
use crate::trust::TrustError;

/// A revocation list, with its signature beside it in `LIST.sig`, and who signs it. The newest one
/// seen is remembered beside it in `LIST.seen`: leave that file where it is.
#[derive(Clone, Debug)]
pub struct RevocationFiles {
    /// The list.
    pub list: PathBuf,
    /// The public status key: `status.pem` of the domain.
    pub status_key: PathBuf,
}

/// A denylist, with its signature beside it in `LIST.sig`, and who signs it. The newest one seen is
/// remembered beside it in `LIST.seen`: leave that file where it is.
#[derive(Clone, Debug)]
pub struct DenyListFiles {
    /// The list.
    pub list: PathBuf,
    /// The public status key: `status.pem` of the domain.
    pub status_key: PathBuf,
}

impl RevocationFiles {
    /// Reads the list, of `trust_domain` and good at `now`, refuses an older one than was seen, and
    /// remembers it.
    ///
    /// # Errors
    ///
    /// [`TrustError::File`]; [`TrustError::StatusKey`]; [`TrustError::Revocations`];
    /// [`TrustError::Seen`].
    pub fn load(
        &self,
        trust_domain: &TrustDomain,
        now: UnixMillis,
    ) -> Result<Revocations, TrustError> {
        let key = &load_status_key(&self.status_key)?;
        let shelf = Shelf::of(&self.list)?;
        let signed = SignedFile::read(&self.list, bounds::REVOCATION_BYTES)
            .map_err(Unread::error)
            .map_err(TrustError::File)?;
        let refused = |source| ListRefusal::Revocations(source).at(&self.list);
        let SignedFile { file, signature } = &signed;
        let list = UnverifiedRevocations { file, signature }
            .verify(key)
            .and_then(|signed| signed.read(trust_domain, now))
            .map_err(refused)?;
        let next = list.follows(shelf.seen.as_ref()).map_err(refused)?;
        shelf.note(next)?;
        Ok(list)
    }
}

/// What a list speaks of.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ListKind {
    /// Keys.
    Revocations,
    /// TPM firmware.
    Denylist,
}

impl ListKind {
    /// The stable name: of the option that takes it, and of the copy of a fetched one.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revocations => "revocations",
            Self::Denylist => "denylist",
        }
    }
}

/// Why a list is not relied on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListRefusal {
    /// A revocation list.
    #[error(transparent)]
    Revocations(RevocationError),
    /// A denylist.
    #[error(transparent)]
    Denylist(DenyError),
}

/// Why what was seen is not known, or not kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeenError {
    /// Not as it was written.
    #[error("not readable: {0}")]
    Json(#[source] JsonError),
    /// It cannot be kept.
    #[error("cannot be kept: {0}")]
    Keep(#[source] KeepError),
}

/// A list that may be relied on.
#[derive(Clone, Debug)]
pub(crate) enum List {
    Revocations(Revocations),
    Denylist(DeniedFirmware),
}

/// A list that may be relied on, and its last moment.
#[derive(Clone, Debug)]
pub(crate) struct Relied {
    pub(crate) list: List,
    pub(crate) until: UnixMillis,
}

impl Relied {
    /// Refuses one that is older than was seen, or another of the same number.
    pub(crate) fn follows(&self, seen: Option<&Seen>) -> Result<Seen, ListRefusal> {
        match &self.list {
            List::Revocations(list) => list.follows(seen).map_err(ListRefusal::Revocations),
            List::Denylist(list) => list.follows(seen).map_err(ListRefusal::Denylist),
        }
    }
}

impl List {
    pub(crate) const fn kind(&self) -> ListKind {
        match self {
            Self::Revocations(_) => ListKind::Revocations,
            Self::Denylist(_) => ListKind::Denylist,
        }
    }

    /// The reference, which what the list names does not meet any more.
    pub(crate) fn apply(self, reference: Reference) -> Reference {
        match self {
            Self::Revocations(list) => reference.revoking(list),
            Self::Denylist(list) => reference.denying(list),
        }
    }
}

impl SignedFile {
    /// As a list of `kind`, for `trust_domain`, that the status key signed and that is good at
    /// `now`.
    pub(crate) fn relied(
        &self,
        kind: ListKind,
        key: &StatusKey,
        trust_domain: &TrustDomain,
        now: UnixMillis,
    ) -> Result<Relied, ListRefusal> {
        let Self { file, signature } = self;
        match kind {
            ListKind::Revocations => {
                let unverified = UnverifiedRevocations { file, signature };
                let signed = unverified.verify(key).map_err(ListRefusal::Revocations)?;
                let until = signed.list().map_err(ListRefusal::Revocations)?.valid_until;
                let list = signed.read(trust_domain, now).map_err(ListRefusal::Revocations)?;
                Ok(Relied { list: List::Revocations(list), until })
            }
            ListKind::Denylist => {
                let unverified = UnverifiedDenyList { file, signature };
                let signed = unverified.verify(key).map_err(ListRefusal::Denylist)?;
                let until = signed.list().map_err(ListRefusal::Denylist)?.valid_until;
                let list = signed.read(trust_domain, now).map_err(ListRefusal::Denylist)?;
                Ok(Relied { list: List::Denylist(list), until })
            }
        }
    }
}

/// By whom a list must be signed, for whom, and when it is to be good.
pub(crate) struct Asked<'a> {
    pub(crate) kind: ListKind,
    pub(crate) key: &'a StatusKey,
    pub(crate) trust_domain: &'a TrustDomain,
    pub(crate) now: UnixMillis,
}

impl Asked<'_> {
    fn of(&self, signed: &SignedFile) -> Result<Relied, ListRefusal> {
        signed.relied(self.kind, self.key, self.trust_domain, self.now)
    }

    /// Reads the list at `path`, refuses an older one than was seen there, and remembers it.
    pub(crate) fn load(&self, path: &Path) -> Result<(Relied, SignedFile), TrustError> {
        let shelf = Shelf::of(path)?;
        let signed = SignedFile::read(path, bounds::REVOCATION_BYTES)
            .map_err(Unread::error)
            .map_err(TrustError::File)?;
        self.take(shelf, path, signed)
    }

    /// The same of a copy that [`Self::put`] made.
    pub(crate) fn load_copy(&self, path: &Path) -> Result<(Relied, SignedFile), TrustError> {
        let shelf = Shelf::of(path)?;
        let copy = file::read(path, bounds::COPY_BYTES).map_err(TrustError::File)?;
        let Copy { list, signature } = json::decode_at_most(&copy, copy.len())
            .map_err(|source| TrustError::Copy { path: path.to_path_buf(), source })?;
        let signed = SignedFile { file: list.into_bytes(), signature: signature.into_bytes() };
        self.take(shelf, path, signed)
    }

    fn take(
        &self,
        shelf: Shelf,
        path: &Path,
        signed: SignedFile,
    ) -> Result<(Relied, SignedFile), TrustError> {
        let relied = self.of(&signed).map_err(|refusal| refusal.at(path))?;
        let next = relied.follows(shelf.seen.as_ref()).map_err(|refusal| refusal.at(path))?;
        shelf.note(next)?;
        Ok((relied, signed))
    }

    /// Puts a list that came from `origin` in the place of the copy at `path`, if it may be relied
    /// on and is not older than was seen there.
    pub(crate) fn put(
        &self,
        path: &Path,
        signed: &SignedFile,
        origin: &Path,
    ) -> Result<(), TrustError> {
        let refused = |refusal: ListRefusal| refusal.at(origin);
        let relied = self.of(signed).map_err(refused)?;
        let shelf = Shelf::of(path)?;
        let next = relied.follows(shelf.seen.as_ref()).map_err(refused)?;
        // What was read is JSON, and so is text; of anything else the signature would not hold.
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let copy = Copy { list: text(&signed.file), signature: text(&signed.signature) };
        let copy = json::encode(&copy)
            .map_err(|source| TrustError::Copy { path: path.to_path_buf(), source })?;
        if !file::read(path, bounds::COPY_BYTES).is_ok_and(|there| there == copy) {
            keep::replace(path, &copy).map_err(TrustError::Keep)?;
        }
        shelf.note(next)
    }
}

/// A list of a server as it is kept: with its signature in one file, so that a power cut leaves the
/// one before or this one.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Copy {
    list: String,
    signature: String,
}

impl ListRefusal {
    fn at(self, path: &Path) -> TrustError {
        let path = path.to_path_buf();
        match self {
            Self::Revocations(source) => TrustError::Revocations { path, source },
            Self::Denylist(source) => TrustError::DenyList { path, source },
        }
    }
}

/// What lies beside a list; nobody else reads or writes it meanwhile.
struct Shelf {
    path: PathBuf,
    seen: Option<Seen>,
    _lock: Lock,
}

impl Shelf {
    fn of(list: &Path) -> Result<Self, TrustError> {
        let path = keep::beside(list, ".seen");
        let lock = Lock::take(keep::beside(&path, ".lock")).map_err(TrustError::Keep)?;
        Ok(Self { seen: read_seen(&path)?, path, _lock: lock })
    }

    /// Remembers what is seen from now on.
    fn note(self, next: Seen) -> Result<(), TrustError> {
        let Self { path, seen, _lock } = self;
        if seen == Some(next) {
            return Ok(());
        }
        json::encode(&next)
            .map_err(SeenError::Json)
            .and_then(|bytes| keep::replace(&path, &bytes).map_err(SeenError::Keep))
            .map_err(|source| TrustError::Seen { path, source })
    }
}

fn read_seen(path: &Path) -> Result<Option<Seen>, TrustError> {
    if path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let bytes = file::read(path, bounds::SIGNATURE_BYTES).map_err(TrustError::File)?;
    let seen = json::decode(&bytes).map_err(|source| TrustError::Seen {
        path: path.to_path_buf(),
        source: SeenError::Json(source),
    })?;
    Ok(Some(seen))
}

/// The status key in a PEM file.
///
/// # Errors
///
/// [`TrustError::File`]; [`TrustError::StatusKey`].
pub fn load_status_key(path: &Path) -> Result<StatusKey, TrustError> {
    let file = file::read(path, bounds::SIGNATURE_BYTES).map_err(TrustError::File)?;
    StatusKey::from_pem(&file)
        .map_err(|source| TrustError::StatusKey { path: path.to_path_buf(), source })
}
