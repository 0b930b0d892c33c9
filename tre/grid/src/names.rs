//! Names as small numbers: strings stand at the edge, state holds indices.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use sha2::{Digest as _, Sha256};

/// Names and their numbers. A number is given again only after its name was forgotten.
///
/// Each name is held once. It is found by the first bytes of its hash, under which a few other
/// names may stand too: a million names make about a hundred such pairs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Names<T> {
    /// (hash, number).
    numbers: BTreeSet<(u32, u32)>,
    names: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T: AsRef<str> + Clone + Eq> Names<T> {
    pub(crate) const fn new() -> Self {
        Self { numbers: BTreeSet::new(), names: Vec::new(), free: Vec::new() }
    }

    /// The number of a known name.
    pub(crate) fn number(&self, name: &T) -> Option<u32> {
        let hash = hash(name);
        let mut alike = self.numbers.range((hash, 0)..=(hash, u32::MAX));
        alike.find(|&&(_, number)| self.name(number) == Some(name)).map(|&(_, number)| number)
    }

    /// The name of a number in use.
    pub(crate) fn name(&self, number: u32) -> Option<&T> {
        self.names.get(index(number))?.as_ref()
    }

    /// Names with their numbers after the name `after`, in the order of their hashes and, under one
    /// hash, of the names. No name changes its place, whatever is learnt and forgotten.
    pub(crate) fn after<'a>(&'a self, after: Option<&'a T>) -> impl Iterator<Item = (&'a T, u32)>
    where
        T: Ord,
    {
        let from = after.map_or(0, hash);
        let mut numbers = self.numbers.range((from, 0)..).peekable();
        let alike = core::iter::from_fn(move || {
            let &&(first, _) = numbers.peek()?;
            let mut alike = Vec::new();
            while let Some(&(_, number)) = numbers.next_if(|&&(hash, _)| hash == first) {
                alike.extend(self.name(number).map(|name| (name, number)));
            }
            alike.sort_unstable();
            Some(alike)
        });
        let passed = move |&(name, _): &(&T, u32)| {
            after.is_some_and(|after| hash(name) == from && name <= after)
        };
        alike.flatten().skip_while(passed)
    }

    /// The number of `name`, given now if it is new; `None` when there are no more numbers.
    pub(crate) fn learn(&mut self, name: &T) -> Option<u32> {
        if let Some(number) = self.number(name) {
            return Some(number);
        }
        let number = match self.free.pop() {
            Some(number) => number,
            None => u32::try_from(self.names.len()).ok()?,
        };
        match self.names.get_mut(index(number)) {
            Some(place) => *place = Some(name.clone()),
            None => self.names.push(Some(name.clone())),
        }
        self.numbers.insert((hash(name), number));
        Some(number)
    }

    /// Forgets a name: its number is free.
    pub(crate) fn forget(&mut self, number: u32) {
        if let Some(name) = self.names.get_mut(index(number)).and_then(Option::take) {
            self.numbers.remove(&(hash(&name), number));
            self.free.push(number);
        }
    }
}

fn hash(name: &impl AsRef<str>) -> u32 {
    let digest = Sha256::digest(name.as_ref());
    digest.first_chunk().copied().map_or(0, u32::from_be_bytes)
}

/// A number as the place in a vector. Every target of this crate has at least 32-bit addresses.
pub(crate) fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forgotten_name_frees_its_number_and_no_other() {
        let mut names = Names::new();
        assert_eq!(
            (names.learn(&"a"), names.learn(&"b"), names.learn(&"a")),
            (Some(0), Some(1), Some(0))
        );
        names.forget(0);
        names.forget(0);
        assert_eq!((names.number(&"a"), names.name(0)), (None, None));
        assert_eq!((names.number(&"b"), names.name(1)), (Some(1), Some(&"b")));
        assert_eq!((names.learn(&"c"), names.learn(&"d")), (Some(0), Some(2)));
        assert_eq!((names.name(0), names.name(2)), (Some(&"c"), Some(&"d")));
    }

    #[test]
    fn a_listing_goes_on_after_a_name_that_was_forgotten() {
        let mut names = Names::new();
        let learnt: Vec<_> = (0..1_000_u32).map(|number| alloc::format!("n{number}")).collect();
        learnt.iter().for_each(|name| assert!(names.learn(name).is_some()));
        let all: Vec<_> = names.after(None).map(|(name, _)| name.clone()).collect();
        assert_eq!(all.len(), 1_000);
        for place in [0, 1, 500, 999] {
            let mut fewer = names.clone();
            fewer.forget(names.number(&all[place]).expect("a name"));
            assert!(fewer.learn(&"new".into()).is_some());
            fewer.forget(fewer.number(&"new".into()).expect("a name"));
            let rest: Vec<_> = fewer.after(Some(&all[place])).map(|(name, _)| name).collect();
            assert_eq!(rest, all[place + 1..].iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn names_that_stand_under_one_hash_are_told_apart() {
        // Two of the first hundred thousand that share four bytes of SHA-256.
        let mut seen = alloc::collections::BTreeMap::new();
        let names = (0_u32..).map(|number| alloc::format!("n{number}"));
        let pair = names.into_iter().find_map(|name| {
            let other = seen.insert(hash(&name), name.clone());
            other.map(|other| (other, name))
        });
        let (one, other) = pair.expect("a pair before a hundred thousand, most likely");
        let mut names = Names::new();
        assert_eq!((names.learn(&one), names.learn(&other)), (Some(0), Some(1)));
        assert_eq!((names.number(&one), names.number(&other)), (Some(0), Some(1)));
        let listed = |names: &Names<_>, after| {
            names
                .after(after)
                .map(|(name, _): (&alloc::string::String, u32)| name.clone())
                .collect()
        };
        let [first, second] = if one < other { [&one, &other] } else { [&other, &one] };
        let all: Vec<_> = listed(&names, None);
        assert_eq!(all, [first.clone(), second.clone()]);
        let rest: Vec<_> = listed(&names, Some(first));
        assert_eq!(rest, core::slice::from_ref(second));
        let rest: Vec<_> = listed(&names, Some(second));
        assert_eq!(rest, [""; 0]);
        names.forget(0);
        assert_eq!((names.number(&one), names.number(&other)), (None, Some(1)));
    }
}
