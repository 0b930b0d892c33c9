//! TPM firmware that is believed no more, and denylists that are not to be relied on.

use std::string::{String, ToString as _};
use std::vec;

use super::revocations::signature;
use super::scene::Scene;
use crate::check::{Check, Mismatch as _};
use crate::denylist::{DeniedFirmware, DenyError, FirmwareError, UnverifiedDenyList};
use crate::refusal::Refusal;
use crate::report;
use crate::revocation::{Seen, StatusKey};
use crate::verdict;
use rcgen::KeyPair;
use tre_wire::denylist::{
    Denied, DenyList, DenyListError, Firmware, LABEL, MOST_ENTRIES, TpmManufacturer,
};
use tre_wire::document::LABELS;
use tre_wire::hex::Hex32;
use tre_wire::signed::SignatureError;
use tre_wire::units::UnixMillis;

/// The version in every scene's quote.
const VERSION: Firmware = Firmware(0x2023_1101);

const MAKER: TpmManufacturer = TpmManufacturer(*b"MAKR");
const OTHER: TpmManufacturer = TpmManufacturer(*b"OTHR");

fn denied(manufacturer: TpmManufacturer, first: Firmware, last: Firmware) -> Denied {
    let reason = "CVE-0000-0001".to_string();
    Denied { manufacturer, first, last, reason, since: Scene::now() }
}

fn list(entries: &[Denied]) -> DenyList {
    DenyList {
        format: 1,
        trust_domain: Scene::identity().trust_domain,
        sequence: 7,
        issued_at: Scene::now(),
        valid_until: Scene::now().plus(1),
        denied: entries.to_vec(),
    }
}

fn read(list: &DenyList, label: &str, signer: &KeyPair, trusted: &KeyPair) -> Outcome {
    let file = serde_json::to_vec(list).unwrap();
    let signature = signature(label, &file, signer);
    let key = StatusKey::from_pem(trusted.public_key_pem().as_bytes()).unwrap();
    let unverified = UnverifiedDenyList { file: &file, signature: &signature };
    unverified.verify(&key)?.read(&Scene::identity().trust_domain, Scene::now())
}

type Outcome = Result<DeniedFirmware, DenyError>;

fn good(list: &DenyList) -> Outcome {
    let key = KeyPair::generate().unwrap();
    read(list, LABEL, &key, &key)
}

/// The verdict on a scene whose attestation key's certificate names `maker`.
fn judged(maker: Option<&str>, entries: &[Denied]) -> Result<(), Refusal> {
    let mut scene = Scene::honest();
    scene.aik_certificate.manufacturer = maker.map(String::from);
    let reference = scene.reference().denying(good(&list(entries)).unwrap());
    let (identity, now) = (Scene::identity(), Scene::now());
    let stored = verdict::appraise_stored(&scene.play(), &identity, &reference, now).map(|_| ());
    let live = verdict::attest(&scene.play(), scene.session(), &identity, &reference, now);
    assert_eq!(live.map(|_| ()), stored, "evidence from a file is judged as if live");
    stored
}

fn refused(entry: &Denied) -> Result<(), Refusal> {
    let entry = entry.clone();
    Err(Refusal::Firmware(FirmwareError { found: VERSION, entry, sequence: 7 }))
}

#[test]
fn denied_firmware_of_its_manufacturer_is_refused() {
    let entry = denied(MAKER, VERSION, VERSION);
    assert_eq!(judged(Some("id:4D414B52"), core::slice::from_ref(&entry)), refused(&entry));
    let range = denied(MAKER, Firmware(0), Firmware(u64::MAX));
    assert_eq!(judged(Some("id:4D414B52"), core::slice::from_ref(&range)), refused(&range));
}

#[test]
fn other_firmware_and_another_manufacturers_is_believed() {
    let below = denied(MAKER, Firmware(0), Firmware(VERSION.0 - 1));
    let above = denied(MAKER, Firmware(VERSION.0 + 1), Firmware(u64::MAX));
    let other = denied(OTHER, Firmware(0), Firmware(u64::MAX));
    assert_eq!(judged(Some("id:4D414B52"), &[below, above, other]), Ok(()));
    assert_eq!(judged(Some("id:4D414B52"), &[]), Ok(()));
}

/// An older certificate names no manufacturer: then the version alone decides.
#[test]
fn denied_firmware_of_nobody_known_is_refused() {
    let entry = denied(OTHER, VERSION, VERSION);
    for nobody in [None, Some("MAKR"), Some("id:4D414B")] {
        assert_eq!(judged(nobody, core::slice::from_ref(&entry)), refused(&entry), "{nobody:?}");
    }
}

