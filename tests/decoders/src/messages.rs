//! Files and messages in JSON, and the disk's header.

use core::fmt::Debug;

use attest_verifier_core::measured_boot::manifest::ReferenceManifest;
use attest_verifier_core::release::{SignatureFile, read_manifest};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tre_wire::attestation::AttestationRequest;
use tre_wire::deployment::Deployment;
use tre_wire::message::dno::PutGroup;
use tre_wire::message::dsm::{Decision, OpenEvent};
use tre_wire::message::enrolment::{
    ActivateCredential, BeginEnrolment, CompleteEnrolment, RenewCertificates,
};
use tre_wire::message::meter::{BidRequest, Readings};
use tre_wire::message::registrar::ConnectionRecord;
use tre_wire::message::supplier::{EndPeriod, PostPrices};
use tre_wire::revocation::PutRevocations;
use tre_wire::time::{PutTime, TimeToken};
use tre_wire::{disk, json};

/// Every request that a TRE takes: what it means is said in one way, and read back the same.
#[must_use]
pub fn request(bytes: &[u8]) -> bool {
    let decoders: [fn(&[u8]) -> bool; 16] = [
        one::<ActivateCredential>,
        one::<AttestationRequest>,
        one::<BeginEnrolment>,
        one::<BidRequest>,
        one::<CompleteEnrolment>,
        one::<ConnectionRecord>,
        one::<Decision>,
        one::<EndPeriod>,
        one::<OpenEvent>,
        one::<PostPrices>,
        one::<PutGroup>,
        one::<PutRevocations>,
        one::<PutTime>,
        one::<Readings>,
        one::<RenewCertificates>,
        one::<TimeToken>,
    ];
    decoders.iter().filter(|decode| decode(bytes)).count() > 0
}

fn one<T: Debug + DeserializeOwned + PartialEq + Serialize>(bytes: &[u8]) -> bool {
    let Ok(message) = json::decode_request::<T>(bytes) else { return false };
    stays_itself(&message, json::decode_request);
    true
}

/// Writes `message` and reads it again.
pub(crate) fn stays_itself<T: Debug + PartialEq + Serialize, E: Debug>(
    message: &T,
    read: impl Fn(&[u8]) -> Result<T, E>,
) {
    let written = json::encode(message).map_err(|error| error.detail());
    let again = written.as_deref().map(read);
    assert!(matches!(&again, Ok(Ok(again)) if again == message), "{message:?} became {again:?}");
}

/// A deployment file, and the block of the data disk that holds one.
#[must_use]
pub fn deployment(bytes: &[u8]) -> bool {
    let block = disk::deployment_file(bytes).is_ok();
    let header = disk::check_header(bytes).is_ok();
    let Ok(deployment) = Deployment::from_json(bytes) else { return block || header };
    stays_itself(&deployment, Deployment::from_json);
    true
}

/// A reference manifest, whoever wrote it.
#[must_use]
pub fn manifest(bytes: &[u8]) -> bool {
    let Ok(manifest) = read_manifest(bytes) else { return false };
    stays_itself::<ReferenceManifest, _>(&manifest, read_manifest);
    true
}

/// The file with a manifest's signature.
#[must_use]
pub fn signature_file(bytes: &[u8]) -> bool {
    one::<SignatureFile>(bytes)
}
