//! The one clock. Its time is proven by tokens of the status key, or there is none.
//!
//! What has passed since a token is read from the monotonic clock. The real-time clock belongs to
//! the operator. It is read once, and used for one thing alone: while nothing is proven, the dates
//! of certificates are held against it, since a new box must know its operator.

use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use tre_wire::units::UnixMillis;

use crate::timekeeping::{Timekeeping, millis};

/// A moment to count from: how long something takes, never what time it is.
#[expect(clippy::disallowed_methods, reason = "one of two places that read a clock, both here")]
pub(crate) fn moment() -> Instant {
    Instant::now()
}

/// The TRE's time: never goes back.
#[derive(Debug)]
pub(crate) struct Clock {
    hardware_at_start: UnixMillis,
    started: Instant,
    /// Locked for a few instructions at a time; the TLS library asks from wherever it runs.
    proven: Mutex<Timekeeping>,
}

impl Clock {
    /// Begins without a time, and never to say one before `mark`. A hardware clock before 1970
    /// counts as 1970.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads a time of day")]
    pub(crate) fn start(mark: UnixMillis) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            hardware_at_start: millis(since_epoch),
            started: moment(),
            proven: Mutex::new(Timekeeping::not_before(mark)),
        }
    }

    /// The time now, if it is proven.
    pub(crate) fn now(&self) -> Option<UnixMillis> {
        self.proven().at(self.elapsed())
    }

    /// The time that dates of certificates are held against: the time now, or without one the
    /// hardware clock, but never before the latest time that was proven.
    ///
    /// Nothing that touches a slot trusts a certificate that was held against the hardware clock.
    pub(crate) fn for_certificates(&self) -> UnixMillis {
        let now = self.now();
        let hardware = self.hardware_at_start.plus(millis(self.elapsed()).get());
        now.unwrap_or_else(|| hardware.max(self.high_water()))
    }

    /// It is `value` now.
    pub(crate) fn set(&self, value: UnixMillis) {
        self.proven().set(value, self.elapsed());
    }

    /// When the token was put by which there is a time, since the process began.
    pub(crate) fn put(&self) -> Option<Duration> {
        self.proven().put(self.elapsed())
    }

    /// There is no time any more, until the next token.
    pub(crate) fn lose(&self) {
        self.proven().lose();
    }

    /// How long from now until `time`; zero if it has passed, none without a time.
    pub(crate) fn until(&self, time: UnixMillis) -> Option<Duration> {
        Some(Duration::from_millis(time.get().saturating_sub(self.now()?.get())))
    }

    /// The latest time that was ever said.
    pub(crate) fn high_water(&self) -> UnixMillis {
        self.proven().high_water()
    }

    /// How long the process has run.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    fn proven(&self) -> MutexGuard<'_, Timekeeping> {
        // Every change is one assignment: whoever panicked left nothing half done.
        self.proven.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl rustls::time_provider::TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let millis = self.for_certificates().get();
        Some(UnixTime::since_unix_epoch(Duration::from_millis(millis)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_clock_is_no_time() {
        let clock = Clock::start(UnixMillis::default());
        assert_eq!(clock.now(), None, "it goes by the host's clock");
        assert_eq!(clock.until(UnixMillis::MAX), None);
        let noon = UnixMillis::new(1_000_000_000_000).expect("in range");
        clock.set(noon);
        let now = clock.now().expect("a time");
        assert!((noon..noon.plus(60_000)).contains(&now), "{now}");
        assert!((noon..noon.plus(60_000)).contains(&clock.for_certificates()));
    }

    #[test]
    fn dates_are_never_held_against_a_time_before_the_mark() {
        let mark = UnixMillis::MAX;
        let found = Clock::start(mark).for_certificates();
        assert_eq!(found, mark, "dates are held against the host's clock alone");
    }
}
