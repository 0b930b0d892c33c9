//! Three samplers of the discrete Laplace distribution behind one face.
//!
//! Ours is `tre-grid`'s; `opendp` and `prio` are other people's, from the same paper `[CKS20]`.
//! They are a package of their own, so that nothing else compiles them.

#![forbid(unsafe_code)]

use anyhow::{Context as _, Result};
use prio::dp::Rational;
use prio::dp::distributions::DiscreteLaplace;
use rand::distr::Distribution as _;
use rand::rngs::ThreadRng;
use tre_grid::laplace::{Scale, sample};
use tre_grid::randomness::{Purpose, Stream};

/// Draws samples at one scale.
pub trait Sampler {
    /// One sample.
    ///
    /// # Errors
    ///
    /// What the library says; ours when a bound was reached, with probability below 2^-100.
    fn draw(&mut self) -> Result<i64>;
}

/// The grid's own, from a fixed seed: the same samples every time.
#[derive(Debug)]
pub struct Ours {
    scale: Scale,
    stream: Stream,
}

/// OpenDP's.
#[derive(Debug)]
pub struct OpenDp {
    scale: String,
}

/// Divvi Up's.
pub struct Prio {
    distribution: DiscreteLaplace,
    random: ThreadRng,
}

impl Ours {
    /// Scale `numerator / denominator`.
    ///
    /// # Errors
    ///
    /// If that is no scale.
    pub fn new(numerator: u32, denominator: u32, seed: u8) -> Result<Self> {
        let scale = Scale::new(numerator.into(), denominator.into()).context("a scale")?;
        Ok(Self { scale, stream: Stream::new(&[seed; 32], Purpose::Noise, 0, "oracle") })
    }
}

impl OpenDp {
    /// Scale `numerator / denominator`.
    #[must_use]
    pub fn new(numerator: u32, denominator: u32) -> Self {
        Self { scale: format!("{numerator}/{denominator}") }
    }
}

impl Prio {
    /// Scale `numerator / denominator`.
    ///
    /// # Errors
    ///
    /// If that is no scale.
    pub fn new(numerator: u32, denominator: u32) -> Result<Self> {
        let scale = Rational::from_unsigned(numerator, denominator)?;
        Ok(Self { distribution: DiscreteLaplace::new(scale)?, random: rand::rng() })
    }
}

impl core::fmt::Debug for Prio {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Prio").finish_non_exhaustive()
    }
}

impl Sampler for Ours {
    fn draw(&mut self) -> Result<i64> {
        sample(self.scale, &mut self.stream).context("a bound was reached")
    }
}

impl Sampler for OpenDp {
    fn draw(&mut self) -> Result<i64> {
        let scale = self.scale.parse().ok().context("a fraction")?;
        let drawn = opendp::traits::samplers::sample_discrete_laplace(scale);
        let drawn = drawn.ok().context("a sample")?;
        i64::try_from(drawn).ok().context("64 bits")
    }
}

impl Sampler for Prio {
    fn draw(&mut self) -> Result<i64> {
        let drawn = self.distribution.sample(&mut self.random);
        i64::try_from(drawn).ok().context("64 bits")
    }
}
