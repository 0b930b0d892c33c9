//! Stores made here as another program reads them, stores with one fault each, and what the
//! firmware is expected to say of them.

use super::signatures::Entry;
use super::*;
use proptest::prelude::*;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/secure-boot");

fn blank() -> Vec<u8> {
    fs::read(BLANK_VARIABLES).expect("installed")
}

fn certificate(name: &str) -> Certificate {
    Certificate::load(&Path::new(VECTORS).join(name)).expect("committed")
}

fn keys(allowed: Allowed) -> Keys {
    Keys {
        platform_key: certificate("platform-key.crt"),
        key_exchange_keys: vec![certificate("key-exchange-key.crt")],
        allowed: vec![allowed],
    }
}

fn by_hash() -> Vec<u8> {
    enrolled(&blank(), &keys(Allowed::Hash(Sha256Digest([0xab; 32])))).expect("fits")
}

/// An unsigned EFI file without a section: headers alone, with a byte of its own.
fn efi(byte: u8) -> Vec<u8> {
    let mut file = vec![0; 0x200];
    for (offset, bytes) in [
        (0, &b"MZ"[..]),
        (0x3c, &0x40_u32.to_le_bytes()),
        (0x40, b"PE\0\0"),
        (0x54, &0xf0_u16.to_le_bytes()),
        (0x58, &0x020b_u16.to_le_bytes()),
        (0x58 + 60, &0x200_u32.to_le_bytes()),
        (0x58 + 108, &16_u32.to_le_bytes()),
        (0x1ff, &[byte]),
    ] {
        file[offset..][..bytes.len()].copy_from_slice(bytes);
    }
    file
}

fn hash_of(efi: &[u8]) -> Sha256Digest {
    measured_boot::pe::EfiFile::parse(efi).expect("an EFI file").authenticode()
}

/// `virt-fw-vars --output-json` read these values out of a store that was made here.
#[test]
fn another_program_reads_the_variables_that_were_written() {
    #[derive(serde::Deserialize)]
    struct Dump {
        variables: Vec<Variable>,
    }
    #[derive(serde::Deserialize)]
    struct Variable {
        name: String,
        attr: u32,
        data: String,
        time: Option<String>,
    }
    let dump = fs::read(Path::new(VECTORS).join("by-hash.json")).expect("committed");
    let mut dump: Dump = serde_json::from_slice(&dump).expect("JSON");
    dump.variables.sort_by(|one, other| one.name.cmp(&other.name));
    let store = by_hash();
    let state = SecureBootState::read(&store).expect("reads");
    let SecureVariables { platform_key, key_exchange_keys, allowed, forbidden } = state.variables();
    let ours = [
        ("KEK", 0x27, key_exchange_keys),
        ("PK", 0x27, platform_key),
        ("SecureBootEnable", 0x03, &[1]),
        ("db", 0x27, allowed),
    ];
    assert_eq!(forbidden, b"");
    assert_eq!(dump.variables.len(), ours.len());
    for ((name, attributes, value), theirs) in ours.into_iter().zip(&dump.variables) {
        assert_eq!((theirs.name.as_str(), theirs.attr), (name, attributes));
        assert_eq!(tre_wire::hex::decode(&theirs.data).as_deref(), Ok(value), "{name}");
        let time = (attributes == 0x27).then_some("d0070101000000000000000000000000");
        assert_eq!(theirs.time.as_deref(), time, "{name}");
    }
}

#[test]
fn the_same_keys_make_the_same_store() {
    let store = by_hash();
    assert_eq!(store, by_hash());
    assert_eq!(store.len(), blank().len());
    let behind_the_store = 0x4_0000;
    assert!(
        store[behind_the_store..] == blank()[behind_the_store..],
        "more than variables changed"
    );
}

#[test]
fn a_new_store_is_made_and_an_existing_one_left_alone() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("vars.fd");
    let keys = keys(Allowed::Hash(Sha256Digest([0xab; 32])));
    create(&path, &keys).expect("makes");
    assert!(read(&path).expect("reads").is_enabled());
    let refused = create(&path, &keys);
    assert!(matches!(refused, Err(VariablesError::Exists { .. })), "{refused:?}");
}

#[test]
fn the_blank_store_means_secure_boot_off() {
    let state = SecureBootState::read(&blank()).expect("reads");
    assert_eq!(state.secure_boot(&efi(1)).expect("anything starts"), SecureBoot::PRISTINE);
}

