//! Listings that no one answer holds: asked for again after the last row, until none follows.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;

use crate::link::{Link, LinkError};

impl Link {
    /// Every answer of a listing.
    ///
    /// `path` asks for what follows a place, `last` says which one an answer ends at: none for an
    /// answer without rows, which ends the listing.
    ///
    /// # Errors
    ///
    /// [`LinkError`]; [`LinkError::Circle`] for a place that an earlier answer ended at.
    pub(crate) async fn all<T: DeserializeOwned, P: Clone + Ord>(
        &mut self,
        path: impl Fn(Option<&P>) -> String,
        last: impl Fn(&T) -> Option<P>,
    ) -> Result<Vec<T>, LinkError> {
        let mut listing =
            Listing { path: path(None), places: BTreeSet::new(), answers: Vec::new() };
        loop {
            let answer = self.get(&listing.path).await?;
            if listing.is_over(answer, &path, &last)? {
                return Ok(listing.answers);
            }
        }
    }
}

/// How far a listing is.
#[derive(Debug)]
struct Listing<T, P> {
    /// What is asked for next.
    path: String,
    /// Where answers ended.
    places: BTreeSet<P>,
    answers: Vec<T>,
}

impl<T, P: Clone + Ord> Listing<T, P> {
    /// Takes one answer, unless it says that nothing follows.
    fn is_over(
        &mut self,
        answer: T,
        path: impl Fn(Option<&P>) -> String,
        last: impl Fn(&T) -> Option<P>,
    ) -> Result<bool, LinkError> {
        let Some(end) = last(&answer) else { return Ok(true) };
        let asked = core::mem::replace(&mut self.path, path(Some(&end)));
        if !self.places.insert(end) {
            return Err(LinkError::Circle { path: asked });
        }
        self.answers.push(answer);
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The listing of these answers, each of which ends at its last row.
    fn read(answers: &[&[u8]]) -> Result<Vec<Vec<u8>>, LinkError> {
        let path = |after: Option<&u8>| format!("/after/{after:?}");
        let mut listing =
            Listing { path: path(None), places: BTreeSet::new(), answers: Vec::new() };
        for answer in answers {
            if listing.is_over(answer.to_vec(), path, |rows| rows.last().copied())? {
                break;
            }
        }
        Ok(listing.answers)
    }

    #[test]
    fn a_listing_goes_on_until_an_answer_without_rows() {
        let all = read(&[&[1, 2], &[5], &[3], &[], &[9]]).expect("a listing");
        // The order is the TRE's own.
        assert_eq!(all, [vec![1, 2], vec![5], vec![3]]);
        assert_eq!(read(&[&[]]).expect("a listing"), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_listing_that_comes_back_to_where_it_was_is_refused_and_not_taken_for_whole() {
        for answers in [&[&[1, 2][..], &[2]][..], &[&[1], &[2], &[3], &[1]]] {
            let error = read(answers).expect_err("a circle");
            let LinkError::Circle { path } = error else { panic!("{error}") };
            let before = answers.len().checked_sub(2).and_then(|at| answers[at].last());
            assert_eq!(path, format!("/after/{before:?}"));
        }
    }
}
