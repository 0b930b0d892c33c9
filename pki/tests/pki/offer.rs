//! What a box offers: accepted whole with a real TPM, refused with one thing wrong at a time.

use measured_boot::digest::Sha256Digest;
use measured_boot::tpm::Name;
use pki::ek::{EkError, EkRoots};
use pki::enrol::offer::{ChallengeError, Offer, OfferError, OfferedKey, ProvenTre};
use pki::enrol::record::{AppraisedAgainst, Record, RecordError};
use rcgen::{KeyPair, PublicKeyData as _};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, UnparsedPublicKey,
};
use rsa::rand_core::OsRng;
use tre_wire::document;
use tre_wire::hex::{Hex32, HexBytes};
use tre_wire::message::enrolment::{ActivatedCredential, EnrolmentKeys, ProvenKey};
use tre_wire::role::{Identity, Role};

use crate::fixture::{self, FreshDomain, days, now};
use crate::tpm::{Manufacturer, Tpm};

const EXPORTER: [u8; 32] = [0x5a; 32];

/// A box with a real TPM, and the authority's side of its enrolment.
struct Scene {
    fresh: FreshDomain,
    tpm: Tpm,
    roots: EkRoots,
    tre: Identity,
    keys: EnrolmentKeys,
    appraised_key: Name,
}

fn proven_key(key: &KeyPair, exporter: &[u8; 32], tre_id: &str) -> ProvenKey {
    let random = SystemRandom::new();
    let (spki, der) = (key.subject_public_key_info(), key.serialize_der());
    let signer = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der, &random);
    let statement = document::key_proof(exporter, tre_id, &spki);
    let proof = signer.expect("a key").sign(&random, &statement).expect("signed");
    ProvenKey { spki: HexBytes(spki), proof: HexBytes(proof.as_ref().to_vec()) }
}

/// `TPMT_PUBLIC` of a P-256 storage key with these attributes. (The box's own TPM makes a real one.)
fn storage_key(attributes: u32) -> Vec<u8> {
    let head = [0x00, 0x23, 0x00, 0x0b];
    let parameters = [0, 0, 0, 6, 0, 0x80, 0, 0x43, 0, 0x10, 0, 3, 0, 0x10];
    let point = [[0, 32].as_slice(), &[1; 32], &[0, 32], &[2; 32]].concat();
    [head.as_slice(), &attributes.to_be_bytes(), &parameters, &point].concat()
}

fn fresh_key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn scene() -> Scene {
    let fresh = fixture::domain();
    let maker = Manufacturer::new();
    let tpm = maker.tpm();
    let attestation_key = tpm.attestation_key("aik");
    let keys = EnrolmentKeys {
        endorsement_certificates: tpm.certificates(),
        endorsement_key: HexBytes(tpm.endorsement_key()),
        attestation_key: HexBytes(attestation_key.clone()),
        storage_key: HexBytes(storage_key(0x0003_0472)),
        tls: proven_key(&fresh_key(), &EXPORTER, "tre-1"),
        document: proven_key(&fresh_key(), &EXPORTER, "tre-1"),
    };
    Scene {
        roots: maker.listed(),
        tre: fresh.identity(Role::Tre, "tre-1"),
        appraised_key: Name::of_public_area(&attestation_key),
        fresh,
        tpm,
        keys,
    }
}

impl Scene {
    fn offer<'a>(&'a self, keys: &'a EnrolmentKeys) -> Offer<'a> {
        let Self { tre, appraised_key, .. } = self;
        Offer { tre, appraised_key: *appraised_key, exporter: &EXPORTER, keys }
    }

    fn refused(&self, change: impl FnOnce(&mut EnrolmentKeys)) -> OfferError {
        let mut keys = self.keys.clone();
        change(&mut keys);
        self.offer(&keys).check(&self.roots, now()).expect_err("one thing is wrong")
    }

