//! Files that get newer while a program runs: what a TRE is held against, and who we are.
//!
//! A list gets newer, and ends; a certificate is renewed before it does. What was read longer ago
//! than [`RELOAD`] is read again before anything more is said to a TRE. If a file then says
//! something else, the TRE is attested anew, by the newer files; if one is no good, nothing is said.

use std::path::PathBuf;

use attest_verifier::core::measured_boot::digest::{Sha256Digest, sha256};
use attest_verifier::{Memory, RELOAD, ReferenceFiles, Sources, Trust, TrustError};
use tre_wire::role::{Identity, Role};
use tre_wire::units::UnixMillis;

use crate::identity::{self, LoadError};
use crate::own::{Own, OwnError};

/// Where our files lie.
#[derive(Clone, Debug)]
pub struct Files {
    /// What a TRE must be, and who must say so.
    pub sources: Sources,
    /// Where every TRE is remembered, if anywhere.
    pub memory: Option<Memory>,
    /// Our key and certificates. A renewed certificate takes the place of the file.
    pub identity: PathBuf,
    /// The role that they must be for.
    pub role: Role,
    /// Is told why a list was not fetched of which a good copy serves.
    pub tell: fn(&TrustError),
}

/// Our files, as they were read last.
#[derive(Clone, Debug)]
pub struct Renewal {
    files: Files,
    read: Read,
    /// When, by our time.
    read_at: UnixMillis,
}

/// What the files said.
#[derive(Clone, Debug)]
struct Read {
    reference: ReferenceFiles,
    /// SHA-256 of the file with our key and certificates.
    identity: Sha256Digest,
    trust: Trust,
    own: Own,
}

/// Why our files are no good, or no longer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenewalError {
    /// There is nothing good to hold a TRE against.
    #[error(transparent)]
    Trust(TrustError),
    /// Our key and certificates cannot be read.
    #[error(transparent)]
    Identity(LoadError),
    /// They are not for the role.
    #[error(transparent)]
    Own(OwnError),
    /// The deployment is another: policy and authorities are not what this program began with.
    #[error("expected the deployment that this program began with, found another; begin anew")]
    OtherDeployment,
    /// The certificate is somebody else's.
    #[error("expected a renewed certificate of {expected}, found one of {found}; begin anew")]
    OtherIdentity {
        /// Who we are.
        expected: Box<Identity>,
        /// Whom the certificate names.
        found: Box<Identity>,
    },
}

impl Files {
    /// Reads everything, for use from `now` on. Nobody is connected to but servers of lists.
    ///
    /// # Errors
    ///
    /// [`RenewalError`].
    pub async fn read(self, now: UnixMillis) -> Result<Renewal, RenewalError> {
        let read = self.read_all(now).await?;
        Ok(Renewal { files: self, read, read_at: now })
    }

    async fn read_all(&self, now: UnixMillis) -> Result<Read, RenewalError> {
        let (credential, identity) =
            identity::load_with(&self.identity, sha256).map_err(RenewalError::Identity)?;
        let own = Own::new(credential, self.role).map_err(RenewalError::Own)?;
        let loaded = self.sources.load(now).await.map_err(RenewalError::Trust)?;
        loaded.not_fetched.iter().for_each(self.tell);
        let trust = match &self.memory {
            Some(memory) => loaded.trust.remembering(memory.clone()),
            None => loaded.trust,
        };
        Ok(Read { reference: loaded.files, identity, trust, own })
    }
}

impl Renewal {
    /// What a TRE is held against.
    #[must_use]
    pub const fn trust(&self) -> &Trust {
        &self.read.trust
    }

    /// Who we are.
    #[must_use]
    pub const fn own(&self) -> &Own {
        &self.read.own
    }

    /// Reads the files again if that is due at `now`; whether they say something else.
    ///
    /// # Errors
    ///
    /// [`RenewalError`]. What was read before is still there then, and is no longer to be relied on.
    pub(crate) async fn look(&mut self, now: UnixMillis) -> Result<bool, RenewalError> {
        let age = now.get().abs_diff(self.read_at.get());
        if u128::from(age) < RELOAD.as_millis() {
            return Ok(false);
        }
        let read = self.files.read_all(now).await?;
        if read.reference.deployment != self.read.reference.deployment {
            return Err(RenewalError::OtherDeployment);
        }
        let (expected, found) = (self.read.own.identity(), read.own.identity());
        if expected != found {
            let (expected, found) = (Box::new(expected.clone()), Box::new(found.clone()));
            return Err(RenewalError::OtherIdentity { expected, found });
        }
        self.read_at = now;
        let same = read.reference == self.read.reference && read.identity == self.read.identity;
        if !same {
            self.read = read;
        }
        Ok(!same)
    }
}

impl RenewalError {
    /// Whether the same may work a little later: a file that is just being written, or a newer list
    /// that is still to come.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Trust(_) | Self::Identity(_) => true,
            Self::Own(_) | Self::OtherDeployment | Self::OtherIdentity { .. } => false,
        }
    }
}
