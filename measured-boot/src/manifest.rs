//! The reference manifest: what an image must measure to, with the reason for each value.
//!
//! Signed as it lies: only decode bytes whose signature has been checked. Decoding then holds
//! what a signature cannot: every PCR stands in it exactly once, no value contradicts its own
//! events, and nothing but the two resettable PCRs can be waived.

mod bounded;
mod document;
mod expectation;
mod release;
pub mod tcb;
mod versions;

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

pub use expectation::{Expectation, ExpectationError, ExpectedEvent, PcrExpectations};
pub use release::{Release, ReleaseNumber};
pub use versions::Versions;

use crate::{component::Component, digest::Sha256Digest, limits::MAX_EVENTS};
use bounded::at_most;
use document::Document;

/// Everything that is known of an image before it runs.
///
/// Its file is of format 2 if it has a [`Release`], of format 1 if not; no other format is read,
/// and no mixture of the two.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(into = "Document", try_from = "Document")]
pub struct ReferenceManifest {
    /// Which release the image is, and what is in it; `None` for an image that is no release:
    /// one with a foreign executable in it, or no image at all.
    pub release: Option<Release>,
    /// What the manifest may be believed for.
    pub purpose: Purpose,
    /// The FAT image with the EFI file in it.
    pub image: FileRecord,
    /// The EFI file.
    pub efi: EfiRecord,
    /// What the EFI file is made of.
    pub components: Vec<Component>,
    /// The machine on which the recorded PCRs were recorded.
    pub platform: Platform,
    /// One expectation for each of the 24 PCRs.
    pub pcrs: PcrExpectations,
    /// The tools that built it, with versions.
    pub tools: Versions,
    /// The packages that went into it, with versions.
    pub packages: Versions,
    /// The first second in which it may be believed. Unit: second since 1970.
    pub valid_from: Option<u64>,
    /// The last second in which it may be believed. Unit: second since 1970.
    pub valid_until: Option<u64>,
    /// Whether every input had the version and hash of the lock file.
    pub locked: bool,
}

/// Whether a manifest speaks of boxes that may hold real readings.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Purpose {
    /// Made from the test domain, whose keys are public.
    Demo,
    /// Made for real boxes.
    Production,
}

/// A file by length and hash.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// File name without directories.
    pub name: String,
    /// Length in bytes.
    pub len: u64,
    /// SHA-256 of its bytes.
    pub sha256: Sha256Digest,
}

/// The EFI file by both its hashes.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EfiRecord {
    /// Length in bytes.
    pub len: u64,
    /// SHA-256 of its bytes.
    pub sha256: Sha256Digest,
    /// Authenticode hash: what the firmware measures.
    pub authenticode: Sha256Digest,
}

/// A machine, as far as its firmware's measurements depend on it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// Name of this definition.
    pub name: String,
    /// SHA-256 of the firmware file.
    pub firmware_sha256: Sha256Digest,
    /// Machine type (QEMU's `-M`).
    pub machine: String,
    /// Memory. Unit: MiB.
    pub memory_mib: u32,
    /// Number of processors.
    pub cpus: u32,
    /// Kind of TPM (QEMU's device name).
    pub tpm: String,
}

/// A platform with what was recorded on it: an input of [`crate::predict::expectations`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformDefinition {
    /// The machine.
    pub platform: Platform,
    /// Events of PCR 0, in order.
    #[serde(deserialize_with = "at_most::<_, _, MAX_EVENTS>")]
    pub pcr0: Vec<ExpectedEvent>,
    /// Events of PCR 1, in order.
    #[serde(deserialize_with = "at_most::<_, _, MAX_EVENTS>")]
    pub pcr1: Vec<ExpectedEvent>,
}

#[cfg(test)]
mod tests;
