//! Role certificates: who may call what, for a short time.

use measured_boot::digest::sha256;
use rcgen::{KeyPair, PublicKeyData as _, SubjectPublicKeyInfo};
use rsa::rand_core::CryptoRngCore;
use rustls_pki_types::CertificateDer;
use tre_wire::hex::{Hex32, HexBytes};
use tre_wire::role::{Identity, Role};
use zeroize::Zeroizing;

use crate::authority::{Authority, CertifyError, Profile, Serial};
use crate::pem;
use crate::register::Entry;
use crate::validity::Validity;

/// Life of a role certificate where nobody asks for another. Unit: days.
pub const DEFAULT_DAYS: u32 = 30;

/// Longest life of a role certificate: a year and a month to renew it in. Unit: days.
pub const MOST_DAYS: u32 = 397;

/// Why a role certificate is refused.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// A TRE's keys are made in the box and certified after proof.
    #[error("expected a role other than tre: a TRE gets its certificates by `tre-pki enrol`")]
    TreRole,
    /// The certificate is to live too long.
    #[error("expected a life of at most {MOST_DAYS} days, found {found}")]
    Days {
        /// Days asked for.
        found: u32,
    },
    /// The key could not be made.
    #[error("cannot make a key: {0}")]
    Key(#[source] rcgen::Error),
    /// The certificate could not be made.
    #[error(transparent)]
    Certify(CertifyError),
}

/// A role's certificates.
#[derive(Clone, Debug)]
pub struct Issued {
    entry: Entry,
    spki: Vec<u8>,
    chain: [CertificateDer<'static>; 2],
}

impl Issued {
    /// What the register is to know of it.
    #[must_use]
    pub const fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Whose it is.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.entry.identity
    }

    /// Leaf and grid authority.
    #[must_use]
    pub const fn chain(&self) -> &[CertificateDer<'static>; 2] {
        &self.chain
    }

    /// The public key, `SubjectPublicKeyInfo` in DER.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// Leaf and grid authority in PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        self.chain.iter().map(pem::certificate).collect()
    }
}

/// A role's fresh key with its certificates.
pub struct Credential {
    key_pem: Zeroizing<String>,
    issued: Issued,
}

impl core::fmt::Debug for Credential {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Credential").field("identity", self.identity()).finish_non_exhaustive()
    }
}

impl Credential {
    /// Its certificates.
    #[must_use]
    pub const fn issued(&self) -> &Issued {
        &self.issued
    }

    /// Whose it is.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        self.issued.identity()
    }

    /// Leaf and grid authority.
    #[must_use]
    pub const fn chain(&self) -> &[CertificateDer<'static>; 2] {
        self.issued.chain()
    }

    /// The public key, `SubjectPublicKeyInfo` in DER.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        self.issued.spki()
    }

    /// One PEM file: private key (PKCS#8), leaf, grid authority.
    #[must_use]
    pub fn to_pem(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(PEM_BYTES));
        text.push_str(&self.key_pem);
        text.push_str(&self.issued.to_pem());
        text
    }
}

/// Room for one credential file, so that no grown copy of the key stays in memory. Unit: bytes.
const PEM_BYTES: usize = 8_192;

/// Makes a key for `identity` and certifies it.
///
/// # Errors
///
/// [`IssueError`].
pub fn issue(
    grid_authority: &Authority,
    identity: Identity,
    validity: Validity,
    random: &mut dyn CryptoRngCore,
) -> Result<Credential, IssueError> {
    let key = KeyPair::generate().map_err(IssueError::Key)?;
    let spki = key.subject_public_key_info();
    let issued = issue_for(grid_authority, identity, &spki, validity, random)?;
    Ok(Credential { key_pem: Zeroizing::new(key.serialize_pem()), issued })
}

/// Certifies that the key `spki` (`SubjectPublicKeyInfo` in DER) is `identity`'s. That whoever asks
/// holds the key is the caller's to know.
///
/// # Errors
///
/// [`IssueError`].
pub fn issue_for(
    grid_authority: &Authority,
    identity: Identity,
    spki: &[u8],
    validity: Validity,
    random: &mut dyn CryptoRngCore,
) -> Result<Issued, IssueError> {
    if identity.role == Role::Tre {
        return Err(IssueError::TreRole);
    }
    if validity.days() > MOST_DAYS {
        return Err(IssueError::Days { found: validity.days() });
    }
    let key = SubjectPublicKeyInfo::from_der(spki).map_err(IssueError::Key)?;
    let serial = Serial::draw(random).map_err(IssueError::Certify)?;
    let leaf = grid_authority
        .certify_as(Profile::RoleClient, &identity, &key, validity, &serial)
        .map_err(IssueError::Certify)?;
    let entry = Entry {
        identity,
        spki_sha256: Hex32(sha256(spki).0),
        serial: HexBytes(serial.as_bytes().to_vec()),
        until: validity.ends(),
    };
    let chain = [leaf, grid_authority.certificate().clone()];
    Ok(Issued { entry, spki: spki.to_vec(), chain })
}
