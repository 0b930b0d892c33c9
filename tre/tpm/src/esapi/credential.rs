//! The endorsement key at work: reading it, and activating credentials encrypted to it.

use measured_boot::tpm;
use tss_esapi::handles::{AuthHandle, KeyHandle};
use tss_esapi::interface_types::reserved_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{EncryptedSecret, IdObject};
use tss_esapi::traits::Marshall as _;
use tss_esapi::{Context, Error};
use zeroize::Zeroizing;

use super::owner::policy_secret;
use super::session::Cover;
use super::{EsapiTpm, certificates, templates};
use crate::error::{at, blames_a_parameter, is_failure};
use crate::{ActivateError, Endorsement, EndorsementKind, Step, TpmError};

pub(super) fn endorsement(esapi: &mut EsapiTpm) -> Result<Endorsement, TpmError> {
    let step = Step::EndorsementKey;
    let kind = certificates::kind(&mut esapi.context)?;
    let template = templates::endorsement(kind);
    let created = esapi.create_primary(step, Hierarchy::Endorsement, template)?;
    esapi.flush(created.key_handle.into())?;
    let key = created.out_public.marshall().map_err(at(step))?;
    let certificates = esapi.covered(Cover::Encrypted, certificates::read_all)?;
    Ok(Endorsement { kind, key, certificates })
}

pub(super) fn activate(
    esapi: &mut EsapiTpm,
    id_object: &tpm::IdObject,
    encrypted_secret: &tpm::EncryptedSecret,
) -> Result<Zeroizing<Vec<u8>>, ActivateError> {
    let step = at(Step::Activate);
    // The stack counts the bytes itself.
    let id_object = id_object.encode().split_off(size_of::<u16>());
    let id_object = IdObject::from_bytes(&id_object).map_err(&step)?;
    let encrypted_secret =
        EncryptedSecret::from_bytes(encrypted_secret.as_bytes()).map_err(&step)?;
    let kind = certificates::kind(&mut esapi.context)?;
    let attestation_key = esapi.loaded_attestation_key()?.handle;
    // Before the endorsement key takes the last place in the TPM.
    esapi.loaded_storage_key()?;
    let created = esapi.create_primary(
        Step::EndorsementKey,
        Hierarchy::Endorsement,
        templates::endorsement(kind),
    )?;
    let endorsement_key = created.key_handle;
    let keys = (attestation_key, endorsement_key);
    let activated = match kind {
        EndorsementKind::Rsa2048 | EndorsementKind::P256 => {
            esapi.covered_policy(|context, session, policy| {
                // Fulfils the policy of the low templates: who may use the endorsement hierarchy
                // may use its key. [EKP]
                policy_secret(context, session, policy, AuthHandle::Endorsement)
                    .map_err(at(Step::PolicySecret))?;
                let sessions = (Some(session), Some(policy), None);
                decrypt(context, sessions, keys, id_object, encrypted_secret)
            })
        }
        // Keys of the high templates may be used with their own authorization, which is empty. The
        // secret travels encrypted all the same, in the session beside it. [EKP]
        EndorsementKind::P384 => esapi.covered(Cover::Encrypted, |context, session| {
            let sessions = (Some(session), Some(AuthSession::Password), None);
            decrypt(context, sessions, keys, id_object, encrypted_secret)
        }),
    };
    let flushed = esapi.flush(endorsement_key.into());
    let credential = activated?;
    flushed?;
    Ok(credential)
}

fn decrypt(
    context: &mut Context,
    sessions: (Option<AuthSession>, Option<AuthSession>, Option<AuthSession>),
    (attestation_key, endorsement_key): (KeyHandle, KeyHandle),
    id_object: IdObject,
    encrypted_secret: EncryptedSecret,
) -> Result<Zeroizing<Vec<u8>>, ActivateError> {
    let answer = context.execute_with_sessions(sessions, |context| {
        context.activate_credential(attestation_key, endorsement_key, id_object, encrypted_secret)
    });
    match answer {
        Ok(credential) => Ok(Zeroizing::new(credential.as_bytes().to_vec())),
        Err(source) if blames_a_parameter(source) || does_not_decrypt(context, source) => {
            Err(ActivateError::Refused { source })
        }
        Err(source) => Err(ActivateError::Tpm(at(Step::Activate)(source))),
    }
}

/// Whether the TPM failed at this cipher text alone: libtpms says of one that is not for its key
/// what a TPM in failure mode says of every command.
fn does_not_decrypt(context: &mut Context, error: Error) -> bool {
    is_failure(error) && context.execute_without_session(Context::read_clock).is_ok()
}
