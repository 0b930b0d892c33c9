//! PCRs, quotes and the attestation key, on a software TPM of each test's own.

use core::time::Duration;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;

use crate::machine::{Machine, digest, hex, offline_tool, succeeded, text};
use measured_boot::digest::Sha256Digest;
use measured_boot::pcr::{PcrIndex, PcrSelection, PcrValues, StartupLocality};
use measured_boot::tpm::{AikPublic, EcdsaSignature, Public, Quote as Statement};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use tre_tpm::{Quote, Step, Tpm, TpmError};

const NONCE: [u8; 32] = [0xa7; 32];

/// Checks the signature over the raw bytes, then parses them.
fn verified(key: &Public, quote: &Quote) -> Statement {
    let key = AikPublic::check(key).expect("an attestation key");
    let signature = EcdsaSignature::parse(&quote.signature).expect("a signature");
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.point().to_sec1())
        .verify(&quote.attest, &signature.to_fixed())
        .expect("a valid signature");
    let statement = Statement::parse(&quote.attest).expect("a quote");
    assert_eq!(statement.qualified_signer, key.qualified_name());
    statement
}

#[test]
fn pcrs_after_a_reset_are_the_initial_ones() {
    let machine = Machine::new();
    let pcrs = machine.tpm().read_pcrs().expect("PCRs");
    assert_eq!(pcrs, PcrValues::initial(StartupLocality::Zero));
}

#[test]
fn extended_pcr_is_read_back_and_the_others_stay() {
    let machine = Machine::new();
    let mut tpm = machine.tpm();
    let mut expected = tpm.read_pcrs().expect("PCRs");
    let extensions = [(PcrIndex::P11, "one"), (PcrIndex::P11, "two"), (PcrIndex::P0, "three")];
    for (pcr, measured) in extensions {
        tpm.extend(pcr, &digest(measured)).expect("extends");
        expected.extend(pcr, &digest(measured));
    }
    assert_eq!(tpm.read_pcrs().expect("PCRs"), expected);
}

#[test]
fn pcr_of_a_dynamic_launch_cannot_be_extended() {
    let machine = Machine::new();
    let pcr = PcrIndex::new(17).expect("a PCR");
    let refused = machine.tpm().extend(pcr, &Sha256Digest::ONES);
    assert!(matches!(refused, Err(TpmError::Failed { step: Step::Extend, .. })), "{refused:?}");
}

#[test]
fn tpm_without_a_sha256_bank_is_named() {
    let machine = Machine::new();
    succeeded(&machine.tool("tpm2_pcrallocate", &["sha1:all+sha256:none"]));
    let machine = machine.power_cycled();
    let refused = machine.tpm().read_pcrs();
    let expected = TpmError::Answer { step: Step::ReadPcrs, expected: 24, found: 0 };
    assert_eq!(refused, Err(expected));
}

#[test]
fn quote_is_signed_and_says_what_the_tpm_holds() {
    let machine = Machine::new();
    let mut tpm = machine.tpm();
    tpm.extend(PcrIndex::P11, &digest("deployment")).expect("extends");
    let key = tpm.attestation_key().expect("a key");
    let before = tpm.clock().expect("a clock");
    let quote = tpm.quote(&NONCE).expect("a quote");

    let statement = verified(&key, &quote);
    assert_eq!(statement.extra_data, NONCE);
    assert_eq!(statement.selection, PcrSelection::ALL);
    statement.bind_pcrs(tpm.read_pcrs().expect("PCRs")).expect("the PCRs that were quoted");
    assert_eq!(statement.clock.reset_count, before.reset_count);
    assert_eq!(statement.clock.restart_count, before.restart_count);
    assert!(statement.clock.clock_ms >= before.clock_ms);
}

/// PCR values as tpm2-tools write them to a file: C structures as they lie in memory. A selection
/// list with room for 16 banks, then lists of 8 digests with room for 64 bytes each.
fn serialized(pcrs: &PcrValues) -> Vec<u8> {
    let mut bytes = Vec::from([1, 0, 0, 0, 0x0b, 0, 3, 0xff, 0xff, 0xff, 0, 0]);
    bytes.resize(4 + 16 * 8, 0);
    bytes.extend_from_slice(&[3, 0, 0, 0]);
    for list in pcrs.as_array().chunks(8) {
        bytes.extend_from_slice(&[8, 0, 0, 0]);
        for pcr in list {
            bytes.extend_from_slice(&[32, 0]);
            bytes.extend_from_slice(&pcr.0);
            bytes.extend_from_slice(&[0; 32]);
        }
    }
    bytes
}

