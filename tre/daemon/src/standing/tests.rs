//! Every start after every power cut of an enrolment, on a real TPM in software.

use std::path::PathBuf;

use measured_boot::tpm::Public;
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _, SigningKey as _};
use tempfile::TempDir;
use tre_tpm::EsapiTpm;
use tre_tpm::swtpm::{Manufacturer, Swtpm};
use tre_wire::document;
use tre_wire::hex::HexBytes;
use tre_wire::message::enrolment::CompleteEnrolment;
use tre_wire::role::Identity;

use super::*;
use crate::enrolled::{Enrolling, Secrets};
use crate::record::{KeyNames, RecordRefusal};

const POLICY: &str = include_str!("../../../../pki/policies/demo.json");

/// A box: its disk, its TPM, and the authority that its deployment names.
struct Machine {
    folder: TempDir,
    authority: KeyPair,
    running: Option<Swtpm>,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let authority = KeyPair::generate().expect("a key");
        let certificate =
            CertificateParams::default().self_signed(&authority).expect("a certificate");
        let certificate = HexBytes(certificate.der().to_vec());
        let deployment = Deployment {
            format: deployment::FORMAT,
            trust_domain: "grid.example".parse().expect("a domain"),
            tre_authorities: vec![certificate.clone()],
            grid_authorities: vec![certificate],
            status_key: HexBytes(authority.subject_public_key_info()),
            policy: tre_wire::json::decode(POLICY.as_bytes()).expect("a policy"),
        };
        let file = tre_wire::json::encode(&deployment).expect("JSON");
        let made = Self { folder, authority, running: None };
        let blank = std::fs::File::create(made.disk()).expect("a disk");
        blank.set_len(disk::DISK_LEN).expect("a disk");
        let device = Device::open(&made.disk()).expect("a disk");
        device.write(disk::HEADER.offset, &disk::header()).expect("written");
        let block = disk::deployment_block(&file).expect("fits");
        device.write(disk::DEPLOYMENT.offset, &block).expect("written");
        made.with_another_tpm()
    }

    fn disk(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("tpm")
    }

    fn with_another_tpm(mut self) -> Self {
        self.running = None;
        let maker = Manufacturer::open(&self.folder.path().join("maker")).expect("a maker");
        maker.make(&self.state()).expect("a TPM");
        self
    }

    /// Cuts the power, switches it on again, and starts.
    fn start(&mut self) -> (Started, EsapiTpm) {
        self.running = None;
        let running = Swtpm::start(&self.state()).expect("a running TPM");
        let mut tpm = running.connect().expect("a connection");
        self.running = Some(running);
        let device = Device::open(&self.disk()).expect("a disk");
        (start(device, &mut tpm).expect("starts"), tpm)
    }

    /// What an enrolment is made from, signed by `authority`.
    fn enrolling(&self, tpm: &mut EsapiTpm, authority: &KeyPair) -> Enrolling {
        let attestation = tpm.attestation_key().map(|key: Public| key.name()).expect("a key");
        let storage = tpm.storage_key().expect("a key").name();
        let identity: Identity = "spiffe://grid.example/tre/tre-1".parse().expect("an identity");
        let record = document::enrolment(&identity, &attestation.to_bytes(), &storage.to_bytes());
        let chains = CompleteEnrolment {
            attestation_key_chain: Vec::new(),
            tls_chain: Vec::new(),
            document_chain: Vec::new(),
            record_signature: HexBytes(authority.sign(&record).expect("signed")),
        };
        let names = KeyNames { attestation, storage };
        Enrolling { tre_id: identity.id, names, chains, keys: Keys::generate().expect("keys") }
    }

    fn enrol(&mut self) {
        let (Started { mut region, seal_policy, .. }, mut tpm) = self.start();
        let enrolling = self.enrolling(&mut tpm, &self.authority);
        let (enrolled, Secrets { owner, .. }, _) =
            Enrolled::seal(&mut tpm, &seal_policy, enrolling).expect("sealed");
        region.write(&enrolled.to_bytes().expect("JSON")).expect("written");
        tpm.take_ownership(&owner).expect("owned");
    }
}

/// Whether the TPM has an owner: nobody else can be one.
fn is_owned(tpm: &mut EsapiTpm) -> bool {
    matches!(tpm.storage_key(), Err(TpmError::OwnerTaken { .. }))
}

