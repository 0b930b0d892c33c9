//! The storage key and the owner's authorization: how they come to be, and what keeps them.

use crate::machine::{Machine, hex, present_policy, secret, succeeded, text};
use measured_boot::tpm::Name;
use tre_tpm::{Secret32, Tpm as _, TpmError};

/// Where every operating system looks for the storage key.
const HANDLE: &str = "0x81000001";

fn authorization() -> Secret32 {
    Secret32::new(*b"owner authorization, 32 bytes ..")
}

fn owned(machine: &Machine) -> Name {
    let mut tpm = machine.tpm();
    let key = tpm.persist_storage_key().expect("a storage key");
    tpm.take_ownership(&authorization()).expect("owned");
    key.name()
}

fn owner_is_set(machine: &Machine) -> bool {
    let properties = succeeded(&machine.tool("tpm2_getcap", &["properties-variable"]));
    properties.contains("ownerAuthSet:              1")
}

#[test]
fn an_offered_storage_key_leaves_nothing_behind() {
    let machine = Machine::new();
    let offered = machine.tpm().storage_key().expect("a storage key");
    for kind in ["handles-transient", "handles-persistent"] {
        let handles = succeeded(&machine.tool("tpm2_getcap", &[kind]));
        assert!(!handles.contains(HANDLE) && !handles.contains("0x80"), "{kind}: {handles}");
    }
    assert!(!owner_is_set(&machine));
    assert_eq!(machine.tpm().storage_key().expect("a storage key"), offered);
}

#[test]
fn the_storage_key_stays_over_a_power_cut_and_is_what_other_tools_find() {
    let machine = Machine::new();
    let offered = machine.tpm().storage_key().expect("a storage key");
    let kept = machine.tpm().persist_storage_key().expect("persistent");
    assert_eq!(kept, offered);
    let machine = machine.power_cycled();
    let read = succeeded(&machine.tool("tpm2_readpublic", &["-c", HANDLE]));
    assert!(read.contains(&format!("name: {}", hex(&kept.name().to_bytes()))), "{read}");
    machine.tpm().expect_storage_key(kept.name()).expect("the same");
}

#[test]
fn a_second_enrolment_finds_the_storage_key_of_the_first() {
    let machine = Machine::new();
    let first = machine.tpm().persist_storage_key().expect("persistent");
    let machine = machine.power_cycled();
    let mut tpm = machine.tpm();
    assert_eq!(tpm.storage_key().expect("a storage key"), first);
    assert_eq!(tpm.persist_storage_key().expect("persistent"), first);
    assert_eq!(tpm.persist_storage_key().expect("persistent"), first);
}

#[test]
fn what_was_sealed_before_the_key_was_persistent_opens_after() {
    let machine = Machine::new();
    let mut tpm = machine.tpm();
    let policy = present_policy(&mut tpm);
    let object = tpm.seal(&secret(), &policy).expect("seals");
    tpm.persist_storage_key().expect("persistent");
    assert_eq!(tpm.unseal(&object).expect("unseals").expose(), secret().expose());
}

#[test]
fn a_key_of_another_kind_at_the_handle_is_refused_and_stays() {
    let machine = Machine::new();
    put_at_the_handle(&machine, &["-C", "o", "-G", "rsa2048"]);
    let before = succeeded(&machine.tool("tpm2_readpublic", &["-c", HANDLE]));
    for refused in [
        machine.tpm().storage_key().map(|_| ()),
        machine.tpm().persist_storage_key().map(|_| ()),
        machine.tpm().random(&mut [0; 8]),
    ] {
        assert!(
            matches!(refused, Err(TpmError::ForeignStorageKey { handle: 0x8100_0001, .. })),
            "{refused:?}"
        );
    }
    assert_eq!(succeeded(&machine.tool("tpm2_readpublic", &["-c", HANDLE])), before);
}

#[test]
fn a_key_that_only_looks_like_the_storage_key_is_refused_and_stays() {
    let machine = Machine::new();
    let unique = machine.file("unique", &[&[32, 0][..], &[7; 32], &[32, 0], &[7; 32]].concat());
    let attributes =
        "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt";
    let create = ["-C", "o", "-G", "ecc256:aes128cfb", "-a", attributes, "-u", text(&unique)];
    put_at_the_handle(&machine, &create);
    let mut tpm = machine.tpm();
    let refused = tpm.persist_storage_key().map(|_| ());
    assert!(matches!(refused, Err(TpmError::ForeignStorageKey { .. })), "{refused:?}");
}

