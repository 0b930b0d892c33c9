//! Which scratch copy plays what: attacks by one program go together, so that each copy builds few.

use core::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::Mutant;

/// How many mutants a scratch copy takes at a time: few enough that no copy is idle at the end.
const SIZE: usize = 3;

/// Mutants whose attacks are by one program.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Batch<'a> {
    pub(super) program: &'a str,
    pub(super) mutants: Vec<&'a Mutant>,
}

/// What is left to play.
#[derive(Debug)]
pub(super) struct Batches<'a>(Mutex<Left<'a>>);

#[derive(Debug)]
struct Left<'a> {
    batches: Vec<Batch<'a>>,
    begun: BTreeSet<&'a str>,
}

impl<'a> Batches<'a> {
    /// All of them: games first, and then those of the program with most attacks.
    pub(super) fn of(mutants: &'a [Mutant]) -> Self {
        let mut by_program: BTreeMap<&str, Vec<&Mutant>> = BTreeMap::new();
        for mutant in mutants {
            by_program.entry(mutant.program()).or_default().push(mutant);
        }
        let mut programs: Vec<_> = by_program.into_iter().collect();
        // Games take longest.
        programs.sort_by_key(|(_, mutants)| {
            Reverse((mutants.iter().any(|mutant| mutant.is_scored()), mutants.len()))
        });
        let batches = programs.iter().flat_map(|(program, mutants)| {
            mutants.chunks(SIZE).map(|some| Batch { program, mutants: some.to_vec() })
        });
        Self(Mutex::new(Left { batches: batches.collect(), begun: BTreeSet::new() }))
    }

    /// The next for a copy that played `last`: more of the same program, or else of one that no
    /// copy has begun, or else of any.
    pub(super) fn take(&self, last: Option<&str>) -> Option<Batch<'a>> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Left { batches, begun } = &mut *left;
        let same = batches.iter().position(|batch| Some(batch.program) == last);
        let fresh = || batches.iter().position(|batch| !begun.contains(batch.program));
        let next = same.or_else(fresh).unwrap_or_default();
        let batch = (next < batches.len()).then(|| batches.remove(next))?;
        begun.insert(batch.program);
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn each_copy_stays_with_its_program_and_helps_when_that_is_done() {
        let of = |program: &str, number: usize| {
            let attack =
                format!("Check: c\nAttack: run {program} -- {number}\nSucceeds: s\n--- a/f\n");
            Mutant::parse(Path::new("a.patch"), &attack).unwrap()
        };
        let many = (0..=2 * SIZE).map(|number| of("many", number));
        let mutants: Vec<Mutant> = many.chain([of("few", 0)]).collect();
        let batches = Batches::of(&mutants);
        let take = |last| batches.take(last).map(|batch| (batch.program, batch.mutants.len()));
        assert_eq!(take(None), Some(("run many", SIZE)));
        assert_eq!(take(None), Some(("run few", 1)));
        assert_eq!(take(Some("run many")), Some(("run many", SIZE)));
        assert_eq!(take(Some("run few")), Some(("run many", 1)));
        assert_eq!(take(Some("run many")), None);
    }
}
