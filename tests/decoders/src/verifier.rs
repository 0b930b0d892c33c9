//! Evidence and certificates, through the whole verifier, against a reference of the box's own.

use std::sync::OnceLock;

use attest_verifier_core::channel::{self, View};
use attest_verifier_core::measured_boot::manifest::Purpose;
use attest_verifier_core::reference::Reference;
use attest_verifier_core::release::{ReleaseKey, UnverifiedManifest};
use attest_verifier_core::report;
use attest_verifier_core::verdict::{self, Facts};
use rustls_pki_types::CertificateDer;
use tre_wire::attestation::Evidence;
use tre_wire::hex::HexBytes;
use tre_wire::json;
use tre_wire::role::Identity;
use tre_wire::units::UnixMillis;

use crate::recorded::Recorded;

/// A recorded conversation, ready to be held against other evidence.
struct Scene {
    recorded: Recorded,
    identity: Identity,
    reference: Reference,
    now: UnixMillis,
    facts: Facts,
}

impl Scene {
    fn session(&self) -> View {
        let chain = self.recorded.server_chain.iter();
        View {
            nonce: self.recorded.nonce.0,
            exporter: self.recorded.exporter.0,
            server_chain: chain.map(|der| CertificateDer::from(der.0.clone())).collect(),
            client_key: None,
        }
    }
}

#[expect(clippy::expect_used, reason = "the record is committed, and a test reads it")]
fn scene() -> &'static Scene {
    static SCENE: OnceLock<Scene> = OnceLock::new();
    SCENE.get_or_init(|| make().expect("tests/vectors/evidence is a record of an attested box"))
}

/// `None` if the committed files are not what they are said to be.
fn make() -> Option<Scene> {
    let recorded = Recorded::committed().ok()?;
    let key = ReleaseKey::from_pem(recorded.release_key.as_bytes()).ok()?;
    let file = recorded.manifest.as_slice();
    let signature = recorded.manifest_signature.as_slice();
    let released = UnverifiedManifest { file, signature }.verify(&key).ok()?.read().ok()?;
    let deployment = recorded.deployment.as_slice();
    let reference = Reference::new(deployment, vec![released], Purpose::Demo).ok()?;
    let identity = reference.identity_of_tre(recorded.tre_id.clone());
    let now = recorded.evidence.time;
    let appraised = verdict::appraise_stored(&recorded.evidence, &identity, &reference, now);
    let facts = appraised.ok()?.facts().clone();
    Some(Scene { recorded, identity, reference, now, facts })
}

/// Evidence: what is attested says what the recorded box said, and passes every check by name.
#[must_use]
pub fn evidence(bytes: &[u8]) -> bool {
    let Ok(evidence) = json::decode::<Evidence>(bytes) else { return false };
    hold(&evidence);
    true
}

/// A certificate, as that of an attestation key and as that of a server.
#[must_use]
pub fn certificate(bytes: &[u8]) -> bool {
    let mut evidence = scene().recorded.evidence.clone();
    evidence.attestation_key_chain = vec![HexBytes(bytes.to_vec())];
    hold(&evidence);
    channel::leaf_key(&[CertificateDer::from(bytes)]).is_ok()
}

fn hold(evidence: &Evidence) {
    let Scene { identity, reference, now, facts, .. } = scene();
    let session = scene().session();
    let checks = report::examine(evidence, &session, identity, reference, *now);
    let all = checks.iter().all(|check| check.ok);
    match verdict::attest(evidence, session, identity, reference, *now) {
        Ok(attested) => {
            assert!(all, "attested, with a check that failed: {checks:?}");
            assert_eq!(attested.facts(), facts);
        }
        Err(refusal) => {
            assert!(!all, "refused with {refusal}, and no check failed");
        }
    }
    // The other two ways through the stages.
    let unenrolled = verdict::appraise_unenrolled(evidence, scene().session(), reference, *now);
    assert!(unenrolled.is_err(), "a box that is enrolled is none that is new");
    if let Ok(appraised) = verdict::appraise_stored(evidence, identity, reference, *now) {
        assert_eq!(appraised.facts().pcrs, facts.pcrs);
    }
}
