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
//! | `revocations/` | every revocation list with its signature, from the first one on | all |
//! | `denied/` | every denylist of TPM firmware with its signature, from the first one on | all |
//! | `issued/` | register of role certificates, from the first one on | grid authority |

mod init;
mod key;
mod lists;

use std::path::{Path, PathBuf};

use attest_verifier::core::release::ReleaseKeyError;
use measured_boot::manifest::Purpose;
use rsa::rand_core::CryptoRngCore;
use serde::{Deserialize, Serialize};
use tre_wire::deployment::{self, Deployment};
use tre_wire::hex::HexBytes;
use tre_wire::id::{PeerId, TrustDomain};
use tre_wire::json::{self, JsonError};
use tre_wire::policy::Policy;
use tre_wire::revocation::RevocationList;
use tre_wire::role::{Identity, Role};
use tre_wire::units::UnixMillis;

pub use self::init::InitError;
use self::init::NewDomain;
pub use self::key::KeyName;
use crate::authority::{self, Authority, AuthorityError, AuthorityKind};
use crate::deny::DenyListsError;
use crate::enrol::record::Records;
use crate::file::{self, FileError};
use crate::key_file::{self, ClearKeys, KeyFileError, PrivateKey, Protection};
use crate::passphrase::Passphrase;
use crate::register::{Register, RegisterError};
use crate::release::{Signer, SignerError};
use crate::revoke::ListsError;

/// Longest file of a domain. Unit: bytes.
const FILE_BYTES: u64 = 64 * 1024;

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
    /// A private key's file does not give it.
    #[error(transparent)]
    Key(KeyFileError),
    /// An authority's files do not make one.
    #[error(transparent)]
    Authority(AuthorityError),
    /// The status key's public half is none.
    #[error("status.pem: {0}")]
    StatusKey(#[source] ReleaseKeyError),
    /// The register cannot be read.
    #[error(transparent)]
    Register(RegisterError),
    /// The revocation lists cannot be read.
    #[error(transparent)]
    Lists(ListsError),
    /// The denylists cannot be read or relied on.
    #[error(transparent)]
    DenyLists(DenyListsError),
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
    passphrase: Option<Passphrase>,
}

impl Domain {
    /// Makes the keys and certificates of a new domain for real boxes: `folder` appears whole, or
    /// not at all. Its private keys are encrypted under `passphrase`.
    ///
    /// # Errors
    ///
    /// [`InitError`]; whatever was there stays as it was.
    pub fn init(
        folder: &Path,
        trust_domain: TrustDomain,
        passphrase: &Passphrase,
        now: UnixMillis,
        random: &mut dyn CryptoRngCore,
    ) -> Result<Self, InitError> {
        let purpose = Purpose::Production;
        Self::make(folder, trust_domain, purpose, Some(passphrase), now, random)
    }

