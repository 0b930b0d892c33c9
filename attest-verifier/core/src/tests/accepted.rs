//! What is right is accepted, by each of the three ways.

use std::vec;

use super::scene::{NOW, Scene, spki_hash};
use crate::verdict;
use tre_wire::attestation::Path;
use tre_wire::hex::Hex32;

#[test]
fn an_honest_tre_is_attested_with_what_it_said() {
    let scene = Scene::honest();
    let (identity, reference, now) = (Scene::identity(), scene.reference(), Scene::now());
    let evidence = scene.play();
    let attested = verdict::attest(&evidence, scene.session(), &identity, &reference, now).unwrap();
    assert_eq!(attested.identity(), &identity);
    assert_eq!(attested.server_key(), spki_hash(&scene.tls));
    let facts = attested.facts();
    assert_eq!(facts.attestation_key, scene.public().name());
    assert_eq!((facts.clock.reset_count, facts.clock.clock_ms), (7, 5_000));
    assert_eq!((facts.state_epoch, facts.time.get()), (3, NOW));
    assert_eq!(facts.pcrs, scene.pcrs());
}

#[test]
fn a_new_box_is_appraised_for_enrolment() {
    let scene = Scene::new_box();
    let (session, reference) = (scene.session(), scene.reference());
    let appraised =
        verdict::appraise_unenrolled(&scene.play(), session, &reference, Scene::now()).unwrap();
    assert_eq!(appraised.attestation_key(), scene.public().area());
    assert_eq!(appraised.facts().pcrs, scene.pcrs());
}

#[test]
fn stored_evidence_is_appraised_unbound() {
    let scene = Scene::honest();
    let (identity, reference) = (Scene::identity(), scene.reference());
    let appraised =
        verdict::appraise_stored(&scene.play(), &identity, &reference, Scene::now()).unwrap();
    assert_eq!(appraised.identity(), &identity);
}

/// Later requests share a quote: the path leads from our leaf to the root that was signed.
#[test]
fn a_leaf_of_a_batch_is_accepted_at_its_place_only() {
    let mut scene = Scene::honest();
    scene.attest = |mut bytes| {
        // Qualifying data: behind magic, type, the signer's size and Name, and its own size.
        let qualifying = &mut bytes[4 + 2 + 2 + 34 + 2..][..32];
        let leaf: [u8; 32] = (&*qualifying).try_into().unwrap();
        let path = Path { index: 1, count: 2, siblings: vec![Hex32([0xab; 32])] };
        qualifying.copy_from_slice(&path.root(leaf).unwrap());
        bytes
    };
    let (identity, reference, now) = (Scene::identity(), scene.reference(), Scene::now());
    let mut evidence = scene.play();
    evidence.path = Path { index: 1, count: 2, siblings: vec![Hex32([0xab; 32])] };
    let attested = verdict::attest(&evidence, scene.session(), &identity, &reference, now);
    assert_eq!(attested.map(|attested| attested.server_key()), Ok(spki_hash(&scene.tls)));
    evidence.path.index = 0;
    let refused = verdict::attest(&evidence, scene.session(), &identity, &reference, now);
    assert!(matches!(
        refused,
        Err(crate::refusal::Refusal::Binding(crate::quote::BindingError::QualifyingData { .. }))
    ));
}
