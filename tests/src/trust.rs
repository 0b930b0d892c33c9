//! What peers trust in tests and demo, and the enrolment that makes a box worth it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use attest_verifier::core::release::{ReleaseKey, UnverifiedManifest};
use attest_verifier::{ClientIdentity, Trust};
use measured_boot::digest::sha256;
use measured_boot::eventlog::EventLog;
use measured_boot::manifest::{
    EfiRecord, Expectation, FileRecord, PcrExpectations, Platform, Purpose, ReferenceManifest,
    Versions,
};
use measured_boot::pcr::{PcrIndex, PcrValues};
use measured_boot::predict;
use pki::ek::EkRoots;
use pki::enrol::Enrolment;
use pki::enrol::record::Record;
use pki::validity::Validity;
use rand_core::OsRng;
use tre_wire::id::PeerId;
use tre_wire::json;
use tre_wire::role::Role;

use crate::domain::{TestDomain, now};
use crate::place;

/// How long the manifest of a test is in force. Unit: days.
const DAYS: u64 = 30;

/// One day. Unit: milliseconds.
const DAY_MS: u64 = 86_400_000;

/// Deployment and manifest as they lie, the manifest dated and signed by the domain's release key.
#[derive(Clone, Debug)]
pub struct Reference {
    deployment: Vec<u8>,
    manifest: Vec<u8>,
    signature: Vec<u8>,
    release_key: ReleaseKey,
    purpose: Purpose,
}

impl Reference {
    /// For the image that `make image` made.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn of_image(domain: &TestDomain) -> Result<Self> {
        Self::of_manifest(domain, &place::built("manifest.json")?)
    }

    /// For the image of which the manifest in `file` speaks.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn of_manifest(domain: &TestDomain, file: &Path) -> Result<Self> {
        Self::sign(domain, serde_json::from_slice(&fs::read(file)?)?)
    }

    /// For a hosted TRE whose TPM measured the log in `event_log`.
    ///
    /// # Errors
    ///
    /// When the log does not parse.
    pub fn of_log(domain: &TestDomain, event_log: &Path) -> Result<Self> {
        Self::sign(domain, hosted_manifest(&fs::read(event_log)?)?)
    }

    /// The same manifest marked as for real boxes, and its signature file: the command lines believe
    /// none that is marked as a demonstration's.
    ///
    /// # Errors
    ///
    /// When it cannot be signed.
    pub fn for_real_boxes(&self, domain: &TestDomain) -> Result<(Vec<u8>, Vec<u8>)> {
        let mut manifest: ReferenceManifest = serde_json::from_slice(&self.manifest)?;
        manifest.purpose = Purpose::Production;
        let file = serde_json::to_vec(&manifest)?;
        let (home, reason) = (domain.domain(), (!manifest.locked).then_some("a domain of tests"));
        let signed = home.signer()?.sign(&file, home.purpose(), reason, now()?)?;
        Ok((file, json::encode(&signed.signature)?))
    }

    /// Dates a manifest, from yesterday on for [`DAYS`], and signs it.
    fn sign(domain: &TestDomain, mut manifest: ReferenceManifest) -> Result<Self> {
        let now = now()?;
        let today = now.get() / DAY_MS;
        let second = |day: u64| day.saturating_mul(DAY_MS / 1_000);
        manifest.valid_from = Some(second(today.saturating_sub(1)));
        manifest.valid_until = Some(second(today.saturating_add(DAYS)));
        let purpose = manifest.purpose;
        let reason = (!manifest.locked).then_some("a domain of tests and demonstrations");
        let manifest = serde_json::to_vec(&manifest)?;
        let signer = domain.domain().signer()?;
        let signed = signer.sign(&manifest, domain.domain().purpose(), reason, now)?;
        let signature = json::encode(&signed.signature)?;
        let deployment = fs::read(domain.deployment())?;
        let release_key = signer.public().clone();
        Ok(Self { deployment, manifest, signature, release_key, purpose })
    }

    /// What peers hold evidence against.
    ///
    /// # Errors
    ///
    /// When the files are no reference.
    pub fn trust(&self) -> Result<Trust> {
        let unverified = UnverifiedManifest { file: &self.manifest, signature: &self.signature };
        let released = unverified.verify(&self.release_key)?.read()?;
        Trust::new(&self.deployment, vec![released], self.purpose).context("reference")
    }

    /// The manifest as it lies.
    #[must_use]
    pub fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    /// What the release key says of it, as it lies.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Enrols the new box at `address` under the name `tre_id`, and tells it the time.
    ///
    /// # Errors
    ///
    /// What the enrolment refuses.
    pub async fn enrol(
        &self,
        domain: &TestDomain,
        address: &str,
        ek_roots: &Path,
        tre_id: &PeerId,
    ) -> Result<Record> {
        let operator = ClientIdentity::load(&domain.credential(Role::Operator, "op-1")?)?;
        let now = now()?;
        let enrolment = Enrolment {
            tre: &domain.domain().identity(Role::Tre, tre_id.clone()),
            authority: &domain.domain().tre_authority()?,
            roots: &EkRoots::load(ek_roots)?,
            records: &domain.domain().records(),
            trust: &self.trust()?,
            validity: Validity::of_days(now, 1)?,
            now,
        };
        let record = enrolment.run(address, &operator, &mut OsRng).await.context("enrolment")?;
        domain.set_time(address, tre_id).await?;
        Ok(record)
    }
}

/// A manifest that expects exactly what the log measured, and the deployment in PCR 11.
///
/// # Errors
///
/// When the log does not parse.
pub fn hosted_manifest(log: &[u8]) -> Result<ReferenceManifest> {
    let parsed = EventLog::parse(log)?;
    let values: PcrValues = parsed.replay()?;
    let reason = || "what the replayed log measured".to_owned();
    let mut entries = Vec::new();
    for pcr in PcrIndex::all() {
        let events = predict::record(&parsed, pcr)?;
        let expectation = match pcr.number() {
            11 => Expectation::Deployment { reason: reason() },
            16 | 23 => Expectation::Waived { reason: "resettable".to_owned() },
            _ => Expectation::Exact { value: values.value(pcr), events, reason: reason() },
        };
        entries.push((pcr, expectation));
    }
    let nothing = sha256(&[]);
    Ok(ReferenceManifest {
        release: None,
        purpose: Purpose::Demo,
        image: FileRecord { name: "hosted".to_owned(), len: 0, sha256: nothing },
        efi: EfiRecord { len: 0, sha256: nothing, authenticode: nothing },
        components: Vec::new(),
        platform: Platform {
            name: "hosted".to_owned(),
            firmware_sha256: nothing,
            machine: "none".to_owned(),
            memory_mib: 0,
            cpus: 1,
            tpm: "swtpm".to_owned(),
        },
        pcrs: PcrExpectations::new(entries)?,
        tools: Versions::default(),
        packages: Versions::default(),
        valid_from: None,
        valid_until: None,
        locked: false,
    })
}
