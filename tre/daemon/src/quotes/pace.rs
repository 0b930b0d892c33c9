//! How long a quote waits for those who are about to ask.
//!
//! A crowd that asks again as soon as it is answered comes within moments of a quote's end. If the
//! next quote began at once, it would be of those who came meanwhile, and the crowd would wait for
//! that one and for its own: two crowds in turn. So a quote that many shared is followed by the next
//! when its answers are out and as many wait again, or when requests cease to come in faster than
//! they did while it was made; three quarters of a quote's time later at most, in all. For those who
//! come at their own times, however many, it waits an eighth of a quote longer than for the answers.

use core::time::Duration;
use std::time::Instant;

/// How the quotes before went.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// When the last one was asked of the TPM.
    begun: Option<Instant>,
    /// How many shared it.
    shared: usize,
    /// How long the TPM took.
    took: Duration,
}

/// So many times within a quote's time is looked whether they still come.
const STEPS: u32 = 64;

/// How many of them a quote waits at most.
const MOST: u32 = 48;

/// After so many without a crowd in succession, it has come: an eighth of a quote. Fewer may be no
/// more than a busy processor's pause, and whoever misses a quote waits for two.
const QUIET: u32 = 8;

/// Fewer than so many are no crowd.
const CROWD: usize = 64;

impl Pace {
    /// What the quote that begins now should look at.
    pub(super) fn note(&mut self, begun: Instant, shared: usize, took: Duration) {
        *self = Self { begun: Some(begun), shared, took };
    }

    /// Waits for those who come fast. `unsent` says how many answers of the last quote are not out,
    /// `waiting` how many requests there are by now, `pause` waits.
    pub(super) fn gather(
        &self,
        now: Instant,
        (unsent, waiting): (impl Fn() -> usize, impl Fn() -> usize),
        pause: impl Fn(Duration),
    ) {
        let Some(begun) = self.begun.filter(|_| self.shared >= CROWD) else { return };
        let since = now.saturating_duration_since(begun);
        let step = self.took.checked_div(STEPS).unwrap_or_default();
        // Those who came while it was made, at their own times.
        let usual = waiting();
        let mut left = MOST;
        while unsent() > 0 && left > 0 {
            pause(step);
            left = left.saturating_sub(1);
        }
        let (mut before, mut quiet) = (waiting(), 0_u32);
        while before < self.shared && quiet < QUIET && left > 0 {
            pause(step);
            left = left.saturating_sub(1);
            let found = waiting();
            let is_burst = is_burst(found.saturating_sub(before), step, usual, since);
            quiet = if is_burst { 0 } else { quiet.saturating_add(1) };
            before = found;
        }
    }
}

/// Whether so many in one step are more than half as many again as usual.
fn is_burst(came: usize, step: Duration, usual: usize, since: Duration) -> bool {
    let times = |count: usize, time: Duration| {
        u128::try_from(count).unwrap_or(u128::MAX).saturating_mul(time.as_micros())
    };
    times(came, since).saturating_mul(2) > times(usual, step).saturating_mul(3)
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;
    use crate::clock::moment;

    const QUOTE: Duration = Duration::from_millis(640);

    const fn one_more(count: usize) -> usize {
        count.saturating_add(1)
    }

    /// Steps that a quote waits after one that `shared` had, when so many have come while it was
    /// made and then so many come in each step.
    fn steps(shared: usize, usual: usize, came: &[usize]) -> usize {
        let begun = moment();
        let mut pace = Pace::default();
        pace.note(begun, shared, QUOTE);
        let paused = Cell::new(0);
        let waiting = || came.iter().take(paused.get()).sum::<usize>().saturating_add(usual);
        let now = begun.checked_add(QUOTE).unwrap();
        pace.gather(now, (|| 0, waiting), |_| paused.update(one_more));
        paused.get()
    }

    #[test]
    fn who_asks_again_at_once_is_waited_for_until_they_cease_to_come() {
        assert_eq!(steps(3_800, 0, &[300, 280, 250, 100, 7, 1]), 14);
        assert_eq!(steps(3_800, 0, &[300, 0, 0, 0, 0, 0, 0, 0, 300]), 17);
        // 640 came while it was made: 10 a step are as usual, 16 are half as many again.
        assert_eq!(steps(3_800, 640, &[300, 280, 16, 15, 15, 15, 15, 15, 15, 15, 15, 300]), 11);
    }

    #[test]
    fn nobody_is_waited_for_once_as_many_are_back() {
        assert_eq!(steps(600, 0, &[200, 0, 300, 100, 300]), 4);
        assert_eq!(steps(600, 0, &[900, 300]), 1);
    }

    #[test]
    fn who_comes_at_its_own_time_is_not_waited_for() {
        assert_eq!(steps(3_840, 3_840, &[60; 40]), 0);
        assert_eq!(steps(3_840, 3_000, &[50; 40]), 8);
        assert_eq!(steps(3_840, 0, &[]), 8);
    }

    #[test]
    fn nobody_waits_for_more_than_three_quarters_of_a_quote() {
        assert_eq!(steps(3_840, 0, &[1; 100]), 48);
    }

    #[test]
    fn the_answers_go_out_first() {
        for (steps, expected) in [(7, 15), (47, 48), (100, 48)] {
            let begun = moment();
            let mut pace = Pace::default();
            pace.note(begun, 3_800, QUOTE);
            let paused = Cell::new(0);
            let unsent = || usize::from(paused.get() < steps);
            pace.gather(begun, (unsent, || 0), |_| paused.update(one_more));
            assert_eq!(paused.get(), expected, "{steps}");
        }
    }

    #[test]
    fn a_few_wait_for_nobody() {
        assert_eq!(steps(63, 0, &[63, 63]), 0);
        let paused = Cell::new(0);
        Pace::default().gather(moment(), (|| 63, || 63), |_| paused.update(one_more));
        assert_eq!(paused.get(), 0);
    }
}
