//! The one session in which the TPM is spoken to: authenticated both ways, secrets encrypted.
//!
//! It is salted to the storage key ([`super::storage_key`]): only the TPM that holds that key can
//! check a command's HMAC, make an answer's, or read an encrypted parameter. Each command and each
//! answer brings a fresh nonce, so that none of them is good twice.
//!
//! It is opened once and kept, because opening one costs the TPM a key agreement. After any error
//! it is thrown away: the stack leaves the session's attributes as the failed answer had them, in
//! clear where an interposer wrote them so, and the next secret would follow them.

use tss_esapi::Context;
use tss_esapi::attributes::{SessionAttributes, SessionAttributesBuilder, SessionAttributesMask};
use tss_esapi::constants::SessionType;
use tss_esapi::handles::{KeyHandle, ObjectHandle, SessionHandle};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::session_handles::{AuthSession, PolicySession};
use tss_esapi::structures::SymmetricDefinition;

use super::{EsapiTpm, flush};
use crate::error::at;
use crate::{Step, TpmError};

/// What the session does for a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Cover {
    /// Authenticates command and answer, and encrypts the first parameter of each where it has a
    /// length of its own.
    Encrypted,
    /// Authenticates a command that needs no authorization, and its answer.
    Audited,
}

impl Cover {
    fn attributes(self) -> (SessionAttributes, SessionAttributesMask) {
        let encrypted = self == Self::Encrypted;
        SessionAttributesBuilder::new()
            .with_continue_session(true)
            .with_decrypt(encrypted)
            .with_encrypt(encrypted)
            .with_audit(!encrypted)
            .build()
    }
}

impl EsapiTpm {
    /// Runs `work` with the session; after an error the next caller gets a new one.
    pub(super) fn covered<T, E: From<TpmError>>(
        &mut self,
        cover: Cover,
        work: impl FnOnce(&mut Context, AuthSession) -> Result<T, E>,
    ) -> Result<T, E> {
        let session = match self.session.take() {
            Some(session) => session,
            None => {
                let salt_key = self.loaded_storage_key()?.handle;
                start(&mut self.context, Some(salt_key), SessionType::Hmac)?
            }
        };
        let (attributes, mask) = cover.attributes();
        let prepared = self.context.tr_sess_set_attributes(session, attributes, mask);
        let done = prepared
            .map_err(|source| E::from(at(Step::Session)(source)))
            .and_then(|()| work(&mut self.context, session));
        if done.is_ok() {
            self.session = Some(session);
        } else {
            // What failed is the news; a session that the TPM keeps is gone at its next start.
            flush(&mut self.context, SessionHandle::from(session).into()).ok();
        }
        done
    }

    /// Runs `work` with the session and, beside it, a new policy session, which ends with it.
    ///
    /// The policy session has no key: what authenticates is the session at its side.
    pub(super) fn covered_policy<T, E: From<TpmError>>(
        &mut self,
        work: impl FnOnce(&mut Context, AuthSession, AuthSession) -> Result<T, E>,
    ) -> Result<T, E> {
        self.covered(Cover::Encrypted, |context, session| {
            let policy = start(context, None, SessionType::Policy)?;
            let done = work(context, session, policy);
            let ended = flush(context, SessionHandle::from(policy).into());
            let value = done?;
            ended?;
            Ok(value)
        })
    }

    /// Removes an object from the TPM.
    pub(super) fn flush(&mut self, handle: ObjectHandle) -> Result<(), TpmError> {
        flush(&mut self.context, handle)
    }
}

/// The policy session that an [`AuthSession`] is.
pub(super) fn as_policy(session: AuthSession) -> Result<PolicySession, TpmError> {
    PolicySession::try_from(session).map_err(at(Step::Session))
}

fn start(
    context: &mut Context,
    salt_key: Option<KeyHandle>,
    kind: SessionType,
) -> Result<AuthSession, TpmError> {
    context
        .execute_without_session(|context| {
            context.start_auth_session(
                salt_key,
                None,
                None,
                kind,
                SymmetricDefinition::AES_128_CFB,
                HashingAlgorithm::Sha256,
            )
        })
        .map_err(at(Step::Session))?
        .ok_or(TpmError::Answer { step: Step::Session, expected: 1, found: 0 })
}
