//! The image given: whether the box started it, and which part of it was changed.

#![expect(clippy::arithmetic_side_effects, reason = "offsets of files made here, of known length")]

use std::fs;
use std::path::Path;

use attest_verifier::core::measured_boot::component;
use attest_verifier::core::measured_boot::pe::EfiFile;
use attest_verifier::{FatError, ImageError, ImageFinding, compare_image};

use crate::fat_image::{self, Width};
use crate::scene::{IMAGE, Scene};

/// A kernel as far as `measured_boot` looks into one: PE headers, boot protocol, zstd payload.
pub(crate) fn kernel(daemon: &[u8], command_line: &str) -> Vec<u8> {
    let mut proper = b"code of the kernel ".repeat(50);
    proper.extend_from_slice(command_line.as_bytes());
    proper.resize(proper.len() + 2_048, 0);
    proper.resize(proper.len().next_multiple_of(4), 0);
    proper.extend_from_slice(&archive(daemon));
    proper.extend_from_slice(&b"more of the kernel ".repeat(50));
    let mut stream = ruzstd::encoding::compress_to_vec(
        proper.as_slice(),
        ruzstd::encoding::CompressionLevel::Fastest,
    );
    stream.extend_from_slice(&u32::try_from(proper.len()).unwrap().to_le_bytes());
    efi_file(&stream)
}

/// One section behind headers that say as little as firmware accepts.
fn efi_file(payload: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 0x400];
    put(&mut file, 0, b"MZ");
    put(&mut file, 0x3c, &0x60_u32.to_le_bytes());
    put(&mut file, 0x60, b"PE\0\0");
    put(&mut file, 0x64, &0x8664_u16.to_le_bytes());
    put(&mut file, 0x66, &1_u16.to_le_bytes());
    // Length of the optional header: 112 bytes and 6 data directories.
    put(&mut file, 0x74, &160_u16.to_le_bytes());
    put(&mut file, 0x78, &0x020b_u16.to_le_bytes());
    put(&mut file, 0x78 + 60, &0x400_u32.to_le_bytes());
    put(&mut file, 0x78 + 108, &6_u32.to_le_bytes());
    let section = 0x78 + 160;
    put(&mut file, section, b".all");
    put(&mut file, section + 16, &u32::try_from(payload.len()).unwrap().to_le_bytes());
    put(&mut file, section + 20, &0x400_u32.to_le_bytes());
    // Boot protocol: one set-up sector, so the payload starts at 0x400.
    file[0x1f1] = 1;
    put(&mut file, 0x202, b"HdrS");
    put(&mut file, 0x24c, &u32::try_from(payload.len()).unwrap().to_le_bytes());
    file.extend_from_slice(payload);
    file
}

/// A newc archive with a folder and one file.
fn archive(daemon: &[u8]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, mode, content) in
        [("dev", 0o040_755, &b""[..]), ("init", 0o100_755, daemon), ("TRAILER!!!", 0, b"")]
    {
        let fields = [1, mode, 0, 0, 1, 0, content.len(), 0, 0, 0, 0, name.len() + 1, 0];
        archive.extend_from_slice(b"070701");
        archive.extend(fields.iter().flat_map(|field| format!("{field:08x}").into_bytes()));
        archive.extend_from_slice(name.as_bytes());
        archive.push(0);
        archive.resize(archive.len().next_multiple_of(4), 0);
        archive.extend_from_slice(content);
        archive.resize(archive.len().next_multiple_of(4), 0);
    }
    archive
}

fn put(bytes: &mut [u8], at: usize, content: &[u8]) {
    bytes[at..at + content.len()].copy_from_slice(content);
}

pub(crate) const COMMAND_LINE: &str = "console=ttyS0 noinitrd quiet";

/// A scene whose manifest knows the components of `expected`, on a box that started `started`.
fn scene(expected: &[u8], started: &[u8]) -> Scene {
    let mut scene = Scene::honest();
    let decompress = |payload: &component::Payload<'_>| {
        let mut decoder = ruzstd::decoding::StreamingDecoder::new(payload.compressed).unwrap();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut decoder, &mut bytes).map(|_| bytes)
    };
    scene.manifest.components = component::split(expected, decompress).unwrap();
    let event = scene.log.iter_mut().find(|event| event.digest == IMAGE).unwrap();
    event.digest = EfiFile::parse(started).unwrap().authenticode();
    scene
}

/// A box that should run `expected` and started `started`, and what the file `given` says of it.
pub(crate) fn found_by_comparison(
    expected: &[u8],
    started: &[u8],
    given: &[u8],
) -> (Scene, ImageFinding) {
    let scene = scene(expected, started);
    let finding = compare(&scene, given).unwrap();
    (scene, finding)
}

fn compare(scene: &Scene, image: &[u8]) -> Result<ImageFinding, ImageError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tre.img");
    fs::write(&path, image).unwrap();
    compare_image(&path, &scene.play(), &scene.manifest)
}

