//! What an endorsement key certificate says besides its key. `[EKP]`

use serde::{Deserialize, Serialize};
use x509_parser::der_parser::Oid;
use x509_parser::der_parser::oid;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::X509Certificate;
use x509_parser::x509::X509Name;

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

/// Holds `certificate`, which is for `key`, against the profile.
pub(super) fn check(
    certificate: &X509Certificate<'_>,
    key: &EkPublic,
) -> Result<TpmModel, ProfileError> {
    let broken = |extension| ProfileError::Extension { extension };
    let purposes = certificate.extended_key_usage().map_err(|_| broken("extended key usage"))?;
    if !purposes.is_some_and(|purposes| purposes.value.other.contains(&EK_CERTIFICATE)) {
        return Err(ProfileError::Purpose);
    }
    let constraints = certificate.basic_constraints().map_err(|_| broken("basic constraints"))?;
    if constraints.is_some_and(|constraints| constraints.value.ca) {
        return Err(ProfileError::Authority);
    }
    let usage = certificate.key_usage().map_err(|_| broken("key usage"))?;
    let (expected, found) = match key {
        EkPublic::Rsa2048 { .. } => {
            ("keyEncipherment", usage.is_some_and(|usage| usage.value.key_encipherment()))
        }
        EkPublic::P256 { .. } | EkPublic::P384 { .. } => {
            ("keyAgreement", usage.is_some_and(|usage| usage.value.key_agreement()))
        }
    };
    if !found {
        return Err(ProfileError::KeyUsage { expected });
    }
    let names =
        certificate.subject_alternative_name().map_err(|_| broken("subject alternative name"))?;
    let directories: Vec<&X509Name<'_>> = names
        .map_or(&[][..], |names| names.value.general_names.as_slice())
        .iter()
        .filter_map(
            |name| if let GeneralName::DirectoryName(name) = name { Some(name) } else { None },
        )
        .collect();
    Ok(TpmModel {
        manufacturer: attribute(&directories, &MANUFACTURER, "manufacturer")?,
        model: attribute(&directories, &MODEL, "model")?,
        version: attribute(&directories, &VERSION, "version")?,
    })
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
