//! The TPM over the TPM software stack: one implementation for the device and the software TPM.
//!
//! Commands that carry a secret travel in sessions salted to the storage key, with their first
//! parameter encrypted both ways: whoever only listens on the bus learns nothing. Whether the
//! storage key is the one that was enrolled is for a caller that remembers its Name to check.

mod certificates;
mod credential;
mod pcrs;
mod sealing;
mod templates;

use core::str::FromStr as _;
use std::path::Path;

use measured_boot::digest::Sha256Digest;
use measured_boot::pcr::{PcrIndex, PcrValues};
use measured_boot::tpm::{AlgorithmId, ClockInfo, EncryptedSecret, IdObject, Public};
use tss_esapi::attributes::SessionAttributesBuilder;
use tss_esapi::constants::SessionType;
use tss_esapi::handles::{KeyHandle, ObjectHandle, SessionHandle};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::reserved_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{
    CreatePrimaryKeyResult, Data, Public as Template, Signature, SignatureScheme,
    SymmetricDefinition,
};
use tss_esapi::tcti_ldr::DeviceConfig;
use tss_esapi::traits::Marshall as _;
use tss_esapi::{Context, TctiNameConf};
use zeroize::Zeroizing;

use crate::error::{at, blames_a_session};
use crate::{
    ActivateError, Endorsement, Quote, SealPolicy, SealedObject, Secret32, Step, Tpm, TpmError,
    UnsealError,
};

/// A TPM behind the TPM software stack.
///
/// Holds up to two keys in the TPM (attestation and storage), and needs room for a third object
/// and two sessions: what every PC client TPM has, if nobody else uses it without a resource
/// manager.
#[derive(Debug)]
pub struct EsapiTpm {
    context: Context,
    attestation_key: Option<LoadedKey>,
    storage_key: Option<KeyHandle>,
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
        Ok(Self { context, attestation_key: None, storage_key: None })
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

    /// The storage key, made if this is its first use.
    fn loaded_storage_key(&mut self) -> Result<KeyHandle, TpmError> {
        if let Some(handle) = self.storage_key {
            return Ok(handle);
        }
        let created =
            self.create_primary(Step::StorageKey, Hierarchy::Owner, templates::storage())?;
        Ok(*self.storage_key.insert(created.key_handle))
    }

    fn create_primary(
        &mut self,
        step: Step,
        hierarchy: Hierarchy,
        template: Result<Template, tss_esapi::Error>,
    ) -> Result<CreatePrimaryKeyResult, TpmError> {
        let template = template.map_err(at(step))?;
        self.context
            .execute_with_session(Some(AuthSession::Password), |context| {
                context.create_primary(hierarchy, template, None, None, None, None)
            })
            .map_err(at(step))
    }

    /// Runs `work` with a new session salted to the storage key, then ends the session.
    fn in_salted_session<T, E: From<TpmError>>(
        &mut self,
        kind: SessionType,
        work: impl FnOnce(&mut Context, AuthSession) -> Result<T, E>,
    ) -> Result<T, E> {
        let salt_key = self.loaded_storage_key()?;
        let session = start_session(&mut self.context, salt_key, kind)?;
        let done = work(&mut self.context, session);
        let ended = flush(&mut self.context, SessionHandle::from(session).into());
        let value = done?;
        ended?;
        Ok(value)
    }

    /// Removes an object from the TPM.
    fn flush(&mut self, handle: ObjectHandle) -> Result<(), TpmError> {
        flush(&mut self.context, handle)
    }
}

impl Tpm for EsapiTpm {
    fn random(&mut self, out: &mut [u8]) -> Result<(), TpmError> {
        self.in_salted_session(SessionType::Hmac, |context, session| {
            context.execute_with_session(Some(session), |context| fill_random(context, out))
        })
    }

    fn extend(&mut self, pcr: PcrIndex, digest: &Sha256Digest) -> Result<(), TpmError> {
        pcrs::extend(&mut self.context, pcr, digest)
    }

    fn read_pcrs(&mut self) -> Result<PcrValues, TpmError> {
        pcrs::read_all(&mut self.context)
    }

    fn attestation_key(&mut self) -> Result<Public, TpmError> {
        self.loaded_attestation_key().map(|key| key.public.clone())
    }

