//! The tree over the leaves of one batch: made by the TRE, climbed by the verifier.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Leaf;
use crate::bounds;
use crate::hex::Hex32;

/// Most leaves of one batch: 2^[`bounds::ATTESTATION_SIBLINGS`].
pub const BATCH_MOST: u32 = 1 << bounds::ATTESTATION_SIBLINGS;

/// The place of one leaf in a tree of `count` leaves.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Path {
    /// Number of the leaf, from 0.
    pub index: u32,
    /// Number of leaves.
    pub count: u32,
    /// Hashes beside the way to the root, from the leaf up.
    pub siblings: Vec<Hex32>,
}

/// Why a path does not lead to a root.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PathError {
    /// No such leaf, or a tree that no batch makes.
    #[error(
        "expected an index below the count and a count of 1 to {most}, found {index} of {count}"
    )]
    Shape {
        /// Most leaves of a batch.
        most: u32,
        /// Index found.
        index: u32,
        /// Count found.
        count: u32,
    },
    /// Index and count decide the length; there is no second length to choose.
    #[error("expected {expected} siblings, found {found}")]
    Length {
        /// Siblings that index and count decide.
        expected: usize,
        /// Siblings found.
        found: usize,
    },
}

/// The leaves of one batch and every node above them.
///
/// It is made of [`Leaf`]s alone, never of a digest that somebody hands over: what a quote signs
/// is what the TRE itself saw of its own sessions.
#[derive(Clone, Debug)]
pub struct Tree {
    leaves: u32,
    /// Hashes from the leaves up, and the root apart: each level half as wide as the one below.
    levels: Vec<Vec<[u8; 32]>>,
    root: [u8; 32],
}

impl Tree {
    /// Makes the tree over `leaves`, in their order. An odd last node is promoted unchanged.
    ///
    /// `None` for no leaf at all, or more than [`BATCH_MOST`].
    #[must_use]
    pub fn of<'a>(leaves: impl IntoIterator<Item = Leaf<'a>>) -> Option<Self> {
        let mut level: Vec<[u8; 32]> = leaves.into_iter().map(|leaf| leaf.hash()).collect();
        let leaves = u32::try_from(level.len()).ok().filter(|&count| count <= BATCH_MOST)?;
        let mut levels = Vec::new();
        while level.len() > 1 {
            let above = level.chunks(2).filter_map(|pair| match pair {
                [left, right] => Some(node(left, right)),
                [promoted] => Some(*promoted),
                _ => None,
            });
            let above = above.collect();
            levels.push(core::mem::replace(&mut level, above));
        }
        Some(Self { leaves, levels, root: *level.first()? })
    }

    /// What the quote is made over: its qualifying data.
    #[must_use]
    pub const fn root(&self) -> &[u8; 32] {
        &self.root
    }

    /// The path of every leaf, in the order of the leaves.
    pub fn paths(&self) -> impl Iterator<Item = Path> + '_ {
        (0..self.leaves).map(|index| Path {
            index,
            count: self.leaves,
            siblings: self.siblings(index),
        })
    }

    fn siblings(&self, index: u32) -> Vec<Hex32> {
        let mut place = usize::try_from(index).unwrap_or(usize::MAX);
        let mut siblings = Vec::with_capacity(self.levels.len());
        for level in &self.levels {
            // The other one of the pair; a promoted node has none.
            siblings.extend(level.get(place ^ 1).map(|sibling| Hex32(*sibling)));
            place /= 2;
        }
        siblings
    }
}

impl Path {
    /// The path of the only leaf of a batch of one.
    #[must_use]
    pub const fn alone() -> Self {
        Self { index: 0, count: 1, siblings: Vec::new() }
    }

