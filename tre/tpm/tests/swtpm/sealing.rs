//! What opens a sealed secret, and what does not, on a software TPM of each test's own.

use crate::machine::{Machine, digest, present_policy, secret, succeeded, text};
use measured_boot::digest::Sha256Digest;
use measured_boot::pcr::PcrIndex;
use tre_tpm::{SealPolicy, SealedObject, SealedObjectError, Tpm as _, TpmError, UnsealError};

#[test]
fn sealed_secret_opens_at_its_pcrs() {
    let machine = Machine::new();
    let mut tpm = machine.tpm();
    tpm.extend(PcrIndex::P11, &digest("deployment")).expect("extends");
    let policy = present_policy(&mut tpm);
    let object = tpm.seal(&secret(), &policy).expect("seals");
    assert_eq!(tpm.unseal(&object).expect("unseals").expose(), secret().expose());
}

#[test]
fn sealed_secret_opens_after_a_power_cut_from_its_bytes() {
    let machine = Machine::new();
    let mut tpm = machine.tpm();
    let policy = present_policy(&mut tpm);
    let bytes = tpm.seal(&secret(), &policy).expect("seals").to_bytes();
    let machine = machine.power_cycled();
    let object = SealedObject::from_bytes(&bytes).expect("a sealed object");
    assert_eq!(machine.tpm().unseal(&object).expect("unseals").expose(), secret().expose());
}

#[test]
fn secret_stays_closed_once_pcr_11_moved_on() {
    let machine = Machine::new();
    let mut tpm = machine.tpm();
    let policy = present_policy(&mut tpm);
    let object = tpm.seal(&secret(), &policy).expect("seals");
    tpm.extend(PcrIndex::P11, &digest("started")).expect("extends");
    let expected = UnsealError::PolicyRefused {
        expected: policy.digest(),
        found: present_policy(&mut tpm).digest(),
    };
    assert_eq!(tpm.unseal(&object).map(|_| ()), Err(expected));
}

#[test]
fn every_bound_pcr_alone_keeps_the_secret_closed() {
    for pcr in SealPolicy::selection().iter() {
        let machine = Machine::new();
        let mut tpm = machine.tpm();
        let policy = present_policy(&mut tpm);
        let object = tpm.seal(&secret(), &policy).expect("seals");
        tpm.extend(pcr, &digest("other")).expect("extends");
        let refused = tpm.unseal(&object).map(|_| ());
        assert!(matches!(refused, Err(UnsealError::PolicyRefused { .. })), "{pcr}: {refused:?}");
    }
}

#[test]
fn pcrs_that_are_not_bound_do_not_matter() {
    let machine = Machine::new();
    let mut tpm = machine.tpm();
    let policy = present_policy(&mut tpm);
    let object = tpm.seal(&secret(), &policy).expect("seals");
    for pcr in [PcrIndex::P0, PcrIndex::P1, PcrIndex::P2, PcrIndex::P5, PcrIndex::P23] {
        tpm.extend(pcr, &digest("other")).expect("extends");
    }
    assert_eq!(tpm.unseal(&object).expect("unseals").expose(), secret().expose());
}

#[test]
fn secret_sealed_for_the_next_boot_opens_only_then() {
    let machine = Machine::new();
    let mut tpm = machine.tpm();
    tpm.extend(PcrIndex::P11, &digest("deployment")).expect("extends");
    let at_unseal = present_policy(&mut tpm);
    tpm.extend(PcrIndex::P11, &digest("started")).expect("extends");
    let object = tpm.seal(&secret(), &at_unseal).expect("seals");
    let refused = tpm.unseal(&object).map(|_| ());
    assert!(matches!(refused, Err(UnsealError::PolicyRefused { .. })), "{refused:?}");
    drop(tpm);

    let machine = machine.power_cycled();
    let mut tpm = machine.tpm();
    tpm.extend(PcrIndex::P11, &digest("deployment")).expect("extends");
    assert_eq!(tpm.unseal(&object).expect("unseals").expose(), secret().expose());
}

#[test]
fn secret_of_another_tpm_is_refused_as_such() {
    let (one, other) = (Machine::new(), Machine::new());
    let mut tpm = one.tpm();
    let policy = present_policy(&mut tpm);
    let object = tpm.seal(&secret(), &policy).expect("seals");
    let refused = other.tpm().unseal(&object).map(|_| ());
    assert!(matches!(refused, Err(UnsealError::NotOfThisTpm { .. })), "{refused:?}");
}

