//! Releasing an image: the release key signs its reference manifest as it lies.
//!
//! What is signed, and the rules that signer and verifier share, are in the verifier's
//! [`release`](attest_verifier::core::release); here is what only the signer can hold to: nothing
//! that has ended already, and the test domain's manifests nowhere else.

use core::fmt;

use attest_verifier::core::release::{
    self, Dates, FORMAT, LABEL, ReleaseKey, ReleaseKeyError, SignatureFile, Standing, Unreleasable,
};
use measured_boot::digest::{Sha256Digest, sha256};
use measured_boot::manifest::{Purpose, ReferenceManifest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use tre_wire::hex::{Hex32, HexBytes};
use tre_wire::json::JsonError;
use tre_wire::signed;
use tre_wire::units::UnixMillis;

use crate::key_file::PrivateKey;

/// Why a file is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// Not a P-256 key.
    #[error("expected a P-256 private key of the release key: {0}")]
    Key(ring::error::KeyRejected),
    /// Its public half is not one that a verifier takes.
    #[error(transparent)]
    Public(ReleaseKeyError),
}

/// Why a manifest is not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// Not a manifest.
    #[error("expected a reference manifest: {0}")]
    Manifest(#[source] JsonError),
    /// No manifest like this is released.
    #[error(transparent)]
    Unreleasable(Unreleasable),
    /// Nobody could believe it any more.
    #[error(
        "expected a manifest that ends in the future, found one that ended at {until} (now {now})"
    )]
    Expired {
        /// Last second. Unit: seconds since 1970.
        until: u64,
        /// Our time, in the same unit.
        now: u64,
    },
    /// A manifest of the test domain, by a domain for real boxes.
    #[error(
        "expected a manifest for PRODUCTION, found one for DEMO: only a domain made with \
         `tre-pki init --demo` signs it"
    )]
    Demo,
    /// The signing library failed.
    #[error("cannot sign: {0}")]
    Sign(ring::error::Unspecified),
}

/// A private key that signs files: the release key, or the status key.
pub struct Signer {
    pair: EcdsaKeyPair,
    public: ReleaseKey,
    random: SystemRandom,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("public", &self.public).finish_non_exhaustive()
    }
}

/// A signature, and what it says.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The signature file's content.
    pub signature: SignatureFile,
    /// The manifest that was signed.
    pub manifest: ReferenceManifest,
    /// When it is in force.
    pub dates: Dates,
}

impl Signer {
    /// Signs with `key`.
    ///
    /// # Errors
    ///
    /// [`SignerError`].
    pub fn new(key: &PrivateKey) -> Result<Self, SignerError> {
        let random = SystemRandom::new();
        let key = key.pkcs8();
        let der = key.secret_pkcs8_der();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der, &random)
            .map_err(SignerError::Key)?;
        let public = ReleaseKey::from_sec1(pair.public_key().as_ref());
        Ok(Self { pair, public: public.map_err(SignerError::Public)?, random })
    }

    /// What verifiers are given.
    #[must_use]
    pub const fn public(&self) -> &ReleaseKey {
        &self.public
    }

    /// Signs `file` as it lies, as a file of the kind that `label` says.
    pub(crate) fn sign_file(
        &self,
        label: &'static str,
        file: &[u8],
        unlocked_because: Option<&str>,
    ) -> Result<SignatureFile, ring::error::Unspecified> {
        let bytes = signed::signed_bytes(label, file, unlocked_because);
        let signature = self.pair.sign(&self.random, &bytes)?;
        Ok(SignatureFile {
            format: FORMAT,
            label: label.to_owned(),
            key: Hex32(self.public.id().0),
            len: signed::length(file),
            sha256: Hex32(sha256(file).0),
            unlocked_because: unlocked_because.map(str::to_owned),
            signature: HexBytes(signature.as_ref().to_vec()),
        })
    }

    /// Signs the manifest file `file` as it lies, for a domain made for `domain`.
    ///
    /// `unlocked_because` is for a manifest whose inputs were not those of the lock file, and for
    /// no other; the reason is signed along.
    ///
    /// # Errors
    ///
    /// [`SignError`].
    pub fn sign(
        &self,
        file: &[u8],
        domain: Purpose,
        unlocked_because: Option<&str>,
        now: UnixMillis,
    ) -> Result<Signed, SignError> {
        let manifest = release::read_manifest(file).map_err(SignError::Manifest)?;
        let dates = release::check_releasable(&manifest, unlocked_because)
            .map_err(SignError::Unreleasable)?;
        if let Standing::Expired { until } = dates.at(now) {
            return Err(SignError::Expired { until, now: now.get() / 1_000 });
        }
        if manifest.purpose == Purpose::Demo && domain != Purpose::Demo {
            return Err(SignError::Demo);
        }
        let signature = self.sign_file(LABEL, file, unlocked_because).map_err(SignError::Sign)?;
        Ok(Signed { signature, manifest, dates })
    }
}

impl Signed {
    /// SHA-256 of the boot image that is released.
    #[must_use]
    pub const fn image(&self) -> Sha256Digest {
        self.manifest.image.sha256
    }

    /// The number of the release, if the manifest has one.
    #[must_use]
    pub fn number(&self) -> Option<u32> {
        self.manifest.release.as_ref().map(|release| release.number.0)
    }
}
