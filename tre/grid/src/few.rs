//! A few values, and nearly always one.
//!
//! A million connection points are to fit into memory, so the one stands in place: it has no piece
//! of memory of its own.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// Values in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Few<T> {
    One(T),
    Many(Box<[T]>),
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::Many(Box::new([]))
    }
}

impl<T: Copy> Few<T> {
    pub(crate) fn of(values: Vec<T>) -> Self {
        match values.as_slice() {
            &[one] => Self::One(one),
            _ => Self::Many(values.into_boxed_slice()),
        }
    }

    pub(crate) const fn all(&self) -> &[T] {
        match self {
            Self::One(one) => core::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    pub(crate) const fn all_mut(&mut self) -> &mut [T] {
        match self {
            Self::One(one) => core::slice::from_mut(one),
            Self::Many(many) => many,
        }
    }

    /// Changes which values there are.
    pub(crate) fn change<R>(&mut self, change: impl FnOnce(&mut Vec<T>) -> R) -> R {
        let mut values = self.all().to_vec();
        let result = change(&mut values);
        *self = Self::of(values);
        result
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    #[test]
    fn one_value_stands_in_place_and_any_number_in_order() {
        let mut few = Few::default();
        assert!(few.all().is_empty());
        few.change(|all| all.push(3));
        assert_eq!(few, Few::One(3));
        few.change(|all| all.push(1));
        assert_eq!((few.all(), &few), (&[3, 1][..], &Few::of(vec![3, 1])));
        few.all_mut().iter_mut().for_each(|value| *value += 1);
        assert_eq!(few.change(|all| all.remove(0)), 4);
        few.all_mut().iter_mut().for_each(|value| *value += 1);
        assert_eq!(few, Few::One(3));
    }
}
