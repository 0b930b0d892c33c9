//! A trust domain as a folder of files: made once, whole or not at all.
//!
//! | file | what it is | who holds it |
//! |---|---|---|
//! | `domain.json` | format, name, purpose | all |
//! | `root.pem`, `root.key.pem` | root authority | offline |
//! | `tre-authority.pem`, `.key.pem` | certifies TREs | regulator |
//! | `grid-authority.pem`, `.key.pem` | certifies every other role | grid authority |
//! | `release.pem`, `release.key.pem` | signs reference manifests | regulator |
//! | `status.pem`, `status.key.pem` | signs revocations and time | regulator |
//! | `enrolled/` | one record a TRE | regulator |

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use measured_boot::manifest::Purpose;
use rcgen::KeyPair;
use rsa::rand_core::CryptoRngCore;
use serde::{Deserialize, Serialize};
use tre_wire::deployment::{self, Deployment};
use tre_wire::hex::HexBytes;
use tre_wire::id::{PeerId, TrustDomain};
use tre_wire::json::{self, JsonError};
use tre_wire::policy::Policy;
use tre_wire::role::{Identity, Role};
use tre_wire::units::UnixMillis;
use zeroize::Zeroizing;

use crate::authority::{Authority, AuthorityError, AuthorityKind, CertifyError};
use crate::enrol::record::Records;
use crate::file::{self, Access, FileError};
use crate::pem;
use crate::release::{Signer, SignerError};
use crate::validity::{self, Validity, ValidityError};

/// Life of the authorities below the root. Unit: days.
const AUTHORITY_DAYS: u32 = 10 * 366;

/// Longest name of a trust domain, as an organisation in a certificate has it. `[RFC5280]`
const NAME_CHARS: usize = 64;

/// Longest file of a domain. Unit: bytes.
const FILE_BYTES: u64 = 64 * 1024;

