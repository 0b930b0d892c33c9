//! The signature, and what the signed bytes say.

use std::vec::Vec;

use super::scene::Scene;
use super::signing::sign;
use crate::quote::{PcrError, QuoteSignatureError, StatementError};
use crate::refusal::Refusal;
use crate::verdict;
use measured_boot::digest::{Sha256Digest, sha256_of_parts};
use measured_boot::pcr::{PcrIndex, PcrSelection, SelectionMismatch};
use measured_boot::reader::ReadError;
use measured_boot::tpm::{
    AlgorithmId, AttestError, Name, NameError, Quote, SelectionError, SignatureError,
};
use rcgen::KeyPair;
use tre_wire::attestation::Evidence;
use tre_wire::hex::Hex32;

fn judged(scene: &Scene, evidence: &Evidence) -> Refusal {
    let (identity, reference) = (Scene::identity(), scene.reference());
    verdict::attest(evidence, scene.session(), &identity, &reference, Scene::now()).unwrap_err()
}

fn refusal(spoil: impl FnOnce(&mut Scene)) -> Refusal {
    let mut scene = Scene::honest();
    spoil(&mut scene);
    judged(&scene, &scene.play())
}

/// The structure that these signed bytes are refused for.
fn structure(attest: fn(Vec<u8>) -> Vec<u8>) -> AttestError {
    let refused = refusal(|scene| scene.attest = attest);
    let Refusal::Statement(StatementError::Structure { cause }) = refused else {
        panic!("{refused:?}");
    };
    cause
}

#[test]
fn a_signature_by_another_key_is_refused() {
    let scene = Scene::honest();
    let mut evidence = scene.play();
    evidence.signature.0 = sign(&KeyPair::generate().unwrap(), evidence.attest.as_slice());
    let refused = judged(&scene, &evidence);
    assert_eq!(refused, Refusal::Signature(QuoteSignatureError::Invalid));
}

#[test]
fn a_signature_over_another_quote_is_refused() {
    let scene = Scene::honest();
    let mut evidence = scene.play();
    evidence.signature = Scene { time: scene.time + 1, ..Scene::honest() }.play().signature;
    let refused = judged(&scene, &evidence);
    assert_eq!(refused, Refusal::Signature(QuoteSignatureError::Invalid));
}

#[test]
fn an_empty_signature_is_refused() {
    let scene = Scene::honest();
    let mut evidence = scene.play();
    evidence.signature.0.clear();
    let cause = ReadError::Truncated { offset: 0, needed: 2, left: 0 };
    let cause = SignatureError::Read(cause);
    let error = QuoteSignatureError::Unreadable { cause };
    assert_eq!(judged(&scene, &evidence), Refusal::Signature(error));
}

#[test]
fn a_signature_of_another_algorithm_is_refused() {
    let scene = Scene::honest();
    for (position, value, cause) in [
        (1, 0x14, SignatureError::Algorithm { found: AlgorithmId::RSASSA }),
        (3, 0x04, SignatureError::Hash { found: AlgorithmId::SHA1 }),
    ] {
        let mut evidence = scene.play();
        evidence.signature.0[position] = value;
        let error = QuoteSignatureError::Unreadable { cause };
        assert_eq!(judged(&scene, &evidence), Refusal::Signature(error));
    }
}

/// A key that signs anything would sign this; the TPM would not.
#[test]
fn signed_bytes_that_no_tpm_made_are_refused() {
    let cause = structure(|mut bytes| {
        bytes[0] = 0xfe;
        bytes
    });
    assert_eq!(cause, AttestError::Magic { found: 0xfe54_4347 });
}

#[test]
fn an_attestation_of_something_else_is_refused() {
    let cause = structure(|mut bytes| {
        bytes[5] = 0x17;
        bytes
    });
    assert_eq!(cause, AttestError::Type { found: 0x8017 });
}

#[test]
fn a_byte_behind_the_quote_is_refused() {
    let cause = structure(|mut bytes| {
        bytes.push(0);
        bytes
    });
    assert!(matches!(cause, AttestError::Read(ReadError::Trailing { left: 1, .. })), "{cause:?}");
}

