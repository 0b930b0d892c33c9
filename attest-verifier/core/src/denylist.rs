//! Denylists of TPM firmware: signed by the status key as they lie, verified before they are read.
//!
//! A list is verified, read for its domain and time, and never takes the place of a later one.

use measured_boot::digest::Sha256Digest;
use measured_boot::tpm::{FirmwareVersion, Quote};
use tre_wire::attestation::Evidence;
use tre_wire::denylist::{Denied, DenyList, DenyListError, Firmware, LABEL, TpmManufacturer};
use tre_wire::id::TrustDomain;
use tre_wire::revocation::Edition;
use tre_wire::signed::SignatureError;
use tre_wire::units::UnixMillis;

use crate::check::{Check, Mismatch, Sides, mismatch_is_error};
use crate::key;
use crate::reference::Reference;
use crate::revocation::{Seen, StatusKey};

/// Why a denylist is not relied on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DenyError {
    /// The status key did not sign it.
    #[error(transparent)]
    Signature(SignatureError),
    /// A reason, which only manifests have.
    #[error("expected a signature without a reason, found one with it")]
    Reason,
    /// Signed, and not to be relied on.
    #[error(transparent)]
    List(DenyListError),
}

/// A list and its signature file, of which nothing is believed.
#[derive(Clone, Copy, Debug)]
pub struct UnverifiedDenyList<'a> {
    /// The list as it lies.
    pub file: &'a [u8],
    /// The signature file as it lies.
    pub signature: &'a [u8],
}

/// A file that the status key signed as a denylist. It has not been read yet.
#[derive(Clone, Copy, Debug)]
pub struct SignedDenyList<'a> {
    file: &'a [u8],
    key: Sha256Digest,
}

/// The firmware that is no longer believed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeniedFirmware {
    list: DenyList,
    edition: Edition,
    key: Sha256Digest,
}

impl<'a> UnverifiedDenyList<'a> {
    /// The status key signed exactly these bytes as a denylist.
    ///
    /// # Errors
    ///
    /// [`DenyError::Signature`]; [`DenyError::Reason`].
    pub fn verify(self, key: &StatusKey) -> Result<SignedDenyList<'a>, DenyError> {
        let Self { file, signature } = self;
        match key.verify(LABEL, file, signature).map_err(DenyError::Signature)? {
            None => Ok(SignedDenyList { file, key: key.id() }),
            Some(_) => Err(DenyError::Reason),
        }
    }
}

impl SignedDenyList<'_> {
    /// Reads the list of `trust_domain`, for use at `now`.
    ///
    /// # Errors
    ///
    /// [`DenyError::List`].
    pub fn read(
        self,
        trust_domain: &TrustDomain,
        now: UnixMillis,
    ) -> Result<DeniedFirmware, DenyError> {
        let list = self.list()?;
        list.check(trust_domain, now).map_err(DenyError::List)?;
        let edition = Edition::of(list.sequence, self.file);
        Ok(DeniedFirmware { list, edition, key: self.key })
    }

    /// The list itself, whatever its domain and time: for whoever makes the next one.
    ///
    /// # Errors
    ///
    /// [`DenyError::List`].
    pub fn list(self) -> Result<DenyList, DenyError> {
        DenyList::from_json(self.file).map_err(DenyError::List)
    }
}

impl DeniedFirmware {
    /// Refuses a list that is older than one seen before, or another of the same number; says what
    /// is to be remembered from now on.
    ///
    /// # Errors
    ///
    /// [`DenyError::List`].
    pub fn follows(&self, seen: Option<&Seen>) -> Result<Seen, DenyError> {
        Seen::after(self.key, self.edition, seen)
            .map_err(|error| DenyError::List(DenyListError::from(error)))
    }

    /// Refuses firmware that the list names. Of an unknown manufacturer, every version that is
    /// denied of anybody's is refused.
    ///
    /// # Errors
    ///
    /// [`FirmwareError`].
    pub fn check(
        &self,
        manufacturer: Option<TpmManufacturer>,
        firmware: FirmwareVersion,
    ) -> Result<(), FirmwareError> {
        match self.list.denies(manufacturer, Firmware(firmware.0)) {
            None => Ok(()),
            Some(entry) => Err(FirmwareError {
                found: Firmware(firmware.0),
                entry: entry.clone(),
                sequence: self.list.sequence,
            }),
        }
    }
}

/// The TPM's firmware is on the denylist.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FirmwareError {
    /// The version in the quote.
    pub found: Firmware,
    /// What the list says of it.
    pub entry: Denied,
    /// Number of the list.
    pub sequence: u32,
}

impl Mismatch for FirmwareError {
    fn check(&self) -> Check {
        Check::Firmware
    }

    fn sides(&self) -> Sides {
        let Self { found, entry, sequence } = self;
        let Denied { manufacturer, reason, since, .. } = entry;
        Sides::new(
            EXPECTED_FIRMWARE,
            format_args!(
                "{found} of {manufacturer}, denied at {since} by denylist {sequence}: {reason}"
            ),
        )
    }
}

mismatch_is_error!(FirmwareError);

/// What the firmware should be, in words.
pub(crate) const EXPECTED_FIRMWARE: &str = "TPM firmware that no denylist names";

/// The firmware in the quote is not denied of the manufacturer in the key's certificate.
pub(crate) fn check_firmware(
    evidence: &Evidence,
    quote: &Quote,
    reference: &Reference,
) -> Result<(), FirmwareError> {
    let Some(denied) = reference.denied_firmware() else { return Ok(()) };
    denied.check(key::manufacturer(evidence), quote.firmware_version)
}
