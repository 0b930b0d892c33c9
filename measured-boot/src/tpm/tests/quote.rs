//! Quotes, field by field.

use alloc::vec::Vec;

use proptest::prelude::*;

use crate::{
    digest::Sha256Digest,
    literal::{overwritten, unhex},
    pcr::{PcrIndex, PcrSelection, PcrValues, SelectionMismatch, StartupLocality},
    reader::ReadError,
    tpm::{
        AlgorithmId, AttestError, ClockInfo, FirmwareVersion, Name, NameError, PcrDigestMismatch,
        Quote, SelectionError,
    },
};

/// A quote over all PCRs of a TPM that has just been reset.
fn literal() -> Vec<u8> {
    [
        "ff544347",  // 00 magic
        "8018",      // 04 type: quote
        "0022 000b", // 06 qualifiedSigner
        "cf70a102d8bafce6f83c94fd46a4f1879ee76b87f4955e59bdaeba83f14195ea",
        "0020", // 2a extraData
        "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
        "00000000000000ac", // 4c clock
        "00000002",         // 54 resetCount
        "00000000",         // 58 restartCount
        "01",               // 5c safe
        "2019102300163636", // 5d firmwareVersion
        "00000001",         // 65 number of banks
        "000b 03 ffffff",   // 69 sha256, PCR 0 to 23
        "0020",             // 6f pcrDigest
        "019de64c9318655e422c3d03831169896e31f02a1d74e4d8fef575bf4e0d75fa",
    ]
    .map(unhex)
    .concat()
}

fn quote() -> Quote {
    Quote {
        qualified_signer: Name::from_bytes(&literal()[8..42]).unwrap(),
        extra_data: [0x5a; 32],
        clock: ClockInfo { clock_ms: 0xac, reset_count: 2, restart_count: 0, safe: true },
        firmware_version: FirmwareVersion(0x2019_1023_0016_3636),
        selection: PcrSelection::ALL,
        pcr_digest: PcrValues::initial(StartupLocality::Zero).quoted_digest(PcrSelection::ALL),
    }
}

/// The literal with `bytes` written over it at `offset`.
fn with(offset: usize, bytes: &[u8]) -> Vec<u8> {
    overwritten(literal(), offset, bytes)
}

#[test]
fn quote_is_the_literal_both_ways() {
    assert_eq!(Quote::parse(&literal()), Ok(quote()));
    assert_eq!(quote().encode(), literal());
}

#[test]
fn structure_that_no_tpm_made_is_refused() {
    let error = AttestError::Magic { found: 0xff54_4348 };
    assert_eq!(Quote::parse(&with(0, &[0xff, 0x54, 0x43, 0x48])), Err(error));
}

#[test]
fn attestation_of_something_else_is_refused() {
    let certify = AttestError::Type { found: 0x8017 };
    assert_eq!(Quote::parse(&with(4, &[0x80, 0x17])), Err(certify));
}

#[test]
fn signer_named_by_another_hash_is_refused() {
    let error = NameError::Algorithm { found: AlgorithmId::SHA384 };
    let found = Quote::parse(&with(8, &[0, 0x0c]));
    assert_eq!(found, Err(AttestError::QualifiedSigner(error)));
}

#[test]
fn signer_with_an_empty_name_is_refused() {
    let quote = [&literal()[..6], &[0, 0], &literal()[42..]].concat();
    let error = AttestError::QualifiedSigner(NameError::Length { found: 0 });
    assert_eq!(Quote::parse(&quote), Err(error));
}

#[test]
fn qualifying_data_of_another_length_is_refused() {
    let quote = [&literal()[..42], &[0, 1, 0x5a], &literal()[76..]].concat();
    assert_eq!(Quote::parse(&quote), Err(AttestError::ExtraDataLength { found: 1 }));
}

#[test]
fn clock_that_is_neither_safe_nor_unsafe_is_refused() {
    assert_eq!(Quote::parse(&with(0x5c, &[2])), Err(AttestError::ClockSafe { found: 2 }));
}