#[test]
fn an_image_in_db_starts_and_its_entry_is_the_authority() {
    let file = efi(1);
    let store = enrolled(&blank(), &keys(Allowed::Hash(hash_of(&file)))).expect("fits");
    let state = SecureBootState::read(&store).expect("reads");
    let SecureBoot::On { authority, variables } = state.secure_boot(&file).expect("starts") else {
        panic!("expected secure boot on");
    };
    // The list's header, then the one entry.
    assert_eq!(variables.allowed.split_at(28).1, authority);
    assert_eq!(authority.split_at(16).1, hash_of(&file).0);
}

#[test]
fn an_image_with_one_other_byte_is_refused() {
    let store = enrolled(&blank(), &keys(Allowed::Hash(hash_of(&efi(1))))).expect("fits");
    let state = SecureBootState::read(&store).expect("reads");
    let refused = state.secure_boot(&efi(2));
    assert!(
        matches!(&refused, Err(AuthorityError::NotAllowed { hash }) if *hash == hash_of(&efi(2))),
        "{refused:?}",
    );
}

#[test]
fn an_image_in_dbx_is_refused_although_it_is_in_db() {
    let file = efi(1);
    let entry = signatures::lists([Entry::Sha256(&hash_of(&file))].into_iter());
    let variables = SecureVariables { allowed: &entry, forbidden: &entry, ..Default::default() };
    let refused = authority::find(&variables, &file);
    assert!(matches!(refused, Err(AuthorityError::Forbidden { .. })), "{refused:?}");
}

#[test]
fn an_entry_of_an_unknown_kind_is_named() {
    let mut entry = signatures::lists([Entry::Sha256(&Sha256Digest([1; 32]))].into_iter());
    entry[0] ^= 1;
    let variables = SecureVariables { allowed: &entry, ..Default::default() };
    let refused = authority::find(&variables, &efi(1));
    let found = entry.first_chunk().copied().expect("a GUID");
    assert!(
        matches!(
            refused,
            Err(AuthorityError::Variable {
                variable: "db",
                source: signatures::SignatureError::Kind { offset: 0, found: it },
            }) if it == found
        ),
        "{refused:?}",
    );
}

/// Each row: what is written over a good store, where, and how it is refused.
#[test]
fn a_damaged_store_is_refused_by_its_fault() {
    let rows: [(usize, &[u8], StoreError); 8] = [
        (0x10, &[0], StoreError::Volume),    // another file system
        (0x20, &[0, 0], StoreError::Volume), // another length
        (0x28, b"X", StoreError::Volume),    // no signature
        (0x30, &[0x46], StoreError::Volume), // a header of another length
        (0x32, &[0], StoreError::Volume),    // a wrong check sum
        (0x48, &[0], StoreError::Header { offset: 0x48 }), // not authenticated
        (0x5c, &[0], StoreError::Header { offset: 0x48 }), // not formatted
        (0x5d, &[0], StoreError::Header { offset: 0x48 }), // not healthy
    ];
    for (offset, fault, expected) in rows {
        let mut store = by_hash();
        store[offset..][..fault.len()].copy_from_slice(fault);
        assert_eq!(Store::parse(&store).map(drop), Err(expected), "fault at {offset:#x}");
    }
}

#[test]
fn a_variable_longer_than_the_store_is_refused() {
    let mut store = by_hash();
    // DataSize of the first variable.
    store[0x64 + 40..][..4].copy_from_slice(&u32::MAX.to_le_bytes());
    let refused = Store::parse(&store).map(drop);
    assert!(matches!(refused, Err(StoreError::Read(_))), "{refused:?}");
}

#[test]
fn a_variable_that_stands_twice_is_refused() {
    let key = || NewVariable {
        guid: EFI_GLOBAL_VARIABLE,
        name: "PK",
        attributes: Attributes::KEY,
        value: vec![1, 2, 3],
    };
    let blank = blank();
    let twice = Store::parse(&blank).and_then(|store| store.filled(&[key(), key()]));
    let twice = twice.expect("the writer does not look");
    // A header of 60 bytes, a name of 6, a value of 3, filling to 72.
    assert_eq!(Store::parse(&twice).map(drop), Err(StoreError::Repeated { offset: 0x64 + 72 }));
    // Deleted, or being replaced, the first one does not count.
    for state in [0x3d, 0x3e] {
        let mut replaced = twice.clone();
        replaced[0x66] = state;
        replaced[0x64 + 66] = 9;
        let store = Store::parse(&replaced).expect("reads");
        assert_eq!(store.value(&EFI_GLOBAL_VARIABLE, "PK"), Some(&[1, 2, 3][..]), "{state:#x}");
    }
}

