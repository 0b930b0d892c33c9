//! A second witness of what time passes: the TPM's clock, which runs by itself.
//!
//! The kernel's counter can be moved a little at a time, as often as somebody likes. Since each
//! token, it and the TPM's clock must have passed the same, as far as a TPM's clock is to be relied
//! on. The TPM's answer proves nothing by itself: it can stop the time, and never give one.

use core::time::Duration;

use measured_boot::tpm::ClockInfo;
use thiserror::Error;

use crate::bounds;

/// What the TPM's clock said, and between which times of this process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Reading {
    /// When it was asked. Since the process began.
    pub(crate) asked: Duration,
    /// When its answer was there.
    pub(crate) answered: Duration,
    /// The answer.
    pub(crate) clock: ClockInfo,
}

/// What was heard of the TPM's clock since a token came into force.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Witness {
    first: Option<Reading>,
    /// When it was last heard, or the token was put. Since the process began.
    heard: Duration,
}

/// Why the two clocks are not both right.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(crate) enum Disagreement {
    /// One of them is faster than any TPM's clock may be wrong.
    #[error(
        "expected the kernel's clock to have passed {least} to {most} ms, as the TPM's clock has it, \
         found {found} ms"
    )]
    Pace {
        /// Least that may have passed. Unit: ms.
        least: u64,
        /// Most that may have passed. Unit: ms.
        most: u64,
        /// What has passed by the kernel's clock. Unit: ms.
        found: u64,
    },
    /// The TPM's clock went back, or began anew.
    #[error("expected the TPM's clock to go on, found it set back or the TPM reset")]
    Back,
    /// The TPM has not said what time has passed.
    #[error(
        "expected to hear the TPM's clock within {} s, found nothing heard for {} s",
        bounds::CLOCK_STEP.as_secs(), .silent.as_secs()
    )]
    Silent {
        /// For how long, by the kernel's clock.
        silent: Duration,
    },
}

impl Witness {
    /// Nothing is heard yet of what passes from `put` on.
    pub(crate) const fn since(put: Duration) -> Self {
        Self { first: None, heard: put }
    }

    /// Holds what was heard against what was heard first.
    ///
    /// # Errors
    ///
    /// [`Disagreement::Pace`]; [`Disagreement::Back`].
    pub(crate) fn hear(&mut self, reading: Reading) -> Result<(), Disagreement> {
        let first = *self.first.get_or_insert(reading);
        let same_start = |clock: ClockInfo| (clock.reset_count, clock.restart_count);
        let passed = reading.clock.clock_ms.checked_sub(first.clock.clock_ms);
        let passed = passed.filter(|_| same_start(reading.clock) == same_start(first.clock));
        let passed = passed.ok_or(Disagreement::Back)?;
        let (least, most) = range(passed);
        // The TPM read its clock somewhere between question and answer, then and now.
        let shortest = millis(reading.asked.saturating_sub(first.answered));
        let longest = millis(reading.answered.saturating_sub(first.asked));
        if shortest > most {
            return Err(Disagreement::Pace { least, most, found: shortest });
        }
        if longest < least {
            return Err(Disagreement::Pace { least, most, found: longest });
        }
        self.heard = reading.answered;
        Ok(())
    }

    /// The TPM did not answer, and it is `elapsed` after the process began.
    ///
    /// # Errors
    ///
    /// [`Disagreement::Silent`] when it has not for too long.
    pub(crate) fn hear_nothing(&self, elapsed: Duration) -> Result<(), Disagreement> {
        let silent = elapsed.saturating_sub(self.heard);
        if silent > bounds::CLOCK_STEP { Err(Disagreement::Silent { silent }) } else { Ok(()) }
    }
}