#[test]
fn clock_counters_and_firmware_are_read_from_their_places() {
    let quote = Quote::parse(&with(
        0x4c,
        &core::array::from_fn::<u8, 25, _>(|i| if i == 16 { 0 } else { i.to_le_bytes()[0] }),
    ));
    let quote = quote.unwrap();
    assert_eq!(quote.clock.clock_ms, 0x0001_0203_0405_0607);
    assert_eq!(quote.clock.reset_count, 0x0809_0a0b);
    assert_eq!(quote.clock.restart_count, 0x0c0d_0e0f);
    assert!(!quote.clock.safe);
    assert_eq!(quote.firmware_version, FirmwareVersion(0x1112_1314_1516_1718));
}

#[test]
fn selection_of_no_bank_or_two_is_refused() {
    for found in [0, 2, u32::MAX] {
        let error = AttestError::Selection(SelectionError::Banks { found });
        assert_eq!(Quote::parse(&with(0x65, &found.to_be_bytes())), Err(error));
    }
}

#[test]
fn selection_in_the_sha1_bank_is_refused() {
    let error = SelectionError::Bank { found: AlgorithmId::SHA1 };
    assert_eq!(Quote::parse(&with(0x69, &[0, 4])), Err(AttestError::Selection(error)));
}

#[test]
fn selection_of_two_octets_is_refused() {
    let error = AttestError::Selection(SelectionError::Octets { found: 2 });
    assert_eq!(Quote::parse(&with(0x6b, &[2])), Err(error));
}

#[test]
fn pcr_digest_of_another_length_is_refused() {
    let quote = [&literal()[..0x6f], &[0, 20], [0; 20].as_slice()].concat();
    assert_eq!(Quote::parse(&quote), Err(AttestError::PcrDigestLength { found: 20 }));
}

#[test]
fn trailing_byte_is_refused() {
    let quote = [literal(), Vec::from([0])].concat();
    let error = AttestError::Read(ReadError::Trailing { offset: 145, left: 1 });
    assert_eq!(Quote::parse(&quote), Err(error));
}

#[test]
fn quote_cut_anywhere_is_refused() {
    let literal = literal();
    for len in 0..literal.len() {
        let found = Quote::parse(&literal[..len]);
        let cut = matches!(
            found,
            Err(AttestError::Read(ReadError::Truncated { .. })
                | AttestError::Selection(SelectionError::Read(ReadError::Truncated { .. })))
        );
        assert!(cut, "{len}: {found:?}");
    }
}

#[test]
fn values_that_were_quoted_are_bound() {
    let values = PcrValues::initial(StartupLocality::Zero);
    assert_eq!(quote().bind_pcrs(values).map(|quoted| *quoted.values()), Ok(values));
}

#[test]
fn values_that_were_not_quoted_are_refused() {
    let mut values = PcrValues::initial(StartupLocality::Zero);
    values.extend(PcrIndex::P23, &Sha256Digest::ZERO);
    let found = values.quoted_digest(PcrSelection::ALL);
    let error = PcrDigestMismatch::Digest { expected: quote().pcr_digest, found };
    assert_eq!(quote().bind_pcrs(values), Err(error));
}

#[test]
fn quote_over_fewer_pcrs_binds_no_values() {
    let values = PcrValues::initial(StartupLocality::Zero);
    let selection = PcrSelection::ALL.without(PcrSelection::of([PcrIndex::P9]));
    let pcr_digest = values.quoted_digest(selection);
    let error = SelectionMismatch { expected: PcrSelection::ALL, found: selection };
    let quote = Quote { selection, pcr_digest, ..quote() };
    assert_eq!(quote.bind_pcrs(values), Err(PcrDigestMismatch::Selection(error)));
}

proptest! {
    #[test]
    fn what_decodes_encodes_back(offset in 0_usize..145, byte: u8) {
        let mutated = with(offset, &[byte]);
        if let Ok(quote) = Quote::parse(&mutated) {
            prop_assert_eq!(quote.encode(), mutated);
        }
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes: Vec<u8>) {
        let hostile = [&literal()[..6], &bytes].concat();
        prop_assert!(Quote::parse(&bytes).is_err());
        prop_assert!(Quote::parse(&hostile).is_err());
    }
}
