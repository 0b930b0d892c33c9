//! The owner hierarchy's authorization: set at enrolment, kept sealed, proven at every start.
//!
//! Without it any other system on the box could undefine NV indices and evict the storage key.
//! Whether the TPM has an owner is never asked, since the answer could be altered: the TPM's own
//! check of the value decides.

use core::time::Duration;

use tss_esapi::Context;
use tss_esapi::handles::{AuthHandle, ObjectHandle};
use tss_esapi::interface_types::session_handles::{AuthSession, PolicySession};
use tss_esapi::structures::{Auth, Digest, Nonce};

use super::EsapiTpm;
use super::session::Cover;
use super::storage_key::owner_taken;
use crate::error::{at, blames_authorization};
use crate::{Secret32, Step, TpmError};

impl EsapiTpm {
    /// Makes `secret` the owner's authorization, unless it is.
    pub(super) fn own(&mut self, secret: &Secret32) -> Result<(), TpmError> {
        if self.is_owner(secret)? {
            return Ok(());
        }
        let auth = as_auth(secret)?;
        let changed = self.covered(Cover::Encrypted, |context, session| {
            let owner = AuthHandle::Owner;
            context
                .execute_with_session(Some(session), |context| {
                    context.hierarchy_change_auth(owner, auth)
                })
                .map_err(owner_taken)
        });
        forget(&mut self.context)?;
        changed
    }

    /// Whether `secret` is the owner's authorization: the TPM takes it for a policy of no use.
    fn is_owner(&mut self, secret: &Secret32) -> Result<bool, TpmError> {
        let auth = as_auth(secret)?;
        // Where there is none yet, it is made with the authorization that the owner has by then.
        self.loaded_storage_key()?;
        self.context.tr_set_auth(ObjectHandle::Owner, auth).map_err(at(Step::Own))?;
        let proven = self.covered_policy(|context, session, policy| {
            policy_secret(context, session, policy, AuthHandle::Owner).map_err(Proof::of)
        });
        forget(&mut self.context)?;
        match proven {
            Ok(()) => Ok(true),
            Err(Proof::Refused) => Ok(false),
            Err(Proof::Failed(error)) => Err(error),
        }
    }
}

/// Why a proof of ownership is none.
enum Proof {
    /// The authorization is another.
    Refused,
    /// There is no answer.
    Failed(TpmError),
}

impl Proof {
    fn of(source: tss_esapi::Error) -> Self {
        match blames_authorization(source) {
            true => Self::Refused,
            false => Self::Failed(at(Step::Own)(source)),
        }
    }
}

impl From<TpmError> for Proof {
    fn from(error: TpmError) -> Self {
        Self::Failed(error)
    }
}

/// Fulfils a policy with the authorization of a hierarchy, as the stack holds it.
pub(super) fn policy_secret(
    context: &mut Context,
    session: AuthSession,
    policy: AuthSession,
    hierarchy: AuthHandle,
) -> Result<(), tss_esapi::Error> {
    let policy = PolicySession::try_from(policy)?;
    context
        .execute_with_session(Some(session), |context| {
            context.policy_secret(
                policy,
                hierarchy,
                Nonce::default(),
                Digest::default(),
                Nonce::default(),
                None::<Duration>,
            )
        })
        .map(|_| ())
}

fn as_auth(secret: &Secret32) -> Result<Auth, TpmError> {
    Auth::from_bytes(secret.expose()).map_err(at(Step::Own))
}

/// The stack's own copy of the authorization goes after each use.
fn forget(context: &mut Context) -> Result<(), TpmError> {
    context.tr_set_auth(ObjectHandle::Owner, Auth::default()).map_err(at(Step::Own))
}
