//! A peer that runs for long: its files lie in a folder and get newer, and its time can be let pass.

use core::sync::atomic::{AtomicU64, Ordering};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use pki::numbered;
use tempfile::TempDir;
use tre_client::clock::Clock;
use tre_client::link::{Link, LinkError, Target};
use tre_client::renewal::Files;
use tre_client::{ListPlace, Lists, Sources};
use tre_wire::id::PeerId;
use tre_wire::revocation::{LIST_BYTES, Reason, Revoked};
use tre_wire::role::Role;
use tre_wire::units::UnixMillis;

use crate::domain::{TestDomain, now};
use crate::trust::Reference;

/// An operator with an open connection to `tre-1`, or one that may be opened.
#[derive(Debug)]
pub struct LongPeer {
    folder: TempDir,
    clock: Arc<LaterClock>,
    /// The way to the TRE.
    pub link: Link,
}

/// The wall clock, some time later. Unit: ms.
#[derive(Debug, Default)]
struct LaterClock(AtomicU64);

impl Clock for LaterClock {
    fn now(&self) -> UnixMillis {
        now().unwrap_or_default().plus(self.0.load(Ordering::Relaxed))
    }
}

impl LongPeer {
    /// Writes the files of the operator `id`, a revocation list that names nobody among them, and
    /// attests the TRE called `tre_id` at `address`.
    ///
    /// # Errors
    ///
    /// Whatever step fails, named.
    pub async fn open(
        domain: &TestDomain,
        reference: &Reference,
        (address, tre_id): (&str, &PeerId),
        id: &str,
    ) -> Result<Self> {
        let folder = TempDir::new().context("a folder for a peer")?;
        let at = |name: &str| folder.path().join(name);
        let (manifest, signature) = reference.for_real_boxes(domain)?;
        fs::write(at("manifest.json"), manifest)?;
        fs::write(at("manifest.json.sig"), signature)?;
        fs::copy(domain.credential(Role::Operator, id)?, at("own.pem"))?;
        publish(domain, &at("revocations.json"), Vec::new())?;
        let home = domain.domain();
        let files = Files {
            sources: Sources {
                deployment: domain.deployment(),
                manifests: vec![at("manifest.json")],
                release_key: home.release_key_path(),
                lists: Some(Lists {
                    status_key: domain.home().join("status.pem"),
                    revocations: Some(ListPlace::File(at("revocations.json"))),
                    denylist: None,
                    folder: None,
                }),
            },
            memory: None,
            identity: at("own.pem"),
            role: Role::Operator,
            tell: |_| {},
        };
        let clock = Arc::<LaterClock>::default();
        let renewal = files.read(clock.now()).await?;
        let target = Target {
            address: address.to_owned(),
            tre_id: tre_id.clone(),
            trust: renewal.trust().clone(),
            clock: clock.clone(),
        };
        let link = Link::open(target, renewal.own().clone()).await?.renewing(renewal);
        Ok(Self { folder, clock, link })
    }

    /// Its file called `name`: `own.pem`, `revocations.json`, `manifest.json`.
    #[must_use]
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Hands it the next list, which names every key of the TRE called `tre_id`.
    ///
    /// # Errors
    ///
    /// Whatever step fails, named.
    pub fn revoke_tre(&self, domain: &TestDomain, tre_id: &PeerId) -> Result<()> {
        let home = domain.domain();
        let record = home.records().read(tre_id)?;
        let (since, reason) = (now()?, Reason::KeyCompromise);
        let keys = [
            record.attestation_key_spki_sha256,
            record.tls_key_spki_sha256,
            record.document_key_spki_sha256,
        ];
        let identity = home.identity(Role::Tre, tre_id.clone());
        let revoked = |spki_sha256| {
            let (identity, until) = (identity.clone(), record.certificates_end);
            Revoked { spki_sha256, identity, since, reason, until }
        };
        publish(domain, &self.at("revocations.json"), keys.map(revoked).into())
    }

    /// Lets so much time pass. Unit: seconds.
    pub fn later(&self, seconds: u64) {
        self.clock.0.fetch_add(seconds.saturating_mul(1_000), Ordering::Relaxed);
    }

    /// Asks the TRE for its health; how many connections were attested so far.
    ///
    /// # Errors
    ///
    /// [`LinkError`].
    pub async fn ask(&mut self) -> Result<u64, LinkError> {
        self.link.health().await?;
        Ok(self.link.attestations())
    }
}

fn publish(domain: &TestDomain, out: &Path, revoked: Vec<Revoked>) -> Result<()> {
    let home = domain.domain();
    let lists = home.revocations()?;
    let list = lists.add(&home.status_signer()?, revoked, 1, now()?)?;
    Ok(numbered::hand_out(&lists.path(list.sequence), out, LIST_BYTES)?)
}
