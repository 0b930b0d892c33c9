//! Randomness: the kernel's, with the TPM's mixed in at start.

use std::fs::{File, OpenOptions};
use std::io::Write as _;

use ring::rand::{SecureRandom as _, SystemRandom};
use thiserror::Error;
use tre_tpm::{Tpm, TpmError};

/// The kernel gave no random bytes.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the kernel's random source failed")]
pub(crate) struct NoRandomness;

/// Why the TPM's randomness could not be mixed in.
#[derive(Debug, Error)]
pub(crate) enum MixError {
    /// The TPM gave none.
    #[error("no randomness from the TPM: {0}")]
    Tpm(#[source] TpmError),
    /// The kernel did not take it.
    #[error("/dev/urandom did not take the TPM's randomness: {0}")]
    Kernel(#[source] std::io::Error),
}

/// `N` random bytes; blocks until the kernel's source is seeded.
///
/// # Errors
///
/// [`NoRandomness`].
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// The kernel's random source, to be written to. Opened while there is a `/dev`.
///
/// # Errors
///
/// [`MixError::Kernel`].
pub(crate) fn kernel() -> Result<File, MixError> {
    OpenOptions::new().write(true).open("/dev/urandom").map_err(MixError::Kernel)
}

/// Mixes 32 bytes of TPM2_GetRandom into the kernel's pool, before the first key is made.
///
/// # Errors
///
/// [`MixError`].
pub(crate) fn mix_in(tpm: &mut dyn Tpm, mut kernel: File) -> Result<(), MixError> {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    tpm.random(bytes.as_mut_slice()).map_err(MixError::Tpm)?;
    kernel.write_all(bytes.as_slice()).map_err(MixError::Kernel)
}
