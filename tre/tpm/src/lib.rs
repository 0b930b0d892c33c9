//! The TPM boundary: what a TRE asks of its TPM, and nothing more.
//!
//! [`Tpm`] is the boundary. Behind it stands one implementation over the TPM software stack,
//! [`EsapiTpm`], which reaches the kernel's device in the appliance and, with feature `hosted`, a
//! software TPM. What the TPM signed crosses the boundary as the TPM's own bytes ([`Quote`]):
//! whoever judges it parses what was signed, never a re-encoding of it.
//!
//! With feature `signing`, which the TRE is built without, a TPM also keeps a peer's own key
//! ([`SigningKey`]).
//!
//! Every key and secret kept here has `noDA`: without it, a power cut after its use raises the
//! TPM's lockout counter, until the TPM refuses them all. The endorsement key's standard template
//! has no `noDA`; it is used through its policy alone, which does not count.
//!
//! # Sources
//!
//! | key | document |
//! |---|---|
//! | `TPM2-P2`, `TPM2-P3` | TCG TPM 2.0 Library, parts 2 (Structures) and 3 (Commands) |
//! | `EKP` | TCG EK Credential Profile for TPM Family 2.0 |

#![forbid(unsafe_code)]

mod endorsement;
mod error;
mod esapi;
mod quote;
mod seal;
mod secret;
#[cfg(feature = "signing")]
mod signing;
mod step;
#[cfg(feature = "hosted")]
pub mod swtpm;

use measured_boot::digest::Sha256Digest;
use measured_boot::pcr::{PcrIndex, PcrValues};
use measured_boot::tpm::{ClockInfo, EncryptedSecret, IdObject, Name, Public};
use zeroize::Zeroizing;

pub use endorsement::{ActivateError, EkCertificate, Endorsement, EndorsementKind};
pub use error::TpmError;
pub use esapi::EsapiTpm;
pub use quote::Quote;
pub use seal::{SealPolicy, SealedObject, SealedObjectError, UnsealError};
pub use secret::Secret32;
#[cfg(feature = "signing")]
pub use signing::{HandleError, SigningHandle, SigningKey, SigningKeyError};
pub use step::Step;

/// A TPM 2.0 with a SHA-256 bank of 24 PCRs.
///
/// Each call is one or more commands, answered before it returns: on the device some take tens of
/// milliseconds, quoting with a discrete TPM up to most of a second. Nothing here retries a failed
/// command: the caller decides.
pub trait Tpm: Send {
    /// Fills `out` with random bytes of the TPM, to be mixed into the kernel's pool.
    ///
    /// # Errors
    ///
    /// [`TpmError`]; `out` is not to be used then.
    fn random(&mut self, out: &mut [u8]) -> Result<(), TpmError>;

    /// Extends `digest` into `pcr`, in the SHA-256 bank.
    ///
    /// # Errors
    ///
    /// [`TpmError`], also for a PCR that may not be extended from here (17 to 22).
    fn extend(&mut self, pcr: PcrIndex, digest: &Sha256Digest) -> Result<(), TpmError>;

    /// Reads all 24 PCRs of the SHA-256 bank, as they stood at one moment.
    ///
    /// # Errors
    ///
    /// [`TpmError::PcrsKeepChanging`] if somebody extended during every attempt;
    /// [`TpmError::Answer`] if the TPM has no SHA-256 bank; else any [`TpmError`].
    fn read_pcrs(&mut self) -> Result<PcrValues, TpmError>;

    /// The public area of the attestation key (AIK).
    ///
    /// A primary key of the endorsement hierarchy, so it is the same after every boot of the same
    /// TPM, and of no other: P-256, ECDSA with SHA-256, restricted, `fixedTPM`, `fixedParent`,
    /// `noDA`. Made at the first call and kept loaded.
    ///
    /// # Errors
    ///
    /// [`TpmError`].
    fn attestation_key(&mut self) -> Result<Public, TpmError>;

