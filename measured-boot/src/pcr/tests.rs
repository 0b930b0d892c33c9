//! PCR numbers, values and selections.

use alloc::{format, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::digest::sha256;

#[test]
fn pcr_24_is_refused() {
    assert_eq!(PcrIndex::new(24), None);
    assert_eq!(PcrIndex::try_from(24), Err(NoSuchPcr { found: 24 }));
    assert_eq!(PcrIndex::try_from(u32::MAX), Err(NoSuchPcr { found: u32::MAX }));
    assert_eq!(PcrIndex::all().map(PcrIndex::number).collect::<Vec<_>>(), Vec::from_iter(0..24));
    let error = serde_json::from_str::<PcrIndex>("24").unwrap_err();
    assert!(format!("{error}").starts_with("expected a PCR from 0 to 23, found 24"));
}

#[test]
fn dynamic_pcrs_start_at_all_ones_and_pcr_0_ends_in_the_locality() {
    let values = PcrValues::initial(StartupLocality::Three);
    for (pcr, value) in values.iter() {
        match pcr.number() {
            0 => assert_eq!(value.0, [[0; 31].as_slice(), &[3]].concat().as_slice()),
            17..=22 => assert_eq!(value, Sha256Digest::ONES),
            _ => assert_eq!(value, Sha256Digest::ZERO),
        }
    }
}

#[test]
fn extending_one_pcr_leaves_the_others_alone() {
    let mut values = PcrValues::initial(StartupLocality::Zero);
    values.extend(PcrIndex::P4, &sha256(b"event"));
    let initial = PcrValues::initial(StartupLocality::Zero);
    for (pcr, value) in values.iter() {
        assert_eq!(value == initial.value(pcr), pcr != PcrIndex::P4, "{pcr}");
    }
    assert_eq!(values.value(PcrIndex::P4), replayed(PcrIndex::P4, [&sha256(b"event")]));
}

#[test]
fn quoted_digest_hashes_the_selected_values_in_ascending_order() {
    let values = PcrValues::from_array(core::array::from_fn(|pcr| sha256(&[pcr.to_le_bytes()[0]])));
    let selection = PcrSelection::of([PcrIndex::P11, PcrIndex::P4]);
    let expected = sha256(&[sha256(&[4]).0, sha256(&[11]).0].concat());
    assert_eq!(values.quoted_digest(selection), expected);
    assert_eq!(values.quoted_digest(PcrSelection::NONE), sha256(b""));
}

#[test]
fn selection_octets_are_little_endian_bits() {
    let selection = PcrSelection::of([PcrIndex::P0, PcrIndex::P9, PcrIndex::P23]);
    assert_eq!(selection.to_octets(), [0b0000_0001, 0b0000_0010, 0b1000_0000]);
    assert_eq!(format!("{selection}"), "sha256:0,9,23");
    assert_eq!(PcrSelection::ALL.to_octets(), [0xff; 3]);
}

#[test]
fn selection_with_a_pcr_too_few_or_too_many_is_refused() {
    let all_but_one = PcrSelection::ALL.without(PcrSelection::of([PcrIndex::P9]));
    let error = SelectionMismatch { expected: PcrSelection::ALL, found: all_but_one };
    assert_eq!(PcrSelection::ALL.check_equal(all_but_one), Err(error));
    let error = SelectionMismatch { expected: all_but_one, found: PcrSelection::ALL };
    assert_eq!(all_but_one.check_equal(PcrSelection::ALL), Err(error));
    assert_eq!(all_but_one.check_equal(all_but_one), Ok(()));
}

proptest! {
    #[test]
    fn selection_octets_read_back(octets: [u8; 3]) {
        let selection = PcrSelection::from_octets(octets);
        prop_assert_eq!(selection.to_octets(), octets);
        prop_assert_eq!(PcrSelection::of(selection.iter()), selection);
    }
}
