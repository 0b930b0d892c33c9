//! The PCR values that an event log replays to, in every bank that it has.
//!
//! For people who hold a log against another program's reading. As in `tpm2_eventlog`, a bank lists
//! the PCRs that the log speaks of, and a dynamic launch (PCR 17 to 22) starts from zero, as the
//! launch itself does. Notes (`EV_NO_ACTION`) extend nothing, and the startup locality is the last
//! byte with which PCR 0 begins `[PFP]`; `tpm2_eventlog` 5.4 has both wrong, its later sources
//! right, so on a log with notes 5.4 gives other values than a TPM.
//!
//! A verdict never comes from here: the verifier judges by the SHA-256 bank alone, all of it.

use std::collections::BTreeMap;

use attest_verifier_core::measured_boot::eventlog::{Bank, Event, EventLog, EventType, LogError};
use attest_verifier_core::measured_boot::pcr::PcrIndex;
use attest_verifier_core::measured_boot::tpm::AlgorithmId;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};
use sm3::Sm3;

/// One bank of a log, replayed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ReplayedBank {
    /// Its hash.
    pub algorithm: AlgorithmId,
    /// The value of each PCR that the log speaks of, by number.
    pub pcrs: BTreeMap<u8, Vec<u8>>,
}

/// Why a log is not replayed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// It is damaged.
    #[error(transparent)]
    Log(LogError),
    /// A bank of a hash that is not known here.
    #[error("expected banks of sha1, sha256, sha384, sha512 or sm3_256, found one of {algorithm}")]
    Bank {
        /// The hash.
        algorithm: AlgorithmId,
    },
}

/// Replays every bank of the log, in the order in which its header declares them.
///
/// # Errors
///
/// [`ReplayError`].
pub fn replay(log: &[u8]) -> Result<Vec<ReplayedBank>, ReplayError> {
    let log = EventLog::parse(log).map_err(ReplayError::Log)?;
    log.banks().iter().map(|bank| replay_bank(&log, bank)).collect()
}

fn replay_bank(log: &EventLog<'_>, bank: &Bank) -> Result<ReplayedBank, ReplayError> {
    let algorithm = bank.algorithm;
    let extended = hash_of(algorithm).ok_or(ReplayError::Bank { algorithm })?;
    let mut pcrs = BTreeMap::<u8, Vec<u8>>::new();
    for event in log.events() {
        let Ok(pcr) = PcrIndex::try_from(event.pcr) else { continue };
        let value = pcrs.entry(pcr.number()).or_insert_with(|| vec![0; bank.digest_len]);
        if let (Some(byte), Some(last)) = (startup(log, event), value.last_mut()) {
            *last = byte;
        }
        if let (Some(_), Some(digest)) = (event.extends(), event.digest(algorithm)) {
            *value = extended(value, digest);
        }
    }
    Ok(ReplayedBank { algorithm, pcrs })
}

/// The last byte that PCR 0 has once this event says how the TPM was started. `[PFP]`
fn startup(log: &EventLog<'_>, event: &Event<'_>) -> Option<u8> {
    let first = PcrIndex::try_from(event.pcr) == Ok(PcrIndex::P0);
    match event.event_type {
        EventType::EFI_HCRTM_EVENT if first => Some(4),
        EventType::NO_ACTION if first && event.data.starts_with(b"StartupLocality\0") => {
            Some(log.startup_locality().byte())
        }
        _ => None,
    }
}

/// What a PCR of this bank holds after an extension.
type Extend = fn(&[u8], &[u8]) -> Vec<u8>;

fn hash_of(algorithm: AlgorithmId) -> Option<Extend> {
    Some(match algorithm {
        AlgorithmId::SHA1 => extended::<Sha1>,
        AlgorithmId::SHA256 => extended::<Sha256>,
        AlgorithmId::SHA384 => extended::<Sha384>,
        AlgorithmId::SHA512 => extended::<Sha512>,
        AlgorithmId::SM3_256 => extended::<Sm3>,
        _ => return None,
    })
}

fn extended<H: Digest>(value: &[u8], digest: &[u8]) -> Vec<u8> {
    H::new().chain_update(value).chain_update(digest).finalize().to_vec()
}
