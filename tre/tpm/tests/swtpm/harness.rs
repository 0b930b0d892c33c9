//! The software TPM itself: what it keeps, and how it ends.

use std::os::unix::net::UnixStream;

use tre_tpm::Tpm as _;
use tre_tpm::swtpm::{Manufacturer, Swtpm, SwtpmError};

use crate::machine::Machine;

#[test]
fn dropped_tpm_is_gone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let manufacturer = Manufacturer::open(&folder.path().join("ca")).expect("a manufacturer");
    let state = folder.path().join("state");
    manufacturer.make(&state).expect("a new TPM");
    let running = Swtpm::start(&state).expect("a running TPM");
    let socket = running.socket();
    UnixStream::connect(&socket).expect("it listens");
    drop(running);
    UnixStream::connect(&socket).expect_err("it is gone");
    // Nothing of it holds the state any more.
    drop(Swtpm::start(&state).expect("a running TPM"));
}

#[test]
fn folder_without_a_tpm_starts_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    assert!(!Swtpm::is_made(folder.path()));
    let refused = Swtpm::start(folder.path());
    assert!(matches!(refused, Err(SwtpmError::NotMade { .. })), "{refused:?}");
}

#[test]
fn tpm_made_anew_is_another() {
    let machine = Machine::new();
    let before = machine.tpm().attestation_key().expect("a key");
    let machine = machine.made_anew();
    assert_ne!(machine.tpm().attestation_key().expect("a key"), before);
}
