//! Where everything lies that TREs are held against, and how it is read, once or again and again.
//!
//! Files must be good each time. A list of a server is fetched first: where that fails, for
//! whatever reason, the last good copy serves until its own end, and the failure is told.

use std::path::{Path, PathBuf};

use attest_verifier_core::measured_boot::manifest::Purpose;
use attest_verifier_core::release::ReleaseKey;
use attest_verifier_core::revocation::StatusKey;
use attest_verifier_core::wire::units::UnixMillis;

use crate::bounds;
use crate::fetch::{ListPlace, ListUrl};
use crate::file;
use crate::lists::{Asked, ListKind, load_status_key};
use crate::signed_file::{SignedFile, Unread};
use crate::trust::{Trust, TrustError, load_release_key};

/// Where everything lies that TREs are held against.
#[derive(Clone, Debug)]
pub struct Sources {
    /// The deployment file.
    pub deployment: PathBuf,
    /// The manifests, each with its signature beside it.
    pub manifests: Vec<PathBuf>,
    /// The public release key that signed them (PEM).
    pub release_key: PathBuf,
    /// The lists, if there are any.
    pub lists: Option<Lists>,
}

/// Where the lists lie.
#[derive(Clone, Debug)]
pub struct Lists {
    /// The public status key that signs them (PEM).
    pub status_key: PathBuf,
    /// The newest revocation list.
    pub revocations: Option<ListPlace>,
    /// The newest denylist of TPM firmware.
    pub denylist: Option<ListPlace>,
    /// The folder in which lists of servers are kept, each with its signature in one file:
    /// `DOMAIN-revocations.json` and `DOMAIN-denylist.json`. Several processes may share it.
    pub folder: Option<PathBuf>,
}

/// The files that TREs are held against, as they lie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReferenceFiles {
    /// The deployment file.
    pub deployment: Vec<u8>,
    /// The manifests, in the order given.
    pub manifests: Vec<SignedFile>,
    /// The revocation list.
    pub revocations: Option<SignedFile>,
    /// The denylist of TPM firmware.
    pub denylist: Option<SignedFile>,
}

/// What was read.
#[derive(Debug)]
pub struct Loaded {
    /// What TREs are held against.
    pub trust: Trust,
    /// The files that it was made of.
    pub files: ReferenceFiles,
    /// Why a list was not fetched of which a good copy is there: to be told, not to be obeyed.
    pub not_fetched: Vec<TrustError>,
}

impl Sources {
    /// Fetches the lists that servers have, reads everything and verifies it for use at `now`.
    ///
    /// # Errors
    ///
    /// [`TrustError`]; [`TrustError::NoCopy`] for a list that was not fetched and of which there is
    /// no good copy.
    pub async fn load(&self, now: UnixMillis) -> Result<Loaded, TrustError> {
        let (trust, deployment, manifests) = self.load_files()?;
        let files = ReferenceFiles { deployment, manifests, revocations: None, denylist: None };
        let mut loaded = Loaded { trust, files, not_fetched: Vec::new() };
        let Some(lists) = &self.lists else { return Ok(loaded) };
        let key = load_status_key(&lists.status_key)?;
        for (kind, place) in
            [(ListKind::Denylist, &lists.denylist), (ListKind::Revocations, &lists.revocations)]
        {
            let Some(place) = place else { continue };
            let signed = loaded.relying(kind, place, lists.folder.as_deref(), &key, now).await?;
            match kind {
                ListKind::Denylist => loaded.files.denylist = Some(signed),
                ListKind::Revocations => loaded.files.revocations = Some(signed),
            }
        }
        Ok(loaded)
    }

    pub(crate) fn load_files(&self) -> Result<(Trust, Vec<u8>, Vec<SignedFile>), TrustError> {
        let key = load_release_key(&self.release_key)?;
        let file =
            file::read(&self.deployment, bounds::REFERENCE_BYTES).map_err(TrustError::File)?;
        let read = |path: &PathBuf| load_manifest(path);
        let signed: Vec<_> = self.manifests.iter().map(read).collect::<Result<_, _>>()?;
        let released = |(path, signed): (&PathBuf, &SignedFile)| {
            let manifest = path.clone();
            signed.released(&key).map_err(|source| TrustError::Release { manifest, source })
        };
        let manifests =
            self.manifests.iter().zip(&signed).map(released).collect::<Result<_, _>>()?;
        let trust = Trust::new(&file, manifests, Purpose::Production).map_err(|source| {
            let deployment = self.deployment.clone();
            TrustError::Reference { deployment, source }
        })?;
        Ok((trust, file, signed))
    }
}

impl Loaded {
    async fn relying(
        &mut self,
        kind: ListKind,
        place: &ListPlace,
        folder: Option<&Path>,
        key: &StatusKey,
        now: UnixMillis,
    ) -> Result<SignedFile, TrustError> {
        let trust_domain = &self.trust.reference().deployment().trust_domain.clone();
        let asked = Asked { kind, key, trust_domain, now };
        let (relied, signed) = match place {
            ListPlace::File(path) => asked.load(path)?,
            ListPlace::Server(url) => {
                let folder = folder.ok_or_else(|| TrustError::NoFolder { url: url.to_string() })?;
                let copy = folder.join(format!("{trust_domain}-{}.json", kind.as_str()));
                match (asked.fetch(url, &copy).await, asked.load_copy(&copy)) {
                    (Ok(()), loaded) => loaded?,
                    (Err(fetch), Ok(loaded)) => {
                        self.not_fetched.push(fetch);
                        loaded
                    }
                    (Err(fetch), Err(copy)) => {
                        let (fetch, copy) = (Box::new(fetch), Box::new(copy));
                        return Err(TrustError::NoCopy { fetch, copy });
                    }
                }
            }
        };
        self.trust = self.trust.clone().relying(relied);
        Ok(signed)
    }
}

impl Asked<'_> {
    /// Fetches the list at `url` into the file `copy`, if it may be relied on and is not older than
    /// what was there.
    async fn fetch(&self, url: &ListUrl, copy: &Path) -> Result<(), TrustError> {
        let signed = url.download().await.map_err(TrustError::Fetch)?;
        self.put(copy, &signed, &url.as_origin())
    }
}

/// Reads one manifest with its signature.
fn load_manifest(path: &Path) -> Result<SignedFile, TrustError> {
    SignedFile::read(path, bounds::REFERENCE_BYTES).map_err(|unread| match unread {
        Unread::File(error) => TrustError::File(error),
        Unread::Signature(source) => TrustError::Unsigned { manifest: path.to_path_buf(), source },
    })
}

/// The keys by whose word files are taken.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Signs manifests.
    pub release: ReleaseKey,
    /// Signs lists.
    pub status: Option<StatusKey>,
}

impl Keys {
    /// Reads the keys in PEM files.
    ///
    /// # Errors
    ///
    /// [`TrustError::File`]; [`TrustError::ReleaseKey`]; [`TrustError::StatusKey`].
    pub fn load(release_key: &Path, status_key: Option<&Path>) -> Result<Self, TrustError> {
        let release = load_release_key(release_key)?;
        Ok(Self { release, status: status_key.map(load_status_key).transpose()? })
    }
}
