//! The inputs of the machine that runs the tests.

use super::*;
use crate::machine::{BLANK_VARIABLES, Firmware};

#[test]
fn every_file_that_reaches_the_image_has_a_hash() {
    let found = Inputs::found(&Checkout::own()).expect("all is installed");
    for (package, file) in [
        ("libc6-dev", "libc.a"),
        ("libgcc-12-dev", "libgcc.a"),
        ("libmbedtls-dev", "libmbedcrypto.a"),
        ("linux-source-6.12", "linux-source-6.12.tar.xz"),
        ("ovmf", "OVMF_VARS_4M.fd"),
        ("tpm2-tss", "tpm2-tss-4.1.3.tar.gz"),
    ] {
        assert!(found.packages[package].files.contains_key(file), "{package}: {file}");
    }
    let std: Vec<&String> = found.packages["rust-std"].files.keys().collect();
    for part in ["libstd-", "libcore-", "liballoc-", "libcompiler_builtins-"] {
        assert!(std.iter().any(|name| name.starts_with(part)), "{part} in {std:?}");
    }
    for tool in ["gcc", "gcc-12", "ld", "binutils", "make", "bison", "flex", "perl", "rustc"] {
        assert!(found.tools.0.contains_key(tool), "{tool}");
    }
}

#[test]
fn the_compiler_of_rust_is_named_by_commit() {
    let found = Inputs::found(&Checkout::own()).expect("all is installed");
    let rustc = &found.tools.0["rustc"];
    assert!(rustc.contains(" commit ") && rustc.contains(" LLVM "), "{rustc}");
}

#[test]
fn a_manifest_names_versions_and_hashes() {
    let libc = Package {
        version: "2.36".into(),
        files: BTreeMap::from([("libc.a".into(), sha256(b"libc"))]),
    };
    let inputs = Inputs {
        tools: Versions::default(),
        packages: BTreeMap::from([("libc6-dev".into(), libc)]),
    };
    let versions = inputs.package_versions().0;
    assert_eq!(versions["libc6-dev"], "2.36");
    assert_eq!(versions["libc.a"], format!("sha256:{}", sha256(b"libc")));
}

#[test]
fn the_firmware_that_machines_run_is_an_input() {
    let firmware = [Firmware::Plain, Firmware::SecureBoot].map(Firmware::code);
    for path in firmware.into_iter().chain([BLANK_VARIABLES]) {
        let (folder, name) = path.rsplit_once('/').expect("a path");
        let listed = PACKAGES.iter().any(|package| {
            matches!(package.place, Place::Folder(place) if place == folder)
                && package.files.contains(&name)
        });
        assert!(listed, "{path}");
    }
}

#[test]
fn a_pin_without_a_hash_is_refused() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("image/tss/pin");
    fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
    fs::write(&path, "version=4.1.3\nsha256=12\n").expect("writes");
    let error = pinned(&Checkout::at(folder.path())).expect_err("refused");
    assert!(matches!(error, InputsError::Pin { .. }), "{error}");
}

/// The compiler's own folders come before a `--sysroot`: without more, the archive of all inputs
/// would be passed over wherever the system has the same file.
#[test]
fn what_lies_in_the_archive_is_linked_before_what_is_installed() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let checkout = Checkout::own().with_sources(folder.path());
    for path in ["/usr/lib/x86_64-linux-gnu/libc.a", "/usr/lib/gcc/x86_64-linux-gnu/12/libgcc.a"] {
        let place = checkout.debian(path);
        fs::create_dir_all(place.parent().expect("a folder")).expect("makes");
        fs::write(&place, "").expect("writes");
        let name = path.rsplit('/').next().expect("a name");
        assert_eq!(linked_file(&checkout, name).expect("found"), place);
    }
}
