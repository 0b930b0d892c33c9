//! The one clock: the real-time clock read once at start, then the monotonic clock.
//!
//! The operator owns the real-time clock, so nothing else may read it; proven time tokens replace
//! this reading behind the same interface.

use core::time::Duration;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rustls::pki_types::UnixTime;
use tre_wire::units::UnixMillis;

/// The TRE's time: never goes back while the process lives.
#[derive(Debug)]
pub(crate) struct Clock {
    at_start: UnixMillis,
    started: Instant,
}

impl Clock {
    /// Reads the real-time clock; a time before 1970 counts as 1970.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads time")]
    pub(crate) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { at_start: millis(since_epoch), started: Instant::now() }
    }

    /// The time now.
    pub(crate) fn now(&self) -> UnixMillis {
        self.at_start.plus(millis(self.started.elapsed()).get())
    }

    /// How long from now until `time`; zero if it has passed.
    pub(crate) fn until(&self, time: UnixMillis) -> Duration {
        Duration::from_millis(time.get().saturating_sub(self.now().get()))
    }
}

impl rustls::time_provider::TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(self.now().get())))
    }
}

/// A duration in whole milliseconds, at most what can be sent.
fn millis(duration: Duration) -> UnixMillis {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    UnixMillis::new(millis).unwrap_or(UnixMillis::MAX)
}
