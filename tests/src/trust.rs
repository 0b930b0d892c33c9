//! What peers trust in tests and demo, and the enrolment that makes a box worth it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use attest_verifier::{ClientIdentity, Trust};
use measured_boot::digest::sha256;
use measured_boot::eventlog::EventLog;
use measured_boot::manifest::{
    EfiRecord, Expectation, FileRecord, ManifestFormat, PcrExpectations, Platform, Purpose,
    ReferenceManifest, Versions,
};
use measured_boot::pcr::{PcrIndex, PcrValues};
use measured_boot::predict;
use pki::ek::EkRoots;
use pki::enrol::Enrolment;
use pki::enrol::record::{AppraisedAgainst, Record};
use pki::validity::Validity;
use rand_core::OsRng;
use tre_wire::id::PeerId;
use tre_wire::role::Role;

use crate::domain::{TestDomain, now};
use crate::place;

/// Deployment and manifest as they lie.
#[derive(Clone, Debug)]
pub struct Reference {
    deployment: Vec<u8>,
    manifest: Vec<u8>,
    purpose: Purpose,
}

impl Reference {
    /// For the image that `make image` made.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn of_image(domain: &TestDomain) -> Result<Self> {
        let manifest = fs::read(place::built("manifest.json")?)?;
        let decoded: ReferenceManifest = serde_json::from_slice(&manifest)?;
        let deployment = fs::read(domain.deployment())?;
        Ok(Self { deployment, manifest, purpose: decoded.purpose })
    }

    /// For a hosted TRE whose TPM measured the log in `event_log`.
    ///
    /// # Errors
    ///
    /// When the log does not parse.
    pub fn of_log(domain: &TestDomain, event_log: &Path) -> Result<Self> {
        let log = fs::read(event_log)?;
        let manifest = serde_json::to_vec(&hosted_manifest(&log)?)?;
        let deployment = fs::read(domain.deployment())?;
        Ok(Self { deployment, manifest, purpose: Purpose::Demo })
    }

    /// What peers hold evidence against.
    ///
    /// # Errors
    ///
    /// When the files are no reference.
    pub fn trust(&self) -> Result<Trust> {
        Trust::from_bytes(&self.deployment, &self.manifest, self.purpose).context("reference")
    }

    /// The manifest as it lies.
    #[must_use]
    pub fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    /// Enrols the new box at `address` under the name `tre_id`.
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
            against: AppraisedAgainst {
                manifest: sha256(&self.manifest),
                deployment: sha256(&self.deployment),
            },
            validity: Validity::of_days(now, 1)?,
            now,
        };
        enrolment.run(address, &operator, &mut OsRng).await.context("enrolment")
    }
}

/// A manifest that expects exactly what the log measured, and the deployment in PCR 11.
fn hosted_manifest(log: &[u8]) -> Result<ReferenceManifest> {
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
        format: ManifestFormat,
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
