//! How long to wait before trying again, and when to stop.

use core::time::Duration;

use tre_wire::units::UnixMillis;

use crate::jitter::Jitter;

/// First wait. Unit: ms.
const FIRST_MS: u64 = 200;

/// Longest wait, but for what chance adds. Unit: ms.
const LONGEST_MS: u64 = 10_000;

/// Patience with failures in a row.
#[derive(Clone, Debug)]
pub struct Patience {
    most: Duration,
    since: Option<UnixMillis>,
    failures: u32,
    jitter: Jitter,
}

impl Patience {
    /// Patience for as long as `most` without any success.
    #[must_use]
    pub const fn new(most: Duration, jitter: Jitter) -> Self {
        Self { most, since: None, failures: 0, jitter }
    }

    /// How long it lasts.
    #[must_use]
    pub const fn most(&self) -> Duration {
        self.most
    }

    /// Something succeeded.
    pub const fn succeeded(&mut self) {
        (self.since, self.failures) = (None, 0);
    }

    /// Something failed at `now`: how long to wait, or `None` if it has been failing too long.
    ///
    /// Each wait is twice the one before, from 0.2 s to 10 s, and up to half as long again, so
    /// that many meters do not come back together.
    pub fn failed(&mut self, now: UnixMillis) -> Option<Duration> {
        let since = *self.since.get_or_insert(now);
        let most = u64::try_from(self.most.as_millis()).unwrap_or(u64::MAX);
        if now.get().saturating_sub(since.get()) > most {
            return None;
        }
        let doubled = FIRST_MS.saturating_mul(2_u64.saturating_pow(self.failures)).min(LONGEST_MS);
        self.failures = self.failures.saturating_add(1);
        Some(Duration::from_millis(doubled.saturating_add(self.jitter.below(doubled / 2))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(number: u64) -> UnixMillis {
        UnixMillis::new(number).expect("in range")
    }

    #[test]
    fn waits_double_up_to_their_bound() {
        let mut patience = Patience::new(Duration::from_secs(60), Jitter::new(1));
        let waits: Vec<u128> =
            (0..8).map(|_| patience.failed(ms(1)).expect("patience").as_millis()).collect();
        for (wait, least) in waits.iter().zip([200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000])
        {
            assert!((least..least * 3 / 2).contains(wait), "{waits:?}");
        }
    }

    #[test]
    fn patience_ends_and_a_success_restores_it() {
        let mut patience = Patience::new(Duration::from_secs(1), Jitter::new(1));
        assert!(patience.failed(ms(5_000)).is_some());
        assert!(patience.failed(ms(6_000)).is_some());
        assert_eq!(patience.failed(ms(6_001)), None);
        patience.succeeded();
        let wait = patience.failed(ms(9_000)).expect("patience");
        assert!(wait < Duration::from_millis(300), "{wait:?}");
    }
}
