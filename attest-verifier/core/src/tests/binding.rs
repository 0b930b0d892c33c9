//! A quote answers one nonce, on one connection, of one TRE, at one time.

use super::scene::{Scene, Seen, spki_hash};
use crate::channel::View;
use crate::quote::BindingError;
use crate::refusal::Refusal;
use crate::verdict::{self, Attested};
use measured_boot::digest::Sha256Digest;
use rcgen::KeyPair;
use tre_wire::attestation::{Evidence, PathError};
use tre_wire::hex::Hex32;
use tre_wire::units::UnixMillis;

fn judged(scene: &Scene, evidence: &Evidence, session: View) -> Result<Attested<View>, Refusal> {
    let (identity, reference) = (Scene::identity(), scene.reference());
    verdict::attest(evidence, session, &identity, &reference, Scene::now())
}

#[track_caller]
fn answers_another(outcome: Result<Attested<View>, Refusal>, quoted: &Evidence) {
    let Err(Refusal::Binding(BindingError::QualifyingData { expected, found })) = outcome else {
        panic!("{outcome:?}");
    };
    assert_ne!(expected, found);
    // Qualifying data: behind magic, type, the signer's size and Name, and its own size.
    assert_eq!(found.0, quoted.attest.0[4 + 2 + 2 + 34 + 2..][..32]);
}

#[test]
fn a_replayed_quote_is_refused() {
    let scene = Scene::honest();
    let old = scene.answer(&Seen { nonce: [0x99; 32], ..scene.seen() });
    answers_another(judged(&scene, &old, scene.session()), &old);
}

/// The relay: the verifier's nonce, carried over a connection of the attacker's own.
#[test]
fn a_quote_for_another_connection_is_refused() {
    let scene = Scene::honest();
    let relayed = scene.answer(&Seen { exporter: [0x99; 32], ..scene.seen() });
    answers_another(judged(&scene, &relayed, scene.session()), &relayed);
}

#[test]
fn a_quote_for_another_server_key_is_refused() {
    let scene = Scene::honest();
    let other = spki_hash(&KeyPair::generate().unwrap());
    let diverted = scene.answer(&Seen { server_key: other, ..scene.seen() });
    answers_another(judged(&scene, &diverted, scene.session()), &diverted);
}

#[test]
fn a_quote_for_another_client_is_refused() {
    let scene = Scene::honest();
    let (ours, theirs) = (Sha256Digest([0x44; 32]), Sha256Digest([0x55; 32]));
    let session = || View { client_key: Some(ours), ..scene.session() };
    for client_key in [theirs, Sha256Digest::ZERO] {
        let diverted = scene.answer(&Seen { client_key, ..scene.seen() });
        answers_another(judged(&scene, &diverted, session()), &diverted);
    }
    let bound = scene.answer(&Seen { client_key: ours, ..scene.seen() });
    assert_eq!(judged(&scene, &bound, session()).map(|_| ()), Ok(()));
}

/// Epoch and time stand beside the quote; only the leaf makes them the TPM's.
#[test]
fn an_altered_epoch_or_time_is_refused() {
    let scene = Scene::honest();
    let mut older = scene.play();
    older.state_epoch -= 1;
    answers_another(judged(&scene, &older, scene.session()), &older);
    let mut later = scene.play();
    later.time = UnixMillis::new(later.time.get() + 1).unwrap();
    answers_another(judged(&scene, &later, scene.session()), &later);
}

#[test]
fn a_longer_path_is_refused() {
    let scene = Scene::honest();
    let mut evidence = scene.play();
    evidence.path.siblings.push(Hex32([0; 32]));
    let cause = PathError::Length { expected: 0, found: 1 };
    let refused = judged(&scene, &evidence, scene.session());
    assert_eq!(refused, Err(Refusal::Binding(BindingError::Path { cause })));
}

/// A box that is not enrolled binds the key that it threw together, so a relay shows here too.
#[test]
fn a_new_box_behind_a_relay_is_refused() {
    let scene = Scene::new_box();
    let other = spki_hash(&KeyPair::generate().unwrap());
    let relayed = scene.answer(&Seen { server_key: other, ..scene.seen() });
    let (session, reference) = (scene.session(), scene.reference());
    let refused = verdict::appraise_unenrolled(&relayed, session, &reference, Scene::now());
    let Err(Refusal::Binding(BindingError::QualifyingData { .. })) = refused else {
        panic!("{refused:?}");
    };
}
