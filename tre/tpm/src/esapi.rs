//! The TPM over the TPM software stack: one implementation for the device and the software TPM.
//!
//! Commands that carry or yield a secret or a decision travel in one session ([`session`]), salted
//! to the storage key ([`storage_key`]): whoever listens on the bus learns no secret, and whoever
//! alters, withholds or repeats is noticed. Whether the storage key is the one that was enrolled
//! is for the caller to check, who remembers its Name ([`Tpm::expect_storage_key`]).
//!
//! Without the session stay the making of a storage key (it is what the session is salted to),
//! reading public areas (their Names go into every HMAC), starting and flushing, and the clock,
//! for which a TPM takes no session.

mod certificates;
mod credential;
mod owner;
mod pcrs;
mod sealing;
mod session;
#[cfg(feature = "signing")]
mod signing;
mod statements;
mod storage_key;
mod templates;

use core::str::FromStr as _;
use std::path::Path;

use measured_boot::digest::Sha256Digest;
use measured_boot::pcr::{PcrIndex, PcrValues};
use measured_boot::tpm::{ClockInfo, EncryptedSecret, IdObject, Name, Public};
use tss_esapi::handles::{KeyHandle, ObjectHandle};
use tss_esapi::interface_types::reserved_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{CreatePrimaryKeyResult, Public as Template};
use tss_esapi::tcti_ldr::DeviceConfig;
use tss_esapi::traits::Marshall as _;
use tss_esapi::{Context, TctiNameConf};
use zeroize::Zeroizing;

use self::session::Cover;
#[cfg(feature = "signing")]
pub use self::signing::SigningKey;
use self::storage_key::StorageKey;
use crate::error::at;
use crate::{
    ActivateError, Endorsement, Quote, SealPolicy, SealedObject, Secret32, Step, Tpm, TpmError,
    UnsealError,
};

/// A TPM behind the TPM software stack.
///
/// Holds up to two keys in the TPM (attestation and, before enrolment, storage) and one session,
/// and needs room for a third object and a second session: what every PC client TPM has, if nobody
/// else uses it without a resource manager.
#[derive(Debug)]
pub struct EsapiTpm {
    context: Context,
    attestation_key: Option<LoadedKey>,
    storage_key: Option<StorageKey>,
    session: Option<AuthSession>,
}

#[derive(Debug)]
struct LoadedKey {
    handle: KeyHandle,
    public: Public,
}

impl EsapiTpm {
    /// Opens the kernel's TPM device, in the appliance `/dev/tpmrm0`.
    ///
    /// # Errors
    ///
    /// [`TpmError::Unreachable`].
    pub fn open_device(path: &Path) -> Result<Self, TpmError> {
        let device = DeviceConfig::from_str(&path.to_string_lossy());
        Self::over(device.map(TctiNameConf::Device))
    }

    /// Connects to a software TPM that serves at this unix socket, with its control channel at
    /// the same path and `.ctrl`. Every command is a connection of its own.
    ///
    /// # Errors
    ///
    /// [`TpmError::Unreachable`], also for a path too long for a socket.
    #[cfg(feature = "hosted")]
    pub fn connect_swtpm(socket: &Path) -> Result<Self, TpmError> {
        use tss_esapi::tcti_ldr::TpmSimulatorConfig;

        let path = socket.to_string_lossy().into_owned();
        Self::over(Ok(TctiNameConf::Swtpm(TpmSimulatorConfig::Unix { path })))
    }

    fn over(place: Result<TctiNameConf, tss_esapi::Error>) -> Result<Self, TpmError> {
        let context =
            place.and_then(Context::new).map_err(|source| TpmError::Unreachable { source })?;
        Ok(Self { context, attestation_key: None, storage_key: None, session: None })
    }

    /// The attestation key, made if this is its first use.
    fn loaded_attestation_key(&mut self) -> Result<&LoadedKey, TpmError> {
        let key = match self.attestation_key.take() {
            Some(key) => key,
            None => {
                let step = Step::AttestationKey;
                let created =
                    self.create_primary(step, Hierarchy::Endorsement, templates::attestation())?;
                LoadedKey {
                    handle: created.key_handle,
                    public: public_area(step, &created.out_public)?,
                }
            }
        };
        Ok(self.attestation_key.insert(key))
    }