fn changed(finding: &ImageFinding) -> Vec<&str> {
    let name = |change: &component::ComponentChange| -> Option<usize> {
        let expected = change.expected.as_ref()?;
        finding.changes.iter().position(|other| other.expected.as_ref() == Some(expected))
    };
    assert!(finding.changes.iter().all(|change| name(change).is_some()), "{finding:?}");
    let names = finding.changes.iter().filter_map(|change| change.expected.as_ref());
    names.map(|component| component.name.as_str()).collect()
}

#[test]
fn a_changed_daemon_is_named_first() {
    let (honest, tampered) = (kernel(b"tred one", COMMAND_LINE), kernel(b"tred two", COMMAND_LINE));
    let finding = compare(&scene(&honest, &tampered), &tampered).unwrap();
    assert!(finding.measured_as.is_some(), "{finding:?}");
    assert_eq!(changed(&finding).first(), Some(&"/init"), "{finding:?}");
    assert!(!changed(&finding).contains(&component::KERNEL), "{finding:?}");
    assert!(!changed(&finding).contains(&component::COMMAND_LINE), "{finding:?}");
}

#[test]
fn a_changed_command_line_is_named_first() {
    let other = COMMAND_LINE.replace("quiet", "noisy");
    let (honest, tampered) = (kernel(b"tred", COMMAND_LINE), kernel(b"tred", &other));
    let finding = compare(&scene(&honest, &tampered), &tampered).unwrap();
    assert_eq!(changed(&finding).first(), Some(&component::COMMAND_LINE), "{finding:?}");
    assert!(!changed(&finding).contains(&"/init"), "{finding:?}");
}

#[test]
fn the_reference_image_has_no_changes() {
    let honest = kernel(b"tred", COMMAND_LINE);
    let finding = compare(&scene(&honest, &honest), &honest).unwrap();
    assert_eq!(finding.changes, []);
    assert!(finding.measured_as.is_some(), "{finding:?}");
}

/// The image given is not the one on the box: it explains nothing, and that is said.
#[test]
fn an_image_that_the_box_did_not_start_is_told_apart() {
    let (honest, tampered) = (kernel(b"tred one", COMMAND_LINE), kernel(b"tred two", COMMAND_LINE));
    let finding = compare(&scene(&honest, &tampered), &honest).unwrap();
    assert_eq!((finding.measured_as, finding.changes), (None, vec![]));
}

#[test]
fn the_efi_file_is_found_in_a_fat_image_of_each_width() {
    let efi = kernel(b"tred", COMMAND_LINE);
    let scene = scene(&efi, &efi);
    for width in [Width::Twelve, Width::Sixteen, Width::ThirtyTwo] {
        let image = fat_image::with_file(width, &efi);
        let finding = compare(&scene, &image).unwrap();
        assert_eq!(finding, compare(&scene, &efi).unwrap(), "{width:?}");
    }
}

#[track_caller]
fn fat_error(image: &[u8]) -> FatError {
    match compare(&Scene::honest(), image) {
        Err(ImageError::Fat { source, .. }) => source,
        Err(error) => panic!("{error}"),
        Ok(finding) => panic!("{finding:?}"),
    }
}

#[test]
fn a_file_that_is_no_image_is_refused() {
    for bytes in [&b""[..], b"not an image", &[0xff; 4096], &[0; 4096]] {
        assert_eq!(fat_error(bytes), FatError::BootSector);
    }
}

#[test]
fn an_image_without_the_file_is_refused_by_what_is_missing() {
    let mut image = fat_image::with_file(Width::Twelve, b"MZ");
    let place = image.windows(11).position(|name| name == b"BOOTX64 EFI").unwrap();
    image[place] = b'X';
    assert_eq!(fat_error(&image), FatError::Missing { name: b"BOOTX64 EFI" });
}

#[test]
fn a_chain_of_clusters_without_end_is_refused() {
    for width in [Width::Twelve, Width::Sixteen] {
        let mut image = fat_image::with_file(width, &[b'x'; 2_000]);
        // The file lies in clusters 8, 7, 6, 5; the last leads back to the first.
        fat_image::link(&mut image, width, 512, 5, Some(8));
        assert!(matches!(fat_error(&image), FatError::Chain { .. }), "{width:?}");
        fat_image::link(&mut image, width, 512, 5, Some(0));
        assert_eq!(fat_error(&image), FatError::Chain { cluster: 0 }, "{width:?}");
    }
}

#[test]
fn an_image_cut_short_is_refused() {
    let image = fat_image::with_file(Width::Twelve, &[b'x'; 2_000]);
    let first = (1 + 2 * 6 + 1) * 512;
    let cut = &image[..first + 4 * 512];
    assert!(matches!(fat_error(cut), FatError::Chain { cluster: 6..=8 }), "{cut:?}");
}

#[test]
fn a_missing_image_is_refused_by_its_name() {
    let scene = Scene::honest();
    let error = compare_image(Path::new("/nonexistent/tre.img"), &scene.play(), &scene.manifest);
    let Err(ImageError::File(error)) = error else { panic!("{error:?}") };
    assert!(error.to_string().starts_with("/nonexistent/tre.img: "), "{error}");
}