/// Why a domain was not made.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// There is something already, and keys are never overwritten.
    #[error(
        "expected no {path}, found one; choose another folder for the new domain",
        path = path.display()
    )]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// The name is too long for a certificate.
    #[error("expected a trust domain of at most {NAME_CHARS} characters, found {found}")]
    NameLength {
        /// Characters found.
        found: usize,
    },
    /// The clock is unusable.
    #[error(transparent)]
    Validity(ValidityError),
    /// A key could not be made.
    #[error("cannot make a key: {0}")]
    Key(#[source] rcgen::Error),
    /// A certificate could not be made.
    #[error(transparent)]
    Certify(CertifyError),
    /// `domain.json` could not be encoded.
    #[error("cannot encode domain.json: {0}")]
    Header(#[source] JsonError),
    /// A file could not be written.
    #[error(transparent)]
    File(FileError),
    /// The folder could not be made or named.
    #[error("cannot make folder {path}: {source}", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Why a folder cannot be used as a domain.
#[derive(Debug, thiserror::Error)]
pub enum DomainError {
    /// A file is missing or unreadable.
    #[error("{0}; expected a folder made by `tre-pki init`")]
    File(#[source] FileError),
    /// `domain.json` is not as it was written.
    #[error("expected domain.json as `tre-pki init` wrote it: {0}")]
    Json(#[source] JsonError),
    /// A later format than this program knows.
    #[error("expected domain format 1, found {found}; use the newer tre-pki that made it")]
    Format {
        /// Format found.
        found: u32,
    },
    /// An authority's files do not make one.
    #[error(transparent)]
    Authority(AuthorityError),
    /// The release key's file does not hold it.
    #[error(transparent)]
    Signer(SignerError),
    /// The policy is not readable.
    #[error("expected a privacy policy: {0}")]
    Policy(#[source] JsonError),
    /// The deployment would be refused by every TRE.
    #[error(transparent)]
    Deployment(deployment::DeploymentError),
}

/// Content of `domain.json`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: u32,
    trust_domain: TrustDomain,
    /// Missing where the domain is older than the word: then it is for production.
    #[serde(default = "production")]
    purpose: Purpose,
}

const fn production() -> Purpose {
    Purpose::Production
}

/// A trust domain on disk.
#[derive(Clone, Debug)]
pub struct Domain {
    folder: PathBuf,
    trust_domain: TrustDomain,
    purpose: Purpose,
}

impl Domain {
    /// Makes the keys and certificates of a new domain for real boxes: `folder` appears whole, or
    /// not at all.
    ///
    /// # Errors
    ///
    /// [`InitError`]; whatever was there stays as it was.
    pub fn init(
        folder: &Path,
        trust_domain: TrustDomain,
        now: UnixMillis,
        random: &mut dyn CryptoRngCore,
    ) -> Result<Self, InitError> {
        Self::make(folder, trust_domain, Purpose::Production, now, random)
    }

    /// The same for tests and demonstrations: its release key also signs manifests for DEMO, and
    /// nobody who means real boxes may trust it.
    ///
    /// # Errors
    ///
    /// [`InitError`].
    pub fn init_demo(
        folder: &Path,
        trust_domain: TrustDomain,
        now: UnixMillis,
        random: &mut dyn CryptoRngCore,
    ) -> Result<Self, InitError> {
        Self::make(folder, trust_domain, Purpose::Demo, now, random)
    }

    fn make(
        folder: &Path,
        trust_domain: TrustDomain,
        purpose: Purpose,
        now: UnixMillis,
        random: &mut dyn CryptoRngCore,
    ) -> Result<Self, InitError> {
        if folder.symlink_metadata().is_ok() {
            return Err(InitError::Exists { path: folder.to_path_buf() });
        }
        let found = trust_domain.as_str().len();
        if found > NAME_CHARS {
            return Err(InitError::NameLength { found });
        }
        let failed = |source| InitError::Folder { path: folder.to_path_buf(), source };
        let parent = match folder.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let draft = tempfile::Builder::new()
            .prefix(".tre-pki-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(parent)
            .map_err(failed)?;
        fill(draft.path(), &trust_domain, purpose, now, random)?;
        fs::rename(draft.path(), folder).map_err(failed)?;
        let _moved = draft.keep();
        fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)?;
        Ok(Self { folder: folder.to_path_buf(), trust_domain, purpose })
    }

    /// Opens a domain that [`Self::init`] made.
    ///
    /// # Errors
    ///
    /// [`DomainError`].
    pub fn open(folder: &Path) -> Result<Self, DomainError> {
        let bytes = file::read(&folder.join(HEADER), FILE_BYTES).map_err(DomainError::File)?;
        let header: Header = json::decode(&bytes).map_err(DomainError::Json)?;
        if header.format != 1 {
            return Err(DomainError::Format { found: header.format });
        }
        let Header { trust_domain, purpose, .. } = header;
        Ok(Self { folder: folder.to_path_buf(), trust_domain, purpose })
    }

    /// The name in which all identities of the domain live.
    #[must_use]
    pub const fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// Whether the domain is for real boxes.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The key that signs reference manifests.
    ///
    /// # Errors
    ///
    /// [`DomainError::File`]; [`DomainError::Signer`].
    pub fn signer(&self) -> Result<Signer, DomainError> {
        let path = self.folder.join(format!("{RELEASE}.key.pem"));
        let key = file::read(&path, FILE_BYTES).map(Zeroizing::new).map_err(DomainError::File)?;
        Signer::from_pem(&key).map_err(DomainError::Signer)
    }

    /// The file with the public half of [`Self::signer`], for verifiers.
    #[must_use]
    pub fn release_key_path(&self) -> PathBuf {
        self.folder.join(format!("{RELEASE}.pem"))
    }

    /// The identity of `id` in `role`.
    #[must_use]
    pub fn identity(&self, role: Role, id: PeerId) -> Identity {
        Identity { trust_domain: self.trust_domain.clone(), role, id }
    }

    /// The authority that certifies TREs.
    ///
    /// # Errors
    ///
    /// [`DomainError`].
    pub fn tre_authority(&self) -> Result<Authority, DomainError> {
        self.authority(AuthorityKind::Tre)
    }

    /// The authority that certifies every other role.
    ///
    /// # Errors
    ///
    /// [`DomainError`].
    pub fn grid_authority(&self) -> Result<Authority, DomainError> {
        self.authority(AuthorityKind::Grid)
    }

    /// The enrolment records.
    #[must_use]
    pub fn records(&self) -> Records {
        Records::new(self.folder.join(ENROLLED))
    }

    /// The deployment file: this domain's two authorities under `policy` (JSON).
    ///
    /// # Errors
    ///
    /// [`DomainError`]; what every TRE would refuse is refused here.
    pub fn deployment(&self, policy: &[u8]) -> Result<Vec<u8>, DomainError> {
        let policy: Policy = json::decode(policy).map_err(DomainError::Policy)?;
        let anchor = |authority: &Authority| vec![HexBytes(authority.certificate().to_vec())];
        let deployment = Deployment {
            format: 1,
            trust_domain: self.trust_domain.clone(),
            tre_authorities: anchor(&self.tre_authority()?),
            grid_authorities: anchor(&self.grid_authority()?),
            policy,
        };
        let bytes = json::encode(&deployment).map_err(DomainError::Json)?;
        Deployment::from_json(&bytes).map_err(DomainError::Deployment)?;
        Ok(bytes)
    }

    fn authority(&self, kind: AuthorityKind) -> Result<Authority, DomainError> {
        let stem = stem(kind);
        let read = |name: String| file::read(&self.folder.join(name), FILE_BYTES);
        let certificate = read(format!("{stem}.pem")).map_err(DomainError::File)?;
        let key = read(format!("{stem}.key.pem")).map(Zeroizing::new).map_err(DomainError::File)?;
        Authority::from_pem(kind, &certificate, &key).map_err(DomainError::Authority)
    }
}

/// File with the format and the name.
const HEADER: &str = "domain.json";

/// Folder of the enrolment records.
const ENROLLED: &str = "enrolled";

/// How the release key's files are named.
const RELEASE: &str = "release";

/// How the status key's files are named.
const STATUS: &str = "status";

/// How an authority's files are named.
const fn stem(kind: AuthorityKind) -> &'static str {
    match kind {
        AuthorityKind::Root => "root",
        AuthorityKind::Tre => "tre-authority",
        AuthorityKind::Grid => "grid-authority",
    }
}

/// Writes all files of a new domain into `folder`.
fn fill(
    folder: &Path,
    trust_domain: &TrustDomain,
    purpose: Purpose,
    now: UnixMillis,
    random: &mut dyn CryptoRngCore,
) -> Result<(), InitError> {
    let life = |days| Validity::of_days(now, days).map_err(InitError::Validity);
    let (long, short) = (life(validity::MOST_DAYS)?, life(AUTHORITY_DAYS)?);
    let put = |name: String, text: &str, access| {
        file::write_new(&folder.join(name), text.as_bytes(), access).map_err(InitError::File)
    };
    let root = Authority::root(trust_domain, long, random).map_err(InitError::Certify)?;
    let mut below = |kind| root.subordinate(kind, trust_domain, short, random);
    let tre = below(AuthorityKind::Tre).map_err(InitError::Certify)?;
    let grid = below(AuthorityKind::Grid).map_err(InitError::Certify)?;
    for (kind, authority) in
        [(AuthorityKind::Root, &root), (AuthorityKind::Tre, &tre), (AuthorityKind::Grid, &grid)]
    {
        let stem = stem(kind);
        let certificate = pem::certificate(authority.certificate());
        put(format!("{stem}.pem"), &certificate, Access::Everybody)?;
        put(format!("{stem}.key.pem"), &authority.key_pem(), Access::Owner)?;
    }
    for stem in [RELEASE, STATUS] {
        let key = KeyPair::generate().map_err(InitError::Key)?;
        put(format!("{stem}.pem"), &key.public_key_pem(), Access::Everybody)?;
        put(format!("{stem}.key.pem"), &Zeroizing::new(key.serialize_pem()), Access::Owner)?;
    }
    let header = Header { format: 1, trust_domain: trust_domain.clone(), purpose };
    let header = json::encode(&header).map_err(InitError::Header)?;
    let path = folder.join(HEADER);
    file::write_new(&path, &header, Access::Everybody).map_err(InitError::File)?;
    let enrolled = folder.join(ENROLLED);
    fs::create_dir(&enrolled).map_err(|source| InitError::Folder { path: enrolled, source })
}
