//! Real evidence without a TPM: real keys, certificates, signatures and logs, made here.
//!
//! A [`Scene`] says what a box and its authority do; as [`Scene::honest`] makes it, everything is
//! right. A test spoils one thing, and [`Scene::play`] makes the evidence for one session of it.

use std::string::{String, ToString as _};
use std::vec;
use std::vec::Vec;

use attest_verifier_core::channel::View;
use attest_verifier_core::measured_boot::digest::{Sha256Digest, sha256};
use attest_verifier_core::measured_boot::eventlog::EventType;
use attest_verifier_core::measured_boot::manifest::{
    EfiRecord, ExpectedEvent, FileRecord, Platform, Purpose, ReferenceManifest, Versions,
};
use attest_verifier_core::measured_boot::pcr::{PcrIndex, PcrSelection, PcrValues};
use attest_verifier_core::measured_boot::predict;
use attest_verifier_core::measured_boot::secure_boot::SecureBoot;
use attest_verifier_core::measured_boot::tpm::{
    AikPublic, ClockInfo, FirmwareVersion, Name, ObjectAttributes, P256Point, Public, Quote,
};
use attest_verifier_core::reference::{Reference, ReferenceError};
use attest_verifier_core::release::ReleasedManifest;
use attest_verifier_core::wire::attestation::{Evidence, Leaf, Path};
use attest_verifier_core::wire::deployment::{self, Deployment};
use attest_verifier_core::wire::hex::{Hex32, HexBytes};
use attest_verifier_core::wire::message::StartState;
use attest_verifier_core::wire::role::Identity;
use attest_verifier_core::wire::units::UnixMillis;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
};
use rustls_pki_types::CertificateDer;

use super::signing::{released, sign};

/// tcg-kp-AIKCertificate.
pub(crate) const AIK_USAGE: &[u64] = &[2, 23, 133, 8, 3];

/// The time of every scene.
pub(crate) const NOW: u64 = 1_800_000_000_000;

/// The Authenticode hash that the manifest expects.
pub(crate) const IMAGE: Sha256Digest = Sha256Digest([0xee; 32]);

/// An authority that certifies TREs.
pub(crate) type Authority = CertifiedIssuer<'static, KeyPair>;

/// What a certificate says.
#[derive(Clone, Debug)]
pub(crate) struct Certified {
    pub(crate) uris: Vec<String>,
    pub(crate) usage: Vec<ExtendedKeyUsagePurpose>,
    /// First and last year.
    pub(crate) years: (i32, i32),
    /// TPM manufacturer in the subject.
    pub(crate) manufacturer: Option<String>,
}

impl Certified {
    pub(crate) fn new(usage: ExtendedKeyUsagePurpose) -> Self {
        let uris = vec!["spiffe://grid.example/tre/tre-1".to_string()];
        Self { uris, usage: vec![usage], years: (2020, 2040), manufacturer: None }
    }

    pub(crate) fn sign(&self, key: &KeyPair, authority: &Authority) -> CertificateDer<'static> {
        self.issue(key, authority).der().clone()
    }

    pub(crate) fn issue(&self, key: &KeyPair, authority: &Authority) -> Certificate {
        let mut params = CertificateParams::default();
        params.subject_alt_names =
            self.uris.iter().map(|uri| SanType::URI(uri.as_str().try_into().unwrap())).collect();
        params.extended_key_usages.clone_from(&self.usage);
        if let Some(manufacturer) = &self.manufacturer {
            let kind = DnType::CustomDnType(vec![2, 23, 133, 2, 1]);
            params.distinguished_name.push(kind, manufacturer.as_str());
        }
        params.not_before = rcgen::date_time_ymd(self.years.0, 1, 1);
        params.not_after = rcgen::date_time_ymd(self.years.1, 1, 1);
        params.signed_by(key, authority).unwrap()
    }
}

pub(crate) fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

pub(crate) fn spki_hash(key: &KeyPair) -> Sha256Digest {
    sha256(&point(key).to_spki_der())
}

pub(crate) fn point(key: &KeyPair) -> P256Point {
    let [0x04, coordinates @ ..] = key.public_key_raw() else { panic!("an uncompressed point") };
    let (x, y) = coordinates.split_at(32);
    P256Point { x: x.try_into().unwrap(), y: y.try_into().unwrap() }
}

/// What a box that sees a session would bind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) nonce: [u8; 32],
    pub(crate) exporter: [u8; 32],
    pub(crate) server_key: Sha256Digest,
    pub(crate) client_key: Sha256Digest,
}

/// One event of a log.
#[derive(Clone, Debug)]
pub(crate) struct LogEvent {
    pub(crate) pcr: PcrIndex,
    pub(crate) event_type: EventType,
    pub(crate) digest: Sha256Digest,
    pub(crate) data: Vec<u8>,
}

