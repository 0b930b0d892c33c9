//! What there is in a domain's folder, without opening a private key.
//!
//! A keeper's desk holds a part of the folder: what is not there is said, not refused. What is
//! there is read as strictly as by whoever uses it.

use std::fs;
use std::io;

use serde::Serialize;
use tre_wire::id::{PeerId, TrustDomain};
use tre_wire::units::UnixMillis;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::authority::{self, AuthorityKind};
use crate::domain::{Domain, DomainError, KeyName};
use crate::enrol::record::RecordError;
use crate::file::FileError;
use crate::key_file::{self, KeyFileError};

/// Why a domain cannot be surveyed.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The folder is another domain's.
    #[error("expected the domain {expected}, found {found}; give another folder")]
    OtherDomain {
        /// The domain asked for.
        expected: TrustDomain,
        /// The domain found.
        found: TrustDomain,
    },
    /// A part of the domain is not as it was written.
    #[error(transparent)]
    Domain(DomainError),
    /// An enrolment record is not as it was written.
    #[error(transparent)]
    Record(RecordError),
    /// The folder of the enrolment records cannot be listed.
    #[error(transparent)]
    File(FileError),
}

/// Where a private key is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// Not in this folder.
    Elsewhere,
    /// Here, encrypted.
    Encrypted,
    /// Here, in clear.
    Clear,
}

/// A key of the domain.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Key {
    /// Which key.
    #[serde(serialize_with = "stem")]
    pub name: KeyName,
    /// Where its private half is.
    pub private_key: Kept,
    /// Last moment of its certificate; none if it has no certificate, or not in this folder.
    pub until: Option<UnixMillis>,
}

/// The newest revocation list.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct List {
    /// Its number.
    pub sequence: u32,
    /// Keys on it.
    pub keys: usize,
    /// Its last moment.
    pub until: UnixMillis,
}

/// An enrolled TRE.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Tre {
    /// Its name.
    pub id: PeerId,
    /// Last moment of its certificates.
    pub until: UnixMillis,
}

/// What there is.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Survey {
    /// The name in which all identities live.
    pub trust_domain: TrustDomain,
    /// The five keys.
    pub keys: Vec<Key>,
    /// The newest revocation list, if there is one here.
    pub revocations: Option<List>,
    /// The enrolled TREs, by name.
    pub tres: Vec<Tre>,
    /// Identities with a certificate in force that the register knows.
    pub roles_in_force: usize,
    /// When the first of these certificates ends.
    pub next_end: Option<UnixMillis>,
}

impl Survey {
    /// Looks through `domain`, which must be `expected` if that is given.
    ///
    /// # Errors
    ///
    /// [`SurveyError`].
    pub fn of(
        domain: &Domain,
        expected: Option<&TrustDomain>,
        now: UnixMillis,
    ) -> Result<Self, SurveyError> {
        let found = domain.trust_domain();
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            let (expected, found) = (expected.clone(), found.clone());
            return Err(SurveyError::OtherDomain { expected, found });
        }
        let keys = KEYS.into_iter().map(|name| key(domain, name)).collect::<Result<_, _>>()?;
        let revocations = if domain.has_public(KeyName::Status) {
            domain.newest_revocations().map_err(SurveyError::Domain)?
        } else {
            None
        };
        let revocations = revocations.map(|list| List {
            sequence: list.sequence,
            keys: list.revoked.len(),
            until: list.valid_until,
        });
        let (roles_in_force, next_end) = if domain.has_public(KeyName::Status) {
            domain.register().map_err(SurveyError::Domain)?.summary(now)
        } else {
            (0, None)
        };
        let tres = tres(domain)?;
        let trust_domain = found.clone();
        Ok(Self { trust_domain, keys, revocations, tres, roles_in_force, next_end })
    }
}

/// Every key of a domain, the root first.
const KEYS: [KeyName; 5] = [
    KeyName::Root,
    KeyName::TreAuthority,
    KeyName::GridAuthority,
    KeyName::Release,
    KeyName::Status,
];

fn key(domain: &Domain, name: KeyName) -> Result<Key, SurveyError> {
    let private_key = match key_file::is_sealed(&domain.private_path(name)) {
        Ok(true) => Kept::Encrypted,
        Ok(false) => Kept::Clear,
        Err(KeyFileError::File(FileError::Read { source, .. }))
            if source.kind() == io::ErrorKind::NotFound =>
        {
            Kept::Elsewhere
        }
        Err(error) => return Err(SurveyError::Domain(DomainError::Key(error))),
    };
    let until = match name {
        KeyName::Root => Some(AuthorityKind::Root),
        KeyName::TreAuthority => Some(AuthorityKind::Tre),
        KeyName::GridAuthority => Some(AuthorityKind::Grid),
        KeyName::Release | KeyName::Status => None,
    };
    let until = until.filter(|_| domain.has_public(name));
    let until = until.map(|kind| end_of(domain, kind, name)).transpose()?;
    Ok(Key { name, private_key, until })
}

/// Last moment of an authority's certificate.
fn end_of(domain: &Domain, kind: AuthorityKind, name: KeyName) -> Result<UnixMillis, SurveyError> {
    let refused = |error| SurveyError::Domain(DomainError::Authority(error));
    let file = domain.public_file(name).map_err(SurveyError::Domain)?;
    let der = authority::read_certificate(kind, &file).map_err(refused)?;
    let unreadable = || refused(authority::AuthorityError::Unreadable { authority: kind });
    let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| unreadable())?;
    let seconds = u64::try_from(parsed.validity().not_after.timestamp()).ok();
    let moment = seconds.and_then(|seconds| seconds.checked_mul(1_000));
    moment.and_then(|moment| UnixMillis::new(moment).ok()).ok_or_else(unreadable)
}

/// The enrolled TREs; a desk without the folder knows of none.
fn tres(domain: &Domain) -> Result<Vec<Tre>, SurveyError> {
    let records = domain.records();
    let mut tres = Vec::new();
    let entries = match fs::read_dir(records.folder()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(tres),
        entries => entries,
    };
    let path = records.folder().to_path_buf();
    let failed = |source| SurveyError::File(FileError::Read { path: path.clone(), source });
    for entry in entries.map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(".json"));
        let Some(id) = id.and_then(|id| id.parse().ok()) else { continue };
        let record = records.read(&id).map_err(SurveyError::Record)?;
        tres.push(Tre { id, until: record.certificates_end });
    }
    tres.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(tres)
}

fn stem<S: serde::Serializer>(name: &KeyName, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name.stem())
}
