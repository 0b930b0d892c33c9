//! A peer's key: it signs, it stays, and nothing else is taken for it.

use measured_boot::digest::sha256;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use tre_tpm::{SigningHandle, SigningKey, SigningKeyError};

use crate::machine::{Machine, succeeded, text};

const HANDLE: &str = "0x81000100";

fn handle() -> SigningHandle {
    HANDLE.parse().expect("a handle")
}

fn signs(key: &mut SigningKey, message: &[u8]) {
    let signature = key.sign(&sha256(message)).expect("a signature").to_fixed();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.point().to_sec1())
        .verify(message, &signature)
        .expect("the key's signature");
}

#[test]
fn a_key_signs_before_and_after_a_power_cut_and_under_an_owner() {
    let machine = Machine::new();
    let mut made = SigningKey::make(machine.tpm(), handle()).expect("a key");
    // Leading zeros of a signature's integers come once in 128.
    for round in 0_u32..200 {
        signs(&mut made, &round.to_be_bytes());
    }
    let machine = machine.power_cycled();
    succeeded(&machine.tool("tpm2_changeauth", &["-c", "o", "an owner"]));
    let mut found = SigningKey::open(machine.tpm(), handle()).expect("the key");
    assert_eq!(found.point(), made.point());
    signs(&mut found, b"after");
}

#[test]
fn a_key_does_not_leave_its_tpm() {
    let machine = Machine::new();
    SigningKey::make(machine.tpm(), handle()).expect("a key");
    let read = succeeded(&machine.tool("tpm2_readpublic", &["-c", HANDLE]));
    let attributes = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign\n";
    assert!(read.contains(&format!("value: {attributes}")), "{read}");
    let copy = machine.tool(
        "tpm2_duplicate",
        &[
            "-C",
            "null",
            "-c",
            HANDLE,
            "-G",
            "null",
            "-r",
            text(&machine.path("private")),
            "-s",
            text(&machine.path("seed")),
            "-p",
            "session:none",
        ],
    );
    assert!(!copy.status.success(), "{copy:?}");
    let handles = succeeded(&machine.tool("tpm2_getcap", &["handles-transient"]));
    assert!(!handles.contains("0x80"), "expected nothing left behind, found {handles}");
}

#[test]
fn another_tpm_has_no_such_key() {
    let machine = Machine::new();
    SigningKey::make(machine.tpm(), handle()).expect("a key");
    let machine = machine.made_anew();
    let refused = SigningKey::open(machine.tpm(), handle()).map(|_| ());
    assert_eq!(refused, Err(SigningKeyError::Missing { handle: handle() }));
}

#[test]
fn a_key_is_never_overwritten() {
    let machine = Machine::new();
    let first = SigningKey::make(machine.tpm(), handle()).expect("a key").point();
    let refused = SigningKey::make(machine.tpm(), handle()).map(|_| ());
    assert_eq!(refused, Err(SigningKeyError::Taken { handle: handle() }));
    assert_eq!(SigningKey::open(machine.tpm(), handle()).expect("the key").point(), first);
}

/// A key of tpm2-tools at the handle, with these arguments to make it.
fn foreign(create: &[&str]) -> Result<(), SigningKeyError> {
    let machine = Machine::new();
    let context = machine.path("foreign.ctx");
    let create = [&["-C", "o", "-c", text(&context)], create].concat();
    succeeded(&machine.tool("tpm2_createprimary", &create));
    succeeded(&machine.tool("tpm2_evictcontrol", &["-C", "o", "-c", text(&context), HANDLE]));
    SigningKey::open(machine.tpm(), handle()).map(|_| ())
}

#[test]
fn a_key_that_may_leave_its_tpm_is_refused() {
    let attributes = "sensitivedataorigin|userwithauth|noda|sign";
    let refused = foreign(&["-G", "ecc256:ecdsa-sha256", "-a", attributes]);
    assert!(matches!(refused, Err(SigningKeyError::Attributes { .. })), "{refused:?}");
}

#[test]
fn a_key_of_another_scheme_is_refused() {
    let attributes = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign";
    for kind in ["ecc256:ecdsa-sha384", "ecc256:ecdaa-sha256", "rsa2048:rsassa-sha256"] {
        let refused = foreign(&["-G", kind, "-a", attributes]);
        assert_eq!(refused, Err(SigningKeyError::Key { handle: handle() }), "{kind}");
    }
}
