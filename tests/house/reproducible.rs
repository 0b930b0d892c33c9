//! That a difference between two builds of the image is shown where it is.

use std::fs;

use image::compare;
use tre_tests::place;

/// Inside the kernel's start-up code, before the compressed kernel. Unit: bytes.
const PLANTED: usize = 0x2800;

/// What is said when one byte of the built file `name` is another, `offset` bytes into the EFI file.
fn planted(name: &str, offset: usize) -> String {
    let first = fs::read(place::built(name).expect("an image")).expect("readable");
    let efi = fs::read(place::built("tre.efi").expect("an image")).expect("readable");
    let start = first.windows(64).position(|window| window == &efi[..64]).expect("an EFI file");
    let mut second = first.clone();
    let place = start.saturating_add(offset);
    second[place] ^= 1;
    assert_eq!(compare::difference(name, &first, &first.clone()), None);
    let found = compare::difference(name, &first, &second).expect("differs");
    assert_eq!((found.offset, found.bytes), (place, 1));
    found.to_string()
}

#[test]
fn one_planted_byte_is_shown_by_file_offset_section_and_component() {
    let said = planted("tre.efi", PLANTED);
    let expected = "tre.efi: differs from offset 0x2800 on, in 1 bytes; section ";
    assert!(said.starts_with(expected), "{said}");
    assert!(said.ends_with("; component boot-stub"), "{said}");

    let said = planted("tre.img", PLANTED);
    assert!(said.starts_with("tre.img: differs from offset "), "{said}");
    assert!(said.contains("the EFI file in it begins at "), "{said}");
    assert!(said.ends_with("; component boot-stub"), "{said}");
}
