//! Making, finding and using a peer's key.

use core::fmt;

use measured_boot::digest::Sha256Digest;
use measured_boot::tpm::{EcdsaSignature, P256Point};
use tss_esapi::handles::{KeyHandle, PersistentTpmHandle};
use tss_esapi::interface_types::data_handles::Persistent;
use tss_esapi::interface_types::reserved_handles::Provision;
use tss_esapi::structures::{Digest, SignatureScheme};

use super::session::Cover;
use super::statements::signature_bytes;
use super::{EsapiTpm, public_area, templates};
use crate::error::at;
use crate::signing::{self, SigningHandle, SigningKeyError};
use crate::{Step, Tpm as _, TpmError};

/// A peer's key, and the connection to its TPM.
pub struct SigningKey {
    tpm: EsapiTpm,
    key: KeyHandle,
    point: P256Point,
}

impl SigningKey {
    /// Makes a new key, a child of the TPM's storage key, and has the TPM keep it at `handle`.
    ///
    /// The storage key becomes persistent with it. The owner's authorization must be empty; it may
    /// be set afterwards.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError::Taken`] if something is at the handle already; [`SigningKeyError::Tpm`].
    pub fn make(mut tpm: EsapiTpm, handle: SigningHandle) -> Result<Self, SigningKeyError> {
        let step = at(Step::MakeSigningKey);
        let place = place(handle)?;
        if tpm.persistent_object(Step::SigningKey, place)?.is_some() {
            return Err(SigningKeyError::Taken { handle });
        }
        tpm.persist_storage_key()?;
        let parent = tpm.loaded_storage_key()?.handle;
        let template = templates::signing().map_err(&step)?;
        let made = tpm.covered(Cover::Encrypted, |context, session| {
            context
                .execute_with_session(Some(session), |context| {
                    let made = context.create(parent, template, None, None, None, None)?;
                    context.load(parent, made.out_private, made.out_public)
                })
                .map_err(&step)
        })?;
        let kept: Result<_, TpmError> = tpm.covered(Cover::Encrypted, |context, session| {
            context
                .execute_with_session(Some(session), |context| {
                    let persistent = Persistent::Persistent(place);
                    context.evict_control(Provision::Owner, made.into(), persistent)
                })
                .map_err(&step)
        });
        tpm.flush(made.into())?;
        kept?;
        Self::open(tpm, handle)
    }

    /// Finds the key that [`Self::make`] made.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError::Missing`] if nothing is at the handle; [`SigningKeyError::Attributes`] or
    /// [`SigningKeyError::Key`] for another kind of key; [`SigningKeyError::Tpm`].
    pub fn open(mut tpm: EsapiTpm, handle: SigningHandle) -> Result<Self, SigningKeyError> {
        let step = Step::SigningKey;
        let found = tpm.persistent_object(step, place(handle)?)?;
        let key = KeyHandle::from(found.ok_or(SigningKeyError::Missing { handle })?);
        let (area, ..) = tpm
            .context
            .execute_without_session(|context| context.read_public(key))
            .map_err(at(step))?;
        // A key that this crate cannot read is none of its making.
        let unfit = |_| SigningKeyError::Key { handle };
        let public = public_area(step, &area).map_err(unfit)?;
        let point = signing::check(handle, &public)?;
        Ok(Self { tpm, key, point })
    }

    /// The public key.
    #[must_use]
    pub const fn point(&self) -> P256Point {
        self.point
    }

    /// Signs a digest: ECDSA, `[TPM2-P3]`, `TPM2_Sign`. Some TPMs take tens of milliseconds.
    ///
    /// # Errors
    ///
    /// [`SigningKeyError::Signature`] or [`SigningKeyError::Tpm`].
    pub fn sign(&mut self, digest: &Sha256Digest) -> Result<EcdsaSignature, SigningKeyError> {
        let (step, key, digest) = (at(Step::Sign), self.key, Digest::from(digest.0));
        let signature = self.tpm.covered(Cover::Encrypted, |context, session| {
            context
                .execute_with_session(Some(session), |context| {
                    context.sign(key, digest, SignatureScheme::Null, None)
                })
                .map_err(&step)
        })?;
        let bytes = signature_bytes(Step::Sign, &signature)?;
        EcdsaSignature::parse(&bytes).map_err(SigningKeyError::Signature)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("point", &self.point).finish_non_exhaustive()
    }
}

fn place(handle: SigningHandle) -> Result<PersistentTpmHandle, TpmError> {
    PersistentTpmHandle::new(handle.get()).map_err(at(Step::SigningKey))
}
