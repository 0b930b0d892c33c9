//! What the document key signs: a label first, then fixed fields in fixed order.

mod flows;

use alloc::string::ToString as _;
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

use crate::hex::HexBytes;
use crate::message::meter::{Receipt, ReceiptStatus};
use crate::role::Identity;

pub use flows::{aggregates, bill, price_series, prices, pseudo_bids};

/// First bytes of a signed batch of reading receipts.
const RECEIPTS: &[u8] = b"tre-receipts-v1";

/// First bytes of the proof that a TRE holds a key that is to be certified.
const KEY_PROOF: &[u8] = b"tre-key-proof-v1";

/// First bytes of what the sealed keys of a TRE are bound to.
const SEALED_KEYS: &[u8] = b"tre-sealed-keys-v2";

/// First bytes of a signed enrolment record.
const ENROLMENT: &[u8] = b"tre-enrolment-v1";

/// Every label that this crate puts before signed or hashed bytes.
pub const LABELS: [&[u8]; 13] = [
    RECEIPTS,
    flows::SERIES,
    flows::BILL,
    flows::PRICES,
    flows::AGGREGATES,
    flows::PSEUDO_BIDS,
    KEY_PROOF,
    SEALED_KEYS,
    ENROLMENT,
    crate::attestation::LEAF_LABEL,
    crate::deployment::DEPLOYMENT_LABEL,
    crate::deployment::STARTED_LABEL,
    crate::policy::POLICY_LABEL,
];

/// The bytes signed over the receipts of one batch, in the order of the answer.
///
/// Label, H(TRE id), H(meter id), count u32, then for each: slot u64, import u64, export u64,
/// seq u64, status u8; integers big-endian.
#[must_use]
pub fn receipts(tre_id: &str, meter_id: &str, receipts: &[Receipt]) -> Vec<u8> {
    let mut bytes = RECEIPTS.to_vec();
    bytes.extend_from_slice(&Sha256::digest(tre_id.as_bytes()));
    bytes.extend_from_slice(&Sha256::digest(meter_id.as_bytes()));
    bytes.extend_from_slice(&u32::try_from(receipts.len()).unwrap_or(u32::MAX).to_be_bytes());
    for receipt in receipts {
        bytes.extend_from_slice(&receipt.slot.get().to_be_bytes());
        bytes.extend_from_slice(&receipt.import_wh.get().to_be_bytes());
        bytes.extend_from_slice(&receipt.export_wh.get().to_be_bytes());
        bytes.extend_from_slice(&receipt.seq.to_be_bytes());
        bytes.push(status_code(receipt.status));
    }
    bytes
}

/// The number of a status inside signed bytes; never renumbered.
const fn status_code(status: ReceiptStatus) -> u8 {
    match status {
        ReceiptStatus::Accepted => 1,
        ReceiptStatus::Replaced => 2,
        ReceiptStatus::Repeated => 3,
        ReceiptStatus::AcceptedLate => 4,
        ReceiptStatus::OverCapacity => 5,
        ReceiptStatus::Closed => 6,
        ReceiptStatus::NotYet => 7,
        ReceiptStatus::NoConnection => 8,
        ReceiptStatus::StaleSequence => 9,
    }
}

/// The bytes that a TRE signs with a new key to prove that it holds it.
///
/// Label, the TLS exporter of the enrolment connection, H(TRE id), H(SubjectPublicKeyInfo).
#[must_use]
pub fn key_proof(exporter: &[u8; 32], tre_id: &str, spki: &[u8]) -> Vec<u8> {
    let mut bytes = KEY_PROOF.to_vec();
    bytes.extend_from_slice(exporter);
    bytes.extend_from_slice(&Sha256::digest(tre_id.as_bytes()));
    bytes.extend_from_slice(&Sha256::digest(spki));
    bytes
}

/// Length of the Name of a TPM's key under SHA-256. Unit: bytes. `[TPM2-P1]`
pub const NAME_LEN: usize = 34;

