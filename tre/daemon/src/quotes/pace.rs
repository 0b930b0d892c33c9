//! How long a quote waits for those who are about to ask.
//!
//! A crowd that asks again as soon as it is answered comes within moments of a quote's end. If the
//! next quote began at once, it would be of those who came meanwhile, and the crowd would wait for
//! that one and for its own: two crowds in turn. So a quote that many shared is followed by the next
//! when its answers are out and everybody waits again who shared it or missed it, or when requests
//! cease to come in faster than they did while it was made; three quarters of a quote's time later
//! at most, in all. For those who come at their own times, however many, it waits an eighth of a
//! quote longer than for the answers.

use core::time::Duration;

/// How the last quote went.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// How many shared it.
    shared: usize,
    /// How many came while it was made, each at its own time.
    missed: usize,
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
    /// A quote that took so long, that `shared` had and that `missed` came too late for.
    pub(super) const fn of(shared: usize, missed: usize, took: Duration) -> Self {
        Self { shared, missed, took }
    }

    /// Waits for those who come fast. `unsent` says how many answers of the last quote are not out,
    /// `waiting` how many requests there are by now, `pause` waits.
    pub(super) fn gather(
        &self,
        (unsent, waiting): (impl Fn() -> usize, impl Fn() -> usize),
        pause: impl Fn(Duration),
    ) {
        if self.shared < CROWD {
            return;
        }
        let step = self.took.checked_div(STEPS).unwrap_or_default();
        let mut left = MOST;
        while unsent() > 0 && left > 0 {
            pause(step);
            left = left.saturating_sub(1);
        }
        // Were it as many as shared the last, those who missed it would be taken for as many who
        // are not back yet, and these would miss the next.
        let everybody = self.shared.saturating_add(self.missed);
        let (mut before, mut quiet) = (waiting(), 0_u32);
        while before < everybody && quiet < QUIET && left > 0 {
            pause(step);
            left = left.saturating_sub(1);
            let found = waiting();
            let is_burst = self.is_burst(found.saturating_sub(before), step);
            quiet = if is_burst { 0 } else { quiet.saturating_add(1) };
            before = found;
        }
    }

    /// Whether so many in one step are more than half as many again as while the quote was made.
    fn is_burst(&self, came: usize, step: Duration) -> bool {
        let times = |count: usize, time: Duration| {
            u128::try_from(count).unwrap_or(u128::MAX).saturating_mul(time.as_micros())
        };
        times(came, self.took).saturating_mul(2) > times(self.missed, step).saturating_mul(3)
    }
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;

    use super::*;

    const QUOTE: Duration = Duration::from_millis(640);

    const fn one_more(count: usize) -> usize {
        count.saturating_add(1)
    }

    /// Steps that a quote waits after one that `shared` had and `missed` came too late for, when so
    /// many come in each step after it.
    fn steps(shared: usize, missed: usize, came: &[usize]) -> usize {
        let paused = Cell::new(0);
        let waiting = || came.iter().take(paused.get()).sum::<usize>().saturating_add(missed);
        Pace::of(shared, missed, QUOTE).gather((|| 0, waiting), |_| paused.update(one_more));
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
    fn nobody_is_waited_for_once_everybody_is_back() {
        assert_eq!(steps(600, 0, &[200, 0, 300, 100, 300]), 4);
        assert_eq!(steps(600, 0, &[900, 300]), 1);
        assert_eq!(steps(600, 100, &[200, 300, 0, 99, 1, 300]), 5);
    }

    #[test]
    fn who_comes_at_its_own_time_is_waited_for_a_moment_only() {
        assert_eq!(steps(3_840, 3_840, &[60; 40]), 8);
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
            let paused = Cell::new(0);
            let unsent = || usize::from(paused.get() < steps);
            let pace = Pace::of(3_800, 0, QUOTE);
            pace.gather((unsent, || 0), |_| paused.update(one_more));
            assert_eq!(paused.get(), expected, "{steps}");
        }
    }

    #[test]
    fn a_few_wait_for_nobody() {
        assert_eq!(steps(63, 0, &[60, 3]), 0);
        let paused = Cell::new(0);
        Pace::default().gather((|| 63, || 63), |_| paused.update(one_more));
        assert_eq!(paused.get(), 0);
    }
}
