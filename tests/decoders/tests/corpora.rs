//! The committed corpora of the fuzz targets, and mutations of them, through every decoder.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use tre_decoders::TARGETS;

/// The folder of the fuzz targets.
fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// The files of one of its folders.
fn files(folder: &str) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(fuzz().join(folder))?.map(|entry| Ok(entry?.path())).collect()
}

/// The committed inputs of one target.
fn corpus(target: &str) -> io::Result<Vec<Vec<u8>>> {
    files(&format!("corpus/{target}"))?.iter().map(fs::read).collect()
}

#[test]
fn no_committed_input_breaks_a_promise_and_some_are_accepted() {
    for target in TARGETS {
        let inputs = corpus(target.name).expect("a corpus");
        let accepted = inputs.iter().filter(|bytes| (target.decode)(bytes)).count();
        assert!(accepted > 0, "{}: none of {} is accepted", target.name, inputs.len());
    }
}

#[test]
fn no_cut_and_no_flipped_byte_breaks_a_promise() {
    for target in TARGETS {
        for bytes in corpus(target.name).expect("a corpus") {
            let step = bytes.len().div_ceil(64).max(1);
            for at in (0..bytes.len()).step_by(step) {
                (target.decode)(&bytes[..at]);
                let mut flipped = bytes.clone();
                flipped[at] ^= 0xff;
                (target.decode)(&flipped);
            }
        }
    }
}

#[test]
fn every_decoder_has_a_fuzz_target_and_a_corpus_and_no_other_has() {
    let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let stems = |folder: &str| -> BTreeSet<String> {
        let paths = files(folder).expect("a folder");
        let stem = |path: &PathBuf| path.file_stem().expect("a name").to_string_lossy().into();
        paths.iter().map(stem).collect()
    };
    assert_eq!(stems("fuzz_targets"), names);
    assert_eq!(stems("corpus"), names);
}
