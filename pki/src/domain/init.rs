//! Making a domain: whole or not at all.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use measured_boot::manifest::Purpose;
use rcgen::KeyPair;
use rsa::rand_core::CryptoRngCore;
use tre_wire::id::TrustDomain;
use tre_wire::json::{self, JsonError};
use tre_wire::units::UnixMillis;
use zeroize::Zeroizing;

use super::key::KeyName;
use super::{ENROLLED, HEADER, Header};
use crate::authority::{Authority, AuthorityKind, CertifyError};
use crate::file::{self, Access, FileError};
use crate::key_file::{PrivateKey, Protection, SealError};
use crate::pem;
use crate::validity::{self, Validity, ValidityError};

/// Life of the authorities below the root. Unit: days.
const AUTHORITY_DAYS: u32 = 10 * 366;

/// Longest name of a trust domain, as an organisation in a certificate has it. `[RFC5280]`
const NAME_CHARS: usize = 64;

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
    /// A key could not be encrypted.
    #[error(transparent)]
    Seal(SealError),
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

/// A domain that is to be made.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewDomain<'a> {
    pub(super) trust_domain: &'a TrustDomain,
    pub(super) purpose: Purpose,
    /// How its private keys are kept.
    pub(super) protection: Protection<'a>,
    pub(super) now: UnixMillis,
}

/// Makes keys and certificates in `folder`, which appears whole or not at all.
pub(super) fn make(
    folder: &Path,
    new: NewDomain<'_>,
    random: &mut dyn CryptoRngCore,
) -> Result<(), InitError> {
    if folder.symlink_metadata().is_ok() {
        return Err(InitError::Exists { path: folder.to_path_buf() });
    }
    let found = new.trust_domain.as_str().len();
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
    fill(draft.path(), new, random)?;
    fs::rename(draft.path(), folder).map_err(failed)?;
    let _moved = draft.keep();
    fs::File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)?;
    Ok(())
}

/// Writes all files of a new domain into `folder`.
fn fill(
    folder: &Path,
    new: NewDomain<'_>,
    random: &mut dyn CryptoRngCore,
) -> Result<(), InitError> {
    let NewDomain { trust_domain, purpose, now, .. } = new;
    let life = |days| Validity::of_days(now, days).map_err(InitError::Validity);
    let (long, short) = (life(validity::MOST_DAYS)?, life(AUTHORITY_DAYS)?);
    let root = Authority::root(trust_domain, long, random).map_err(InitError::Certify)?;
    let mut below = |kind| root.subordinate(kind, trust_domain, short, random);
    let tre = below(AuthorityKind::Tre).map_err(InitError::Certify)?;
    let grid = below(AuthorityKind::Grid).map_err(InitError::Certify)?;
    let files = Files { folder, protection: new.protection };
    for (name, authority) in
        [(KeyName::Root, &root), (KeyName::TreAuthority, &tre), (KeyName::GridAuthority, &grid)]
    {
        let public = pem::certificate(authority.certificate());
        files.put(name, &public, &authority.key(), random)?;
    }
    for name in [KeyName::Release, KeyName::Status] {
        let key = KeyPair::generate().map_err(InitError::Key)?;
        let private = PrivateKey::from_der(Zeroizing::new(key.serialize_der()));
        files.put(name, &key.public_key_pem(), &private, random)?;
    }
    let header = Header { format: 1, trust_domain: trust_domain.clone(), purpose };
    let header = json::encode(&header).map_err(InitError::Header)?;
    let path = folder.join(HEADER);
    file::write_new(&path, &header, Access::Everybody).map_err(InitError::File)?;
    let enrolled = folder.join(ENROLLED);
    fs::create_dir(&enrolled).map_err(|source| InitError::Folder { path: enrolled, source })
}

/// Where the keys of a new domain go.
#[derive(Clone, Copy, Debug)]
struct Files<'a> {
    folder: &'a Path,
    protection: Protection<'a>,
}

impl Files<'_> {
    /// Writes the two files of a key.
    fn put(
        &self,
        name: KeyName,
        public: &str,
        private: &PrivateKey,
        random: &mut dyn CryptoRngCore,
    ) -> Result<(), InitError> {
        let write = |file: String, text: &str, access| {
            file::write_new(&self.folder.join(file), text.as_bytes(), access)
                .map_err(InitError::File)
        };
        let private = private.to_pem(self.protection, random).map_err(InitError::Seal)?;
        write(name.public_file(), public, Access::Everybody)?;
        write(name.private_file(), &private, Access::Owner)
    }
}
