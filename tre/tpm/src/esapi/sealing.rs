//! Sealing and unsealing under the storage key.

use measured_boot::digest::Sha256Digest;
use tss_esapi::constants::return_code::TpmFormatOneError;
use tss_esapi::handles::{KeyHandle, ObjectHandle};
use tss_esapi::interface_types::session_handles::PolicySession;
use tss_esapi::structures::{Digest, Private, Public, SensitiveData};
use tss_esapi::traits::{Marshall as _, UnMarshall as _};
use tss_esapi::{Context, Error};

use super::session::{Cover, as_policy};
use super::{EsapiTpm, pcrs, templates};
use crate::error::{at, blames_a_parameter, complaint};
use crate::{SealPolicy, SealedObject, Secret32, Step, TpmError, UnsealError};

pub(super) fn seal(
    tpm: &mut EsapiTpm,
    secret: &Secret32,
    policy: &SealPolicy,
) -> Result<SealedObject, TpmError> {
    let step = at(Step::Seal);
    let parent = tpm.loaded_storage_key()?.handle;
    let template = templates::sealed(Digest::from(policy.digest().0)).map_err(&step)?;
    let content = SensitiveData::from_bytes(secret.expose()).map_err(&step)?;
    let created = tpm.covered(Cover::Encrypted, |context, session| {
        context
            .execute_with_session(Some(session), |context| {
                context.create(parent, template, None, Some(content), None, None)
            })
            .map_err(&step)
    })?;
    let public = created.out_public.marshall().map_err(&step)?;
    let private = created.out_private.as_bytes().to_vec();
    let found = public.len().max(private.len());
    let expected = SealedObject::MAX_AREA_LEN;
    SealedObject::new(public, private).map_err(|_| TpmError::Answer {
        step: Step::Seal,
        expected,
        found,
    })
}

pub(super) fn unseal(tpm: &mut EsapiTpm, object: &SealedObject) -> Result<Secret32, UnsealError> {
    let not_ours = |source| UnsealError::NotOfThisTpm { source };
    let public = Public::unmarshall(&object.public).map_err(not_ours)?;
    let private = Private::from_bytes(&object.private).map_err(not_ours)?;
    let expected = policy_of(&public).map_err(not_ours)?;
    let handle = load(tpm, private, public)?;
    let unsealed = open(tpm, handle.into(), expected);
    let flushed = tpm.flush(handle.into());
    let secret = unsealed?;
    flushed?;
    Ok(secret)
}

fn load(tpm: &mut EsapiTpm, private: Private, public: Public) -> Result<KeyHandle, UnsealError> {
    let parent = tpm.loaded_storage_key()?.handle;
    tpm.covered(Cover::Encrypted, |context, session| {
        context
            .execute_with_session(Some(session), |context| context.load(parent, private, public))
            .map_err(|source| match blames_a_parameter(source) {
                true => UnsealError::NotOfThisTpm { source },
                false => UnsealError::Tpm(at(Step::Load)(source)),
            })
    })
}

/// Unseals a loaded object with the policy that the present PCRs fulfil.
fn open(
    tpm: &mut EsapiTpm,
    object: ObjectHandle,
    expected: Sha256Digest,
) -> Result<Secret32, UnsealError> {
    tpm.covered_policy(|context, session, authorized| {
        let policy = as_policy(authorized)?;
        let bound = pcrs::selected(SealPolicy::selection().iter()).map_err(at(Step::PolicyPcr))?;
        context
            .execute_with_session(Some(session), |context| {
                context.policy_pcr(policy, Digest::default(), bound)
            })
            .map_err(at(Step::PolicyPcr))?;
        let sessions = (Some(authorized), Some(session), None);
        match context.execute_with_sessions(sessions, |context| context.unseal(object)) {
            Ok(content) => secret_in(&content).map_err(UnsealError::Tpm),
            Err(source) if complaint(source) == Some(TpmFormatOneError::PolicyFail) => {
                let found = present_policy(context, policy)?;
                Err(UnsealError::PolicyRefused { expected, found })
            }
            Err(source) => Err(UnsealError::Tpm(at(Step::Unseal)(source))),
        }
    })
}

/// For the explanation alone: what failed has left the session unfit to ask in.
fn present_policy(context: &mut Context, policy: PolicySession) -> Result<Sha256Digest, TpmError> {
    let step = at(Step::PolicyPcr);
    let digest = context
        .execute_without_session(|context| context.policy_get_digest(policy))
        .map_err(&step)?;
    <[u8; 32]>::try_from(digest).map(Sha256Digest).map_err(step)
}

fn policy_of(public: &Public) -> Result<Sha256Digest, Error> {
    <[u8; 32]>::try_from(public.auth_policy().clone()).map(Sha256Digest)
}

fn secret_in(content: &SensitiveData) -> Result<Secret32, TpmError> {
    let found = content.len();
    let unfit = TpmError::Answer { step: Step::Unseal, expected: Secret32::LENGTH, found };
    let bytes = content.first_chunk().filter(|_| found == Secret32::LENGTH).ok_or(unfit)?;
    Ok(Secret32::new(*bytes))
}