#[test]
fn quote_is_accepted_by_tpm2_checkquote() {
    let machine = Machine::new();
    let mut tpm = machine.tpm();
    tpm.extend(PcrIndex::P4, &digest("image")).expect("extends");
    let key = tpm.attestation_key().expect("a key");
    let quote = tpm.quote(&NONCE).expect("a quote");
    let pcrs = serialized(&tpm.read_pcrs().expect("PCRs"));

    let public = machine.file("ak.pub", &key.encode_sized());
    let message = machine.file("quote.msg", &quote.attest);
    let signature = machine.file("quote.sig", &quote.signature);
    let values = machine.file("quote.pcrs", &pcrs);
    let check = |nonce: &[u8; 32]| {
        let arguments = [
            ["-u", text(&public)],
            ["-m", text(&message)],
            ["-s", text(&signature)],
            ["-f", text(&values)],
            ["-g", "sha256"],
            ["-q", &hex(nonce)],
        ];
        offline_tool("tpm2_checkquote", &arguments.concat())
    };
    succeeded(&check(&NONCE));
    assert!(!check(&[0xa8; 32]).status.success(), "another nonce must be refused");
}

#[test]
fn attestation_key_has_the_profile_of_one() {
    let machine = Machine::new();
    let key = machine.tpm().attestation_key().expect("a key");
    AikPublic::check(&key).expect("the profile");
}

#[test]
fn attestation_key_is_the_same_after_a_power_cut() {
    let machine = Machine::new();
    let key = machine.tpm().attestation_key().expect("a key");
    let machine = machine.power_cycled();
    let mut tpm = machine.tpm();
    assert_eq!(tpm.attestation_key().expect("a key"), key);
    verified(&key, &tpm.quote(&NONCE).expect("a quote"));
}

#[test]
fn attestation_key_of_another_tpm_is_another() {
    let (one, other) = (Machine::new(), Machine::new());
    let key = one.tpm().attestation_key().expect("a key");
    let other_key = other.tpm().attestation_key().expect("a key");
    assert_ne!(key.name(), other_key.name());
}

#[test]
fn many_quotes_leave_nothing_behind_in_the_tpm() {
    let machine = Machine::new();
    let mut tpm = machine.tpm();
    for count in 0..20_u8 {
        tpm.quote(&[count; 32]).expect("a quote");
        tpm.random(&mut [0; 8]).expect("random bytes");
    }
    let sessions = || succeeded(&machine.tool("tpm2_getcap", &["handles-loaded-session"]));
    assert_eq!(sessions(), "- 0x2000000\n", "one session for all of them");
    drop(tpm);
    assert_eq!(sessions(), "");
    for kind in ["handles-saved-session", "handles-transient"] {
        assert_eq!(succeeded(&machine.tool("tpm2_getcap", &[kind])), "", "{kind}");
    }
}

#[test]
fn random_bytes_fill_any_length_and_differ() {
    let machine = Machine::new();
    let mut tpm = machine.tpm();
    let mut drawn = Vec::new();
    for _ in 0..3 {
        let mut bytes = [0; 100];
        tpm.random(&mut bytes).expect("random bytes");
        drawn.extend_from_slice(bytes.as_chunks::<20>().0);
    }
    let count = drawn.len();
    drawn.sort_unstable();
    drawn.dedup();
    assert_eq!(drawn.len(), count);
    tpm.random(&mut []).expect("nothing to fill");
}

#[test]
fn reset_is_counted_and_the_clock_goes_on() {
    let machine = Machine::new();
    let before = machine.tpm().clock().expect("a clock");
    let machine = machine.power_cycled();
    let after = machine.tpm().clock().expect("a clock");
    assert_eq!(after.reset_count, before.reset_count + 1);
}

#[test]
fn boundary_can_be_held_as_an_object_and_moved_to_a_thread() {
    let machine = Machine::new();
    let mut tpm: Box<dyn Tpm> = Box::new(machine.tpm());
    let quoted = std::thread::spawn(move || tpm.quote(&NONCE).map(|_| ())).join();
    assert_eq!(quoted.expect("no panic"), Ok(()));
}

#[test]
fn program_started_meanwhile_does_not_keep_the_connection() {
    let machine = Machine::new();
    let first = machine.tpm();
    // Ends when its input does: with this test, however that ends.
    let started = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
    let mut started = started.expect("a program that stays");
    drop(first);
    let (answered, answer) = channel();
    std::thread::spawn(move || answered.send(machine.tpm().clock().is_ok()));
    let answer = answer.recv_timeout(Duration::from_secs(60));
    drop(started.stdin.take());
    started.wait().expect("its end");
    assert_eq!(answer, Ok(true), "the TPM still serves a connection that was ended");
}

#[test]
fn missing_socket_is_unreachable() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let refused = tre_tpm::EsapiTpm::connect_swtpm(&folder.path().join("none"));
    assert!(matches!(refused, Err(TpmError::Unreachable { .. })), "{refused:?}");
}

#[test]
fn missing_device_is_unreachable() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let refused = tre_tpm::EsapiTpm::open_device(&folder.path().join("none"));
    assert!(matches!(refused, Err(TpmError::Unreachable { .. })), "{refused:?}");
}
