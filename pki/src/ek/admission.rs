//! What the operator admits although the profile does not: by name, never by default, and written
//! into the record of the box.

use core::fmt;
use core::str::FromStr;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use tre_wire::hex::Hex32;

/// A departure from the profile of endorsement key certificates that real TPMs have shown. `[EKP]`
///
/// Nothing else is admitted: the signature, the chain to a listed root, the dates, the key and its
/// attributes, no second value where one belongs, and no other purpose where one is named.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deviation {
    /// The certificate has no extended key usage at all.
    NoExtendedKeyUsage,
    /// The certificate has no key usage at all.
    NoKeyUsage,
    /// The certificate does not say manufacturer, model and version of the TPM.
    NoTpmNames,
    /// The TPM has no certificate: the operator knows this very key by another way.
    NoCertificate,
}

impl Deviation {
    /// Those that may be admitted for any TPM. [`Self::NoCertificate`] goes by a key's hash.
    pub const BY_NAME: [Self; 3] = [Self::NoExtendedKeyUsage, Self::NoKeyUsage, Self::NoTpmNames];

    const fn as_str(self) -> &'static str {
        match self {
            Self::NoExtendedKeyUsage => "no-extended-key-usage",
            Self::NoKeyUsage => "no-key-usage",
            Self::NoTpmNames => "no-tpm-names",
            Self::NoCertificate => "no-certificate",
        }
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A deviation that is not admitted by name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected no-extended-key-usage, no-key-usage or no-tpm-names")]
pub struct NoDeviation;

impl FromStr for Deviation {
    type Err = NoDeviation;

    fn from_str(text: &str) -> Result<Self, NoDeviation> {
        Self::BY_NAME.into_iter().find(|known| known.as_str() == text).ok_or(NoDeviation)
    }
}

/// What is admitted: nothing, unless somebody said so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Admission {
    deviations: BTreeSet<Deviation>,
    uncertified: Option<Hex32>,
}

impl Admission {
    /// Nothing.
    pub const NOTHING: Self = Self { deviations: BTreeSet::new(), uncertified: None };

    /// These deviations of [`Deviation::BY_NAME`], and the one endorsement key without a
    /// certificate whose TPMT_PUBLIC has the SHA-256 `uncertified`.
    #[must_use]
    pub fn of(deviations: &[Deviation], uncertified: Option<Hex32>) -> Self {
        let by_name = deviations.iter().filter(|one| Deviation::BY_NAME.contains(one));
        Self { deviations: by_name.copied().collect(), uncertified }
    }

    /// Whether `deviation` is admitted for any TPM.
    pub(super) fn admits(&self, deviation: Deviation) -> bool {
        self.deviations.contains(&deviation)
    }

    /// Whether the key with this hash may come without a certificate.
    pub(super) fn admits_key(&self, key: Hex32) -> bool {
        self.uncertified == Some(key)
    }
}
