//! The firmware's variable store, as far as secure boot goes: made, read, predicted from.
//!
//! A store made here has the regulator's keys and an allow-list in it, by hash (nothing has to be
//! signed) or by certificate. It is made from the blank store of the firmware's package and has
//! fixed times in it, so the same keys give the same bytes everywhere.

pub mod authority;
pub mod certificate;
pub mod signatures;
pub mod store;

use std::fs;
use std::path::{Path, PathBuf};

use measured_boot::digest::Sha256Digest;
use measured_boot::secure_boot::{
    EFI_GLOBAL_VARIABLE, EFI_IMAGE_SECURITY_DATABASE, SecureBoot, SecureVariables,
};

use authority::AuthorityError;
use certificate::Certificate;
use signatures::Entry;
use store::{Attributes, NewVariable, Store, StoreError};

use crate::file::{self, FileError};
use crate::machine::BLANK_VARIABLES;

/// Who owns the firmware, and what it may start.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Keys {
    /// May replace all others.
    pub platform_key: Certificate,
    /// May change what is allowed.
    pub key_exchange_keys: Vec<Certificate>,
    /// What may start, in the order in which the firmware tries it.
    pub allowed: Vec<Allowed>,
}

/// Something that the firmware may start.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Allowed {
    /// The EFI file with this Authenticode hash, signed or not.
    Hash(Sha256Digest),
    /// Every EFI file with a signature by this certificate's key.
    Certificate(Certificate),
}

/// What a store says of secure boot.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SecureBootState {
    enabled: bool,
    platform_key: Vec<u8>,
    key_exchange_keys: Vec<u8>,
    allowed: Vec<u8>,
    forbidden: Vec<u8>,
}

/// Why a store was not made or not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VariablesError {
    /// The blank store is not installed.
    #[error("the firmware's blank variables: {0}: run 'make deps' (Debian package ovmf)")]
    Blank(#[source] FileError),
    /// A store that somebody runs a machine on is not to be replaced.
    #[error("{} exists already and is left alone: choose another name", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("variable store: {0}")]
    File(#[source] FileError),
    /// A file is no store.
    #[error("{} is no variable store: {source}", path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: StoreError,
    },
}

/// Writes the store with `keys` to `path`, secure boot on.
///
/// # Errors
///
/// [`VariablesError`]; an existing file is left alone.
pub fn create(path: &Path, keys: &Keys) -> Result<(), VariablesError> {
    if path.exists() {
        return Err(VariablesError::Exists { path: path.into() });
    }
    let origin = Path::new(BLANK_VARIABLES);
    let blank = fs::read(origin).map_err(FileError::at("reading", origin));
    let blank = blank.map_err(VariablesError::Blank)?;
    let store = enrolled(&blank, keys)
        .map_err(|source| VariablesError::Store { path: origin.into(), source })?;
    file::replace(path, &store).map_err(VariablesError::File)
}

/// Reads the store at `path`.
///
/// # Errors
///
/// [`VariablesError`].
pub fn read(path: &Path) -> Result<SecureBootState, VariablesError> {
    let bytes = fs::read(path).map_err(FileError::at("reading", path));
    let bytes = bytes.map_err(VariablesError::File)?;
    SecureBootState::read(&bytes)
        .map_err(|source| VariablesError::Store { path: path.into(), source })
}

/// The blank store `blank` with `keys` in it and secure boot on.
///
/// # Errors
///
/// [`StoreError`]: `blank` is no blank store, or too small.
pub fn enrolled(blank: &[u8], keys: &Keys) -> Result<Vec<u8>, StoreError> {
    let certificates = |all: &[Certificate]| {
        signatures::lists(all.iter().map(|one| Entry::Certificate(one.der())))
    };
    let allowed = keys.allowed.iter().map(|one| match one {
        Allowed::Hash(hash) => Entry::Sha256(hash),
        Allowed::Certificate(certificate) => Entry::Certificate(certificate.der()),
    });
    let key = |guid, name, value| NewVariable { guid, name, attributes: Attributes::KEY, value };
    let platform_key = core::slice::from_ref(&keys.platform_key);
    // In the order in which OVMF itself would write them: the platform key ends setup mode.
    let variables = [
        key(EFI_IMAGE_SECURITY_DATABASE, "db", signatures::lists(allowed)),
        key(EFI_GLOBAL_VARIABLE, "KEK", certificates(&keys.key_exchange_keys)),
        key(EFI_GLOBAL_VARIABLE, "PK", certificates(platform_key)),
        NewVariable {
            guid: EFI_SECURE_BOOT_ENABLE_DISABLE,
            name: "SecureBootEnable",
            attributes: Attributes::BOOT,
            value: vec![1],
        },
    ];
    Store::parse(blank)?.filled(&variables)
}

impl SecureBootState {
    /// Reads a store.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: it is none, or has a variable that is not understood here.
    pub fn read(store: &[u8]) -> Result<Self, StoreError> {
        let store = Store::parse(store)?;
        let value = |guid, name| store.value(&guid, name).map(<[u8]>::to_vec).unwrap_or_default();
        // The firmware would measure this one too, behind `dbx`.
        if store.value(&EFI_IMAGE_SECURITY_DATABASE, "dbt").is_some() {
            return Err(StoreError::TimeStampDatabase);
        }
        let platform_key = value(EFI_GLOBAL_VARIABLE, "PK");
        let switch = store.value(&EFI_SECURE_BOOT_ENABLE_DISABLE, "SecureBootEnable");
        // Without a platform key the firmware is in setup mode and checks nothing; with one, it
        // takes a missing switch for on. [EDK2 AuthVariableLib]
        let enabled = !platform_key.is_empty() && switch.is_none_or(|value| value == [1]);
        Ok(Self {
            enabled,
            platform_key,
            key_exchange_keys: value(EFI_GLOBAL_VARIABLE, "KEK"),
            allowed: value(EFI_IMAGE_SECURITY_DATABASE, "db"),
            forbidden: value(EFI_IMAGE_SECURITY_DATABASE, "dbx"),
        })
    }

    /// Whether the firmware checks what it starts.
    #[must_use]
    pub const fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// What the key variables hold.
    #[must_use]
    pub fn variables(&self) -> SecureVariables<'_> {
        SecureVariables {
            platform_key: &self.platform_key,
            key_exchange_keys: &self.key_exchange_keys,
            allowed: &self.allowed,
            forbidden: &self.forbidden,
        }
    }

    /// What the firmware measures when it starts the EFI file `efi`.
    ///
    /// # Errors
    ///
    /// [`AuthorityError`]: it would not start it.
    pub fn secure_boot(&self, efi: &[u8]) -> Result<SecureBoot<'_>, AuthorityError> {
        let variables = self.variables();
        if !self.enabled {
            return Ok(SecureBoot::Off(variables));
        }
        let authority = authority::find(&variables, efi)?;
        Ok(SecureBoot::On { variables, authority })
    }
}

/// `f0a30bc7-af08-4556-99c4-001009c93a44`, as it lies in memory: EDK2's switch for secure boot.
const EFI_SECURE_BOOT_ENABLE_DISABLE: [u8; 16] = [
    0xc7, 0x0b, 0xa3, 0xf0, 0x08, 0xaf, 0x56, 0x45, 0x99, 0xc4, 0x00, 0x10, 0x09, 0xc9, 0x3a, 0x44,
];

#[cfg(test)]
mod tests;
