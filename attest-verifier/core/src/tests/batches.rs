//! A quote that many share answers each of them at one place, by one path.

use std::vec::Vec;

use super::scene::Scene;
use super::signing::sign;
use crate::channel::View;
use crate::quote::BindingError;
use crate::refusal::Refusal;
use crate::verdict::{self, Attested};
use measured_boot::digest::sha256;
use tre_wire::attestation::{BATCH_MOST, Evidence, Leaf, Path, PathError, Tree};
use tre_wire::hex::{Hex32, HexBytes};

/// Our own leaf in the scene.
fn own(scene: &Scene) -> Leaf<'_> {
    let seen = scene.seen();
    Leaf {
        nonce: seen.nonce,
        exporter: seen.exporter,
        server_key: seen.server_key.0,
        client_key: seen.client_key.0,
        tre_id: &scene.tre_id,
        state_epoch: 3,
        time: Scene::now(),
    }
}

/// A batch in which we are number `place` and the others have nonces of their own.
fn batch(scene: &Scene, place: u8, count: u8) -> Tree {
    let leaf = |number| match number {
        number if number == place => own(scene),
        number => Leaf { nonce: [0x80 | number; 32], ..own(scene) },
    };
    Tree::of((0..count).map(leaf)).unwrap()
}

/// Evidence from a quote over `root`, with `path`.
fn quoted(scene: &Scene, root: [u8; 32], path: Path) -> Evidence {
    let mut evidence = scene.play();
    // Qualifying data: behind magic, type, the signer's size and Name, and its own size.
    evidence.attest.0[4 + 2 + 2 + 34 + 2..][..32].copy_from_slice(&root);
    evidence.signature = HexBytes(sign(&scene.aik, evidence.attest.as_slice()));
    Evidence { path, ..evidence }
}

fn judged(scene: &Scene, tree: &Tree, path: Path) -> Result<Attested<View>, Refusal> {
    judged_over(scene, *tree.root(), path)
}

fn judged_over(scene: &Scene, root: [u8; 32], path: Path) -> Result<Attested<View>, Refusal> {
    let (identity, reference) = (Scene::identity(), scene.reference());
    let evidence = quoted(scene, root, path);
    verdict::attest(&evidence, scene.session(), &identity, &reference, Scene::now())
}

#[track_caller]
fn leads_elsewhere(outcome: Result<Attested<View>, Refusal>, quoted: [u8; 32]) {
    let Err(Refusal::Binding(BindingError::QualifyingData { expected, found })) = outcome else {
        panic!("{outcome:?}");
    };
    assert_ne!(expected, found);
    assert_eq!(found.0, quoted);
}

#[track_caller]
fn leads_nowhere(outcome: Result<Attested<View>, Refusal>, cause: PathError) {
    assert_eq!(outcome, Err(Refusal::Binding(BindingError::Path { cause })));
}

fn path(tree: &Tree, place: u8) -> Path {
    tree.paths().nth(usize::from(place)).unwrap()
}

#[test]
fn every_place_of_a_batch_is_accepted_with_its_own_path() {
    let scene = Scene::honest();
    for place in 0..5 {
        let tree = batch(&scene, place, 5);
        let attested = judged(&scene, &tree, path(&tree, place));
        assert_eq!(attested.map(|_| ()), Ok(()), "{place}");
    }
}

#[test]
fn the_path_of_another_leaf_is_refused() {
    let scene = Scene::honest();
    let tree = batch(&scene, 1, 5);
    for other in [0, 2, 3, 4] {
        leads_elsewhere(judged(&scene, &tree, path(&tree, other)), *tree.root());
    }
}

/// We are in no leaf of it: the quote was made for others, and one of their paths is shown to us.
#[test]
fn a_batch_without_our_leaf_is_refused() {
    let scene = Scene::honest();
    let tree = batch(&scene, u8::MAX, 5);
    for other in 0..5 {
        leads_elsewhere(judged(&scene, &tree, path(&tree, other)), *tree.root());
    }
}

#[test]
fn a_shortened_path_is_refused() {
    let scene = Scene::honest();
    let tree = batch(&scene, 1, 5);
    let mut short = path(&tree, 1);
    short.siblings.pop();
    leads_nowhere(judged(&scene, &tree, short), PathError::Length { expected: 3, found: 2 });
}

#[test]
fn a_lengthened_path_is_refused() {
    let scene = Scene::honest();
    let tree = batch(&scene, 1, 5);
    let mut long = path(&tree, 1);
    long.siblings.push(Hex32([0; 32]));
    leads_nowhere(judged(&scene, &tree, long), PathError::Length { expected: 3, found: 4 });
}

#[test]
fn swapped_siblings_are_refused() {
    let scene = Scene::honest();
    let tree = batch(&scene, 1, 4);
    let mut swapped = path(&tree, 1);
    swapped.siblings.swap(0, 1);
    leads_elsewhere(judged(&scene, &tree, swapped), *tree.root());
}

#[test]
fn the_same_siblings_from_the_other_side_are_refused() {
    let scene = Scene::honest();
    let tree = batch(&scene, 1, 2);
    let turned = Path { index: 0, ..path(&tree, 1) };
    leads_elsewhere(judged(&scene, &tree, turned), *tree.root());
}

#[test]
fn an_index_beyond_the_count_is_refused() {
    let scene = Scene::honest();
    let tree = batch(&scene, 0, 1);
    let (most, beyond) = (BATCH_MOST, Path { index: 1, ..Path::alone() });
    let cause = PathError::Shape { most, index: 1, count: 1 };
    leads_nowhere(judged(&scene, &tree, beyond), cause);
}

/// One leaf too many: ours, promoted past all the others, has a short and honest path.
#[test]
fn a_batch_larger_than_any_is_refused() {
    let scene = Scene::honest();
    let others = [0x77; 32];
    let root = sha256(&[[0x01].as_slice(), &others, &own(&scene).hash()].concat()).0;
    let (most, index, count) = (BATCH_MOST, BATCH_MOST, BATCH_MOST + 1);
    let large = Path { index, count, siblings: Vec::from([Hex32(others)]) };
    leads_nowhere(judged_over(&scene, root, large), PathError::Shape { most, index, count });
}

/// A second preimage: a tree that is one level lower, with a node where the leaf beside us was.
#[test]
fn a_path_that_leaves_a_level_out_is_refused() {
    let scene = Scene::honest();
    let tree = batch(&scene, 1, 4);
    let siblings = path(&tree, 1).siblings.split_off(1);
    let lower = Path { index: 0, count: 2, siblings };
    leads_elsewhere(judged(&scene, &tree, lower), *tree.root());
}

/// A second preimage: what was hashed as a leaf, or as neither, is no node.
#[test]
fn a_root_that_is_not_hashed_as_a_node_is_refused() {
    let scene = Scene::honest();
    let (leaf, sibling) = (own(&scene).hash(), [0x77; 32]);
    for prefix in [[0x00].as_slice(), &[]] {
        let root = sha256(&[prefix, &leaf, &sibling].concat()).0;
        let path = Path { index: 0, count: 2, siblings: Vec::from([Hex32(sibling)]) };
        leads_elsewhere(judged_over(&scene, root, path), root);
    }
}
