//! The key itself, as whoever must sign sees it.

use core::fmt;
use std::sync::{Mutex, PoisonError};

use der::Encode as _;
use der::asn1::{SequenceOf, UintRef};
use measured_boot::digest::sha256;
use measured_boot::tpm::{EcdsaSignature, P256Point};
use tre_tpm::{SigningHandle, SigningKey, SigningKeyError, TpmError};
use tre_wire::hex::Hex32;

use crate::{KeyFile, Place};

/// A key in a TPM, ready to sign. One signature at a time, as a TPM makes them.
pub struct HeldKey {
    file: KeyFile,
    point: P256Point,
    key: Mutex<SigningKey>,
}

/// Why a key is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeldKeyError {
    /// The TPM does not answer.
    #[error("{place}: {source}")]
    Unreachable {
        /// Where it should be.
        place: Place,
        /// What the TPM's boundary says.
        source: TpmError,
    },
    /// The TPM has no such key, or does not use it.
    #[error("the TPM at {place}: {source}")]
    Key {
        /// Where the TPM is.
        place: Place,
        /// What the TPM's boundary says.
        source: SigningKeyError,
    },
    /// A key is at the handle, but not the one that the file names.
    #[error(
        "the TPM at {place}: expected at handle {handle} the key with the SHA-256 {expected}, found \
         {found}; this is another TPM than the key's"
    )]
    Other {
        /// Where the TPM is.
        place: Place,
        /// The handle.
        handle: SigningHandle,
        /// SHA-256 of the SubjectPublicKeyInfo that the file names.
        expected: Hex32,
        /// SHA-256 of the one found.
        found: Hex32,
    },
    /// A signature that cannot be written in DER.
    #[error("expected a signature of two positive integers: {0}")]
    Der(#[source] der::Error),
}

impl HeldKey {
    /// Makes a new key in the TPM at `place`, kept at `handle`.
    ///
    /// # Errors
    ///
    /// [`HeldKeyError::Unreachable`]; [`HeldKeyError::Key`], also if something is at the handle.
    pub fn make(place: Place, handle: SigningHandle) -> Result<Self, HeldKeyError> {
        let key = using(&place, handle, SigningKey::make)?;
        let spki_sha256 = hash(key.point());
        Ok(Self::of(KeyFile { tpm: place, handle, spki_sha256 }, key))
    }

    /// Finds the key that `file` names.
    ///
    /// # Errors
    ///
    /// [`HeldKeyError::Unreachable`]; [`HeldKeyError::Key`], also if nothing is at the handle;
    /// [`HeldKeyError::Other`] for another key there.
    pub fn open(file: KeyFile) -> Result<Self, HeldKeyError> {
        let key = using(&file.tpm, file.handle, SigningKey::open)?;
        let (expected, found) = (file.spki_sha256, hash(key.point()));
        if expected != found {
            let KeyFile { tpm: place, handle, .. } = file;
            return Err(HeldKeyError::Other { place, handle, expected, found });
        }
        Ok(Self::of(file, key))
    }

    fn of(file: KeyFile, key: SigningKey) -> Self {
        Self { file, point: key.point(), key: Mutex::new(key) }
    }

    /// What names this key.
    #[must_use]
    pub const fn file(&self) -> &KeyFile {
        &self.file
    }

    /// The public key.
    #[must_use]
    pub const fn point(&self) -> P256Point {
        self.point
    }

    /// Signs `message`: ECDSA over SHA-256, in DER. Waits for the TPM.
    ///
    /// # Errors
    ///
    /// [`HeldKeyError::Key`] if the TPM does not sign.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, HeldKeyError> {
        // After a panic elsewhere the next command still begins a session of its own.
        let mut key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        let place = || self.file.tpm.clone();
        let signature = key.sign(&sha256(message));
        let signature = signature.map_err(|source| HeldKeyError::Key { place: place(), source })?;
        to_der(&signature).map_err(HeldKeyError::Der)
    }
}

impl fmt::Debug for HeldKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldKey").field("file", &self.file).finish_non_exhaustive()
    }
}

fn using(
    place: &Place,
    handle: SigningHandle,
    take: impl FnOnce(tre_tpm::EsapiTpm, SigningHandle) -> Result<SigningKey, SigningKeyError>,
) -> Result<SigningKey, HeldKeyError> {
    let tpm = place.connect();
    let tpm = tpm.map_err(|source| HeldKeyError::Unreachable { place: place.clone(), source })?;
    take(tpm, handle).map_err(|source| HeldKeyError::Key { place: place.clone(), source })
}

fn hash(point: P256Point) -> Hex32 {
    Hex32(sha256(&point.to_spki_der()).0)
}

/// `Ecdsa-Sig-Value`: a sequence of two integers.
fn to_der(signature: &EcdsaSignature) -> Result<Vec<u8>, der::Error> {
    let mut integers = SequenceOf::<UintRef<'_>, 2>::new();
    integers.add(UintRef::new(&signature.r)?)?;
    integers.add(UintRef::new(&signature.s)?)?;
    integers.to_der()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_two_integers_as_short_as_they_can_be() {
        let (mut r, mut s) = ([0; 32], [0; 32]);
        r[31] = 0x7f;
        s[30..].copy_from_slice(&[0x80, 0x01]);
        // SEQUENCE, INTEGER 0x7f, INTEGER 0x8001 with the zero that keeps it positive.
        let expected = [0x30, 8, 2, 1, 0x7f, 2, 3, 0, 0x80, 0x01];
        assert_eq!(to_der(&EcdsaSignature { r, s }).expect("written"), expected);
    }
}
