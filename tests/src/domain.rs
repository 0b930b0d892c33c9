//! A trust domain in a folder of its own, with credentials for everybody.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use pki::authority::Authority;
use pki::domain::Domain;
use pki::file::{self, Access};
use pki::issue;
use pki::time_token::Asking;
use pki::validity::Validity;
use rand_core::OsRng;
use tempfile::TempDir;
use tre_client::clock::Clock;
use tre_wire::id::PeerId;
use tre_wire::role::Role;
use tre_wire::units::UnixMillis;

use crate::place;

/// A trust domain that ends with the test.
#[derive(Debug)]
pub struct TestDomain {
    folder: TempDir,
    domain: Domain,
    authority: Authority,
}

/// The name of every test domain.
pub const TRUST_DOMAIN: &str = "grid.example";

/// One slot of the policy `demo`. Unit: ms.
pub const SLOT_MS: u64 = 2_000;

/// The wall clock, for certificates.
///
/// # Errors
///
/// A clock before 1970.
#[expect(clippy::disallowed_methods, reason = "tests and demo are command lines")]
pub fn now() -> Result<UnixMillis> {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(UnixMillis::new(u64::try_from(since_epoch.as_millis())?)?)
}

/// The same, for peers.
#[derive(Clone, Copy, Debug)]
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> UnixMillis {
        now().unwrap_or_default()
    }
}

impl TestDomain {
    /// Makes a domain with the committed policy `policy` (a file name without `.json`), changed
    /// by `adjust`.
    ///
    /// # Errors
    ///
    /// Whatever step fails, named.
    pub fn make(policy: &str, adjust: impl FnOnce(&mut serde_json::Value)) -> Result<Self> {
        let folder = TempDir::new().context("a folder for the domain")?;
        let home = folder.path().join("domain");
        let domain = Domain::init_demo(&home, TRUST_DOMAIN.parse()?, now()?, &mut OsRng)?;
        let policy = place::root().join("pki/policies").join(policy).with_extension("json");
        let mut policy: serde_json::Value = serde_json::from_slice(&fs::read(policy)?)?;
        adjust(&mut policy);
        let deployment = domain.deployment(&serde_json::to_vec(&policy)?)?;
        fs::write(folder.path().join("deployment.json"), deployment)?;
        let authority = domain.grid_authority()?;
        Ok(Self { folder, domain, authority })
    }

    /// The domain's own folder.
    #[must_use]
    pub const fn domain(&self) -> &Domain {
        &self.domain
    }

    /// A folder that ends with the test.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder that `tre-pki --domain` takes.
    #[must_use]
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("domain")
    }

    /// The deployment file.
    #[must_use]
    pub fn deployment(&self) -> PathBuf {
        self.folder.path().join("deployment.json")
    }

    /// Tells the enrolled TRE at `address` the time, as after every start.
    ///
    /// # Errors
    ///
    /// What the TRE refuses.
    pub async fn set_time(&self, address: &str, tre_id: &PeerId) -> Result<()> {
        let asking = Asking::open(address, tre_id).await;
        let asking = asking.context("asking a TRE for its nonce")?;
        asking.answer(&self.domain, now()?).await.context("telling a TRE the time")
    }

    /// A credential file for `role` and `id`, valid for a day.
    ///
    /// # Errors
    ///
    /// Whatever step fails.
    pub fn credential(&self, role: Role, id: &str) -> Result<PathBuf> {
        let path = self.folder.path().join(format!("{role}-{id}.pem"));
        if !path.exists() {
            let id: PeerId = id.parse()?;
            let validity = Validity::of_days(now()?, 1)?;
            let identity = self.domain.identity(role, id);
            let credential = issue::issue(&self.authority, identity, validity, &mut OsRng)?;
            let written = file::write_new(&path, credential.to_pem().as_bytes(), Access::Owner);
            // Another test of the same domain may have been faster; its credential is as good.
            written.or_else(|error| if path.exists() { Ok(()) } else { Err(error) })?;
        }
        Ok(path)
    }
}
