//! What an endorsement key certificate says besides its key. `[EKP]`

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use x509_parser::der_parser::Oid;
use x509_parser::der_parser::oid;
use x509_parser::extensions::{GeneralName, KeyUsage};
use x509_parser::prelude::X509Certificate;
use x509_parser::x509::X509Name;

use super::admission::{Admission, Deviation};
use super::key::EkPublic;

/// The TPM as its maker describes it, for the record: no check reads it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TpmModel {
    /// Manufacturer, such as `id:00001014`.
    pub manufacturer: String,
    /// Model.
    pub model: String,
    /// Firmware version at the time of certification.
    pub version: String,
}

impl TpmModel {
    /// Of a TPM of which nobody says anything.
    pub(super) fn unknown() -> Self {
        let unknown = || String::from("unknown");
        Self { manufacturer: unknown(), model: unknown(), version: unknown() }
    }
}

/// Why a certificate is not an endorsement key's.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProfileError {
    /// A certificate for something else.
    #[error("expected extended key usage 2.23.133.8.1 (EK certificate), found another or none")]
    Purpose,
    /// An authority's certificate.
    #[error("expected an end-entity certificate, found an authority's")]
    Authority,
    /// A key that may not be used for a secret.
    #[error("expected key usage {expected}, found another or none")]
    KeyUsage {
        /// The usage of a key of this kind.
        expected: &'static str,
    },
    /// An extension that occurs twice or cannot be decoded.
    #[error("expected {extension} once and readable")]
    Extension {
        /// Name of the extension.
        extension: &'static str,
    },
    /// A TPM attribute is missing, repeated or too long.
    #[error(
        "expected one TPM {attribute} of 1 to {MOST_CHARS} plain characters in the subject \
         alternative name"
    )]
    Attribute {
        /// Name of the attribute.
        attribute: &'static str,
    },
}

/// A certificate held against the profile: what it says of the TPM, and where it departed.
pub(super) type Held = (TpmModel, BTreeSet<Deviation>);

/// Holds `certificate`, which is for `key`, against the profile, but for what is admitted.
pub(super) fn check(
    certificate: &X509Certificate<'_>,
    key: &EkPublic,
    admission: &Admission,
) -> Result<Held, ProfileError> {
    let mut departed = BTreeSet::new();
    let broken = |extension| ProfileError::Extension { extension };
    let purposes = certificate.extended_key_usage().map_err(|_| broken("extended key usage"))?;
    match purposes {
        Some(purposes) if purposes.value.other.contains(&EK_CERTIFICATE) => {}
        None if admission.admits(Deviation::NoExtendedKeyUsage) => {
            departed.insert(Deviation::NoExtendedKeyUsage);
        }
        Some(_) | None => return Err(ProfileError::Purpose),
    }
    let constraints = certificate.basic_constraints().map_err(|_| broken("basic constraints"))?;
    if constraints.is_some_and(|constraints| constraints.value.ca) {
        return Err(ProfileError::Authority);
    }
    let usage = certificate.key_usage().map_err(|_| broken("key usage"))?;
    if usage.is_none() && admission.admits(Deviation::NoKeyUsage) {
        departed.insert(Deviation::NoKeyUsage);
    } else {
        check_usage(usage.map(|usage| usage.value), key)?;
    }
    let model = names_of(certificate)?;
    let model = match model {
        Some(model) => model,
        None if admission.admits(Deviation::NoTpmNames) => {
            departed.insert(Deviation::NoTpmNames);
            TpmModel::unknown()
        }
        None => return Err(ProfileError::Attribute { attribute: "manufacturer" }),
    };
    Ok((model, departed))
}

/// The key may be used for a secret, in the way of its kind.
fn check_usage(usage: Option<&KeyUsage>, key: &EkPublic) -> Result<(), ProfileError> {
    let (expected, found) = match key {
        EkPublic::Rsa2048 { .. } => {
            ("keyEncipherment", usage.is_some_and(KeyUsage::key_encipherment))
        }
        EkPublic::P256 { .. } | EkPublic::P384 { .. } => {
            ("keyAgreement", usage.is_some_and(KeyUsage::key_agreement))
        }
    };
    if found { Ok(()) } else { Err(ProfileError::KeyUsage { expected }) }
}

/// What the subject alternative name says of the TPM: nothing, or all three.
fn names_of(certificate: &X509Certificate<'_>) -> Result<Option<TpmModel>, ProfileError> {
    let broken = |extension| ProfileError::Extension { extension };
    let names =
        certificate.subject_alternative_name().map_err(|_| broken("subject alternative name"))?;
    let directories: Vec<&X509Name<'_>> = names
        .map_or(&[][..], |names| names.value.general_names.as_slice())
        .iter()
        .filter_map(
            |name| if let GeneralName::DirectoryName(name) = name { Some(name) } else { None },
        )
        .collect();
    let silent = |oid| directories.iter().all(|name| name.iter_by_oid(oid).next().is_none());
    if [&MANUFACTURER, &MODEL, &VERSION].into_iter().all(silent) {
        return Ok(None);
    }
    Ok(Some(TpmModel {
        manufacturer: attribute(&directories, &MANUFACTURER, "manufacturer")?,
        model: attribute(&directories, &MODEL, "model")?,
        version: attribute(&directories, &VERSION, "version")?,
    }))
}

/// The one value of a TPM attribute.
fn attribute(
    directories: &[&X509Name<'_>],
    oid: &Oid<'_>,
    attribute: &'static str,
) -> Result<String, ProfileError> {
    let refused = ProfileError::Attribute { attribute };
    let mut values = directories.iter().flat_map(|name| name.iter_by_oid(oid));
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(refused);
    };
    let text = value.as_str().map_err(|_| refused)?;
    let plain = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    if text.is_empty() || text.len() > MOST_CHARS || !plain {
        return Err(refused);
    }
    Ok(String::from(text))
}

/// Longest value of a TPM attribute. Unit: characters. It goes into a record for people.
const MOST_CHARS: usize = 64;

/// `tcg-kp-EKCertificate`. `[EKP]`
const EK_CERTIFICATE: Oid<'static> = oid!(2.23.133.8.1);

/// `tcg-at-tpmManufacturer`. `[EKP]`
const MANUFACTURER: Oid<'static> = oid!(2.23.133.2.1);

/// `tcg-at-tpmModel`. `[EKP]`
const MODEL: Oid<'static> = oid!(2.23.133.2.2);

/// `tcg-at-tpmVersion`. `[EKP]`
const VERSION: Oid<'static> = oid!(2.23.133.2.3);
