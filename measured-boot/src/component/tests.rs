//! Splitting an EFI file into what an auditor can name.

use alloc::vec;
use core::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::{digest::sha256, limits::MAX_ARCHIVE_ENTRIES, literal::overwritten};

/// "Compressed" here is the kernel behind a magic; its length follows, as the build appends it.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const COMMAND: &[u8] = b"console=ttyS0 noinitrd quiet";

fn newc(path: &str, content: &[u8]) -> Vec<u8> {
    let path = [path.as_bytes(), b"\0"].concat();
    let numbers = [1, 0o100_755, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, path.len(), 0];
    let mut entry = b"070701".to_vec();
    for number in numbers {
        entry.extend_from_slice(format!("{number:08X}").as_bytes());
    }
    entry.extend_from_slice(&path);
    entry.resize(entry.len().next_multiple_of(4), 0);
    entry.extend_from_slice(content);
    entry.resize(entry.len().next_multiple_of(4), 0);
    entry
}

fn archive() -> Vec<u8> {
    let link = newc("sbin/link", b"../init");
    [newc("dev", b""), newc("init", b"ELF of tred"), link, newc("TRAILER!!!", b"")].concat()
}

/// A kernel proper: code, option name, command line, two build ids, archive, code.
fn kernel() -> Vec<u8> {
    let mut command_line = COMMAND.to_vec();
    command_line.resize(2048, 0);
    let note = [BUILD_ID_NOTE, &[0xb1; 20]].concat();
    // The magic also stands in the kernel's own code, and as a word of its own.
    let words = b"code 070701\0noinitrd\0initrd=\0\xcc\xcc\xcc070701 no header\0";
    let mut kernel = [words.as_slice(), &command_line, &note].concat();
    kernel.resize(kernel.len().next_multiple_of(4), 0x90);
    [kernel, b"070701 no header".to_vec(), archive(), note, b"more code".to_vec()].concat()
}

fn bzimage(kernel: &[u8]) -> Vec<u8> {
    let payload = [&ZSTD, kernel, &u32::try_from(kernel.len()).unwrap().to_le_bytes()].concat();
    let mut image = vec![0xaa; 1024 + 16];
    image[0x1f1] = 1;
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x248..0x24c].copy_from_slice(&16_u32.to_le_bytes());
    image[0x24c..0x250].copy_from_slice(&u32::try_from(payload.len()).unwrap().to_le_bytes());
    [image, payload, b"behind".to_vec()].concat()
}

fn unpack(payload: &Payload<'_>) -> Result<Vec<u8>, Infallible> {
    assert_eq!(payload.compression, Compression::Zstd);
    Ok(payload.compressed[4..].to_vec())
}

fn components(kernel: &[u8]) -> Vec<Component> {
    split(&bzimage(kernel), unpack).unwrap()
}

#[test]
fn file_is_split_into_named_components() {
    let components = components(&kernel());
    let names: Vec<&str> = components.iter().map(|c| c.name.as_str()).collect();
    let expected =
        ["/init", "/sbin/link", COMMAND_LINE, KERNEL, INITRAMFS_INDEX, BUILD_ID, BOOT_STUB];
    assert_eq!(names, expected);
    assert_eq!(components[0].sha256, sha256(b"ELF of tred"));
    assert_eq!(components[2].sha256, sha256(COMMAND));
    assert_eq!(components[5].sha256, sha256(&[0xb1; 40]));
}

#[test]
fn every_byte_of_the_kernel_is_in_exactly_one_component() {
    let expected = components(&kernel());
    let lens = |components: &[Component]| components.iter().map(|c| c.len).sum::<u64>();
    let all = u64::try_from(bzimage(&kernel()).len() - 8).unwrap();
    assert_eq!(lens(&expected), all, "magic and length of the payload belong to none");
    for offset in 0..kernel().len() {
        let mut changed = kernel();
        changed[offset] ^= 1;
        let Ok(found) = split(&bzimage(&changed), unpack) else { continue };
        assert!(!changes(&expected, &found).is_empty(), "{offset}");
    }
}

#[test]
fn changed_init_is_named() {
    let changed = kernel();
    let start = position(&changed, b"ELF of tred").unwrap();
    let mut changed = changed;
    changed[start] = b'e';
    let found = components(&changed);
    let changes = changes(&components(&kernel()), &found);
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].name(), "/init");
    assert!(!changes[0].follows_others());
    let (expected, found) = (sha256(b"ELF of tred"), sha256(b"eLF of tred"));
    let text = format!("/init: expected {expected} (11 bytes), found {found} (11 bytes)");
    assert_eq!(changes[0].to_string(), text);
}

#[test]
fn added_and_missing_components_are_named() {
    let component = component_of("x", &[b"x"]);
    let change = ComponentChange { expected: None, found: Some(component.clone()) };
    assert_eq!(
        change.to_string(),
        format!("x: expected nothing, found {} (1 bytes)", component.sha256)
    );
    assert_eq!(changes(&[], core::slice::from_ref(&component)), [change]);
    let change = ComponentChange { expected: Some(component.clone()), found: None };
    assert_eq!(changes(&[component], &[]), [change]);
}

#[test]
fn changed_boot_stub_is_named_and_may_follow_from_others() {
    let mut image = bzimage(&kernel());
    image[0x300] ^= 1;
    let changes = changes(&components(&kernel()), &split(&image, unpack).unwrap());
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].name(), BOOT_STUB);
    assert!(changes[0].follows_others());
}