#[test]
fn an_enrolled_box_serves_after_every_power_cut() {
    let mut machine = Machine::new();
    machine.enrol();
    for _ in 0..3 {
        let (started, mut tpm) = machine.start();
        assert!(matches!(started.standing, Standing::Serving(..)), "{:?}", started.standing);
        assert!(is_owned(&mut tpm));
    }
}

#[test]
fn a_power_cut_before_the_record_leaves_a_new_box_that_can_be_enrolled() {
    let mut machine = Machine::new();
    // Cut after the storage key has become persistent.
    let (started, mut tpm) = machine.start();
    drop(started);
    let first = tpm.persist_storage_key().expect("persistent");
    let (started, mut tpm) = machine.start();
    assert!(matches!(started.standing, Standing::New), "{:?}", started.standing);
    // Cut after the secrets were sealed.
    let enrolling = machine.enrolling(&mut tpm, &machine.authority);
    Enrolled::seal(&mut tpm, &started.seal_policy, enrolling).expect("sealed");
    drop(started);
    let (started, mut tpm) = machine.start();
    assert!(matches!(started.standing, Standing::New), "{:?}", started.standing);
    assert_eq!(tpm.storage_key().expect("no owner"), first);
    drop(started);
    machine.enrol();
    let (started, _tpm) = machine.start();
    assert!(matches!(started.standing, Standing::Serving(..)), "{:?}", started.standing);
}

#[test]
fn a_power_cut_after_the_record_leaves_an_enrolled_box_that_closes_its_tpm() {
    let mut machine = Machine::new();
    let (Started { mut region, seal_policy, .. }, mut tpm) = machine.start();
    let enrolling = machine.enrolling(&mut tpm, &machine.authority);
    let (enrolled, ..) = Enrolled::seal(&mut tpm, &seal_policy, enrolling).expect("sealed");
    region.write(&enrolled.to_bytes().expect("JSON")).expect("written");
    drop(region);
    assert!(!is_owned(&mut tpm));
    // Cut before the owner's authorization was set.
    let (started, mut tpm) = machine.start();
    assert!(matches!(started.standing, Standing::Serving(..)), "{:?}", started.standing);
    assert!(is_owned(&mut tpm));
}

#[test]
fn a_box_with_another_tpm_is_locked_before_anything_is_unsealed() {
    let mut machine = Machine::new();
    machine.enrol();
    let mut machine = machine.with_another_tpm();
    let (started, _tpm) = machine.start();
    assert!(
        matches!(
            started.standing,
            Standing::Locked {
                reason: LockReason::Enrolled(EnrolledError::StorageKey(
                    TpmError::OtherStorageKey { .. }
                )),
                ..
            }
        ),
        "{:?}",
        started.standing
    );
}

#[test]
fn a_record_that_a_stranger_signed_locks_the_box() {
    let mut machine = Machine::new();
    let stranger = KeyPair::generate().expect("a key");
    let (Started { mut region, seal_policy, .. }, mut tpm) = machine.start();
    let enrolling = machine.enrolling(&mut tpm, &stranger);
    let (enrolled, ..) = Enrolled::seal(&mut tpm, &seal_policy, enrolling).expect("sealed");
    region.write(&enrolled.to_bytes().expect("JSON")).expect("written");
    drop(region);
    let (started, _tpm) = machine.start();
    assert!(
        matches!(
            started.standing,
            Standing::Locked {
                reason: LockReason::Enrolled(EnrolledError::Record(
                    RecordRefusal::Signature { .. }
                )),
                ..
            }
        ),
        "{:?}",
        started.standing
    );
}

#[test]
fn a_disk_that_was_emptied_leaves_a_box_that_must_be_cleared_before_it_is_enrolled() {
    let mut machine = Machine::new();
    machine.enrol();
    let device = Device::open(&machine.disk()).expect("a disk");
    for region in disk::ENROLMENT {
        device.write(region.offset, &[0; 4096]).expect("written");
    }
    drop(device);
    let (started, mut tpm) = machine.start();
    assert!(matches!(started.standing, Standing::New), "{:?}", started.standing);
    assert!(is_owned(&mut tpm), "a second enrolment is refused with its own error");
}
