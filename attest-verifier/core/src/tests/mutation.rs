//! No byte of what is signed, and none of the signature, can be anything else.

use super::scene::Scene;
use crate::quote::{QuoteSignatureError, StatementError};
use crate::refusal::Refusal;
use crate::verdict;
use tre_wire::attestation::Evidence;
use tre_wire::hex::HexBytes;

fn judged(scene: &Scene, evidence: &Evidence) -> Result<(), Refusal> {
    let (identity, reference) = (Scene::identity(), scene.reference());
    verdict::attest(evidence, scene.session(), &identity, &reference, Scene::now()).map(|_| ())
}

/// Flips each bit of one field in turn.
fn flips(scene: &Scene, field: fn(&mut Evidence) -> &mut HexBytes, refused: fn(&Refusal) -> bool) {
    let mut evidence = scene.play();
    assert_eq!(judged(scene, &evidence), Ok(()));
    for place in 0..field(&mut evidence).0.len() {
        for bit in 0..8 {
            field(&mut evidence).0[place] ^= 1 << bit;
            let verdict = judged(scene, &evidence);
            assert!(verdict.as_ref().is_err_and(refused), "byte {place}, bit {bit}: {verdict:?}");
            field(&mut evidence).0[place] ^= 1 << bit;
        }
    }
    assert_eq!(judged(scene, &evidence), Ok(()));
}

#[test]
fn no_bit_of_the_quote_can_change() {
    flips(
        &Scene::honest(),
        |evidence| &mut evidence.attest,
        |refusal| *refusal == Refusal::Signature(QuoteSignatureError::Invalid),
    );
}

#[test]
fn no_bit_of_the_signature_can_change() {
    flips(
        &Scene::honest(),
        |evidence| &mut evidence.signature,
        |refusal| matches!(refusal, Refusal::Signature(_)),
    );
}

#[test]
fn no_bit_of_the_attestation_key_can_change() {
    // What the profile leaves open is still in the key's Name, which the quote carries.
    let refused = |refusal: &Refusal| {
        matches!(refusal, Refusal::Key(_) | Refusal::Statement(StatementError::Signer { .. }))
    };
    flips(&Scene::honest(), |evidence| &mut evidence.attestation_key, refused);
}