    /// The same for tests and demonstrations, with its keys in clear: its release key also signs
    /// manifests for DEMO, and nobody who means real boxes may trust it.
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
        Self::make(folder, trust_domain, Purpose::Demo, None, now, random)
    }

    /// The same with its keys encrypted.
    ///
    /// # Errors
    ///
    /// [`InitError`].
    pub fn init_sealed_demo(
        folder: &Path,
        trust_domain: TrustDomain,
        passphrase: &Passphrase,
        now: UnixMillis,
        random: &mut dyn CryptoRngCore,
    ) -> Result<Self, InitError> {
        Self::make(folder, trust_domain, Purpose::Demo, Some(passphrase), now, random)
    }

    fn make(
        folder: &Path,
        trust_domain: TrustDomain,
        purpose: Purpose,
        passphrase: Option<&Passphrase>,
        now: UnixMillis,
        random: &mut dyn CryptoRngCore,
    ) -> Result<Self, InitError> {
        let protection = passphrase.map_or(Protection::Clear, Protection::Sealed);
        let new = NewDomain { trust_domain: &trust_domain, purpose, protection, now };
        init::make(folder, new, random)?;
        let passphrase = passphrase.cloned();
        Ok(Self { folder: folder.to_path_buf(), trust_domain, purpose, passphrase })
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
        Ok(Self { folder: folder.to_path_buf(), trust_domain, purpose, passphrase: None })
    }

    /// The same domain, its keys to be decrypted with `passphrase`.
    #[must_use]
    pub fn unlocked_by(self, passphrase: Passphrase) -> Self {
        Self { passphrase: Some(passphrase), ..self }
    }

    /// Whether the private key `name` is encrypted.
    ///
    /// # Errors
    ///
    /// [`DomainError::Key`].
    pub fn is_sealed(&self, name: KeyName) -> Result<bool, DomainError> {
        key_file::is_sealed(&self.private_path(name)).map_err(DomainError::Key)
    }

    /// The file with the private key `name`.
    #[must_use]
    pub fn private_path(&self, name: KeyName) -> PathBuf {
        self.folder.join(name.private_file())
    }

    fn private_key(&self, name: KeyName) -> Result<PrivateKey, DomainError> {
        let clear = match self.purpose {
            Purpose::Production => ClearKeys::Refused,
            Purpose::Demo => ClearKeys::Allowed,
        };
        key_file::open(&self.private_path(name), self.passphrase.as_ref(), clear)
            .map_err(DomainError::Key)
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
    /// [`DomainError::Key`]; [`DomainError::Signer`].
    pub fn signer(&self) -> Result<Signer, DomainError> {
        Signer::new(&self.private_key(KeyName::Release)?).map_err(DomainError::Signer)
    }

    /// The key that signs revocation lists.
    ///
    /// # Errors
    ///
    /// [`DomainError::Key`]; [`DomainError::Signer`].
    pub fn status_signer(&self) -> Result<Signer, DomainError> {
        Signer::new(&self.private_key(KeyName::Status)?).map_err(DomainError::Signer)
    }

    /// The file with the public half of [`Self::signer`], for verifiers.
    #[must_use]
    pub fn release_key_path(&self) -> PathBuf {
        self.folder.join(KeyName::Release.public_file())
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

    /// What the grid authority issued and the newest list does not revoke.
    ///
    /// # Errors
    ///
    /// [`DomainError::Register`]; [`DomainError::Lists`].
    pub fn register(&self) -> Result<Register, DomainError> {
        self.register_without(self.newest_revocations()?)
    }

    /// The same for whoever issues at `now`: a list that is there must be good.
    ///
    /// # Errors
    ///
    /// As [`Self::register`].
    pub fn issuing_register(&self, now: UnixMillis) -> Result<Register, DomainError> {
        let list = self.revocations()?.in_force(now).map_err(DomainError::Lists)?;
        self.register_without(list)
    }

    fn register_without(&self, list: Option<RevocationList>) -> Result<Register, DomainError> {
        let mut register =
            Register::open(self.folder.join(ISSUED)).map_err(DomainError::Register)?;
        if let Some(list) = list {
            register.strike(&list.revoked);
        }
        Ok(register)
    }

    /// The deployment file: this domain's authorities and status key, and `policy` (JSON).
    ///
    /// # Errors
    ///
    /// [`DomainError`]; what every TRE would refuse is refused here.
    pub fn deployment(&self, policy: &[u8]) -> Result<Vec<u8>, DomainError> {
        let policy: Policy = json::decode(policy).map_err(DomainError::Policy)?;
        let anchor = |kind| {
            let file = self.public_file(KeyName::of(kind))?;
            let der = authority::read_certificate(kind, &file).map_err(DomainError::Authority)?;
            Ok(vec![HexBytes(der.to_vec())])
        };
        let deployment = Deployment {
            format: deployment::FORMAT,
            trust_domain: self.trust_domain.clone(),
            tre_authorities: anchor(AuthorityKind::Tre)?,
            grid_authorities: anchor(AuthorityKind::Grid)?,
            status_key: HexBytes(self.status_key()?.to_spki_der().to_vec()),
            policy,
        };
        let bytes = json::encode(&deployment).map_err(DomainError::Json)?;
        Deployment::from_json(&bytes).map_err(DomainError::Deployment)?;
        Ok(bytes)
    }

    fn authority(&self, kind: AuthorityKind) -> Result<Authority, DomainError> {
        let certificate = self.public_file(KeyName::of(kind))?;
        let key = self.private_key(KeyName::of(kind))?;
        Authority::new(kind, &certificate, &key).map_err(DomainError::Authority)
    }

    /// Whether the public half of `name` is in the folder.
    #[must_use]
    pub fn has_public(&self, name: KeyName) -> bool {
        self.folder.join(name.public_file()).is_file()
    }

    pub(crate) fn public_file(&self, name: KeyName) -> Result<Vec<u8>, DomainError> {
        file::read(&self.folder.join(name.public_file()), FILE_BYTES).map_err(DomainError::File)
    }
}

/// File with the format and the name.
const HEADER: &str = "domain.json";

/// Folder of the register of role certificates.
const ISSUED: &str = "issued";

/// Folder of the enrolment records.
const ENROLLED: &str = "enrolled";
