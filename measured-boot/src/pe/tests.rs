//! Authenticode hashes, and files that are no EFI files.

use alloc::{vec, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::literal::overwritten;

const HEADERS: usize = 0x200;
const CHECKSUM: usize = 0x40 + 24 + 64;
const CERTIFICATES: usize = 0x40 + 24 + 144;
const SECTION_COUNT: usize = 0x40 + 6;
const SECTIONS: usize = 0x40 + 24 + 152;

/// PE32+ with headers of 0x200 bytes, sections "b" and "a" (in this order in the table, the other
/// way round in the file), 8 bytes behind them and 16 bytes of certificates.
fn file() -> Vec<u8> {
    let mut file = vec![0; HEADERS];
    file = overwritten(file, 0, b"MZ");
    file = overwritten(file, 0x3c, &0x40_u32.to_le_bytes());
    file = overwritten(file, 0x40, b"PE\0\0");
    file = overwritten(file, SECTION_COUNT, &2_u16.to_le_bytes());
    file = overwritten(file, 0x40 + 20, &152_u16.to_le_bytes());
    file = overwritten(file, 0x40 + 24, &0x020b_u16.to_le_bytes());
    file = overwritten(file, 0x40 + 24 + 60, &0x200_u32.to_le_bytes());
    file = overwritten(file, CHECKSUM, &[0xcc; 4]);
    file = overwritten(file, 0x40 + 24 + 108, &5_u32.to_le_bytes());
    file = overwritten(file, CERTIFICATES, &0x338_u32.to_le_bytes());
    file = overwritten(file, CERTIFICATES + 4, &16_u32.to_le_bytes());
    for (start, name, offset, len) in
        [(SECTIONS, b".b", 0x300_u32, 0x30_u32), (SECTIONS + 40, b".a", 0x200, 0x100)]
    {
        let places = [len, offset].map(u32::to_le_bytes);
        let row = [name.as_slice(), &[0; 14], places.as_flattened()].concat();
        file = overwritten(file, start, &row);
    }
    [file, vec![b'a'; 0x100], vec![b'b'; 0x30], vec![b'x'; 8], vec![b'c'; 16]].concat()
}

fn with(offset: usize, bytes: &[u8]) -> Vec<u8> {
    overwritten(file(), offset, bytes)
}

fn authenticode(file: &[u8]) -> Sha256Digest {
    EfiFile::parse(file).unwrap().authenticode()
}

fn refusal(file: &[u8]) -> PeError {
    EfiFile::parse(file).unwrap_err()
}

#[test]
fn hash_leaves_out_check_sum_certificate_entry_and_certificates() {
    let file = file();
    let expected = sha256_of_parts([
        &file[..CHECKSUM],
        &file[CHECKSUM + 4..CERTIFICATES],
        &file[CERTIFICATES + 8..0x338],
    ]);
    assert_eq!(authenticode(&file), expected);
    assert_eq!(authenticode(&with(CHECKSUM, &[0xdd; 4])), expected);
    assert_eq!(authenticode(&with(CERTIFICATES, &[0xdd; 4])), expected);
    assert_eq!(authenticode(&with(0x338, &[0xdd; 16])), expected);
}

#[test]
fn signing_does_not_change_the_hash() {
    let mut unsigned = with(CERTIFICATES, &[0; 8]);
    unsigned.truncate(0x338);
    assert_eq!(authenticode(&unsigned), authenticode(&file()));
}

#[test]
fn every_byte_that_is_not_left_out_changes_the_hash() {
    let expected = authenticode(&file());
    let left_out = |offset: usize| {
        (CHECKSUM..CHECKSUM + 4).contains(&offset)
            || (CERTIFICATES..CERTIFICATES + 8).contains(&offset)
            || offset >= 0x338
    };
    for offset in (0..file().len()).filter(|offset| !left_out(*offset)) {
        if let Ok(image) = EfiFile::parse(&with(offset, &[file()[offset] ^ 0x80])) {
            assert_ne!(image.authenticode(), expected, "{offset:#x}");
        }
    }
}

#[test]
fn sections_are_listed_by_position() {
    let section = |name: &str, offset, byte, len| Section {
        name: name.into(),
        offset,
        len,
        sha256: sha256(&vec![byte; len]),
    };
    let expected = [section(".a", 0x200, b'a', 0x100), section(".b", 0x300, b'b', 0x30)];
    assert_eq!(EfiFile::parse(&file()).unwrap().sections(), expected);
}

#[test]
fn each_wrong_magic_is_refused() {
    assert_eq!(refusal(&with(0, b"ZM")), PeError::DosMagic { found: *b"ZM" });
    let error = PeError::PeMagic { offset: 0x40, found: *b"NE\0\0" };
    assert_eq!(refusal(&with(0x40, b"NE")), error);
    let error = PeError::OptionalMagic { found: 0x010b };
    assert_eq!(refusal(&with(0x40 + 24, &[0x0b, 1])), error);
}

#[test]
fn header_pointer_outside_the_file_is_refused() {
    let error = ReadError::Truncated { offset: 0, needed: 0xffff_ffff, left: 0x348 };
    assert_eq!(refusal(&with(0x3c, &[0xff; 4])), PeError::Read(error));
}

#[test]
fn section_outside_the_file_is_refused() {
    let error = ReadError::Truncated { offset: 0, needed: 0x349, left: 0x348 };
    let file = with(SECTIONS + 20, &0x349_u32.to_le_bytes());
    assert_eq!(refusal(&file), PeError::Read(error));
    let error = ReadError::Truncated { offset: 0x300, needed: 0xffff_ffff, left: 0x48 };
    assert_eq!(refusal(&with(SECTIONS + 16, &[0xff; 4])), PeError::Read(error));
}

#[test]
fn more_sections_than_a_loader_accepts_are_refused() {
    let error = PeError::Sections { found: 97 };
    assert_eq!(refusal(&with(SECTION_COUNT, &[97, 0])), error);
}

#[test]
fn headers_that_end_before_their_fields_are_refused() {
    let file = with(0x40 + 24 + 60, &0x80_u32.to_le_bytes());
    assert_eq!(refusal(&file), PeError::Headers { found: 0x80 });
}

#[test]
fn data_directory_without_certificate_entry_is_refused() {
    let file = with(0x40 + 24 + 108, &4_u32.to_le_bytes());
    assert_eq!(refusal(&file), PeError::Headers { found: 4 });
}

#[test]
fn overlapping_sections_are_refused() {
    let file = with(SECTIONS + 20, &0x200_u32.to_le_bytes());
    let file = [&file[..SECTIONS + 16], &[0x39, 0, 0, 0], &file[SECTIONS + 20..]].concat();
    let error = PeError::Overlap { file: 0x348, found: 0x349 };
    assert_eq!(refusal(&file), error);
}

#[test]
fn certificates_longer_than_the_rest_are_refused() {
    let error = PeError::Overlap { file: 0x348, found: 0x349 };
    assert_eq!(refusal(&with(CERTIFICATES + 4, &[25])), error);
}

#[test]
fn file_cut_before_its_certificates_is_refused() {
    for len in 0..0x340 {
        let found = EfiFile::parse(&file()[..len]).map(|image| image.authenticode());
        let cut = matches!(
            found,
            Err(PeError::Read(ReadError::Truncated { .. }) | PeError::Overlap { .. })
        );
        assert!(cut, "{len:#x}: {found:?}");
    }
}

proptest! {
    #[test]
    fn any_changed_header_is_decoded_or_refused(offset in 0..HEADERS, bytes: [u8; 4]) {
        let file = with(offset, &bytes);
        if let Ok(image) = EfiFile::parse(&file) {
            prop_assert!(image.sections().len() <= MAX_SECTIONS);
            prop_assert_eq!(image.authenticode(), image.authenticode());
        }
    }
}