    /// Climbs from `leaf` to the root. An odd last node is promoted unchanged.
    ///
    /// # Errors
    ///
    /// [`PathError`] for a place that does not exist or a path of another length.
    pub fn root(&self, leaf: [u8; 32]) -> Result<[u8; 32], PathError> {
        let (index, count) = (self.index, self.count);
        if index >= count || count > BATCH_MOST {
            return Err(PathError::Shape { most: BATCH_MOST, index, count });
        }
        let expected = siblings_of(index, count);
        if self.siblings.len() != expected {
            return Err(PathError::Length { expected, found: self.siblings.len() });
        }
        let (mut hash, mut place, mut width) = (leaf, index, count);
        let mut siblings = self.siblings.iter();
        while width > 1 {
            let promoted = place.is_multiple_of(2) && place.saturating_add(1) == width;
            if !promoted {
                let Some(sibling) = siblings.next() else {
                    return Err(PathError::Length { expected, found: self.siblings.len() });
                };
                hash = if place.is_multiple_of(2) {
                    node(&hash, &sibling.0)
                } else {
                    node(&sibling.0, &hash)
                };
            }
            (place, width) = (place / 2, width.div_ceil(2));
        }
        Ok(hash)
    }
}

/// How many siblings the path of leaf `index` of `count` has.
fn siblings_of(index: u32, count: u32) -> usize {
    let (mut place, mut width, mut siblings) = (index, count, 0_usize);
    while width > 1 {
        if !(place.is_multiple_of(2) && place.saturating_add(1) == width) {
            siblings = siblings.saturating_add(1);
        }
        (place, width) = (place / 2, width.div_ceil(2));
    }
    siblings
}

