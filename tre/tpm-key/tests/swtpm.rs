//! Keys in a software TPM, by the file that names them.

#![forbid(unsafe_code)]
#![expect(clippy::expect_used, reason = "a test stops where its own tools fail")]

use measured_boot::digest::sha256;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use tempfile::TempDir;
use tre_tpm::swtpm::{Manufacturer, Swtpm};
use tre_tpm_key::{HeldKey, HeldKeyError, KeyFile, Place, SigningHandle, SigningKeyError};
use tre_wire::hex::Hex32;

/// A TPM of its own, running.
struct Machine {
    _folder: TempDir,
    tpm: Swtpm,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let manufacturer = Manufacturer::open(&folder.path().join("ca")).expect("a manufacturer");
        let state = folder.path().join("state");
        manufacturer.make(&state).expect("a TPM");
        Self { _folder: folder, tpm: Swtpm::start(&state).expect("a running TPM") }
    }

    fn place(&self) -> Place {
        Place::Swtpm(self.tpm.socket())
    }
}

fn handle() -> SigningHandle {
    SigningHandle::new(0x8100_0100).expect("a handle")
}

#[test]
fn a_key_is_found_by_its_file_and_signs_in_der() {
    let machine = Machine::new();
    let made = HeldKey::make(machine.place(), handle()).expect("a key");
    let text = made.file().to_pem().expect("written");
    let file = KeyFile::find(text.as_bytes()).expect("readable").expect("a key");
    let found = HeldKey::open(file).expect("the key");
    assert_eq!(found.file(), made.file());
    for round in 0_u8..50 {
        let signature = found.sign(&[round]).expect("signed");
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, made.point().to_sec1())
            .verify(&[round], &signature)
            .expect("the key's signature");
    }
}

#[test]
fn another_key_at_the_handle_is_refused() {
    let (one, two) = (Machine::new(), Machine::new());
    let ours = HeldKey::make(one.place(), handle()).expect("a key").file().clone();
    let theirs = HeldKey::make(two.place(), handle()).expect("a key").file().clone();
    let opened = HeldKey::open(KeyFile { tpm: two.place(), ..ours.clone() });
    let Err(HeldKeyError::Other { expected, found, .. }) = opened else {
        panic!("another key was taken: {opened:?}");
    };
    assert_eq!((expected, found), (ours.spki_sha256, theirs.spki_sha256));
}

#[test]
fn a_tpm_without_the_key_and_no_tpm_at_all_are_refused_by_their_place() {
    let machine = Machine::new();
    let file = |tpm| KeyFile { tpm, handle: handle(), spki_sha256: Hex32(sha256(b"").0) };
    let opened = HeldKey::open(file(machine.place()));
    let missing =
        matches!(&opened, Err(HeldKeyError::Key { source: SigningKeyError::Missing { .. }, .. }));
    assert!(missing, "{opened:?}");
    let nowhere = "swtpm:path=/nonexistent/tpm".parse().expect("a place");
    let opened = HeldKey::open(file(nowhere));
    let Err(error @ HeldKeyError::Unreachable { .. }) = opened else { panic!("{opened:?}") };
    let said = error.to_string();
    assert!(said.starts_with("swtpm:path=/nonexistent/tpm: no TPM answers"), "{said}");
}
