//! A requester's key in the requester's own TPM, as the library that writes requests signs with it.

use std::sync::OnceLock;

use rcgen::{PublicKeyData, SignatureAlgorithm, SigningKey};
use tre_tpm_key::{HeldKey, HeldKeyError};

/// A key that signs without ever being in this process.
pub(crate) struct TpmKey<'a> {
    held: &'a HeldKey,
    point: [u8; 65],
    refused: OnceLock<HeldKeyError>,
}

impl<'a> TpmKey<'a> {
    /// Takes a key.
    pub(crate) fn new(held: &'a HeldKey) -> Self {
        Self { held, point: held.point().to_sec1(), refused: OnceLock::new() }
    }

    /// Why the TPM did not sign, if it did not: the library's error has no room for it.
    pub(crate) fn refusal(self) -> Option<HeldKeyError> {
        self.refused.into_inner()
    }
}

impl PublicKeyData for TpmKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for TpmKey<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.held.sign(message).map_err(|error| {
            // The first reason stays.
            self.refused.get_or_init(|| error);
            rcgen::Error::RemoteKeyError
        })
    }
}
