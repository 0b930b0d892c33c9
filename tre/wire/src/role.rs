//! Who a peer is: its role and name, as the URI in its certificate says it.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{PeerId, TrustDomain};

/// What a peer may do. `[TRE14 III-A]`; registrar and operator are ours.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A household's meter or home energy manager: sends readings and bids.
    Meter,
    /// Distribution network operator: defines groups, receives noisy sums.
    Dno,
    /// Energy supplier: sets prices, receives bills.
    Supplier,
    /// Demand side manager: opens events, receives pseudo-bids, decides.
    Dsm,
    /// Grid authority's desk: says which connection has which meter, supplier and capacity.
    Registrar,
    /// Runs the box.
    Operator,
    /// A Trustworthy Remote Entity.
    Tre,
}

impl Role {
    /// Every role, in the order of the design.
    pub const ALL: [Self; 7] = [
        Self::Meter,
        Self::Dno,
        Self::Supplier,
        Self::Dsm,
        Self::Registrar,
        Self::Operator,
        Self::Tre,
    ];

    /// The role as it stands in a certificate.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Meter => "meter",
            Self::Dno => "dno",
            Self::Supplier => "supplier",
            Self::Dsm => "dsm",
            Self::Registrar => "registrar",
            Self::Operator => "operator",
            Self::Tre => "tre",
        }
    }
}

/// A text that names no role.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected one of meter, dno, supplier, dsm, registrar, operator, tre")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(UnknownRole)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Role and name within a trust domain: `spiffe://<trust-domain>/<role>/<id>`.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Identity {
    /// The domain whose authorities vouch for the identity.
    pub trust_domain: TrustDomain,
    /// What the peer may do.
    pub role: Role,
    /// Its name within the role.
    pub id: PeerId,
}

/// Why a URI is not an identity.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected spiffe://<trust-domain>/<role>/<id>")]
pub struct NotAnIdentity;

impl FromStr for Identity {
    type Err = NotAnIdentity;

    fn from_str(text: &str) -> Result<Self, NotAnIdentity> {
        let rest = text.strip_prefix("spiffe://").ok_or(NotAnIdentity)?;
        let mut parts = rest.split('/');
        let mut part = || parts.next().ok_or(NotAnIdentity);
        let identity = Self {
            trust_domain: part()?.parse().map_err(|_| NotAnIdentity)?,
            role: part()?.parse().map_err(|_| NotAnIdentity)?,
            id: part()?.parse().map_err(|_| NotAnIdentity)?,
        };
        if parts.next().is_some() {
            return Err(NotAnIdentity);
        }
        Ok(identity)
    }
}

impl TryFrom<String> for Identity {
    type Error = NotAnIdentity;

    fn try_from(text: String) -> Result<Self, NotAnIdentity> {
        text.parse()
    }
}

impl From<Identity> for String {
    fn from(identity: Identity) -> Self {
        alloc::format!("{identity}")
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}/{}/{}", self.trust_domain, self.role, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn an_identity_reads_back_as_written() {
        for role in Role::ALL {
            let text = alloc::format!("spiffe://grid.example/{role}/name-1");
            assert_eq!(text.parse::<Identity>().map(|found| found.to_string()), Ok(text));
        }
    }

    #[test]
    fn anything_else_is_no_identity() {
        for bad in [
            "",
            "https://grid.example/meter/a",
            "spiffe://grid.example/meter",
            "spiffe://grid.example/meter/a/b",
            "spiffe://grid.example/meter/",
            "spiffe:///meter/a",
            "spiffe://grid.example/king/a",
            "spiffe://grid.example/Meter/a",
            "spiffe://grid.example/meter/a%20b",
        ] {
            assert_eq!(bad.parse::<Identity>(), Err(NotAnIdentity), "{bad}");
        }
    }
}
