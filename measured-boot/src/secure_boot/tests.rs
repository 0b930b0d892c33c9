//! The measured bytes, written out; logs of real boots are held against them in `image`.

use super::*;
use crate::digest::sha256;
use crate::literal::unhex;

const KEYS: SecureVariables<'_> = SecureVariables {
    platform_key: b"pk",
    key_exchange_keys: b"kek",
    allowed: b"db",
    forbidden: b"dbx",
};

#[test]
fn a_variable_is_measured_as_guid_counts_name_and_value() {
    let measured = unhex(
        "cbb219d73a3d9645a3bcdad00e67656f \
         0200000000000000 0300000000000000 \
         6400 6200 \
         010203",
    );
    let event = variable(&EFI_IMAGE_SECURITY_DATABASE, "db", &[1, 2, 3]);
    assert_eq!(event.digest, sha256(&measured));
}

#[test]
fn pristine_firmware_measures_five_empty_variables_and_a_separator() {
    let events = SecureBoot::PRISTINE.events();
    let names: Vec<&str> = events.iter().map(|event| event.description.as_str()).collect();
    assert_eq!(
        names,
        [
            "variable SecureBoot",
            "variable PK",
            "variable KEK",
            "variable db",
            "variable dbx",
            "separator"
        ],
    );
    assert_eq!(events[0].digest, variable(&EFI_GLOBAL_VARIABLE, "SecureBoot", &[0]).digest);
    assert_eq!(events[4].digest, variable(&EFI_IMAGE_SECURITY_DATABASE, "dbx", &[]).digest);
}

#[test]
fn secure_boot_adds_the_authority_behind_the_separator() {
    let on = SecureBoot::On { variables: KEYS, authority: b"entry" }.events();
    let off = SecureBoot::Off(KEYS).events();
    assert_eq!(on[1..6], off[1..6]);
    assert_eq!(on[0].digest, variable(&EFI_GLOBAL_VARIABLE, "SecureBoot", &[1]).digest);
    assert_eq!(on[6].digest, variable(&EFI_IMAGE_SECURITY_DATABASE, "db", b"entry").digest);
    assert_eq!((on.len(), off.len()), (7, 6));
}

#[test]
fn every_key_variable_counts() {
    let whole = SecureBoot::Off(KEYS).events();
    for (index, keys) in [
        (1, SecureVariables { platform_key: b"", ..KEYS }),
        (2, SecureVariables { key_exchange_keys: b"", ..KEYS }),
        (3, SecureVariables { allowed: b"", ..KEYS }),
        (4, SecureVariables { forbidden: b"", ..KEYS }),
    ] {
        let other = SecureBoot::Off(keys).events();
        let changed = (0..whole.len()).filter(|at| whole[*at] != other[*at]);
        assert_eq!(changed.collect::<Vec<_>>(), [index]);
    }
}
