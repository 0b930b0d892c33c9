//! How long a certificate lives.

use time::{Duration, OffsetDateTime};
use tre_wire::units::UnixMillis;

/// Certificates count from a little earlier: clocks differ. Unit: minutes.
const SKEW_MINUTES: i64 = 10;

/// Longest life of any certificate: that of a root. Unit: days.
pub const MOST_DAYS: u32 = 20 * 366;

/// From when to when a certificate is in force.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
    days: u32,
}

/// Why a certificate cannot live that long.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ValidityError {
    /// No life, or one longer than a root's.
    #[error("expected a life of 1 to {MOST_DAYS} days, found {found}")]
    Days {
        /// Days asked for.
        found: u32,
    },
    /// The present is no time that a certificate can state.
    #[error("expected a time before the year 9999, found {found}; set the clock")]
    Now {
        /// The time found.
        found: UnixMillis,
    },
}

impl Validity {
    /// `days` from `now` on, and a few minutes before, because clocks differ.
    ///
    /// # Errors
    ///
    /// [`ValidityError`].
    pub fn of_days(now: UnixMillis, days: u32) -> Result<Self, ValidityError> {
        if days == 0 || days > MOST_DAYS {
            return Err(ValidityError::Days { found: days });
        }
        let refused = ValidityError::Now { found: now };
        let seconds = i64::try_from(now.get() / 1_000).map_err(|_| refused)?;
        let now = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| refused)?;
        let not_before = now.checked_sub(Duration::minutes(SKEW_MINUTES)).ok_or(refused)?;
        let not_after = now.checked_add(Duration::days(i64::from(days))).ok_or(refused)?;
        Ok(Self { not_before, not_after, days })
    }

    /// The first second.
    #[must_use]
    pub const fn not_before(&self) -> OffsetDateTime {
        self.not_before
    }

    /// The last second.
    #[must_use]
    pub const fn not_after(&self) -> OffsetDateTime {
        self.not_after
    }

    /// Days from the present on.
    #[must_use]
    pub const fn days(&self) -> u32 {
        self.days
    }

    /// The last second as milliseconds since 1970.
    #[must_use]
    pub fn ends(&self) -> UnixMillis {
        let seconds = u64::try_from(self.not_after.unix_timestamp()).unwrap_or(0);
        UnixMillis::new(seconds.saturating_mul(1_000)).unwrap_or(UnixMillis::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_has_between_one_day_and_that_of_a_root() {
        let now = UnixMillis::new(1_800_000_000_000).expect("in range");
        let day = Validity::of_days(now, 1).expect("a day");
        assert_eq!(day.ends(), now.plus(86_400_000));
        assert_eq!(Validity::of_days(now, 0), Err(ValidityError::Days { found: 0 }));
        let found = MOST_DAYS + 1;
        assert_eq!(Validity::of_days(now, found), Err(ValidityError::Days { found }));
        let never = UnixMillis::MAX;
        assert_eq!(Validity::of_days(never, 1), Err(ValidityError::Now { found: never }));
    }
}
