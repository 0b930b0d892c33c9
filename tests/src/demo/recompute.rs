//! The truth, worked out apart: plain integers, none of the TRE's own arithmetic.

#![expect(clippy::arithmetic_side_effects, reason = "i128 holds 96 readings of 10^9 at 10^12")]

/// What one home owes: readings (Wh) times prices (millionths of the currency per kWh), less its
/// credits (Wh, price) and with its penalties likewise, in minor units of 10^7 billionths, half to
/// even.
#[must_use]
pub fn bill(
    readings: &[u64],
    prices: &[i64],
    credits: &[(u64, i64)],
    penalties: &[(u64, i64)],
) -> i64 {
    let mut nano: i128 = 0;
    for (reading, price) in readings.iter().zip(prices) {
        nano += i128::from(*reading) * i128::from(*price);
    }
    for (quantity, price) in credits {
        nano -= i128::from(*quantity) * i128::from(*price);
    }
    for (quantity, price) in penalties {
        nano += i128::from(*quantity) * i128::from(*price);
    }
    i64::try_from(half_to_even(nano, 10_000_000)).unwrap_or(i64::MAX)
}

/// Whether a home drew less by what it offered: over the slots of an event, beside as many of the
/// mean of four readings, the last of which is `last`; a tenth of the offer is let pass.
#[must_use]
pub fn delivered(readings: &[u64], last: usize, (from, to): (usize, usize), offered: u64) -> bool {
    let sum = |slots: core::ops::RangeInclusive<usize>| -> i128 {
        readings.get(slots).unwrap_or_default().iter().copied().map(i128::from).sum()
    };
    let usual = sum(last - 3..=last) / 4 * i128::try_from(to - from).unwrap_or(0);
    (usual - sum(from..=to - 1)) * 10 >= i128::from(offered) * 9
}

/// `nano / unit`, half to even.
fn half_to_even(nano: i128, unit: i128) -> i128 {
    let doubled = nano * 2 + unit;
    let up = doubled.div_euclid(unit * 2);
    // Exactly between two: `up` is the upper one; take the even of both.
    if doubled.rem_euclid(unit * 2) == 0 && up.rem_euclid(2) == 1 { up - 1 } else { up }
}

/// The sum of one slot over some homes. Unit: Wh.
#[must_use]
pub fn sum(homes: &[&[u64]], slot: usize) -> u64 {
    homes.iter().filter_map(|home| home.get(slot)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bill_is_exact_and_rounds_half_to_even() {
        assert_eq!(bill(&[1_000], &[672_000], &[], &[]), 67);
        assert_eq!(bill(&[5], &[1_000_000], &[], &[]), 0);
        assert_eq!(bill(&[15], &[1_000_000], &[], &[]), 2);
        assert_eq!(bill(&[25], &[1_000_000], &[], &[]), 2);
        assert_eq!(bill(&[0], &[0], &[(15, 1_000_000)], &[]), -2);
        assert_eq!(bill(&[0], &[0], &[(5, 1_000_000)], &[]), 0);
    }
    #[test]
    fn a_broken_promise_costs_what_it_would_have_earned() {
        assert_eq!(bill(&[1_000], &[672_000], &[(500, 100_000)], &[(500, 100_000)]), 67);
    }

    #[test]
    fn who_draws_less_by_nine_tenths_of_its_offer_delivered() {
        let readings = [9_999, 100, 100, 100, 101, 55, 55, 9_999];
        assert!(delivered(&readings, 4, (5, 7), 100));
        assert!(!delivered(&readings, 4, (5, 7), 101));
        assert!(!delivered(&readings, 4, (5, 8), 1));
    }
}
