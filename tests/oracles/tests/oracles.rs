//! Our noise beside the exact distribution, `opendp`'s and `prio`'s.
//!
//! The others draw from the system's randomness, so each bound is set where chance passes it less
//! than once in a thousand million runs.

#![forbid(unsafe_code)]
#![expect(
    clippy::float_arithmetic,
    clippy::as_conversions,
    reason = "the exact distribution is a formula over real numbers"
)]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "small numbers of a test"
)]

use std::collections::BTreeMap;

use tre_oracles::{OpenDp, Ours, Prio, Sampler};

const SAMPLES: u32 = 1_000_000;

type Counts = BTreeMap<i64, u32>;

fn count(sampler: &mut dyn Sampler, samples: u32) -> Counts {
    let mut counts = Counts::new();
    for _ in 0..samples {
        *counts.entry(sampler.draw().expect("drawn")).or_insert(0) += 1;
    }
    counts
}

fn between(counts: &Counts, from: i64, to: i64) -> f64 {
    counts.range(from..to).map(|(_, count)| f64::from(*count)).sum()
}

/// Bins of a quarter lambda out to five, and both tails.
fn edges(lambda: f64) -> Vec<i64> {
    let step = (lambda / 4.0).ceil().max(1.0) as i64;
    let inner = (-20..=20).map(|number| number * step);
    [i64::MIN].into_iter().chain(inner).chain([i64::MAX]).collect()
}

/// Whether two lists of counts come from one distribution: chi-square of the two-sample test,
/// below its mean and eight standard deviations.
fn alike(ours: &Counts, theirs: &Counts, lambda: f64) -> (f64, f64) {
    let (mut square, mut freedom) = (0.0, -1.0_f64);
    for pair in edges(lambda).windows(2) {
        let (one, other) = (between(ours, pair[0], pair[1]), between(theirs, pair[0], pair[1]));
        if one + other > 0.0 {
            square += (one - other).powi(2) / (one + other);
            freedom += 1.0;
        }
    }
    (square, freedom + 8.0 * (2.0 * freedom).sqrt())
}

/// The scales of a policy: fine, coarse and one that is no whole number.
const SCALES: [(u32, u32); 3] = [(3, 2), (20, 1), (1_000_000, 7)];

#[test]
fn ours_and_opendps_samples_are_of_one_distribution() {
    for (numerator, denominator) in SCALES {
        let lambda = f64::from(numerator) / f64::from(denominator);
        let mut ours = Ours::new(numerator, denominator, 1).expect("a scale");
        let ours = count(&mut ours, SAMPLES);
        let theirs = count(&mut OpenDp::new(numerator, denominator), SAMPLES);
        let (square, most) = alike(&ours, &theirs, lambda);
        assert!(square < most, "{numerator}/{denominator}: {square} of at most {most}");
    }
}

#[test]
fn ours_and_prios_samples_are_of_one_distribution() {
    for (numerator, denominator) in SCALES {
        let lambda = f64::from(numerator) / f64::from(denominator);
        let mut ours = Ours::new(numerator, denominator, 2).expect("a scale");
        let ours = count(&mut ours, SAMPLES);
        let mut theirs = Prio::new(numerator, denominator).expect("a scale");
        let (square, most) = alike(&ours, &count(&mut theirs, SAMPLES), lambda);
        assert!(square < most, "{numerator}/{denominator}: {square} of at most {most}");
    }
}

#[test]
fn a_scale_that_is_a_fiftieth_off_would_be_noticed() {
    let mut ours = Ours::new(50, 1, 3).expect("a scale");
    let theirs = count(&mut OpenDp::new(51, 1), SAMPLES);
    let (square, most) = alike(&count(&mut ours, SAMPLES), &theirs, 50.0);
    assert!(square > most, "{square} of at most {most}");
}

#[test]
fn the_tails_are_as_heavy_as_they_must_be_and_no_heavier() {
    let mut ours = Ours::new(1_000, 1, 4).expect("a scale");
    let counts = count(&mut ours, SAMPLES);
    let ratio = (-1.0_f64 / 1_000.0).exp();
    for lambdas in [2_i64, 5, 8, 10] {
        let from = lambdas * 1_000;
        // P(|Y| >= n) = 2 q^n / (1 + q).
        let expected = f64::from(SAMPLES) * 2.0 * ratio.powi(from as i32) / (1.0 + ratio);
        let found = between(&counts, i64::MIN, -from + 1) + between(&counts, from, i64::MAX);
        let off = (found - expected).abs();
        assert!(off < 6.0 * expected.sqrt() + 2.0, "{lambdas}: {found} of {expected}");
    }
    let furthest = counts.keys().map(|sample| sample.unsigned_abs()).max();
    // One in a million passes 13.8 lambda; twice that, one in 10^12.
    assert!(furthest < Some(28_000), "{furthest:?}");
}

/// The promise itself, by histogram: what comes out when a home is in the sum, against what comes
/// out when it is not. No outcome, and no range of outcomes, may be more than `e^epsilon` times
/// likelier.
#[test]
fn no_outcome_tells_more_than_epsilon() {
    for (clip, epsilon, readings) in [(20_i64, 1.0_f64, [0, 20]), (20, 1.0, [-7, 13])] {
        let run = |seed: u8, reading: i64| {
            let lambda = u32::try_from(clip).expect("small");
            let mut ours = Ours::new(lambda, 1, seed).expect("a scale");
            let counts = count(&mut ours, SAMPLES).into_iter();
            counts.map(|(noise, count)| (noise + reading, count)).collect::<Counts>()
        };
        let (without, with) = (run(5, readings[0]), run(6, readings[1]));
        for width in [1, 5, 40] {
            for from in (-200..200).step_by(width) {
                let to = from + i64::try_from(width).expect("small");
                let (one, other) = (between(&without, from, to), between(&with, from, to));
                if one.min(other) < 200.0 {
                    continue;
                }
                let told = (one / other).ln().abs();
                let chance = 6.0 * (1.0 / one + 1.0 / other).sqrt();
                assert!(told < epsilon + chance, "{from}..{to}: {told} with {chance} by chance");
            }
        }
    }
}
