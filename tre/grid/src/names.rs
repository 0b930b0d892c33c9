//! Names as small numbers: strings stand at the edge, state holds indices.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Names and their numbers. A number is given again only after its name was forgotten.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Names<T> {
    numbers: BTreeMap<T, u32>,
    names: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T: Clone + Ord> Names<T> {
    pub(crate) const fn new() -> Self {
        Self { numbers: BTreeMap::new(), names: Vec::new(), free: Vec::new() }
    }

    /// The number of a known name.
    pub(crate) fn number(&self, name: &T) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// The name of a number in use.
    pub(crate) fn name(&self, number: u32) -> Option<&T> {
        self.names.get(index(number))?.as_ref()
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
        self.numbers.insert(name.clone(), number);
        Some(number)
    }

    /// Forgets a name: its number is free.
    pub(crate) fn forget(&mut self, number: u32) {
        if let Some(name) = self.names.get_mut(index(number)).and_then(Option::take) {
            self.numbers.remove(&name);
            self.free.push(number);
        }
    }
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
}
