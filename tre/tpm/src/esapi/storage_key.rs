//! The storage key (SRK): parent of what is sealed, salt of the session, and where it lives.
//!
//! A primary key of the owner hierarchy from the standard P-256 template, at the handle where
//! every operating system looks for it. Before enrolment it is made anew at each start, or is the
//! one that an interrupted enrolment has left; at enrolment it becomes persistent, because after
//! that the owner hierarchy is closed and no key can be made in it before the secrets are open.

use measured_boot::tpm::{Name, Public, StoragePublic};
use tss_esapi::constants::return_code::TpmFormatOneError;
use tss_esapi::handles::{KeyHandle, ObjectHandle, PersistentTpmHandle, TpmHandle};
use tss_esapi::interface_types::data_handles::Persistent;
use tss_esapi::interface_types::reserved_handles::{Hierarchy, Provision};
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::CreatePrimaryKeyResult;

use super::session::Cover;
use super::{EsapiTpm, public_area, templates};
use crate::error::{at, blames_authorization, complaint};
use crate::{Step, TpmError};

/// The storage key as it is used: one key for the life of this connection.
#[derive(Debug)]
pub(super) struct StorageKey {
    /// The software stack's handle.
    pub(super) handle: KeyHandle,
    /// Its public area.
    pub(super) public: Public,
    /// Whether the TPM keeps it over a reset.
    persistent: bool,
}

/// Where a storage key stands that is for everybody's use. `[TPM2-P2]`
const HANDLE: u32 = 0x8100_0001;

impl EsapiTpm {
    /// The storage key: the persistent one, or a new one where there is none.
    pub(super) fn loaded_storage_key(&mut self) -> Result<&StorageKey, TpmError> {
        let key = match self.storage_key.take() {
            Some(key) => key,
            None => match self.persistent_storage_key()? {
                Some(key) => key,
                None => self.created_storage_key()?,
            },
        };
        Ok(self.storage_key.insert(key))
    }

    /// Refuses the storage key unless it is the one with this Name.
    ///
    /// The Name is computed from the very public area to which the session is salted.
    pub(super) fn compare_storage_key(&mut self, expected: Name) -> Result<(), TpmError> {
        let handle = self.loaded_storage_key()?.handle;
        let found = self.name_in_use(handle.into())?;
        if found == expected { Ok(()) } else { Err(TpmError::OtherStorageKey { expected, found }) }
    }

    /// The storage key of a TPM that has no owner yet, compared with one made on the spot.
    pub(super) fn unowned_storage_key(&mut self) -> Result<Public, TpmError> {
        let created = self.covered(Cover::Encrypted, |context, session| {
            let template = templates::storage().map_err(at(Step::StorageKey))?;
            context
                .execute_with_session(Some(session), |context| {
                    context.create_primary(Hierarchy::Owner, template, None, None, None, None)
                })
                .map_err(owner_taken)
        })?;
        self.flush(created.key_handle.into())?;
        let made = public_area(Step::StorageKey, &created.out_public)?;
        let found = self.loaded_storage_key()?.public.name();
        if found != made.name() {
            return Err(TpmError::ForeignStorageKey { handle: HANDLE, found });
        }
        Ok(made)
    }

    /// Makes the storage key persistent, unless it is.
    pub(super) fn persist(&mut self) -> Result<Public, TpmError> {
        let public = self.unowned_storage_key()?;
        let key = self.loaded_storage_key()?;
        if key.persistent {
            return Ok(public);
        }
        let transient = ObjectHandle::from(key.handle);
        let place = Persistent::Persistent(persistent_handle()?);
        self.covered(Cover::Encrypted, |context, session| {
            context
                .execute_with_session(Some(session), |context| {
                    context.evict_control(Provision::Owner, transient, place)
                })
                .map_err(at(Step::PersistStorageKey))
        })?;
        self.flush(transient)?;
        // The session stays: it is salted to this key. What the TPM now keeps must be the same.
        self.storage_key = self.persistent_storage_key()?;
        self.compare_storage_key(public.name())?;
        Ok(public)
    }

    fn persistent_storage_key(&mut self) -> Result<Option<StorageKey>, TpmError> {
        let step = at(Step::StorageKey);
        let Some(object) = self.persistent_object(Step::StorageKey, persistent_handle()?)? else {
            return Ok(None);
        };
        let handle = KeyHandle::from(object);
        let (area, ..) = self
            .context
            .execute_without_session(|context| context.read_public(handle))
            .map_err(&step)?;
        let found = self.name_in_use(object)?;
        let foreign = TpmError::ForeignStorageKey { handle: HANDLE, found };
        let public = public_area(Step::StorageKey, &area).map_err(|_| foreign)?;
        if public.name() != found {
            return Err(TpmError::OtherStorageKey { expected: public.name(), found });
        }
        if StoragePublic::check(&public).is_err() {
            return Err(foreign);
        }
        Ok(Some(StorageKey { handle, public, persistent: true }))
    }

    /// What stands at a persistent handle, if anything does.
    pub(super) fn persistent_object(
        &mut self,
        step: Step,
        place: PersistentTpmHandle,
    ) -> Result<Option<ObjectHandle>, TpmError> {
        let place = TpmHandle::Persistent(place);
        let looked =
            self.context.execute_without_session(|context| context.tr_from_tpm_public(place));
        match looked {
            Ok(object) => Ok(Some(object)),
            Err(source) if complaint(source) == Some(TpmFormatOneError::Handle) => Ok(None),
            Err(source) => Err(at(step)(source)),
        }
    }

    fn created_storage_key(&mut self) -> Result<StorageKey, TpmError> {
        let template = templates::storage().map_err(at(Step::StorageKey))?;
        // No session yet: this key is what one is salted to.
        let CreatePrimaryKeyResult { key_handle: handle, out_public, .. } = self
            .context
            .execute_with_session(Some(AuthSession::Password), |context| {
                context.create_primary(Hierarchy::Owner, template, None, None, None, None)
            })
            .map_err(owner_taken)?;
        let public = public_area(Step::StorageKey, &out_public)?;
        let found = self.name_in_use(handle.into())?;
        if public.name() != found {
            return Err(TpmError::OtherStorageKey { expected: public.name(), found });
        }
        Ok(StorageKey { handle, public, persistent: false })
    }

    /// Name of the public area that the software stack holds for this handle and salts to.
    fn name_in_use(&mut self, object: ObjectHandle) -> Result<Name, TpmError> {
        let step = Step::StorageKey;
        let name = self.context.tr_get_name(object).map_err(at(step))?;
        let unfit = TpmError::Answer { step, expected: Name::LEN, found: name.value().len() };
        Name::from_bytes(name.value()).map_err(|_| unfit)
    }
}

fn persistent_handle() -> Result<PersistentTpmHandle, TpmError> {
    PersistentTpmHandle::new(HANDLE).map_err(at(Step::StorageKey))
}

/// A hierarchy that does not open to the empty authorization has an owner.
pub(super) fn owner_taken(source: tss_esapi::Error) -> TpmError {
    if blames_authorization(source) {
        TpmError::OwnerTaken { source }
    } else {
        at(Step::StorageKey)(source)
    }
}
