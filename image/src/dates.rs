//! From when until when a manifest may be believed: set by whoever releases it, not by a build.

use measured_boot::manifest::ReferenceManifest;
use time::macros::date;
use time::{Date, Time};

/// The first day of the year of the first image. A manifest cannot speak of an earlier time.
const EARLIEST: Date = date!(2026 - 01 - 01);

/// The last second of a day, counted from its first.
const LAST_SECOND: u64 = 86_399;

/// Most days for which a manifest may be believed: five years, with their leap days. Whoever
/// believes one for longer has forgotten to release another.
const MOST_DAYS: i64 = 5 * 365 + 2;

/// Why a manifest cannot have these dates.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DateError {
    /// It would end before it begins.
    #[error("expected a last day not before the first day {from}, found {until}")]
    Reversed {
        /// First day.
        from: Date,
        /// Last day.
        until: Date,
    },
    /// There was no image then.
    #[error("expected a first day from {EARLIEST} on, found {found}")]
    TooEarly {
        /// First day.
        found: Date,
    },
    /// It would be believed for ever.
    #[error("expected at most {MOST_DAYS} days, found {found}, from {from} to {until}")]
    TooLong {
        /// First day.
        from: Date,
        /// Last day.
        until: Date,
        /// Days between them, both counted.
        found: i64,
    },
}

/// The manifest, to be believed from the first second of the day `from` to the last second of the
/// day `until`, both in UTC. Dates that it had are replaced.
///
/// # Errors
///
/// [`DateError`].
pub fn dated(
    manifest: ReferenceManifest,
    from: Date,
    until: Date,
) -> Result<ReferenceManifest, DateError> {
    if from < EARLIEST {
        return Err(DateError::TooEarly { found: from });
    }
    if until < from {
        return Err(DateError::Reversed { from, until });
    }
    let days = i64::from(until.to_julian_day()).saturating_sub(from.to_julian_day().into());
    let found = days.saturating_add(1);
    if found > MOST_DAYS {
        return Err(DateError::TooLong { from, until, found });
    }
    let last = first_second(until).saturating_add(LAST_SECOND);
    let (valid_from, valid_until) = (Some(first_second(from)), Some(last));
    Ok(ReferenceManifest { valid_from, valid_until, ..manifest })
}

/// Unit: second since 1970. No day from [`EARLIEST`] on is before that.
fn first_second(day: Date) -> u64 {
    let second = day.with_time(Time::MIDNIGHT).assume_utc().unix_timestamp();
    second.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT_1: &str = include_str!("../../tests/vectors/manifest/format-1.json");

    fn manifest() -> ReferenceManifest {
        serde_json::from_str(FORMAT_1).expect("a manifest")
    }

    #[test]
    fn both_days_are_whole_and_nothing_else_changes() {
        let dated = dated(manifest(), date!(2026 - 12 - 01), date!(2027 - 02 - 28)).expect("dated");
        // date -u -d '2026-12-01 00:00:00' +%s; date -u -d '2027-02-28 23:59:59' +%s
        assert_eq!(
            (dated.valid_from, dated.valid_until),
            (Some(1_796_083_200), Some(1_803_859_199))
        );
        let undated = ReferenceManifest { valid_from: None, valid_until: None, ..dated };
        assert_eq!(undated, manifest());
    }

    #[test]
    fn one_day_is_enough_and_none_is_not() {
        let day = date!(2028 - 02 - 29);
        let one = dated(manifest(), day, day).expect("one day");
        assert_eq!(
            one.valid_until.zip(one.valid_from).map(|(end, start)| end - start),
            Some(86_399)
        );
        let until = date!(2028 - 02 - 28);
        let error = DateError::Reversed { from: day, until };
        assert_eq!(dated(manifest(), day, until), Err(error));
    }

    #[test]
    fn days_before_the_first_image_are_refused() {
        let found = date!(2025 - 12 - 31);
        let error = DateError::TooEarly { found };
        assert_eq!(dated(manifest(), found, date!(2026 - 12 - 31)), Err(error));
        assert!(dated(manifest(), EARLIEST, date!(2026 - 12 - 31)).is_ok());
    }

    #[test]
    fn a_manifest_for_more_than_five_years_is_refused() {
        let from = date!(2027 - 01 - 01);
        assert!(dated(manifest(), from, date!(2032 - 01 - 01)).is_ok());
        let until = date!(2032 - 01 - 02);
        let error = DateError::TooLong { from, until, found: MOST_DAYS + 1 };
        assert_eq!(dated(manifest(), from, until), Err(error));
    }
}