    fn proven(&self) -> ProvenTre {
        let checked = self.offer(&self.keys).check(&self.roots, now()).expect("nothing is wrong");
        let (challenge, request) = checked.challenge(&mut OsRng).expect("a challenge");
        let (object, secret) = (&request.id_object.0, &request.encrypted_secret.0);
        let secret = self.tpm.activate("aik", object, secret).expect("activated");
        challenge.check(&ActivatedCredential { secret: HexBytes(secret) }).expect("proven")
    }
}

#[test]
fn a_proven_box_gets_certificates_for_its_three_keys_once() {
    let scene = scene();
    let proven = scene.proven();
    let authority = scene.fresh.domain.tre_authority().expect("an authority");
    let complete = proven.certify(&authority, days(90), &mut OsRng).expect("certified");
    for (chain, spki) in [
        (&complete.attestation_key_chain, proven.offer().spki(OfferedKey::Attestation).to_vec()),
        (&complete.tls_chain, scene.keys.tls.spki.0.clone()),
        (&complete.document_chain, scene.keys.document.spki.0.clone()),
    ] {
        let [leaf, issuer] = chain.as_slice() else { panic!("expected leaf and authority") };
        assert_eq!(issuer.0, authority.certificate().to_vec());
        let (_, leaf) = x509_parser::parse_x509_certificate(&leaf.0).expect("a certificate");
        assert_eq!(leaf.public_key().raw, spki);
    }

    let against =
        AppraisedAgainst { manifest: Sha256Digest([1; 32]), deployment: Sha256Digest([2; 32]) };
    let record = Record::of(&proven, against, &complete, now(), days(90).ends());
    let records = scene.fresh.domain.records();
    let id = &scene.tre.id;
    records.check_free(id).expect("free");
    records.write(&record).expect("written");
    let read = records.read(id).expect("readable");
    assert_eq!(read, record);
    assert_eq!(read.attestation_key_name.0, scene.appraised_key.to_bytes());
    assert_eq!(read.manifest_sha256, Hex32([1; 32]));
    let storage = Name::of_public_area(&scene.keys.storage_key.0);
    assert_eq!(read.storage_key_name.0, storage.to_bytes());
    // The authority signed for exactly these two keys of this TRE.
    let (_, issuer) = x509_parser::parse_x509_certificate(authority.certificate()).expect("one");
    let issuer = issuer.public_key().subject_public_key.data.to_vec();
    let verify = |statement: &[u8]| {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &issuer)
            .verify(statement, &read.record_signature.0)
    };
    let (aik, srk) = (scene.appraised_key.to_bytes(), storage.to_bytes());
    assert_eq!(verify(&document::enrolment(&scene.tre, &aik, &srk)), Ok(()));
    assert!(verify(&document::enrolment(&scene.tre, &srk, &aik)).is_err());

    // The name is taken for good.
    let refused = records.check_free(id);
    assert!(matches!(refused, Err(RecordError::Enrolled { .. })), "{refused:?}");
    let other = Record { enrolled_at: now().plus(1), ..record.clone() };
    let refused = records.write(&other);
    assert!(matches!(refused, Err(RecordError::Enrolled { .. })), "{refused:?}");
    assert_eq!(records.read(id).expect("readable"), record);
}