#[test]
fn altered_object_is_refused_wherever_it_was_altered() {
    let machine = Machine::new();
    let mut tpm = machine.tpm();
    let policy = present_policy(&mut tpm);
    let bytes = tpm.seal(&secret(), &policy).expect("seals").to_bytes();
    for position in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[position] ^= 0x01;
        let Ok(object) = SealedObject::from_bytes(&altered) else { continue };
        let refused = tpm.unseal(&object).map(|_| ());
        assert!(
            matches!(refused, Err(UnsealError::NotOfThisTpm { .. })),
            "byte {position}: {refused:?}"
        );
    }
    let object = SealedObject::from_bytes(&bytes).expect("a sealed object");
    assert_eq!(tpm.unseal(&object).expect("unseals").expose(), secret().expose());
}

#[test]
fn power_cuts_do_not_lock_the_secret_away() {
    let mut machine = Machine::new();
    let mut tpm = machine.tpm();
    let policy = present_policy(&mut tpm);
    let object = tpm.seal(&secret(), &policy).expect("seals");
    drop(tpm);
    // Three lock a TPM with keys that are not exempt.
    for _ in 0..6 {
        let mut tpm = machine.tpm();
        assert_eq!(tpm.unseal(&object).expect("unseals").expose(), secret().expose());
        tpm.quote(&[0; 32]).expect("quotes");
        // Dropped with its keys still loaded when the power goes.
        machine = machine.power_cycled();
        drop(tpm);
    }
    let properties = succeeded(&machine.tool("tpm2_getcap", &["properties-variable"]));
    assert!(properties.contains("TPM2_PT_LOCKOUT_COUNTER: 0x0\n"), "{properties}");
    assert_eq!(machine.tpm().unseal(&object).expect("unseals").expose(), secret().expose());
}

#[test]
fn secret_opens_even_in_lockout() {
    let machine = Machine::new();
    let mut tpm = machine.tpm();
    let policy = present_policy(&mut tpm);
    let object = tpm.seal(&secret(), &policy).expect("seals");
    drop(tpm);
    lock_out(&machine);
    let mut tpm = machine.tpm();
    assert_eq!(tpm.unseal(&object).expect("unseals").expose(), secret().expose());
    tpm.quote(&[0; 32]).expect("quotes");
}

/// Fails authorizations of an object that is not exempt until the TPM locks.
fn lock_out(machine: &Machine) {
    let context = machine.path("guessed.ctx");
    let context = text(&context);
    succeeded(&machine.tool("tpm2_dictionarylockout", &["-s", "-n", "1", "-t", "1000"]));
    let create = ["-C", "o", "-p", "right", "-c", context];
    succeeded(&machine.tool("tpm2_createprimary", &create));
    succeeded(&machine.tool("tpm2_flushcontext", &["-t"]));
    for _ in 0..2 {
        let wrong = machine.tool("tpm2_create", &["-C", context, "-P", "wrong"]);
        assert!(!wrong.status.success());
    }
    succeeded(&machine.tool("tpm2_flushcontext", &["-t"]));
    let properties = succeeded(&machine.tool("tpm2_getcap", &["properties-variable"]));
    assert!(properties.contains("inLockout:                 1"), "{properties}");
}

#[test]
fn object_comes_back_from_its_bytes() {
    let machine = Machine::new();
    let mut tpm = machine.tpm();
    let policy = present_policy(&mut tpm);
    let object = tpm.seal(&secret(), &policy).expect("seals");
    let bytes = object.to_bytes();
    assert!(bytes.len() <= SealedObject::MAX_LEN);
    assert_eq!(SealedObject::from_bytes(&bytes), Ok(object));
    for length in 0..bytes.len() {
        let cut = SealedObject::from_bytes(&bytes[..length]);
        assert!(matches!(cut, Err(SealedObjectError::Truncated { .. })), "{length}: {cut:?}");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(SealedObject::from_bytes(&longer), Err(SealedObjectError::Trailing { found: 1 }));
}

#[test]
fn dead_tpm_says_nothing_about_the_object() {
    let machine = Machine::new();
    let mut tpm = machine.tpm();
    let object = tpm.seal(&secret(), &present_policy_of_zeros()).expect("seals");
    drop(machine);
    let failed = tpm.unseal(&object).map(|_| ());
    assert!(matches!(failed, Err(UnsealError::Tpm(TpmError::NoAnswer { .. }))), "{failed:?}");
}

fn present_policy_of_zeros() -> SealPolicy {
    let zero = Sha256Digest::ZERO;
    SealPolicy { pcr4: zero, pcr7: zero, pcr9: zero, pcr11: zero }
}
