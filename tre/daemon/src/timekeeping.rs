//! What time it is, from what was proven and what has passed since: no clock is read here.
//!
//! The time is the value of the last token and the time that has passed since that token was put,
//! never less than what was ever said before. It counts from when the token was *put*: a token
//! that is held back makes this clock slow, by at most the life of a nonce, and never fast.

use core::time::Duration;

use thiserror::Error;
use tre_wire::units::UnixMillis;

use crate::bounds;

/// The time, as far as it is proven. Whoever asks says how long this process has run.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Timekeeping {
    /// The latest time that was said, in this process or one before.
    high_water: UnixMillis,
    /// What it goes by; none: there is no time.
    anchor: Option<Anchor>,
}

/// A token in force.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Anchor {
    value: UnixMillis,
    /// When it was put. Since the process began.
    put: Duration,
    /// When it was last asked for. Since the process began.
    asked: Duration,
}

/// A token that would take the time back.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error(
    "expected a time not before {mark}, the sealed high-water mark, found {found} (ms since 1970); \
     set the clock of the status key's desk right and sign a token for a new nonce; if that clock is \
     right, a token was signed that was ahead: wait until the mark is past, or clear the TPM and \
     enrol the box anew"
)]
pub(crate) struct BelowMark {
    /// The sealed high-water mark.
    pub(crate) mark: UnixMillis,
    /// The token's value.
    pub(crate) found: UnixMillis,
}

impl Timekeeping {
    /// No time yet, and none before `mark` ever.
    pub(crate) const fn not_before(mark: UnixMillis) -> Self {
        Self { high_water: mark, anchor: None }
    }

    /// The time, `elapsed` after the process began.
    ///
    /// There is none before the first token. It is lost, until the next token, with a step of more
    /// than [`bounds::CLOCK_STEP`] since it was last asked for, which is far more often: then it is
    /// not time that has passed, but a counter that somebody moved. It is lost, too, when the token
    /// is older than [`bounds::TOKEN_LIFE`].
    pub(crate) fn at(&mut self, elapsed: Duration) -> Option<UnixMillis> {
        let Anchor { value, put, asked } = self.anchor?;
        let since = elapsed.saturating_sub(put);
        if elapsed.saturating_sub(asked) > bounds::CLOCK_STEP || since > bounds::TOKEN_LIFE {
            self.anchor = None;
            return None;
        }
        self.anchor = Some(Anchor { value, put, asked: elapsed.max(asked) });
        self.high_water = self.high_water.max(value.plus(millis(since).get()));
        Some(self.high_water)
    }

    /// When the token was put by which there is a time, `elapsed` after the process began.
    pub(crate) fn put(&mut self, elapsed: Duration) -> Option<Duration> {
        self.at(elapsed)?;
        self.anchor.map(|anchor| anchor.put)
    }

    /// There is no time any more, until the next token.
    pub(crate) const fn lose(&mut self) {
        self.anchor = None;
    }

    /// Whether a token of this value would come into force, with `mark` sealed.
    ///
    /// One between the mark and the time now does: then the time stands still until it is reached.
    ///
    /// # Errors
    ///
    /// [`BelowMark`].
    pub(crate) fn judge(mark: UnixMillis, found: UnixMillis) -> Result<(), BelowMark> {
        if found < mark { Err(BelowMark { mark, found }) } else { Ok(()) }
    }

    /// It is `value`, `elapsed` after the process began.
    pub(crate) const fn set(&mut self, value: UnixMillis, elapsed: Duration) {
        self.anchor = Some(Anchor { value, put: elapsed, asked: elapsed });
    }

    /// The latest time that was ever said.
    pub(crate) const fn high_water(&self) -> UnixMillis {
        self.high_water
    }
}

/// A duration in whole milliseconds, at most what can be sent.
pub(crate) fn millis(duration: Duration) -> UnixMillis {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    UnixMillis::new(millis).unwrap_or(UnixMillis::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: u64 = 1_772_000_000_000;

    fn ms(number: u64) -> UnixMillis {
        UnixMillis::new(number).expect("in range")
    }

    fn after(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A process that was told at its start that it is noon.
    fn told() -> Timekeeping {
        let mut time = Timekeeping::default();
        time.set(ms(NOON), after(0));
        time
    }

    #[test]
    fn there_is_no_time_before_the_first_token() {
        assert_eq!(Timekeeping::not_before(ms(NOON)).at(after(7)), None);
    }

    #[test]
    fn time_counts_from_when_the_token_was_put() {
        let mut time = Timekeeping::default();
        time.set(ms(NOON), after(100));
        assert_eq!(time.at(after(100)), Some(ms(NOON)));
        assert_eq!(time.at(after(107)), Some(ms(NOON + 7_000)));
    }

    #[test]
    fn time_never_goes_back_and_stands_until_it_is_caught_up_with() {
        let mut time = told();
        assert_eq!(time.at(after(60)), Some(ms(NOON + 60_000)));
        time.set(ms(NOON + 50_000), after(60));
        assert_eq!(time.at(after(61)), Some(ms(NOON + 60_000)), "the time went back");
        assert_eq!(time.at(after(70)), Some(ms(NOON + 60_000)));
        assert_eq!(time.at(after(75)), Some(ms(NOON + 65_000)));
        // A counter that is taken back takes nothing with it.
        assert_eq!(time.at(after(2)), Some(ms(NOON + 65_000)), "the time went back");
    }

    #[test]
    fn no_time_is_said_below_the_sealed_mark() {
        let refused = Timekeeping::judge(ms(NOON), ms(NOON - 1));
        assert_eq!(refused, Err(BelowMark { mark: ms(NOON), found: ms(NOON - 1) }));
        assert_eq!(Timekeeping::judge(ms(NOON), ms(NOON)), Ok(()));
        let mut time = Timekeeping::not_before(ms(NOON));
        time.set(ms(1), after(0));
        assert_eq!(time.at(after(1)), Some(ms(NOON)), "the time went back");
    }

    #[test]
    fn a_step_that_nobody_proved_loses_the_time_until_the_next_token() {
        let step = bounds::CLOCK_STEP.as_secs();
        let mut time = told();
        assert_eq!(time.at(after(step)), Some(ms(NOON + step * 1_000)));
        assert_eq!(time.at(after(2 * step + 1)), None, "an unproven step");
        assert_eq!(time.at(after(2 * step + 2)), None);
        assert_eq!(time.high_water(), ms(NOON + step * 1_000));
        time.set(ms(NOON + 86_400_000), after(2 * step + 3));
        assert_eq!(time.at(after(2 * step + 3)), Some(ms(NOON + 86_400_000)));
    }

    #[test]
    fn a_token_does_not_last_for_ever() {
        let (mut time, step) = (told(), bounds::CLOCK_STEP.as_secs());
        let last = bounds::TOKEN_LIFE.as_secs();
        for seconds in (0..=last).step_by(usize::try_from(step).expect("small")) {
            assert_eq!(time.at(after(seconds)), Some(ms(NOON + seconds * 1_000)));
        }
        assert!(time.at(after(last)).is_some());
        assert_eq!(time.at(after(last + 1)), None, "a token that is too old");
    }
}