#[test]
fn a_record_of_the_first_format_is_refused_by_its_number() {
    let fresh = fixture::domain();
    let tre = fresh.identity(Role::Tre, "tre-1");
    let records = fresh.domain.records();
    let path = records.path(&tre.id);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(&path, br#"{"format":1,"tre":"spiffe://grid.example/tre/tre-1"}"#)
        .expect("written");
    let refused = records.read(&tre.id);
    assert!(matches!(refused, Err(RecordError::Format { found: 1, .. })), "{refused:?}");
}

#[test]
fn a_record_of_the_second_format_is_read_and_admitted_nothing() {
    let fresh = fixture::domain();
    let tre = fresh.identity(Role::Tre, "tre-1");
    let records = fresh.domain.records();
    let hash = "07".repeat(32);
    let second = format!(
        r#"{{"format":2,"tre":"spiffe://grid.example/tre/tre-1","enrolled_at":1,
        "certificates_end":2,"tpm":{{"manufacturer":"id:1","model":"m","version":"id:2"}},
        "endorsement_certificate_sha256":"{hash}","endorsement_key_name":"000b",
        "attestation_key_name":"000b","storage_key_name":"000b",
        "attestation_key_spki_sha256":"{hash}","tls_key_spki_sha256":"{hash}",
        "document_key_spki_sha256":"{hash}","manifest_sha256":"{hash}",
        "deployment_sha256":"{hash}","record_signature":"00"}}"#
    );
    std::fs::write(records.path(&tre.id), &second).expect("written");
    let record = records.read(&tre.id).expect("readable");
    assert_eq!(record.endorsement_certificate_sha256, Some(Hex32([7; 32])));
    assert!(record.endorsement_admitted.is_empty());
    let later = second.replace("\"format\":2", "\"format\":4");
    std::fs::write(records.path(&tre.id), later).expect("written");
    let refused = records.read(&tre.id);
    assert!(matches!(refused, Err(RecordError::Format { found: 4, .. })), "{refused:?}");
}

