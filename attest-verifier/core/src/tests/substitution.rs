//! Everything in the evidence fits together but one thing, which is somebody else's.

use super::scene::{Scene, spki_hash};
use crate::key::KeyError;
use crate::quote::PcrError;
use crate::refusal::Refusal;
use crate::verdict;
use measured_boot::digest::sha256;
use measured_boot::pcr::PcrIndex;
use rcgen::KeyPair;
use tre_wire::attestation::Evidence;

fn judged(scene: &Scene, evidence: &Evidence) -> Refusal {
    let (identity, reference) = (Scene::identity(), scene.reference());
    verdict::attest(evidence, scene.session(), &identity, &reference, Scene::now()).unwrap_err()
}

/// A modified box has the log and the values of an honest one beside its own quote.
#[test]
fn the_log_and_the_values_of_an_honest_box_are_refused() {
    let mut scene = Scene::honest();
    let honest = scene.play();
    let event = scene.log.iter_mut().find(|event| event.pcr == PcrIndex::P4).unwrap();
    event.digest = sha256(b"another image");
    let mut evidence = scene.play();
    evidence.pcrs = honest.pcrs;
    evidence.event_log = honest.event_log;
    let Refusal::Pcrs(PcrError::Digest { expected, found }) = judged(&scene, &evidence) else {
        panic!("another check refused it");
    };
    assert_ne!(expected, found);
}

/// A key that obeys its owner, under the certificate of one that obeys its TPM.
#[test]
fn the_certificate_of_an_honest_key_is_refused() {
    let honest = Scene::honest();
    let (chain, certified) = (honest.play().attestation_key_chain, spki_hash(&honest.aik));
    let scene = Scene { aik: KeyPair::generate().unwrap(), ..honest };
    let mut evidence = scene.play();
    evidence.attestation_key_chain = chain;
    let (expected, found) = (certified, spki_hash(&scene.aik));
    let error = KeyError::CertificateKey { expected, found };
    assert_eq!(judged(&scene, &evidence), Refusal::Key(error));
}