    fn create_primary(
        &mut self,
        step: Step,
        hierarchy: Hierarchy,
        template: Result<Template, tss_esapi::Error>,
    ) -> Result<CreatePrimaryKeyResult, TpmError> {
        let template = template.map_err(at(step))?;
        self.covered(Cover::Encrypted, |context, session| {
            context
                .execute_with_session(Some(session), |context| {
                    context.create_primary(hierarchy, template, None, None, None, None)
                })
                .map_err(at(step))
        })
    }
}

impl Tpm for EsapiTpm {
    fn random(&mut self, out: &mut [u8]) -> Result<(), TpmError> {
        self.covered(Cover::Encrypted, |context, session| {
            context.execute_with_session(Some(session), |context| fill_random(context, out))
        })
    }

    fn extend(&mut self, pcr: PcrIndex, digest: &Sha256Digest) -> Result<(), TpmError> {
        pcrs::extend(self, pcr, digest)
    }

    fn read_pcrs(&mut self) -> Result<PcrValues, TpmError> {
        pcrs::read_all(self)
    }

    fn attestation_key(&mut self) -> Result<Public, TpmError> {
        self.loaded_attestation_key().map(|key| key.public.clone())
    }

    fn quote(&mut self, qualifying: &[u8; 32]) -> Result<Quote, TpmError> {
        statements::quote(self, qualifying)
    }

    fn seal(&mut self, secret: &Secret32, policy: &SealPolicy) -> Result<SealedObject, TpmError> {
        sealing::seal(self, secret, policy)
    }

    fn unseal(&mut self, object: &SealedObject) -> Result<Secret32, UnsealError> {
        sealing::unseal(self, object)
    }

    fn storage_key(&mut self) -> Result<Public, TpmError> {
        self.unowned_storage_key()
    }

    fn expect_storage_key(&mut self, name: Name) -> Result<(), TpmError> {
        self.compare_storage_key(name)
    }

    fn persist_storage_key(&mut self) -> Result<Public, TpmError> {
        self.persist()
    }

    fn take_ownership(&mut self, authorization: &Secret32) -> Result<(), TpmError> {
        self.own(authorization)
    }

    fn endorsement(&mut self) -> Result<Endorsement, TpmError> {
        credential::endorsement(self)
    }

    fn activate_credential(
        &mut self,
        id_object: &IdObject,
        encrypted_secret: &EncryptedSecret,
    ) -> Result<Zeroizing<Vec<u8>>, ActivateError> {
        credential::activate(self, id_object, encrypted_secret)
    }

    fn clock(&mut self) -> Result<ClockInfo, TpmError> {
        let reading =
            self.context.execute_without_session(Context::read_clock).map_err(at(Step::Clock))?;
        let clock = reading.clock_info();
        Ok(ClockInfo {
            clock_ms: clock.clock(),
            reset_count: clock.reset_count(),
            restart_count: clock.restart_count(),
            safe: clock.safe(),
        })
    }
}

/// Removes an object or a session from the TPM.
fn flush(context: &mut Context, handle: ObjectHandle) -> Result<(), TpmError> {
    context
        .execute_without_session(|context| context.flush_context(handle))
        .map_err(at(Step::Flush))
}

/// Fills `out` piece by piece: a TPM answers with at most one digest's length, or with less.
fn fill_random(context: &mut Context, out: &mut [u8]) -> Result<(), TpmError> {
    let mut rest = out;
    while !rest.is_empty() {
        let wanted = rest.len().min(RANDOM_PIECE_LEN);
        let piece = context.get_random(wanted).map_err(at(Step::Random))?;
        let found = piece.len();
        if found == 0 || found > wanted {
            return Err(TpmError::Answer { step: Step::Random, expected: wanted, found });
        }
        let (head, tail) = rest.split_at_mut(found);
        head.copy_from_slice(&piece);
        rest = tail;
    }
    Ok(())
}

/// The public area that the TPM filled in, in the form in which it will be judged.
fn public_area(step: Step, created: &Template) -> Result<Public, TpmError> {
    let area = created.marshall().map_err(at(step))?;
    Public::parse(&area).map_err(|source| TpmError::KeyShape { step, source })
}

/// Most random bytes asked for at once: the length of a SHA-256 digest. Unit: byte.
const RANDOM_PIECE_LEN: usize = 32;