fn put_at_the_handle(machine: &Machine, create: &[&str]) {
    let context = machine.path("foreign.ctx");
    let create = [create, &["-c", text(&context)]].concat();
    succeeded(&machine.tool("tpm2_createprimary", &create));
    succeeded(&machine.tool("tpm2_evictcontrol", &["-C", "o", "-c", text(&context), HANDLE]));
    succeeded(&machine.tool("tpm2_flushcontext", &["-t"]));
}

#[test]
fn an_owned_tpm_keeps_its_storage_key_from_other_systems() {
    let machine = Machine::new();
    let name = owned(&machine);
    assert!(owner_is_set(&machine));
    for attempt in [
        machine.tool("tpm2_evictcontrol", &["-C", "o", "-c", HANDLE]),
        machine.tool("tpm2_nvdefine", &["-C", "o", "0x1500016"]),
        machine.tool("tpm2_createprimary", &["-C", "o", "-c", text(&machine.path("x.ctx"))]),
    ] {
        assert!(!attempt.status.success(), "{attempt:?}");
    }
    machine.tpm().expect_storage_key(name).expect("still there");
}

#[test]
fn ownership_is_proven_at_every_start_and_taken_once() {
    let mut machine = Machine::new();
    owned(&machine);
    for _ in 0..3 {
        machine = machine.power_cycled();
        machine.tpm().take_ownership(&authorization()).expect("still ours");
    }
    let mut tpm = machine.tpm();
    let refused = tpm.take_ownership(&secret());
    assert!(matches!(refused, Err(TpmError::OwnerTaken { .. })), "{refused:?}");
    tpm.take_ownership(&authorization()).expect("a refusal changes nothing");
}

#[test]
fn an_authorization_that_ends_in_zeros_is_one_like_any_other() {
    let machine = Machine::new();
    let ends_in_zeros = || {
        let mut bytes = [0x5a; 32];
        bytes[30..].fill(0);
        Secret32::new(bytes)
    };
    machine.tpm().persist_storage_key().expect("persistent");
    machine.tpm().take_ownership(&ends_in_zeros()).expect("owned");
    let machine = machine.power_cycled();
    machine.tpm().take_ownership(&ends_in_zeros()).expect("still ours");
}

#[test]
fn a_tpm_with_an_owner_is_not_enrolled() {
    let machine = Machine::new();
    owned(&machine);
    let machine = machine.power_cycled();
    let mut tpm = machine.tpm();
    for refused in [tpm.storage_key().map(|_| ()), tpm.persist_storage_key().map(|_| ())] {
        assert!(matches!(refused, Err(TpmError::OwnerTaken { .. })), "{refused:?}");
    }
}

#[test]
fn an_owned_tpm_without_its_storage_key_says_so() {
    let machine = Machine::new();
    machine.tpm().take_ownership(&authorization()).expect("owned");
    let machine = machine.power_cycled();
    let refused = machine.tpm().random(&mut [0; 8]);
    assert!(matches!(refused, Err(TpmError::OwnerTaken { .. })), "{refused:?}");
}

#[test]
fn a_cleared_tpm_has_another_storage_key_and_no_owner() {
    let machine = Machine::new();
    let expected = owned(&machine);
    succeeded(&machine.tool("tpm2_clear", &["-c", "l"]));
    let machine = machine.power_cycled();
    let mut tpm = machine.tpm();
    let found = tpm.storage_key().expect("no owner any more").name();
    assert_ne!(found, expected);
    let refused = tpm.expect_storage_key(expected);
    assert_eq!(refused, Err(TpmError::OtherStorageKey { expected, found }));
    // Now it may be enrolled anew.
    assert_eq!(tpm.persist_storage_key().expect("persistent").name(), found);
    tpm.take_ownership(&secret()).expect("owned again");
}

#[test]
fn a_change_of_owner_that_was_cut_off_is_finished_later() {
    let machine = Machine::new();
    let name = machine.tpm().persist_storage_key().expect("persistent").name();
    let machine = machine.power_cycled();
    assert!(!owner_is_set(&machine));
    let mut tpm = machine.tpm();
    tpm.expect_storage_key(name).expect("the enrolled one");
    tpm.take_ownership(&authorization()).expect("owned");
    assert!(owner_is_set(&machine));
}

#[test]
fn hundreds_of_sessions_all_hold() {
    let machine = Machine::new();
    machine.tpm().persist_storage_key().expect("persistent");
    // Every connection salts a session of its own. A salt that the two ends would understand
    // differently, were leading zeros dropped, comes once in 128.
    for _ in 0..400 {
        machine.tpm().random(&mut [0; 1]).expect("a session");
    }
}