    fn quote(&mut self, qualifying: &[u8; 32]) -> Result<Quote, TpmError> {
        let key = self.loaded_attestation_key()?.handle;
        let step = at(Step::Quote);
        let qualifying = Data::from_bytes(qualifying).map_err(&step)?;
        let all = pcrs::all_selected().map_err(&step)?;
        let (attest, signature) = self
            .context
            .execute_with_session(Some(AuthSession::Password), |context| {
                context.quote(key, qualifying, SignatureScheme::Null, all)
            })
            .map_err(&step)?;
        Ok(Quote {
            attest: attest.marshall().map_err(&step)?,
            signature: signature_bytes(&signature)?,
        })
    }

    fn seal(&mut self, secret: &Secret32, policy: &SealPolicy) -> Result<SealedObject, TpmError> {
        sealing::seal(self, secret, policy)
    }

    fn unseal(&mut self, object: &SealedObject) -> Result<Secret32, UnsealError> {
        sealing::unseal(self, object)
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

/// Starts a session for which both ends hold the same key.
///
/// The stack's mbedTLS backend drops leading zeros of a coordinate where the TPM keeps them: about
/// one salt in 128 gives the two ends different keys. Such a session is found by using it once for
/// nothing, and replaced.
fn start_session(
    context: &mut Context,
    salt_key: KeyHandle,
    kind: SessionType,
) -> Result<AuthSession, TpmError> {
    let mut starts_left = MAX_SESSION_STARTS;
    loop {
        let session = start_salted_session(context, salt_key, kind)?;
        let tried = context.execute_with_session(Some(session), |context| context.get_random(1));
        let Err(source) = tried else { return Ok(session) };
        flush(context, SessionHandle::from(session).into())?;
        starts_left = starts_left.saturating_sub(1);
        if starts_left == 0 || !blames_a_session(source) {
            return Err(at(Step::Session)(source));
        }
    }
}

fn start_salted_session(
    context: &mut Context,
    salt_key: KeyHandle,
    kind: SessionType,
) -> Result<AuthSession, TpmError> {
    let step = at(Step::Session);
    let session = context
        .execute_without_session(|context| {
            context.start_auth_session(
                Some(salt_key),
                None,
                None,
                kind,
                SymmetricDefinition::AES_128_CFB,
                HashingAlgorithm::Sha256,
            )
        })
        .map_err(&step)?
        .ok_or(TpmError::Answer { step: Step::Session, expected: 1, found: 0 })?;
    let (attributes, mask) =
        SessionAttributesBuilder::new().with_decrypt(true).with_encrypt(true).build();
    context.tr_sess_set_attributes(session, attributes, mask).map_err(&step)?;
    Ok(session)
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

/// The `TPMT_SIGNATURE` of an ECDSA signature: scheme, hash, R and S. `[TPM2-P2]`
fn signature_bytes(signature: &Signature) -> Result<Vec<u8>, TpmError> {
    let Signature::EcDsa(ecdsa) = signature else {
        return Err(TpmError::Answer { step: Step::Quote, expected: 1, found: 0 });
    };
    let algorithms = [AlgorithmId::ECDSA, AlgorithmId::SHA256];
    let mut bytes: Vec<u8> = algorithms.iter().flat_map(|id| id.0.to_be_bytes()).collect();
    for scalar in [ecdsa.signature_r().as_bytes(), ecdsa.signature_s().as_bytes()] {
        let found = scalar.len();
        let size = u16::try_from(found).map_err(|_| TpmError::Answer {
            step: Step::Quote,
            expected: P256_SCALAR_LEN,
            found,
        })?;
        bytes.extend_from_slice(&size.to_be_bytes());
        bytes.extend_from_slice(scalar);
    }
    Ok(bytes)
}

/// Most random bytes asked for at once: the length of a SHA-256 digest. Unit: byte.
const RANDOM_PIECE_LEN: usize = 32;

/// How often a session is started before giving up. Seven bad salts in a row are no accident.
const MAX_SESSION_STARTS: u32 = 7;

/// Length of an ECDSA scalar on P-256. Unit: byte.
const P256_SCALAR_LEN: usize = 32;
