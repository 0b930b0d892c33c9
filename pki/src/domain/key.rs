//! The private keys of a domain, by name.

use core::fmt;

use crate::authority::AuthorityKind;

/// A private key of a domain. Each has its own file, and after the ceremony its own keeper.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyName {
    /// The root's. Kept offline.
    Root,
    /// The TRE authority's.
    TreAuthority,
    /// The grid authority's.
    GridAuthority,
    /// Signs reference manifests.
    Release,
    /// Signs revocations and time.
    Status,
}

impl KeyName {
    /// How its files are named, without what ends the name.
    #[must_use]
    pub const fn stem(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::TreAuthority => "tre-authority",
            Self::GridAuthority => "grid-authority",
            Self::Release => "release",
            Self::Status => "status",
        }
    }

    /// The file with the certificate, or with the public key of one that has none.
    #[must_use]
    pub fn public_file(self) -> String {
        format!("{}.pem", self.stem())
    }

    /// The file with the private key.
    #[must_use]
    pub fn private_file(self) -> String {
        format!("{}.key.pem", self.stem())
    }

    pub(super) const fn of(authority: AuthorityKind) -> Self {
        match authority {
            AuthorityKind::Root => Self::Root,
            AuthorityKind::Tre => Self::TreAuthority,
            AuthorityKind::Grid => Self::GridAuthority,
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.stem())
    }
}
