//! Entries of format 1, which are read and no longer written.
//!
//! They name what verdicts were judged by and keep none of it, and say nothing of lists.

use attest_verifier_core::wire::hex::Hex32;
use attest_verifier_core::wire::id::PeerId;
use attest_verifier_core::wire::units::UnixMillis;
use serde::Deserialize;

use super::{Seen, Verdict};
use crate::trust::Trust;

/// Version of this layout.
pub(super) const FORMAT: u32 = 1;

/// One look at a TRE.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OlderEntry {
    pub(super) format: u32,
    pub(super) number: u64,
    pub(super) previous: Hex32,
    pub(super) time: UnixMillis,
    pub(super) tre_id: PeerId,
    /// SHA-256 of the deployment file.
    pub(super) deployment: Hex32,
    /// SHA-256 of each manifest file.
    pub(super) manifests: Vec<Hex32>,
    pub(super) seen: Seen,
    pub(super) verdict: Verdict,
}

/// What such an entry calls the files that verdicts are judged by.
pub(super) fn named(trust: &Trust) -> (Hex32, Vec<Hex32>) {
    let reference = trust.reference();
    let manifests = reference.manifests().map(|manifest| Hex32(manifest.sha256().0));
    (Hex32(reference.deployment_sha256().0), manifests.collect())
}