/// What may have passed in truth while a TPM's clock passed `passed`. Unit: ms.
fn range(passed: u64) -> (u64, u64) {
    let per_cent = |of: u64| passed.saturating_mul(100).checked_div(of).unwrap_or(u64::MAX);
    let least = per_cent(100_u64.saturating_add(bounds::TPM_CLOCK_PER_CENT));
    let most = per_cent(100_u64.saturating_sub(bounds::TPM_CLOCK_PER_CENT));
    let slack = bounds::TPM_CLOCK_SLACK_MS;
    (least.saturating_sub(slack), most.saturating_add(slack))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;

    const DAY: u64 = 86_400_000;

    fn clock(clock_ms: u64) -> ClockInfo {
        ClockInfo { clock_ms, reset_count: 7, restart_count: 1, safe: true }
    }

    /// Read at once, `ours` ms after the process began.
    fn at(ours: u64, theirs: u64) -> Reading {
        let asked = Duration::from_millis(ours);
        Reading { asked, answered: asked, clock: clock(theirs) }
    }

    /// What is said of the second reading.
    fn judged(first: Reading, second: Reading) -> Result<(), Disagreement> {
        let mut witness = Witness::since(first.asked);
        witness.hear(first).expect("the first is held against nothing");
        witness.hear(second)
    }

    #[test]
    fn clocks_that_agree_are_heard_whatever_the_tpm_is_wrong_by() {
        for theirs in [86, 100, 114] {
            let seven_days = 7 * DAY;
            let passed = seven_days / 100 * theirs;
            assert_eq!(judged(at(5, 1_000), at(5 + seven_days, 1_000 + passed)), Ok(()));
        }
        // A pause of the whole machine that its own counter did not see.
        assert_eq!(judged(at(5, 0), at(5 + MINUTE, 2 * MINUTE)), Ok(()));
    }

    #[test]
    fn a_counter_that_runs_fast_or_slow_is_found_out() {
        let fast = judged(at(0, 0), at(10 * MINUTE, MINUTE));
        let most = MINUTE * 100 / 85 + bounds::TPM_CLOCK_SLACK_MS;
        let least = 0;
        let found = 10 * MINUTE;
        assert_eq!(fast, Err(Disagreement::Pace { least, most, found }), "a fast counter");
        let slow = judged(at(0, 0), at(MINUTE, 10 * MINUTE));
        assert!(
            matches!(slow, Err(Disagreement::Pace { found: MINUTE, .. })),
            "a slow counter: {slow:?}"
        );
    }

    #[test]
    fn an_answer_that_takes_its_time_is_no_disagreement() {
        let late = Reading { asked: Duration::from_millis(MINUTE), ..at(4 * MINUTE, 4 * MINUTE) };
        assert_eq!(judged(at(0, 0), late), Ok(()));
        let late = Reading { asked: Duration::from_millis(MINUTE), ..at(4 * MINUTE, MINUTE) };
        assert_eq!(judged(at(0, 0), late), Ok(()));
    }

    #[test]
    fn a_clock_that_goes_back_or_begins_anew_is_no_witness() {
        assert_eq!(judged(at(0, 9), at(MINUTE, 8)), Err(Disagreement::Back));
        let reset = ClockInfo { reset_count: 8, ..clock(MINUTE) };
        let reset = Reading { clock: reset, ..at(MINUTE, 0) };
        assert_eq!(judged(at(0, 0), reset), Err(Disagreement::Back));
        let restarted = ClockInfo { restart_count: 2, ..clock(MINUTE) };
        let restarted = Reading { clock: restarted, ..at(MINUTE, 0) };
        assert_eq!(judged(at(0, 0), restarted), Err(Disagreement::Back));
    }

    #[test]
    fn silence_is_borne_for_a_while() {
        let mut witness = Witness::since(Duration::from_millis(MINUTE));
        let most = Duration::from_millis(MINUTE).saturating_add(bounds::CLOCK_STEP);
        assert_eq!(witness.hear_nothing(most), Ok(()));
        let later = most.saturating_add(Duration::from_secs(1));
        let silent = bounds::CLOCK_STEP.saturating_add(Duration::from_secs(1));
        let refused = witness.hear_nothing(later);
        assert_eq!(refused, Err(Disagreement::Silent { silent }), "silence for ever");
        witness.hear(at(2 * MINUTE, 0)).expect("the first");
        assert_eq!(witness.hear_nothing(later), Ok(()));
    }
}
