//! What is kept comes back, and nothing else does.

use std::collections::BTreeSet;
use std::path::Path;

use tempfile::TempDir;
use tre_store::{Device, Extent};
use tre_tpm::Secret32;
use tre_wire::hex::HexBytes;

use super::*;

fn disk() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let file = std::fs::File::create(folder.path().join("disk")).expect("a disk");
    file.set_len(disk::DISK_LEN).expect("a disk");
    folder
}

fn store(folder: &Path) -> StatusStore {
    let device = Device::open(&folder.join("disk")).expect("a disk");
    let [first, second] =
        disk::STATUS.map(|region| Extent { offset: region.offset, length: region.length });
    StatusStore::new(TwoSlotRegion::new(device, first, second).expect("a region"))
}

fn envelope(secret: u8) -> Envelope {
    Envelope::new(&Secret32::new([secret; 32]), ENVELOPE_LABEL)
}

fn revocations(keys: u32) -> Revocations {
    let key = |number: u32| {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        key
    };
    let keys: BTreeSet<[u8; 32]> = (0..keys).map(key).collect();
    Revocations { edition: Some(Edition { sequence: 7, sha256: Hex32([1; 32]) }), keys }
}

fn certificates() -> RenewCertificates {
    let chain = |byte: u8| vec![HexBytes(vec![byte; tre_wire::bounds::CERTIFICATE_BYTES])];
    RenewCertificates {
        attestation_key_chain: chain(1),
        tls_chain: chain(2),
        document_chain: chain(3),
    }
}

#[test]
fn what_was_kept_comes_back_after_a_power_cut_even_if_it_is_the_longest() {
    let folder = disk();
    let most = u32::try_from(tre_wire::revocation::MOST_KEYS).expect("small");
    let mut first = store(folder.path());
    assert_eq!(first.open(envelope(1)).expect("nothing"), &Status::default());
    first.keep_revocations(&revocations(most)).expect("kept");
    drop(first);
    let mut second = store(folder.path());
    let kept = second.open(envelope(1)).expect("kept");
    assert_eq!(kept, &Status { revocations: revocations(most), ..Status::default() });
    // One does not push the other out.
    let mark = UnixMillis::new(1_772_000_000_000).expect("in range");
    second.keep_certificates(&certificates()).expect("kept");
    second.keep_mark(mark).expect("kept");
    second.keep_revocations(&revocations(3)).expect("kept");
    drop(second);
    let (revocations, certificates) = (revocations(3), Some(certificates()));
    let expected = Status { revocations, certificates, mark, epoch: 0 };
    assert_eq!(store(folder.path()).open(envelope(1)).expect("kept"), &expected);
}

#[test]
fn a_record_of_another_secret_or_with_a_changed_byte_does_not_open() {
    let folder = disk();
    let mut first = store(folder.path());
    first.begin(envelope(1)).expect("kept");
    drop(first);
    let refused = store(folder.path()).open(envelope(2)).cloned();
    let other = matches!(refused, Err(StatusError::Envelope(EnvelopeError::OtherKey)));
    assert!(other, "{refused:?}");
    // Whoever writes the disk can make a slot that is whole; not one that decrypts.
    let mut region = store(folder.path()).region;
    let mut bytes = region.read().expect("readable").expect("a record").bytes;
    *bytes.last_mut().expect("not empty") ^= 1;
    region.write(&bytes).expect("written");
    drop(region);
    let refused = store(folder.path()).open(envelope(1)).cloned();
    let altered = matches!(refused, Err(StatusError::Envelope(EnvelopeError::Altered)));
    assert!(altered, "{refused:?}");
    // A new enrolment begins anew.
    store(folder.path()).begin(envelope(2)).expect("kept");
    let expected = Status { epoch: 1, ..Status::default() };
    assert_eq!(store(folder.path()).open(envelope(2)).expect("empty"), &expected);
}

#[test]
fn nothing_is_kept_before_the_box_is_enrolled() {
    let folder = disk();
    let refused = store(folder.path()).keep_revocations(&revocations(1));
    assert!(matches!(refused, Err(StatusError::Closed)), "{refused:?}");
}

#[test]
fn every_start_begins_an_epoch_that_no_earlier_one_had() {
    let folder = disk();
    store(folder.path()).begin(envelope(1)).expect("kept");
    for expected in 2..5 {
        let mut started = store(folder.path());
        started.open(envelope(1)).expect("kept");
        started.begin_epoch().expect("kept");
        assert_eq!(started.epoch(), expected);
        // What is kept later belongs to the same epoch.
        started.keep_revocations(&revocations(3)).expect("kept");
        assert_eq!(started.epoch(), expected);
    }
    let mut last = store(folder.path());
    last.open(envelope(1)).expect("kept");
    last.keep(Status { epoch: u64::MAX, ..Status::default() }).expect("kept");
    let refused = last.begin_epoch();
    assert!(matches!(refused, Err(StatusError::LastEpoch)), "{refused:?}");
}

#[test]
fn older_formats_are_read_and_a_later_one_is_refused_by_its_number() {
    let key = Hex32([7; 32]);
    for older in [
        format!(r#"{{"format":1,"list":null,"keys":["{key}"]}}"#),
        format!(r#"{{"format":2,"list":null,"keys":["{key}"],"certificates":null}}"#),
    ] {
        let status = read(older.as_bytes()).expect("an older format");
        assert!(status.revocations.name(&key.0), "{older}");
        assert_eq!((status.certificates, status.epoch), (None, 0));
        assert_eq!(status.mark, UnixMillis::default());
    }
    let refused = read(br#"{"format":4,"something":"new"}"#);
    assert!(matches!(refused, Err(StatusError::Format(4))), "{refused:?}");
}
