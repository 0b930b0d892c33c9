//! Size, format, state and name.

use std::string::ToString as _;
use std::vec;

use super::scene::Scene;
use crate::claim::ClaimError;
use crate::refusal::Refusal;
use crate::verdict;
use tre_wire::attestation::Evidence;
use tre_wire::bounds;
use tre_wire::hex::{Hex32, HexBytes};
use tre_wire::message::StartState;

fn refusal(scene: &Scene, spoil: impl FnOnce(&mut Evidence)) -> Refusal {
    let mut evidence = scene.play();
    spoil(&mut evidence);
    let (identity, reference) = (Scene::identity(), scene.reference());
    verdict::attest(&evidence, scene.session(), &identity, &reference, Scene::now()).unwrap_err()
}

#[test]
fn another_format_is_refused() {
    let refused = refusal(&Scene::honest(), |evidence| evidence.format = 2);
    assert_eq!(refused, Refusal::Claim(ClaimError::Format { found: 2 }));
}

#[test]
fn a_locked_or_new_box_is_not_the_tre() {
    for found in [StartState::Locked, StartState::New] {
        let refused = refusal(&Scene { state: found, ..Scene::honest() }, |_| ());
        let expected = StartState::Serving;
        assert_eq!(refused, Refusal::Claim(ClaimError::State { expected, found }));
    }
}

#[test]
fn a_box_of_another_name_is_not_the_tre() {
    let refused = refusal(&Scene { tre_id: "tre-2".to_string(), ..Scene::honest() }, |_| ());
    let (expected, found) = ("tre-1".to_string(), "tre-2".to_string());
    assert_eq!(refused, Refusal::Claim(ClaimError::TreId { expected, found }));
}

#[test]
fn an_enrolled_box_is_not_new() {
    let scene = Scene::honest();
    let (session, reference) = (scene.session(), scene.reference());
    let refused =
        verdict::appraise_unenrolled(&scene.play(), session, &reference, Scene::now()).unwrap_err();
    let (expected, found) = (StartState::New, StartState::Serving);
    assert_eq!(refused, Refusal::Claim(ClaimError::State { expected, found }));
}

#[test]
fn a_pcr_left_out_or_added_to_the_values_is_refused() {
    let scene = Scene::honest();
    let refused = refusal(&scene, |evidence| evidence.pcrs.truncate(23));
    assert_eq!(refused, Refusal::Claim(ClaimError::PcrCount { found: 23 }));
    let refused = refusal(&scene, |evidence| evidence.pcrs.push(Hex32([0; 32])));
    assert_eq!(refused, Refusal::Claim(ClaimError::PcrCount { found: 25 }));
}

type Spoil<'a> = dyn Fn(&mut Evidence) + 'a;

/// A log of a gigabyte is refused before anything of it is looked at.
#[test]
fn each_part_is_refused_one_byte_beyond_its_bound() {
    let long = |most: usize| HexBytes(vec![0; most + 1]);
    let structure = bounds::TPM_STRUCTURE_BYTES;
    let certificate = bounds::CERTIFICATE_BYTES;
    let spoils: [(&str, usize, &Spoil<'_>); 8] = [
        ("tre_id", bounds::ID_CHARS, &|e| e.tre_id = "x".repeat(bounds::ID_CHARS + 1)),
        ("attest", structure, &|e| e.attest = long(structure)),
        ("signature", structure, &|e| e.signature = long(structure)),
        ("attestation_key", structure, &|e| e.attestation_key = long(structure)),
        ("attestation_key_chain", bounds::CHAIN, &|e| {
            e.attestation_key_chain = vec![HexBytes::default(); bounds::CHAIN + 1];
        }),
        ("attestation_key_chain", certificate, &|e| {
            e.attestation_key_chain = vec![long(certificate)];
        }),
        ("event_log", bounds::EVENT_LOG_BYTES, &|e| {
            e.event_log = long(bounds::EVENT_LOG_BYTES);
        }),
        ("path", bounds::ATTESTATION_SIBLINGS, &|e| {
            e.path.siblings = vec![Hex32([0; 32]); bounds::ATTESTATION_SIBLINGS + 1];
        }),
    ];
    let scene = Scene::honest();
    for (field, most, spoil) in spoils {
        let expected = ClaimError::TooLong { field, most, found: most + 1 };
        assert_eq!(refusal(&scene, spoil), Refusal::Claim(expected));
    }
}