/// `H(0x01 || left || right)`.
fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update([0x01]).chain_update(left).chain_update(right).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::UnixMillis;
    use alloc::vec;

    /// Batches of up to this many leaves have every shape that matters, promoted twice included.
    const SMALL: u32 = 20;

    /// The leaf of somebody whose nonce ends in `number`.
    fn leaf(number: u32) -> Leaf<'static> {
        let mut nonce = [0; 32];
        nonce[28..].copy_from_slice(&number.to_be_bytes());
        Leaf {
            nonce,
            exporter: [0x22; 32],
            server_key: [0x33; 32],
            client_key: [0; 32],
            tre_id: "tre-1",
            state_epoch: 7,
            time: UnixMillis::default(),
        }
    }

    fn tree(count: u32) -> Tree {
        Tree::of((0..count).map(leaf)).unwrap()
    }

    /// For every sibling on the way up, whether it stands to the left.
    fn turns(mut place: u32, mut width: u32) -> Vec<bool> {
        let mut turns = Vec::new();
        while width > 1 {
            if place % 2 == 1 || place.saturating_add(1) < width {
                turns.push(place % 2 == 1);
            }
            (place, width) = (place / 2, width.div_ceil(2));
        }
        turns
    }

    #[test]
    fn every_leaf_of_every_small_batch_leads_to_the_root_by_its_own_path() {
        for count in 1..=64 {
            let tree = tree(count);
            assert_eq!(tree.paths().count(), usize::try_from(count).unwrap());
            for (index, path) in (0..).zip(tree.paths()) {
                assert_eq!((path.index, path.count), (index, count));
                assert_eq!(path.root(leaf(index).hash()), Ok(*tree.root()), "{index} of {count}");
            }
        }
    }

    #[test]
    fn no_path_leads_another_leaf_to_the_root() {
        let hashes: Vec<_> = (0..=SMALL).map(|number| leaf(number).hash()).collect();
        for count in 1..=SMALL {
            let tree = tree(count);
            for path in tree.paths() {
                let others = (0..).zip(&hashes).filter(|&(index, _)| index != path.index);
                for (_, hash) in others {
                    assert_ne!(path.root(*hash), Ok(*tree.root()));
                }
            }
        }
    }

    #[test]
    fn no_leaf_leads_to_the_root_from_another_index() {
        for count in 1..=SMALL {
            let tree = tree(count);
            for path in tree.paths() {
                let hash = leaf(path.index).hash();
                for index in (0..=count).filter(|&index| index != path.index) {
                    assert_ne!(Path { index, ..path.clone() }.root(hash), Ok(*tree.root()));
                }
            }
        }
    }

    /// The root does not hold the count: another one passes only where it leaves every turn as it
    /// is, and then the leaf is the same leaf.
    #[test]
    fn another_count_leads_to_the_root_by_the_same_turns_only() {
        for count in 1..=SMALL {
            let tree = tree(count);
            for path in tree.paths() {
                let hash = leaf(path.index).hash();
                for other in (1..=SMALL).filter(|&other| other != count) {
                    let claimed = Path { count: other, ..path.clone() };
                    let same = turns(path.index, other) == turns(path.index, count);
                    let leads = claimed.root(hash) == Ok(*tree.root());
                    assert_eq!(leads, other > path.index && same);
                }
            }
        }
    }

    #[test]
    fn an_altered_missing_or_added_sibling_is_refused() {
        for count in 2..=64 {
            let tree = tree(count);
            for path in tree.paths() {
                let (hash, expected) = (leaf(path.index).hash(), path.siblings.len());
                for level in 0..expected {
                    let mut altered = path.clone();
                    altered.siblings[level].0[31] ^= 1;
                    assert_ne!(altered.root(hash), Ok(*tree.root()));
                }
                let mut short = path.clone();
                if short.siblings.pop().is_some() {
                    let found = expected - 1;
                    assert_eq!(short.root(hash), Err(PathError::Length { expected, found }));
                }
                let mut long = path.clone();
                long.siblings.push(Hex32(*tree.root()));
                let found = expected + 1;
                assert_eq!(long.root(hash), Err(PathError::Length { expected, found }));
            }
        }
    }

    #[test]
    fn the_largest_batch_works_and_one_leaf_more_does_not() {
        let tree = tree(BATCH_MOST);
        for path in tree.paths() {
            assert_eq!(path.siblings.len(), bounds::ATTESTATION_SIBLINGS);
            assert_eq!(path.root(leaf(path.index).hash()), Ok(*tree.root()));
        }
        assert!(Tree::of((0..BATCH_MOST + 1).map(leaf)).is_none());
        assert!(Tree::of([]).is_none());
    }

    /// Five leaves: the fifth is promoted twice, unchanged, and meets the others at the top.
    #[test]
    fn an_odd_last_node_is_promoted_unchanged() {
        let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(|number| leaf(number).hash());
        let (ab, cd) = (node(&a, &b), node(&c, &d));
        let abcd = node(&ab, &cd);
        let tree = tree(5);
        assert_eq!(*tree.root(), node(&abcd, &e));
        let siblings: Vec<_> = tree.paths().map(|path| path.siblings).collect();
        let expected = [
            vec![Hex32(b), Hex32(cd), Hex32(e)],
            vec![Hex32(a), Hex32(cd), Hex32(e)],
            vec![Hex32(d), Hex32(ab), Hex32(e)],
            vec![Hex32(c), Hex32(ab), Hex32(e)],
            vec![Hex32(abcd)],
        ];
        assert_eq!(siblings, expected);
    }

    #[test]
    fn a_node_is_these_bytes() {
        let bytes = [
            [0x01].as_slice(), // node, not leaf
            &[0x11; 32],       // left
            &[0x22; 32],       // right
        ]
        .concat();
        let expected = <[u8; 32]>::from(Sha256::digest(bytes));
        assert_eq!(node(&[0x11; 32], &[0x22; 32]), expected);
    }

    #[test]
    fn a_batch_of_one_is_its_leaf() {
        assert_eq!(Path::alone().root([9; 32]), Ok([9; 32]));
        assert_eq!(*tree(1).root(), leaf(0).hash());
        assert!(tree(1).paths().eq([Path::alone()]));
    }

    #[test]
    fn a_place_outside_the_batch_is_refused() {
        let most = BATCH_MOST;
        for (index, count) in [(1, 1), (0, 0), (7, 3), (0, BATCH_MOST + 1), (u32::MAX, u32::MAX)] {
            let outside = Path { index, count, siblings: vec![] };
            assert_eq!(outside.root([3; 32]), Err(PathError::Shape { most, index, count }));
        }
    }
}
