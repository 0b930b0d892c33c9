//! Time, handed in: this crate reads no clock of its own.

use core::fmt::Debug;
use core::time::Duration;

use tre_wire::units::UnixMillis;

/// This machine's time of day.
pub trait Clock: Debug + Send + Sync {
    /// Milliseconds since 1970-01-01 UTC.
    fn now(&self) -> UnixMillis;
}

/// What the TRE's clock shows when ours shows something.
///
/// Slots and deadlines go by the TRE's time; the attestation has shown that it is near ours.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Offset {
    /// The TRE's time less ours. Unit: ms.
    ahead_ms: i64,
}

impl Offset {
    /// The offset that follows from one question: the TRE said `there`, asked at `sent` and heard
    /// at `heard`. It is wrong by at most half of the time in between.
    #[must_use]
    pub fn measured(sent: UnixMillis, there: UnixMillis, heard: UnixMillis) -> Self {
        let half_way = heard.get().saturating_sub(sent.get()) / 2;
        let here = sent.plus(half_way).get();
        Self { ahead_ms: there.get().cast_signed().saturating_sub(here.cast_signed()) }
    }

    /// The TRE's time when ours is `here`.
    #[must_use]
    pub fn at(self, here: UnixMillis) -> UnixMillis {
        let there = here.get().saturating_add_signed(self.ahead_ms);
        UnixMillis::new(there).unwrap_or(UnixMillis::MAX)
    }
}

/// How long it is from `now` until `then`; zero if that has passed.
#[must_use]
pub fn until(now: UnixMillis, then: UnixMillis) -> Duration {
    Duration::from_millis(then.get().saturating_sub(now.get()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(number: u64) -> UnixMillis {
        UnixMillis::new(number).expect("in range")
    }

    #[test]
    fn the_offset_is_taken_half_way_through_the_question() {
        let ahead = Offset::measured(ms(1_000), ms(1_550), ms(1_100));
        assert_eq!(ahead.at(ms(2_000)), ms(2_500));
        let behind = Offset::measured(ms(1_000), ms(550), ms(1_100));
        assert_eq!(behind.at(ms(2_000)), ms(1_500));
    }

    #[test]
    fn what_has_passed_is_not_waited_for() {
        assert_eq!(until(ms(5), ms(3)), Duration::ZERO);
        assert_eq!(until(ms(3), ms(5)), Duration::from_millis(2));
    }
}