/// An authority, a box, and everything that they say.
pub(crate) struct Scene {
    pub(crate) authority: Authority,
    pub(crate) aik: KeyPair,
    pub(crate) tls: KeyPair,
    pub(crate) release: KeyPair,
    pub(crate) manifest: ReferenceManifest,
    /// More manifests of the set, behind the first.
    pub(crate) others: Vec<ReferenceManifest>,
    pub(crate) state: StartState,
    pub(crate) tre_id: String,
    pub(crate) time: u64,
    pub(crate) clock: ClockInfo,
    pub(crate) state_epoch: u64,
    pub(crate) attributes: ObjectAttributes,
    pub(crate) aik_certificate: Certified,
    pub(crate) tls_certificate: Certified,
    /// SHA-1 in place of SHA-256 in the log, and so on: the algorithm of its only bank.
    pub(crate) log_bank: (u16, usize),
    pub(crate) log: Vec<LogEvent>,
    /// What PID 1 extends into PCR 11.
    pub(crate) started: Vec<Sha256Digest>,
    pub(crate) selection: PcrSelection,
    pub(crate) qualified_signer: fn(Name) -> Name,
    /// The last word on the bytes that are signed.
    pub(crate) attest: fn(Vec<u8>) -> Vec<u8>,
}

impl Scene {
    /// A serving TRE in which everything is right.
    pub(crate) fn honest() -> Self {
        let manifest = manifest();
        let log = log_of(&manifest);
        let mut scene = Self {
            authority: authority("TRE authority"),
            aik: KeyPair::generate().unwrap(),
            tls: KeyPair::generate().unwrap(),
            release: KeyPair::generate().unwrap(),
            manifest,
            others: Vec::new(),
            state: StartState::Serving,
            tre_id: "tre-1".to_string(),
            time: NOW,
            clock: ClockInfo { clock_ms: 5_000, reset_count: 7, restart_count: 0, safe: true },
            state_epoch: 3,
            attributes: ObjectAttributes::of(&AikPublic::REQUIRED),
            aik_certificate: Certified::new(ExtendedKeyUsagePurpose::Other(AIK_USAGE.to_vec())),
            tls_certificate: Certified::new(ExtendedKeyUsagePurpose::ServerAuth),
            log_bank: (0x000b, 32),
            log,
            started: Vec::new(),
            selection: PcrSelection::ALL,
            qualified_signer: Name::qualified_in_endorsement_hierarchy,
            attest: |bytes| bytes,
        };
        let deployment = Sha256Digest(deployment::measurement(&scene.deployment_file()));
        scene.started = vec![deployment, Sha256Digest(deployment::started())];
        scene
    }

    /// A box that is not enrolled, otherwise right.
    pub(crate) fn new_box() -> Self {
        Self { state: StartState::New, tre_id: String::new(), ..Self::honest() }
    }

    pub(crate) fn now() -> UnixMillis {
        UnixMillis::new(NOW).unwrap()
    }

    pub(crate) fn identity() -> Identity {
        "spiffe://grid.example/tre/tre-1".parse().unwrap()
    }

    pub(crate) fn deployment_file(&self) -> Vec<u8> {
        let template = include_bytes!("../../../../tests/vectors/v1/messages/deployment.json");
        let mut deployment: Deployment = serde_json::from_slice(template).unwrap();
        deployment.trust_domain = "grid.example".parse().unwrap();
        deployment.tre_authorities = vec![HexBytes(self.authority.der().to_vec())];
        serde_json::to_vec(&deployment).unwrap()
    }

    pub(crate) fn manifest_file(&self) -> Vec<u8> {
        serde_json::to_vec(&self.manifest).unwrap()
    }

    /// The whole set, signed and verified.
    pub(crate) fn released(&self) -> Vec<ReleasedManifest> {
        let all = core::iter::once(&self.manifest).chain(&self.others);
        all.map(|manifest| released(&self.release, manifest)).collect()
    }

    pub(crate) fn reference(&self) -> Reference {
        self.reference_for(Purpose::Demo).unwrap()
    }

    pub(crate) fn reference_for(&self, purpose: Purpose) -> Result<Reference, ReferenceError> {
        Reference::new(&self.deployment_file(), self.released(), purpose)
    }