/// Two desks enrol two boxes under one name in the same moment: the name has one record, whole.
#[test]
fn of_two_enrolments_that_race_for_a_name_one_gets_it() {
    let scene = scene();
    let proven = scene.proven();
    let authority = scene.fresh.domain.tre_authority().expect("an authority");
    let records = scene.fresh.domain.records();
    let against =
        AppraisedAgainst { manifest: Sha256Digest([1; 32]), deployment: Sha256Digest([2; 32]) };
    let candidates: Vec<Record> = (1..=8)
        .map(|life| {
            let complete = proven.certify(&authority, days(life), &mut OsRng).expect("certified");
            Record::of(&proven, against, &complete, now(), days(life).ends())
        })
        .collect();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let records = &records;
        let write = |record| scope.spawn(move || records.write(record));
        let racing: Vec<_> = candidates.iter().map(write).collect();
        racing.into_iter().map(|one| one.join().expect("a thread")).collect()
    });
    let winner = records.read(&scene.tre.id).expect("a whole record");
    let mut won = 0;
    for (outcome, candidate) in outcomes.iter().zip(&candidates) {
        match outcome {
            Ok(_) => {
                won += 1;
                assert_eq!(candidate, &winner, "a record was replaced by another");
            }
            Err(RecordError::Enrolled { tre_id, .. }) => assert_eq!(tre_id, &scene.tre.id),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(won, 1, "of two enrolments of one name, both were written");
    let folder = records.path(&scene.tre.id);
    let left = std::fs::read_dir(folder.parent().expect("a folder")).expect("a folder").count();
    assert_eq!(left, 1, "half-written records lie about");
}

#[test]
fn a_storage_key_that_could_leave_its_tpm_is_refused() {
    let scene = scene();
    let refused = scene.refused(|keys| keys.storage_key = HexBytes(storage_key(0x0003_0470)));
    assert!(matches!(refused, OfferError::StorageProfile(_)), "{refused:?}");
    let refused = scene.refused(|keys| keys.storage_key = HexBytes(vec![0x00, 0x23]));
    assert!(matches!(refused, OfferError::StoragePublic(_)), "{refused:?}");
}

#[test]
fn another_secret_proves_nothing() {
    let scene = scene();
    let challenge = || {
        let checked = scene.offer(&scene.keys).check(&scene.roots, now()).expect("right");
        checked.challenge(&mut OsRng).expect("a challenge")
    };
    for secret in [vec![0; 32], Vec::new(), vec![0; 31], vec![0; 33]] {
        let length = secret.len();
        let refused = challenge().0.check(&ActivatedCredential { secret: HexBytes(secret) });
        assert!(
            matches!(&refused, Err(ChallengeError::WrongSecret { found, .. }) if *found == length),
            "{refused:?}"
        );
    }
    // The right answer to an earlier challenge.
    let (_, earlier) = challenge();
    let (object, secret) = (&earlier.id_object.0, &earlier.encrypted_secret.0);
    let answer = scene.tpm.activate("aik", object, secret).expect("activated");
    let refused = challenge().0.check(&ActivatedCredential { secret: HexBytes(answer) });
    assert!(matches!(refused, Err(ChallengeError::WrongSecret { found: 32, .. })), "{refused:?}");
}

#[test]
fn another_attestation_key_than_the_one_that_quoted_is_refused() {
    let scene = scene();
    let other = scene.tpm.endorsement_primary(
        "other",
        "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign",
    );
    let found = Name::of_public_area(&other);
    let refused = scene.refused(|keys| keys.attestation_key = HexBytes(other.clone()));
    assert!(
        matches!(refused, OfferError::OtherAttestationKey { expected, found: name }
            if expected == scene.appraised_key && name == found),
        "{refused:?}"
    );
    // Were it the one that signed: it is not fit to be one (no noDA).
    let keys = EnrolmentKeys { attestation_key: HexBytes(other), ..scene.keys.clone() };
    let offer = Offer { appraised_key: found, ..scene.offer(&keys) };
    let refused = offer.check(&scene.roots, now()).expect_err("not of the profile");
    assert!(matches!(refused, OfferError::AttestationProfile(_)), "{refused:?}");
    let refused = scene.refused(|keys| keys.attestation_key.0.push(0));
    assert!(matches!(refused, OfferError::AttestationPublic(_)), "{refused:?}");
}

#[test]
fn a_box_without_a_listed_endorsement_key_is_refused() {
    let scene = scene();
    let refused = scene.refused(|keys| keys.endorsement_certificates.clear());
    assert!(
        matches!(refused, OfferError::Endorsement(EkError::NoCertificate { .. })),
        "{refused:?}"
    );
    let stranger = Manufacturer::new().tpm();
    let refused = scene.refused(|keys| keys.endorsement_key.0 = stranger.endorsement_key());
    assert!(matches!(refused, OfferError::Endorsement(EkError::OtherKey { .. })), "{refused:?}");
}

#[test]
fn a_key_that_is_not_proven_here_for_this_name_is_refused() {
    let scene = scene();
    let key = fresh_key();
    let refused = scene.refused(|keys| keys.tls.spki.0.truncate(10));
    assert!(matches!(refused, OfferError::Spki { key: OfferedKey::Tls, .. }), "{refused:?}");
    let here = proven_key(&key, &EXPORTER, "tre-1");
    let unproven = ProvenKey { spki: here.spki.clone(), ..scene.keys.document.clone() };
    for wrong in [
        unproven,
        proven_key(&key, &[0x5b; 32], "tre-1"),
        proven_key(&key, &EXPORTER, "tre-2"),
        ProvenKey { proof: HexBytes(Vec::new()), ..here.clone() },
    ] {
        let refused = scene.refused(|keys| keys.document = wrong.clone());
        assert!(matches!(refused, OfferError::Proof { key: OfferedKey::Document }), "{refused:?}");
        let refused = scene.refused(|keys| keys.tls = wrong);
        assert!(matches!(refused, OfferError::Proof { key: OfferedKey::Tls }), "{refused:?}");
    }
    let refused = scene.refused(|keys| keys.document = keys.tls.clone());
    let (first, second) = (OfferedKey::Tls, OfferedKey::Document);
    assert!(
        matches!(refused, OfferError::SameKey { first: a, second: b } if (a, b) == (first, second)),
        "{refused:?}"
    );
}
