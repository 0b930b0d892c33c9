//! What every source file keeps to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tre_tests::place;

/// Longest source file, in lines: one idea each.
const LINES: usize = 400;

/// Lines of code in the verifier's core, at most; without comments, blank lines and tests.
const CORE_LINES: usize = 2_670;

/// Rust files that git knows or would take in.
fn sources() -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(place::root())
        .output()
        .expect("git ls-files");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let files: Vec<PathBuf> = text.lines().map(PathBuf::from).collect();
    let there: Vec<PathBuf> =
        files.into_iter().filter(|file| place::root().join(file).is_file()).collect();
    assert!(there.len() > 100, "expected the whole workspace, found {} files", there.len());
    there
}

/// The first file of every library, program and test, as cargo knows them; build scripts aside.
fn crate_roots() -> Vec<PathBuf> {
    let metadata = crate::edges::metadata();
    let packages = metadata["packages"].as_array().expect("packages").iter();
    let targets = packages.flat_map(|package| package["targets"].as_array().expect("targets"));
    let roots = targets.filter(|target| target["kind"][0] != "custom-build");
    roots.map(|target| PathBuf::from(target["src_path"].as_str().expect("a path"))).collect()
}

fn read(file: &Path) -> String {
    fs::read_to_string(place::root().join(file)).expect("a readable file")
}

#[test]
fn no_source_file_is_longer_than_its_bound() {
    for file in sources() {
        let found = read(&file).lines().count();
        assert!(
            found <= LINES,
            "{}: expected at most {LINES} lines, found {found}",
            file.display()
        );
    }
}

/// All of it is trusted by whoever believes a verdict. More is a reviewed act, with its reason in
/// `tre/ARCHITECTURE.md`.
#[test]
fn the_verifiers_core_can_be_read_in_an_afternoon() {
    let of_core = |file: &&PathBuf| {
        file.starts_with("attest-verifier/core/src")
            && !file
                .components()
                .any(|part| part.as_os_str().to_string_lossy().starts_with("tests"))
    };
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    let all = sources();
    let found: usize =
        all.iter().filter(of_core).map(|file| read(file).lines().filter(is_code).count()).sum();
    assert!((CORE_LINES - 200..=CORE_LINES).contains(&found), "found {found} lines of code");
}

#[test]
fn every_source_file_says_first_what_it_is() {
    for file in sources() {
        let text = read(&file);
        assert!(text.starts_with("//!"), "{}: expected a module comment first", file.display());
    }
}

#[test]
fn every_crate_forbids_unsafe_code() {
    let roots = crate_roots();
    assert!(roots.len() > 20, "expected every target of the workspace, found {}", roots.len());
    for root in roots {
        let forbids = read(&root).contains("#![forbid(unsafe_code)]");
        assert!(forbids, "{}: expected #![forbid(unsafe_code)]", root.display());
    }
}

#[test]
fn the_pure_crates_have_no_standard_library() {
    for crate_root in [
        "measured-boot/src/lib.rs",
        "tre/wire/src/lib.rs",
        "tre/grid/src/lib.rs",
        "attest-verifier/core/src/lib.rs",
    ] {
        let text = read(Path::new(crate_root));
        assert!(text.contains("#![no_std]"), "{crate_root}: expected #![no_std]");
    }
}
