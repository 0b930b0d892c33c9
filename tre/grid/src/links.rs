//! Which connection points a meter or an account is tied to, both as numbers.
//!
//! Nearly always to one, which stands in a vector; the others are in a set beside it.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::names::index;

/// The points of each name, by number of the name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Links {
    /// The first point of each name, or [`NONE`].
    first: Vec<u32>,
    /// (name, point) for every other.
    more: BTreeSet<(u32, u32)>,
}

/// Stands where a name has no point. Points are far fewer.
const NONE: u32 = u32::MAX;

impl Links {
    pub(crate) const fn new() -> Self {
        Self { first: Vec::new(), more: BTreeSet::new() }
    }

    /// The points of a name, in order.
    pub(crate) fn of(&self, name: u32) -> impl Iterator<Item = u32> {
        let first = self.first.get(index(name)).copied().filter(|&point| point != NONE);
        let more = self.more.range((name, 0)..=(name, u32::MAX));
        first.into_iter().chain(more.map(|&(_, point)| point))
    }

    /// Whether a name has any point.
    pub(crate) fn any(&self, name: u32) -> bool {
        self.of(name).next().is_some()
    }

    pub(crate) fn insert(&mut self, name: u32, point: u32) {
        let place = index(name);
        if self.first.len() <= place {
            self.first.resize(place.saturating_add(1), NONE);
        }
        let Some(first) = self.first.get_mut(place).filter(|first| **first != point) else {
            return;
        };
        let other = point.max(*first);
        *first = point.min(*first);
        if other != NONE {
            self.more.insert((name, other));
        }
    }

    pub(crate) fn remove(&mut self, name: u32, point: u32) {
        self.more.remove(&(name, point));
        let next = self.more.range((name, 0)..=(name, u32::MAX)).next().copied();
        let first = self.first.get_mut(index(name));
        let Some(first) = first.filter(|first| **first == point) else { return };
        *first = next.map_or(NONE, |(_, next)| next);
        if let Some(next) = next {
            self.more.remove(&next);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn links_are_those_of_a_plain_set(
            steps in proptest::collection::vec((any::<bool>(), 0_u32..4, 0_u32..5), 0..64),
        ) {
            let (mut links, mut plain) = (Links::new(), BTreeSet::new());
            for (insert, name, point) in steps {
                if insert {
                    links.insert(name, point);
                    plain.insert((name, point));
                } else {
                    links.remove(name, point);
                    plain.remove(&(name, point));
                }
                for name in 0..5 {
                    let expected = plain.iter().filter(|link| link.0 == name);
                    let expected: Vec<u32> = expected.map(|link| link.1).collect();
                    prop_assert_eq!(links.any(name), !expected.is_empty());
                    prop_assert_eq!(links.of(name).collect::<Vec<_>>(), expected);
                }
            }
            prop_assert!(links.of(u32::MAX).next().is_none());
        }
    }
}