/// The bytes of an enrolment record, which a TRE authority signs: what is in the TPM of whom.
///
/// Label, H(identity), Name of the attestation key, Name of the storage key. The box compares the
/// second with the key that its TPM has before it lets it have a secret.
#[must_use]
pub fn enrolment(
    tre: &Identity,
    attestation_key: &[u8; NAME_LEN],
    storage_key: &[u8; NAME_LEN],
) -> Vec<u8> {
    let mut bytes = ENROLMENT.to_vec();
    bytes.extend_from_slice(&Sha256::digest(tre.to_string().as_bytes()));
    bytes.extend_from_slice(attestation_key);
    bytes.extend_from_slice(storage_key);
    bytes
}

/// What the encrypted keys on the data disk are bound to: the public part of their record.
///
/// Label, H(TRE id), Name of the storage key, then for each chain: count u32, and H(certificate)
/// of each. (The first version had no Name.)
#[must_use]
pub fn sealed_keys_context(
    tre_id: &str,
    storage_key: &[u8; NAME_LEN],
    chains: [&[HexBytes]; 3],
) -> Vec<u8> {
    let mut bytes = SEALED_KEYS.to_vec();
    bytes.extend_from_slice(&Sha256::digest(tre_id.as_bytes()));
    bytes.extend_from_slice(storage_key);
    for chain in chains {
        bytes.extend_from_slice(&u32::try_from(chain.len()).unwrap_or(u32::MAX).to_be_bytes());
        for certificate in chain {
            bytes.extend_from_slice(&Sha256::digest(certificate.as_slice()));
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Slot, WattHours};

    #[test]
    fn no_label_is_the_start_of_another() {
        for (index, one) in LABELS.iter().enumerate() {
            for (other_index, other) in LABELS.iter().enumerate() {
                assert!(index == other_index || !other.starts_with(one), "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn signed_receipts_are_these_bytes() {
        let receipt = Receipt {
            slot: Slot::new(1).expect("in range"),
            import_wh: WattHours::new(2).expect("in range"),
            export_wh: WattHours::new(3).expect("in range"),
            seq: 4,
            status: ReceiptStatus::Replaced,
        };
        let expected = [
            b"tre-receipts-v1".as_slice(),
            &Sha256::digest("tre-1"),
            &Sha256::digest("meter-1"),
            &[0, 0, 0, 1],             // count
            &[0, 0, 0, 0, 0, 0, 0, 1], // slot
            &[0, 0, 0, 0, 0, 0, 0, 2], // import
            &[0, 0, 0, 0, 0, 0, 0, 3], // export
            &[0, 0, 0, 0, 0, 0, 0, 4], // seq
            &[2],                      // replaced
        ]
        .concat();
        assert_eq!(receipts("tre-1", "meter-1", &[receipt]), expected);
    }

    #[test]
    fn the_context_of_sealed_keys_is_these_bytes() {
        let chain = [HexBytes(alloc::vec![1])];
        let expected = [
            b"tre-sealed-keys-v2".as_slice(),
            &Sha256::digest("tre-1"),
            &[9; 34],      // Name of the storage key
            &[0, 0, 0, 1], // attestation key chain: one certificate
            &Sha256::digest([1]),
            &[0, 0, 0, 0], // TLS chain: none
            &[0, 0, 0, 0], // document chain: none
        ]
        .concat();
        assert_eq!(sealed_keys_context("tre-1", &[9; 34], [&chain, &[], &[]]), expected);
    }

    #[test]
    fn an_enrolment_record_is_these_bytes() {
        let identity = "spiffe://grid.example/tre/tre-1";
        let expected = [
            b"tre-enrolment-v1".as_slice(),
            &Sha256::digest(identity),
            &[8; 34], // Name of the attestation key
            &[9; 34], // Name of the storage key
        ]
        .concat();
        let identity = identity.parse().expect("an identity");
        assert_eq!(enrolment(&identity, &[8; 34], &[9; 34]), expected);
    }

    #[test]
    fn a_key_proof_is_these_bytes() {
        let expected = [
            b"tre-key-proof-v1".as_slice(),
            &[7; 32],
            &Sha256::digest("tre-1"),
            &Sha256::digest([1, 2, 3]),
        ]
        .concat();
        assert_eq!(key_proof(&[7; 32], "tre-1", &[1, 2, 3]), expected);
    }
}