#[test]
fn a_variable_being_replaced_counts_until_its_successor_is_there() {
    let mut store = by_hash();
    store[0x66] = 0x3e;
    let state = SecureBootState::read(&store).expect("reads");
    assert!(!state.variables().allowed.is_empty());
    store[0x66] = 0x3c;
    let state = SecureBootState::read(&store).expect("reads");
    assert!(state.variables().allowed.is_empty());
}

#[test]
fn the_switch_turns_secure_boot_off() {
    let mut store = by_hash();
    let switch = store.windows(33).position(|window| {
        window.starts_with(&[b'E', 0, b'n', 0, b'a', 0, b'b', 0, b'l', 0, b'e', 0, 0, 0])
    });
    let value = switch.expect("SecureBootEnable") + 14;
    assert_eq!(store[value], 1);
    store[value] = 0;
    let state = SecureBootState::read(&store).expect("reads");
    assert!(!state.is_enabled());
    let variables = state.variables();
    assert_eq!(state.secure_boot(&efi(9)).expect("starts"), SecureBoot::Off(variables));
}

#[test]
fn a_full_store_takes_no_more() {
    let value = vec![0; 0x4_0000];
    let key = NewVariable { guid: [0; 16], name: "x", attributes: Attributes::BOOT, value };
    let blank = blank();
    let refused = Store::parse(&blank).and_then(|store| store.filled(&[key]));
    let (room, needed) = (0x4_0000 - 0x64, 60 + 4 + 0x4_0000);
    assert_eq!(refused, Err(StoreError::NoRoom { room, needed }));
}

#[test]
fn keys_go_into_a_blank_store_alone() {
    let refused = enrolled(&by_hash(), &keys(Allowed::Hash(Sha256Digest([1; 32]))));
    assert_eq!(refused, Err(StoreError::NotBlank { found: 4 }));
}

#[test]
fn time_stamp_keys_are_not_predicted() {
    let key = NewVariable {
        guid: EFI_IMAGE_SECURITY_DATABASE,
        name: "dbt",
        attributes: Attributes::KEY,
        value: vec![1],
    };
    let blank = blank();
    let store = Store::parse(&blank).and_then(|store| store.filled(&[key])).expect("fits");
    assert_eq!(SecureBootState::read(&store), Err(StoreError::TimeStampDatabase));
}

proptest! {
    /// A store is 528 KiB; what is not blank lies in its first few.
    #[test]
    fn no_store_makes_the_reader_panic(
        faults in prop::collection::vec((0_usize..0x1000, any::<u8>()), 1..20),
    ) {
        let mut store = by_hash();
        for (offset, byte) in faults {
            store[offset] = byte;
        }
        if let Ok(state) = SecureBootState::read(&store) {
            drop(state.secure_boot(&efi(1)));
        }
    }

    #[test]
    fn no_signature_list_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(signatures::read(&bytes));
    }

    #[test]
    fn what_is_written_is_what_is_read(
        entries in prop::collection::vec(prop_oneof![
            any::<[u8; 32]>().prop_map(|hash| (true, hash.to_vec())),
            prop::collection::vec(any::<u8>(), 1..100).prop_map(|der| (false, der)),
        ], 0..8),
    ) {
        let hashes: Vec<Sha256Digest> = entries
            .iter()
            .map(|(_, content)| Sha256Digest(content.first_chunk().copied().unwrap_or_default()))
            .collect();
        let given = entries.iter().zip(&hashes).map(|((is_hash, content), hash)| match is_hash {
            true => Entry::Sha256(hash),
            false => Entry::Certificate(content),
        });
        let lists = signatures::lists(given);
        let read = signatures::read(&lists).expect("reads");
        let found: Vec<(bool, Vec<u8>)> = read
            .iter()
            .map(|one| (one.kind == signatures::Kind::Sha256, one.content.to_vec()))
            .collect();
        prop_assert_eq!(found, entries);
    }
}
