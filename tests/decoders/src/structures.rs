//! Structures of TPM and firmware, as bytes.

use measured_boot::eventlog::EventLog;
use measured_boot::pe::EfiFile;
use measured_boot::tpm::{AikPublic, EcdsaSignature, EncryptedSecret, IdObject, Public, Quote};

/// A TCG event log: decoded, replayed, and every event put into words.
#[must_use]
pub fn event_log(bytes: &[u8]) -> bool {
    let log = match EventLog::parse(bytes) {
        Ok(log) => log,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
    };
    // A log without a SHA-256 bank has no values to compare; it is decoded all the same.
    let replayed = log.replay();
    assert_eq!(replayed.is_ok(), log.replay().is_ok());
    for event in log.events() {
        assert!(!format!("{event:?}").is_empty());
    }
    true
}

/// `TPMS_ATTEST`: what is accepted is written back as it was.
#[must_use]
pub fn quote(bytes: &[u8]) -> bool {
    let Ok(quote) = Quote::parse(bytes) else { return false };
    assert_eq!(quote.encode(), bytes);
    true
}

/// `TPMT_SIGNATURE`: two encodings of one signature are the same signature.
#[must_use]
pub fn signature(bytes: &[u8]) -> bool {
    let Ok(signature) = EcdsaSignature::parse(bytes) else { return false };
    assert_eq!(EcdsaSignature::parse(&signature.encode()), Ok(signature));
    true
}

/// `TPMT_PUBLIC`, and whether it is an attestation key's.
#[must_use]
pub fn public_area(bytes: &[u8]) -> bool {
    let Ok(public) = Public::parse(bytes) else { return false };
    assert_eq!(public.area(), bytes);
    if let Ok(key) = AikPublic::check(&public) {
        assert_eq!(key.name(), public.name());
    }
    true
}

/// `TPM2B_ID_OBJECT` and `TPM2B_ENCRYPTED_SECRET`.
#[must_use]
pub fn credential(bytes: &[u8]) -> bool {
    let object = IdObject::parse(bytes);
    if let Ok(object) = &object {
        assert_eq!(object.encode(), bytes);
    }
    let secret = EncryptedSecret::parse(bytes);
    if let Ok(secret) = &secret {
        assert_eq!(secret.encode(), bytes);
    }
    object.is_ok() || secret.is_ok()
}

/// A PE file, and the hash by which the firmware knows it.
#[must_use]
pub fn executable(bytes: &[u8]) -> bool {
    let Ok(file) = EfiFile::parse(bytes) else { return false };
    assert_eq!(file.authenticode(), file.authenticode());
    assert!(file.sections().iter().all(|section| !format!("{section:?}").is_empty()));
    true
}