    /// Quotes all 24 PCRs of the SHA-256 bank with the attestation key.
    ///
    /// `qualifying` comes back inside the signed statement.
    ///
    /// # Errors
    ///
    /// [`TpmError`].
    fn quote(&mut self, qualifying: &[u8; 32]) -> Result<Quote, TpmError>;

    /// Seals `secret` to this TPM and to the PCR values of `policy`.
    ///
    /// The values need not be the present ones, so a secret can be sealed for the next boot.
    ///
    /// # Errors
    ///
    /// [`TpmError`].
    fn seal(&mut self, secret: &Secret32, policy: &SealPolicy) -> Result<SealedObject, TpmError>;

    /// Unseals what [`Self::seal`] made.
    ///
    /// # Errors
    ///
    /// [`UnsealError::PolicyRefused`] if the PCRs are not those of the policy;
    /// [`UnsealError::NotOfThisTpm`] for an object of another TPM, or an altered one;
    /// [`UnsealError::Tpm`] if the TPM failed, which says nothing about the object.
    fn unseal(&mut self, object: &SealedObject) -> Result<Secret32, UnsealError>;

    /// The storage key of a TPM without an owner: parent of what is sealed, and what the session is
    /// salted to in which all else travels.
    ///
    /// A primary key of the owner hierarchy from the standard P-256 template, made on the spot and
    /// compared with the one in use. Nothing is left behind.
    ///
    /// # Errors
    ///
    /// [`TpmError::OwnerTaken`] if the TPM has an owner already; [`TpmError::ForeignStorageKey`] if
    /// another key stands in its place; else any [`TpmError`].
    fn storage_key(&mut self) -> Result<Public, TpmError>;

    /// Refuses to go on unless the storage key in use is the one with this Name.
    ///
    /// The key is chosen once in the life of a connection, so that what was said before the
    /// comparison was said to the same key. To be called before anything secret is unsealed.
    ///
    /// # Errors
    ///
    /// [`TpmError::OtherStorageKey`]; else any [`TpmError`].
    fn expect_storage_key(&mut self, name: Name) -> Result<(), TpmError>;

    /// Makes the storage key persistent at handle 0x81000001, unless it is; returns it.
    ///
    /// # Errors
    ///
    /// As [`Self::storage_key`]: another key at the handle is never removed.
    fn persist_storage_key(&mut self) -> Result<Public, TpmError>;

    /// Makes `authorization` the owner's, or proves that it is.
    ///
    /// Does the same however often it is called, so that it ends what a power cut has interrupted.
    ///
    /// # Errors
    ///
    /// [`TpmError::OwnerTaken`] if the owner has another authorization; else any [`TpmError`].
    fn take_ownership(&mut self, authorization: &Secret32) -> Result<(), TpmError>;

    /// The endorsement key and its certificates.
    ///
    /// The first of RSA-2048, P-256 and P-384 for which the TPM holds a certificate at the
    /// template's own place; without any, the RSA-2048 key.
    ///
    /// # Errors
    ///
    /// [`TpmError`]. That a TPM has no certificate is no error: the list is empty.
    fn endorsement(&mut self) -> Result<Endorsement, TpmError>;

    /// Decrypts a credential that was made for this endorsement key and this attestation key.
    ///
    /// Source: `[TPM2-P3]`, `TPM2_ActivateCredential`.
    ///
    /// # Errors
    ///
    /// [`ActivateError::Refused`] for a credential made for another key or TPM, or altered;
    /// [`ActivateError::Tpm`] if the TPM failed.
    fn activate_credential(
        &mut self,
        id_object: &IdObject,
        encrypted_secret: &EncryptedSecret,
    ) -> Result<Zeroizing<Vec<u8>>, ActivateError>;

    /// The TPM's clock and its reset counters.
    ///
    /// # Errors
    ///
    /// [`TpmError`].
    fn clock(&mut self) -> Result<ClockInfo, TpmError>;
}