#[test]
fn kernel_without_a_command_line_has_no_such_component() {
    let kernel = [b"0707".as_slice(), b"noinitrd alone\0but no padding", &archive()].concat();
    let kernel = [kernel.as_slice(), &[0; 4]].concat();
    let aligned = [vec![0; 4 - (kernel.len() - archive().len() - 4) % 4], kernel].concat();
    assert!(components(&aligned).iter().all(|c| c.name != COMMAND_LINE));
}

#[test]
fn file_without_boot_protocol_is_refused() {
    let mut image = bzimage(&kernel());
    image[0x202..0x206].copy_from_slice(b"hdrs");
    let error = SplitError::HeaderMagic { found: *b"hdrs" };
    assert_eq!(split(&image, unpack), Err(error));
}

#[test]
fn unknown_compression_is_refused() {
    let mut image = bzimage(&kernel());
    image[1040] = 0;
    let error = SplitError::Compression { found: [0, 0xb5, 0x2f, 0xfd] };
    assert_eq!(split(&image, unpack), Err(error));
}

#[test]
fn payload_outside_the_file_is_refused() {
    let mut image = bzimage(&kernel());
    image[0x24c..0x250].copy_from_slice(&[0xff; 4]);
    let left = image.len() - 1040;
    let error = ReadError::Truncated { offset: 1040, needed: 0xffff_ffff, left };
    assert_eq!(split(&image, unpack), Err(SplitError::Read(error)));
}

#[test]
fn kernel_that_claims_to_be_huge_is_refused_before_it_is_decompressed() {
    let mut image = bzimage(&kernel());
    let end = image.len() - 6;
    image[end - 4..end].copy_from_slice(&[0xff; 4]);
    let found = split(&image, |_| -> Result<Vec<u8>, Infallible> { panic!("decompressed") });
    assert_eq!(found, Err(SplitError::TooLong { found: 0xffff_ffff }));
}

#[test]
fn payload_of_another_length_than_it_claims_is_refused() {
    let found = split(&bzimage(&kernel()), |_| Ok::<_, Infallible>(vec![0; 3]));
    assert_eq!(found, Err(SplitError::OutputLength { expected: kernel().len(), found: 3 }));
}

#[test]
fn decompressor_that_fails_is_reported() {
    let found = split(&bzimage(&kernel()), |_| Err("broken frame"));
    assert_eq!(found, Err(SplitError::Decompress("broken frame")));
}

#[test]
fn gzip_payload_keeps_its_own_length_field() {
    let mut image = bzimage(&kernel());
    image[1040..1042].copy_from_slice(&[0x1f, 0x8b]);
    let payload = find_payload::<Infallible>(&image).unwrap();
    assert_eq!(payload.compression, Compression::Gzip);
    assert_eq!(payload.compressed.len(), 4 + kernel().len() + 4);
    assert_eq!(payload.output_len, kernel().len());
}

/// The refusal of a kernel that is nothing but `archive`.
fn archive_refusal(archive: &[u8]) -> ArchiveError {
    match split(&bzimage(archive), unpack) {
        Err(SplitError::Archive(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn kernel_without_an_archive_is_refused() {
    assert_eq!(archive_refusal(b"no archive here"), ArchiveError::Missing);
}

#[test]
fn archive_without_a_trailer_is_refused() {
    let entry = newc("init", b"ELF");
    let offset = entry.len();
    let error = ReadError::Truncated { offset, needed: 6, left: 0 };
    assert_eq!(archive_refusal(&entry), ArchiveError::Read(error));
}

#[test]
fn second_init_is_refused() {
    let archive = [newc("init", b"good"), newc("/init", b"evil"), archive()].concat();
    let offset = newc("init", b"good").len() + 110;
    assert_eq!(archive_refusal(&archive), ArchiveError::RepeatedPath { offset });
}

#[test]
fn unprintable_empty_or_unended_path_is_refused() {
    for path in ["in\nit", ""] {
        let error = ArchiveError::Path { offset: 110 };
        assert_eq!(archive_refusal(&newc(path, b"x")), error);
    }
    let mut unended = newc("init", b"x");
    unended[114] = b'x';
    assert_eq!(archive_refusal(&unended), ArchiveError::Path { offset: 110 });
}

#[test]
fn content_beyond_the_kernel_is_refused() {
    let mut entry = newc("init", b"ELF");
    entry[54..62].copy_from_slice(b"FFFFFFFF");
    let error = ReadError::Truncated { offset: 116, needed: 0xffff_ffff, left: 4 };
    assert_eq!(archive_refusal(&entry), ArchiveError::Read(error));
}

#[test]
fn number_with_a_sign_is_no_archive() {
    let mut entry = newc("init", b"ELF");
    entry[54..62].copy_from_slice(b"+0000003");
    assert_eq!(archive_refusal(&entry), ArchiveError::Missing);
}

#[test]
fn more_entries_than_the_bound_are_refused() {
    let archive = newc("a", b"").repeat(MAX_ARCHIVE_ENTRIES + 1);
    let archive = [archive, newc("TRAILER!!!", b"")].concat();
    assert_eq!(archive_refusal(&archive), ArchiveError::TooManyEntries);
}

proptest! {
    #[test]
    fn any_changed_bytes_are_split_or_refused(offset in 0_usize..4000, bytes: [u8; 8]) {
        let image = overwritten(bzimage(&kernel()), offset, &bytes);
        let lenient = |payload: &Payload<'_>| {
            Ok::<_, Infallible>(payload.compressed.get(4..).unwrap_or_default().to_vec())
        };
        if let Ok(components) = split(&image, lenient) {
            prop_assert!(components.len() >= 4);
        }
    }
}