#[test]
fn a_quote_cut_short_anywhere_is_refused() {
    let scene = Scene::honest();
    let whole = scene.play();
    for len in 0..whole.attest.0.len() {
        let mut evidence = whole.clone();
        evidence.attest.0.truncate(len);
        evidence.signature.0 = sign(&scene.aik, evidence.attest.as_slice());
        let refused = judged(&scene, &evidence);
        let Refusal::Statement(StatementError::Structure { cause }) = refused else {
            panic!("{len}: {refused:?}");
        };
        // Where the cut meets a selection, its reader says so.
        let cut = matches!(
            cause,
            AttestError::Read(ReadError::Truncated { .. })
                | AttestError::Selection(SelectionError::Read(ReadError::Truncated { .. }))
        );
        assert!(cut, "{len}: {cause:?}");
    }
}

/// Under the owner hierarchy the firmware version and the boot counters come obfuscated.
#[test]
fn an_attestation_key_of_the_owner_hierarchy_is_refused() {
    let owner = |name: Name| {
        let handle = 0x4000_0001_u32.to_be_bytes();
        let digest = sha256_of_parts([handle.as_slice(), name.to_bytes().as_slice()]);
        let bytes = [&[0x00, 0x0b], digest.0.as_slice()].concat();
        Name::from_bytes(&bytes).unwrap()
    };
    let mut scene = Scene::honest();
    scene.qualified_signer = owner;
    let name = scene.public().name();
    let (expected, found) = (name.qualified_in_endorsement_hierarchy(), owner(name));
    let refused = judged(&scene, &scene.play());
    assert_eq!(refused, Refusal::Statement(StatementError::Signer { expected, found }));
}

#[test]
fn a_signer_without_a_name_is_refused() {
    let cause = structure(|mut bytes| {
        // The size of the signer's Name, then the Name.
        bytes.splice(6..6 + 2 + 34, [0, 0]);
        bytes
    });
    assert_eq!(cause, AttestError::QualifiedSigner(NameError::Length { found: 0 }));
}

#[test]
fn a_sha1_bank_in_the_quote_is_refused() {
    let cause = structure(|mut bytes| {
        let start = bytes.len() - (2 + 32) - (2 + 1 + 3);
        bytes[start..start + 2].copy_from_slice(&[0x00, 0x04]);
        bytes
    });
    let found = AlgorithmId::SHA1;
    assert_eq!(cause, AttestError::Selection(SelectionError::Bank { found }));
}

/// A PCR left out is a hole, wherever it is.
#[test]
fn a_quote_that_leaves_a_pcr_out_is_refused() {
    for pcr in PcrIndex::all() {
        let found = PcrSelection::ALL.without(PcrSelection::of([pcr]));
        let refused = refusal(|scene| scene.selection = found);
        let cause = SelectionMismatch { expected: PcrSelection::ALL, found };
        assert_eq!(refused, Refusal::Pcrs(PcrError::Selection { cause }));
    }
}

#[test]
fn values_that_were_not_quoted_are_refused() {
    let scene = Scene::honest();
    for place in 0..24 {
        let mut evidence = scene.play();
        let expected = Quote::parse(evidence.attest.as_slice()).unwrap().pcr_digest;
        evidence.pcrs[place] = Hex32([0xaa; 32]);
        let Refusal::Pcrs(PcrError::Digest { expected: quoted, found }) = judged(&scene, &evidence)
        else {
            panic!("PCR {place}");
        };
        assert_eq!(quoted, expected);
        assert_ne!(found, expected);
    }
}

#[test]
fn a_digest_over_no_values_is_refused() {
    let refused = refusal(|scene| {
        scene.attest = |mut bytes| {
            let start = bytes.len() - 32;
            bytes[start..].copy_from_slice(&[0; 32]);
            bytes
        };
    });
    let Refusal::Pcrs(PcrError::Digest { expected, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(expected, Sha256Digest::ZERO);
}
