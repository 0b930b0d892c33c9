//! The sampler against the exact probabilities, with fixed seeds.
#![expect(
    clippy::float_arithmetic,
    clippy::as_conversions,
    reason = "the exact distribution is a formula over real numbers"
)]

use alloc::collections::BTreeMap;

use super::{policy, spending, wh};
use crate::laplace::{Scale, sample};
use crate::randomness::{Purpose, Stream};
use tre_wire::message::dno::Span;

const SAMPLES: u32 = 50_000;

fn samples(numerator: u64, denominator: u64) -> BTreeMap<i64, u32> {
    let scale = Scale::new(numerator, denominator).expect("a scale");
    let mut stream = Stream::new(&[3; 32], Purpose::Noise, numerator, "distribution");
    let mut counts = BTreeMap::new();
    for _ in 0..SAMPLES {
        *counts.entry(sample(scale, &mut stream).expect("drawn")).or_insert(0) += 1;
    }
    counts
}

/// P(noise <= y) for ratio q = exp(-s/t): (1-q)/(1+q) q^|y|, summed.
fn at_most(ratio: f64, y: i64) -> f64 {
    if y < 0 {
        ratio.powf(-y as f64) / (1.0 + ratio)
    } else {
        1.0 - ratio.powf(y as f64 + 1.0) / (1.0 + ratio)
    }
}

/// Chi-square over bins of equal width, tails pooled, and its degrees of freedom.
fn chi_square(counts: &BTreeMap<i64, u32>, ratio: f64, width: i64) -> (f64, f64) {
    let (mut square, mut bins) = (0.0, 0.0_f64);
    let mut from = i64::MIN;
    let mut below = 0.0;
    let edge = (-8.0 / ratio.ln()) as i64 / width * width;
    let mut to = -edge;
    loop {
        let last = to > edge;
        let upper = if last { 1.0 } else { at_most(ratio, to) };
        let end = if last { i64::MAX } else { to };
        let expected = (upper - below) * f64::from(SAMPLES);
        let found: u32 = counts.range(from..=end).map(|(_, count)| count).sum();
        square += (f64::from(found) - expected).powi(2) / expected;
        bins += 1.0;
        if last {
            return (square, bins - 1.0);
        }
        (from, below, to) = (to + 1, upper, to + width);
    }
}

#[test]
fn samples_have_the_exact_probabilities() {
    for (numerator, denominator, width) in [
        (1, 2, 1),
        (1, 1, 1),
        (3, 2, 1),
        (7, 3, 1),
        (20, 1, 1),
        (1_000, 1, 50),
        (1_000_000, 7, 5_000),
    ] {
        let ratio = (-(denominator as f64) / numerator as f64).exp();
        let counts = samples(numerator, denominator);
        let (square, freedom) = chi_square(&counts, ratio, width);
        // Mean plus four standard deviations of the chi-square distribution.
        let most = freedom + 4.0 * (2.0 * freedom).sqrt();
        assert!(square < most, "{numerator}/{denominator}: {square} of at most {most}");
    }
}

#[test]
fn another_scale_would_be_noticed() {
    let counts = samples(20, 1);
    let (square, freedom) = chi_square(&counts, (-1.0_f64 / 21.0).exp(), 1);
    assert!(square > freedom + 4.0 * (2.0 * freedom).sqrt(), "{square}");
}

#[test]
fn the_mean_is_zero_and_the_variance_that_of_the_scale() {
    for (numerator, denominator) in [(1, 1), (50, 1), (1_000_000, 7)] {
        let counts = samples(numerator, denominator);
        let total = f64::from(SAMPLES);
        let moment = |power: i32| {
            let sum = counts.iter().map(|(&y, &count)| (y as f64).powi(power) * f64::from(count));
            sum.sum::<f64>() / total
        };
        let ratio = (-(denominator as f64) / numerator as f64).exp();
        let variance = 2.0 * ratio / (1.0 - ratio).powi(2);
        assert!(moment(1).abs() < 4.0 * (variance / total).sqrt(), "mean {}", moment(1));
        // Kurtosis is about 6, so the variance of the squares is about 5 variances squared.
        let spread = 4.0 * variance * (5.0 / total).sqrt();
        assert!((moment(2) - variance).abs() < spread, "variance {} of {variance}", moment(2));
    }
}

#[test]
fn zero_is_not_drawn_twice_as_often_as_it_should_be() {
    // With scale 1/2 zero has probability (1 - e^-2) / (1 + e^-2) = 0.7616.
    let counts = samples(1, 2);
    assert!(counts[&0].abs_diff(38_080) < 400, "{}", counts[&0]);
}

#[test]
fn the_widest_scale_of_any_policy_is_drawn() {
    let mut stream = Stream::new(&[4; 32], Purpose::Noise, 0, "");
    let widest = Scale::new(1_000_000_000_000_000, 1).expect("a scale");
    assert!((0..1_000).all(|_| sample(widest, &mut stream).is_some()));
}

#[test]
fn a_scale_that_is_none_is_refused() {
    assert_eq!(Scale::new(0, 1), None);
    assert_eq!(Scale::new(1, 0), None);
    assert_eq!(Scale::new(1_000_000_000_000_001, 1), None);
}

#[test]
fn the_scale_is_delta_over_epsilon_and_not_one_over_epsilon() {
    let mut rules = policy().monitoring;
    rules.clip_wh = wh(2_500);
    rules.slot = spending(62_500, 3_000_000);
    (rules.day, rules.window_slots) = (spending(500_000, 500_000), 48);
    assert_eq!(Scale::of(&rules, Span::Slot), Scale::new(2_500_000_000, 62_500));
    assert_eq!(Scale::of(&rules, Span::Day), Scale::new(48 * 2_500_000_000, 500_000));
}
