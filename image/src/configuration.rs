//! One image in several configurations: the machine it runs on, and what its firmware checks.
//!
//! A build's manifest speaks of the usual machine with secure boot off. For every other
//! configuration of the *same* image there is another manifest, with the same components and
//! inputs: only platform and PCR expectations differ, and with a signed EFI file its bytes.

use measured_boot::digest::{Sha256Digest, sha256};
use measured_boot::manifest::{
    EfiRecord, FileRecord, PcrExpectations, PlatformDefinition, ReferenceManifest,
};
use measured_boot::pe::{EfiFile, PeError};
use measured_boot::secure_boot::SecureBoot;

use crate::checkout::Checkout;
use crate::machine::{Firmware, Hardware};
use crate::platform::{self, PlatformError};
use crate::reference::{self, ReferenceError};
use crate::variables::SecureBootState;
use crate::variables::authority::AuthorityError;

/// Why a configuration has no prediction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigurationError {
    /// The platform cannot be named, or its definition not read.
    #[error(transparent)]
    Platform(PlatformError),
    /// Nobody recorded the platform.
    #[error("platform {name} has no definition: run 'tre-image record' for it")]
    NotRecorded {
        /// Its name.
        name: String,
    },
    /// The firmware would not start the file.
    #[error(transparent)]
    Refused(AuthorityError),
    /// The file has no reference values.
    #[error(transparent)]
    Reference(ReferenceError),
    /// Not an EFI file.
    #[error("EFI file: {0}")]
    Efi(#[source] PeError),
    /// A file longer than any.
    #[error("expected a file of fewer than 2^64 bytes")]
    Length,
    /// The manifest is of another image.
    #[error(
        "expected the EFI file of the manifest, whose Authenticode hash is {expected}, \
         found one with {found}"
    )]
    OtherImage {
        /// The manifest's.
        expected: Sha256Digest,
        /// The file's.
        found: Sha256Digest,
    },
}

/// A machine and the state of its secure boot.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Configuration {
    hardware: Hardware,
    variables: Option<SecureBootState>,
}

impl Configuration {
    /// A machine with this memory, these processors and this TPM. With variables, its firmware is
    /// the one that knows secure boot, and starts from them; without, secure boot is off.
    #[must_use]
    pub fn new(hardware: Hardware, variables: Option<SecureBootState>) -> Self {
        let firmware = match variables {
            Some(_) => Firmware::SecureBoot,
            None => Firmware::Plain,
        };
        Self { hardware: Hardware { firmware, ..hardware }, variables }
    }

    /// What every PCR must hold after the EFI file `efi` was booted, and on what.
    ///
    /// # Errors
    ///
    /// [`ConfigurationError`].
    pub fn predicted(
        &self,
        checkout: &Checkout,
        efi: &[u8],
    ) -> Result<(PlatformDefinition, PcrExpectations), ConfigurationError> {
        let platform = platform::identify(&self.hardware).map_err(ConfigurationError::Platform)?;
        let found = platform::find(checkout, &platform).map_err(ConfigurationError::Platform)?;
        let definition = found.ok_or(ConfigurationError::NotRecorded { name: platform.name })?;
        let secure_boot = match &self.variables {
            None => SecureBoot::PRISTINE,
            Some(state) => state.secure_boot(efi).map_err(ConfigurationError::Refused)?,
        };
        let expectations = reference::predicted(efi, &secure_boot, &definition)
            .map_err(ConfigurationError::Reference)?;
        Ok((definition, expectations))
    }

    /// The manifest `base` of an image, for this configuration of it: with the EFI file `efi`,
    /// which may have been signed since, on the boot disk `disk`, whose file name is `name`.
    ///
    /// # Errors
    ///
    /// [`ConfigurationError`]; [`ConfigurationError::OtherImage`] unless `efi` is the same but
    /// for signatures.
    pub fn manifest(
        &self,
        checkout: &Checkout,
        base: ReferenceManifest,
        efi: &[u8],
        (name, disk): (&str, &[u8]),
    ) -> Result<ReferenceManifest, ConfigurationError> {
        let authenticode = EfiFile::parse(efi).map_err(ConfigurationError::Efi)?.authenticode();
        let expected = base.efi.authenticode;
        if authenticode != expected {
            return Err(ConfigurationError::OtherImage { expected, found: authenticode });
        }
        let len = |bytes: &[u8]| u64::try_from(bytes.len()).map_err(|_| ConfigurationError::Length);
        let (definition, pcrs) = self.predicted(checkout, efi)?;
        Ok(ReferenceManifest {
            image: FileRecord { name: name.into(), len: len(disk)?, sha256: sha256(disk) },
            efi: EfiRecord { len: len(efi)?, sha256: sha256(efi), authenticode },
            platform: definition.platform,
            pcrs,
            ..base
        })
    }
}
