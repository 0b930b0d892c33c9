//! Files that somebody hands to the verifier's and the authority's command lines.

use core::convert::Infallible;

use attest_verifier::corim::ReferenceValues;
use attest_verifier::watch::Entry;
use attest_verifier_core::measured_boot::component::{self, Payload};
use attest_verifier_core::measured_boot::eventlog::EventLog;
use attest_verifier_core::measured_boot::pcr::PcrIndex;
use attest_verifier_core::measured_boot::tpm::AlgorithmId;
use pki::ek::EkPublic;
use pki::request::CheckedRequest;
use tre_wire::id::TrustDomain;
use tre_wire::json;

use crate::messages::stays_itself;

/// A CoRIM: what is accepted is what we would write.
#[must_use]
pub fn corim(bytes: &[u8]) -> bool {
    let Ok(values) = ReferenceValues::from_corim(bytes) else { return false };
    assert!(!format!("{values:?}").is_empty());
    true
}

/// An event log in all its banks, with the data of its events: the SHA-256 bank comes out as the
/// verifier's own replay has it.
#[must_use]
pub fn replay(bytes: &[u8]) -> bool {
    let replayed = match attest_verifier::replay(bytes) {
        Ok(replayed) => replayed,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    assert!(replayed.mismatches.iter().all(|mismatch| !mismatch.to_string().is_empty()));
    let log = EventLog::parse(bytes);
    let values = log.as_ref().ok().and_then(|log| log.replay().ok());
    let bank = replayed.banks.iter().find(|bank| bank.algorithm == AlgorithmId::SHA256);
    assert_eq!(values.is_some(), bank.is_some());
    if let (Some(values), Some(bank)) = (values, bank) {
        // The others may start from something else than zero.
        for (pcr, value) in bank.pcrs.range(1..16) {
            let own =
                PcrIndex::try_from(u32::from(*pcr)).ok().map(|pcr| values.value(pcr).0.to_vec());
            assert_eq!(own.as_ref(), Some(value), "PCR {pcr}");
        }
    }
    true
}

/// A line of the log of verdicts.
#[must_use]
pub fn watch_entry(bytes: &[u8]) -> bool {
    let read = |bytes: &[u8]| json::decode_at_most::<Entry>(bytes, bytes.len());
    let Ok(entry) = read(bytes) else { return false };
    stays_itself(&entry, read);
    true
}

/// A FAT image, as far as the file that firmware would start.
#[must_use]
pub fn fat_image(bytes: &[u8]) -> bool {
    attest_verifier::boot_file(bytes).is_ok()
}

/// A kernel as an EFI file, and the archive in it: as if nothing in it were compressed, because
/// the decompressor is not ours.
#[must_use]
pub fn kernel(bytes: &[u8]) -> bool {
    let stored = |payload: &Payload<'_>| {
        Ok::<_, Infallible>(payload.compressed.get(4..).unwrap_or_default().to_vec())
    };
    match component::split(bytes, stored) {
        Ok(components) => {
            assert!(component::changes(&components, &components).is_empty());
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

/// A peer's request for a certificate (DER).
#[must_use]
pub fn certification_request(bytes: &[u8]) -> bool {
    let Ok(domain) = "grid.example".parse::<TrustDomain>() else { return false };
    let Ok(request) = CheckedRequest::from_der(bytes, &domain) else { return false };
    assert!(!format!("{request:?}").is_empty());
    true
}

/// The public area of a box's endorsement key.
#[must_use]
pub fn endorsement_key(bytes: &[u8]) -> bool {
    let Ok(key) = EkPublic::parse(bytes) else { return false };
    assert!(!format!("{:?}, {key:?}", key.point()).is_empty());
    true
}
