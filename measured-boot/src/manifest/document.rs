//! A manifest as its file has it: two formats in one list of fields, and nothing between them.

use alloc::vec::Vec;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use super::{
    EfiRecord, FileRecord, PcrExpectations, Platform, Purpose, ReferenceManifest, Release,
    ReleaseNumber, Versions, bounded::at_most, tcb::TcbReport,
};
use crate::{component::Component, limits::MAX_COMPONENTS};

/// Version of a manifest's structure.
#[derive(Clone, Copy)]
enum Format {
    /// Without a release number and without a TCB report.
    Plain,
    /// With both.
    Released,
}

/// How the formats are written.
const PLAIN: u32 = 1;
const RELEASED: u32 = 2;

/// The fields of either format. What only format 2 has is left out of format 1, not `null`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    format: Format,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    release: Option<ReleaseNumber>,
    purpose: Purpose,
    image: FileRecord,
    efi: EfiRecord,
    #[serde(deserialize_with = "at_most::<_, _, MAX_COMPONENTS>")]
    components: Vec<Component>,
    platform: Platform,
    pcrs: PcrExpectations,
    tools: Versions,
    packages: Versions,
    valid_from: Option<u64>,
    valid_until: Option<u64>,
    locked: bool,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    tcb: Option<TcbReport>,
}

/// Why the fields of a file make no manifest.
#[derive(Debug, Error)]
pub(super) enum FormatError {
    /// Written by a program that knows more.
    #[error("expected manifest format {PLAIN} or {RELEASED}, found {found}")]
    Unknown { found: u32 },
    /// A field of format 2 in a manifest that calls itself format 1.
    #[error("manifest format {PLAIN}: expected no `{field}`, found one")]
    Surplus { field: &'static str },
    /// A field of format 2 is missing there.
    #[error("manifest format {RELEASED}: expected `{field}`, found none")]
    Missing { field: &'static str },
}

impl From<ReferenceManifest> for Document {
    fn from(manifest: ReferenceManifest) -> Self {
        let (format, release, tcb) = match manifest.release {
            None => (Format::Plain, None, None),
            Some(Release { number, tcb }) => (Format::Released, Some(number), Some(tcb)),
        };
        Self {
            format,
            release,
            purpose: manifest.purpose,
            image: manifest.image,
            efi: manifest.efi,
            components: manifest.components,
            platform: manifest.platform,
            pcrs: manifest.pcrs,
            tools: manifest.tools,
            packages: manifest.packages,
            valid_from: manifest.valid_from,
            valid_until: manifest.valid_until,
            locked: manifest.locked,
            tcb,
        }
    }
}

impl TryFrom<Document> for ReferenceManifest {
    type Error = FormatError;

    fn try_from(document: Document) -> Result<Self, FormatError> {
        Ok(Self {
            release: release(document.format, document.release, document.tcb)?,
            purpose: document.purpose,
            image: document.image,
            efi: document.efi,
            components: document.components,
            platform: document.platform,
            pcrs: document.pcrs,
            tools: document.tools,
            packages: document.packages,
            valid_from: document.valid_from,
            valid_until: document.valid_until,
            locked: document.locked,
        })
    }
}

/// What a format has to have, and nothing that it has not.
fn release(
    format: Format,
    number: Option<ReleaseNumber>,
    tcb: Option<TcbReport>,
) -> Result<Option<Release>, FormatError> {
    match (format, number, tcb) {
        (Format::Plain, None, None) => Ok(None),
        (Format::Plain, Some(_), _) => Err(FormatError::Surplus { field: "release" }),
        (Format::Plain, None, Some(_)) => Err(FormatError::Surplus { field: "tcb" }),
        (Format::Released, Some(number), Some(tcb)) => Ok(Some(Release { number, tcb })),
        (Format::Released, None, _) => Err(FormatError::Missing { field: "release" }),
        (Format::Released, Some(_), None) => Err(FormatError::Missing { field: "tcb" }),
    }
}

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(match self {
            Self::Plain => PLAIN,
            Self::Released => RELEASED,
        })
    }
}

/// Refuses an unknown format where it stands: what follows it may have any shape.
impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            PLAIN => Ok(Self::Plain),
            RELEASED => Ok(Self::Released),
            found => Err(de::Error::custom(FormatError::Unknown { found })),
        }
    }
}

/// A field that may be left out, but not be `null`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