    /// The certificate that the box shows in the TLS handshake.
    pub(crate) fn server_chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.tls_certificate.sign(&self.tls, &self.authority)]
    }

    /// The verifier's end of a connection to this box.
    pub(crate) fn session(&self) -> View {
        View {
            nonce: [0x11; 32],
            exporter: [0x22; 32],
            server_chain: self.server_chain(),
            client_key: None,
        }
    }

    /// What the box sees of [`Self::session`].
    pub(crate) fn seen(&self) -> Seen {
        Seen {
            nonce: [0x11; 32],
            exporter: [0x22; 32],
            server_key: spki_hash(&self.tls),
            client_key: Sha256Digest::ZERO,
        }
    }

    pub(crate) fn public(&self) -> Public {
        Public::p256_signing(self.attributes, point(&self.aik))
    }

    pub(crate) fn pcrs(&self) -> PcrValues {
        let mut pcrs = PcrValues::initial(Default::default());
        for event in &self.log {
            pcrs.extend(event.pcr, &event.digest);
        }
        for digest in &self.started {
            pcrs.extend(PcrIndex::P11, digest);
        }
        pcrs
    }

    /// The evidence that the box gives for [`Self::session`].
    pub(crate) fn play(&self) -> Evidence {
        self.answer(&self.seen())
    }

    /// The evidence that the box gives in a connection that it sees like this.
    pub(crate) fn answer(&self, seen: &Seen) -> Evidence {
        let time = UnixMillis::new(self.time).unwrap();
        let leaf = Leaf {
            nonce: seen.nonce,
            exporter: seen.exporter,
            server_key: seen.server_key.0,
            client_key: seen.client_key.0,
            tre_id: &self.tre_id,
            state_epoch: self.state_epoch,
            time,
        };
        let (public, pcrs) = (self.public(), self.pcrs());
        let quote = Quote {
            qualified_signer: (self.qualified_signer)(public.name()),
            extra_data: leaf.hash(),
            clock: self.clock,
            firmware_version: FirmwareVersion(0x2023_1101),
            selection: self.selection,
            pcr_digest: pcrs.quoted_digest(self.selection),
        };
        let attest = (self.attest)(quote.encode());
        let enrolled = self.state != StartState::New;
        let chain = enrolled.then(|| self.aik_certificate.sign(&self.aik, &self.authority));
        Evidence {
            format: 1,
            state: self.state,
            tre_id: self.tre_id.clone(),
            state_epoch: self.state_epoch,
            time,
            signature: HexBytes(sign(&self.aik, &attest)),
            attest: HexBytes(attest),
            attestation_key: HexBytes(public.area().to_vec()),
            attestation_key_chain: chain.iter().map(|der| HexBytes(der.to_vec())).collect(),
            pcrs: pcrs.as_array().iter().map(|value| Hex32(value.0)).collect(),
            event_log: HexBytes(encode_log(self.log_bank, &self.log)),
            path: Path::alone(),
        }
    }
}

fn manifest() -> ReferenceManifest {
    let event = |text: &str| ExpectedEvent {
        description: text.to_string(),
        digest: sha256(text.as_bytes()),
    };
    let pcr0 = [event("firmware volume"), predict::separator()];
    let pcr1 = [event("boot order"), predict::separator()];
    ReferenceManifest {
        release: None,
        purpose: Purpose::Demo,
        image: FileRecord { name: "tre.img".to_string(), len: 1, sha256: sha256(b"image") },
        efi: EfiRecord { len: 1, sha256: sha256(b"efi"), authenticode: IMAGE },
        components: Vec::new(),
        platform: Platform {
            name: "test".to_string(),
            firmware_sha256: sha256(b"firmware"),
            machine: "q35".to_string(),
            memory_mib: 256,
            cpus: 1,
            tpm: "tpm-crb".to_string(),
        },
        pcrs: predict::expectations(IMAGE, &SecureBoot::PRISTINE, &pcr0, &pcr1).unwrap(),
        tools: Versions::default(),
        packages: Versions::default(),
        valid_from: Some(1_600_000_000),
        valid_until: Some(4_000_000_000),
        locked: true,
    }
}

/// The log of a boot that is exactly as expected.
fn log_of(manifest: &ReferenceManifest) -> Vec<LogEvent> {
    let mut log = Vec::new();
    for (pcr, expectation) in manifest.pcrs.iter() {
        for event in expectation.events() {
            let event_type = if event.digest == IMAGE {
                EventType::EFI_BOOT_SERVICES_APPLICATION
            } else {
                EventType::EFI_ACTION
            };
            let data = event.description.clone().into_bytes();
            log.push(LogEvent { pcr, event_type, digest: event.digest, data });
        }
    }
    log
}

/// A crypto-agile log with one bank.
pub(crate) fn encode_log((bank, digest_len): (u16, usize), events: &[LogEvent]) -> Vec<u8> {
    let mut header = Vec::new();
    header.extend_from_slice(b"Spec ID Event03\0");
    header.extend_from_slice(&[0, 0, 0, 0, 0, 2, 0, 2]);
    header.extend_from_slice(&1_u32.to_le_bytes());
    header.extend_from_slice(&bank.to_le_bytes());
    header.extend_from_slice(&u16::try_from(digest_len).unwrap().to_le_bytes());
    header.push(0);
    let mut log = Vec::new();
    log.extend_from_slice(&0_u32.to_le_bytes());
    log.extend_from_slice(&EventType::NO_ACTION.0.to_le_bytes());
    log.extend_from_slice(&[0; 20]);
    log.extend_from_slice(&length(&header));
    log.extend_from_slice(&header);
    for event in events {
        log.extend_from_slice(&u32::from(event.pcr.number()).to_le_bytes());
        log.extend_from_slice(&event.event_type.0.to_le_bytes());
        log.extend_from_slice(&1_u32.to_le_bytes());
        log.extend_from_slice(&bank.to_le_bytes());
        log.extend_from_slice(&event.digest.0[..digest_len]);
        log.extend_from_slice(&length(&event.data));
        log.extend_from_slice(&event.data);
    }
    log
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap().to_le_bytes()
}