#[test]
fn report_names_the_firmware_and_why() {
    let scene = Scene::honest();
    let entry = denied(MAKER, VERSION, VERSION);
    let reference = scene.reference().denying(good(&list(&[entry])).unwrap());
    let (identity, now) = (Scene::identity(), Scene::now());
    let checks = report::examine(&scene.play(), &scene.session(), &identity, &reference, now);
    let failed: vec::Vec<_> = checks.iter().filter(|row| !row.ok).collect();
    let [row] = failed.as_slice() else { panic!("{failed:?}") };
    assert_eq!(row.check, Check::Firmware);
    for word in ["0000000020231101", "id:4D414B52", "denylist 7", "CVE-0000-0001"] {
        assert!(row.found.contains(word), "{word} in {}", row.found);
    }
    let verdict = verdict::attest(&scene.play(), scene.session(), &identity, &reference, now);
    assert_eq!(verdict.map_err(|refusal| refusal.check()), Err(Check::Firmware));
}

#[test]
fn a_list_that_the_status_key_did_not_sign_is_refused() {
    let (own, other) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    assert!(read(&list(&[]), LABEL, &own, &own).is_ok());
    let refused = read(&list(&[]), LABEL, &other, &own);
    assert!(
        matches!(refused, Err(DenyError::Signature(SignatureError::OtherKey { .. }))),
        "{refused:?}"
    );
    let refused = read(&list(&[]), tre_wire::revocation::LABEL, &own, &own);
    assert!(
        matches!(refused, Err(DenyError::Signature(SignatureError::Label { .. }))),
        "{refused:?}"
    );
}

#[test]
fn a_list_of_another_domain_or_out_of_its_time_is_refused() {
    let other = DenyList { trust_domain: "other.example".parse().unwrap(), ..list(&[]) };
    assert!(matches!(good(&other), Err(DenyError::List(DenyListError::OtherDomain { .. }))));
    let mut late = DenyList { valid_until: Scene::now(), ..list(&[]) };
    assert!(good(&late).is_ok());
    late.valid_until = UnixMillis::new(Scene::now().get() - 1).unwrap();
    assert!(matches!(good(&late), Err(DenyError::List(DenyListError::Expired { .. }))));
}

#[test]
fn a_list_with_an_entry_that_is_none_is_refused() {
    let spoilt = |spoil: fn(&mut Denied)| {
        let mut entry = denied(MAKER, VERSION, VERSION);
        spoil(&mut entry);
        good(&list(&[entry]))
    };
    let range = spoilt(|entry| entry.first = Firmware(VERSION.0 + 1));
    assert!(matches!(range, Err(DenyError::List(DenyListError::Range { .. }))), "{range:?}");
    for reason in [spoilt(|entry| entry.reason.clear()), spoilt(|entry| entry.reason.push('\n'))] {
        assert!(matches!(reason, Err(DenyError::List(DenyListError::Reason))), "{reason:?}");
    }
    let many = vec![denied(MAKER, VERSION, VERSION); MOST_ENTRIES + 1];
    let refused = good(&list(&many));
    assert!(
        matches!(refused, Err(DenyError::List(DenyListError::TooMany { found: 1_025 }))),
        "{refused:?}"
    );
    let later = DenyList { format: 2, ..list(&[]) };
    let refused = good(&later);
    assert!(
        matches!(refused, Err(DenyError::List(DenyListError::Format { found: 2 }))),
        "{refused:?}"
    );
}

#[test]
fn an_older_list_never_replaces_a_newer_one() {
    let list = good(&list(&[])).unwrap();
    let seen = list.follows(None).unwrap();
    assert_eq!(list.follows(Some(&Seen { sequence: 6, ..seen })).unwrap(), seen);
    let refused = list.follows(Some(&Seen { sequence: 8, ..seen }));
    assert!(
        matches!(refused, Err(DenyError::List(DenyListError::Older { seen: 8, found: 7 }))),
        "{refused:?}"
    );
    let refused = list.follows(Some(&Seen { sha256: Hex32([0; 32]), ..seen }));
    assert!(
        matches!(refused, Err(DenyError::List(DenyListError::Fork { sequence: 7, .. }))),
        "{refused:?}"
    );
}

#[test]
fn the_label_is_not_the_start_of_another_nor_another_its_start() {
    let more = [tre_wire::revocation::LABEL, crate::release::LABEL];
    let others = LABELS.iter().copied().chain(more.iter().map(|label| label.as_bytes()));
    for other in others {
        let own = LABEL.as_bytes();
        assert!(!other.starts_with(own) && !own.starts_with(other), "{other:?}");
    }
}
