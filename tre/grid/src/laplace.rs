//! Exact discrete Laplace noise, in integers alone. `[CKS20]`
//!
//! `[TRE14 III-C]` asks for noise of the Laplace distribution. Drawn with floating-point numbers
//! it leaks: the set of numbers that can come out depends on the sum. Here every probability is
//! exact: P(y) is proportional to exp(-|y| s / t) for every integer y.
//!
//! Every loop is bounded. The bounds are reached with probability below 2^-100 a sample, and
//! [`sample`] then gives nothing rather than something of another distribution.

use tre_wire::message::dno::Span;
use tre_wire::policy::Monitoring;

use crate::randomness::Stream;

/// Scale lambda of the noise as the fraction t / s. Unit of both together: watt-hours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Scale {
    numerator: u64,
    denominator: u64,
}

/// Most tries for one sample. One fails with probability below 0.7: 0.7^300 < 2^-154.
const MOST_TRIES: u32 = 300;

/// Most rounds of one coin of probability exp(-a/b). All happen with probability 1 / 40! < 2^-159.
const MOST_ROUNDS: u64 = 40;

/// Most whole lambdas of one sample. One more has probability exp(-128) < 2^-184.
const MOST_WHOLE: u64 = 128;

/// Largest numerator: a policy's is at most 10^6 Wh times 672 slots times 10^6. Times
/// [`MOST_ROUNDS`] or [`MOST_WHOLE`] it fits 64 bits.
const MOST_NUMERATOR: u64 = 1_000_000_000_000_000;

impl Scale {
    /// The scale `numerator / denominator`; `None` if either is 0 or the numerator above 10^15.
    #[must_use]
    pub const fn new(numerator: u64, denominator: u64) -> Option<Self> {
        if numerator == 0 || numerator > MOST_NUMERATOR || denominator == 0 {
            return None;
        }
        Some(Self { numerator, denominator })
    }

    /// Lambda of one kind of release: its sensitivity times 10^6 over epsilon in millionths.
    ///
    /// `[TRE14 III-C, not followed: Lap(1/epsilon) presumes readings of at most one unit]`
    #[must_use]
    pub fn of(rules: &Monitoring, span: Span) -> Option<Self> {
        let numerator = rules.sensitivity_wh(span).checked_mul(1_000_000)?;
        Self::new(numerator, rules.spending(span).epsilon_millionths.get())
    }
}

/// One sample; `None` with probability below 2^-100, when a bound was reached.
///
/// `[CKS20]` Algorithm 2: x = u + t v is geometric with ratio exp(-1/t), since u below t is taken
/// with probability exp(-u/t) and v counts coins of probability exp(-1). Then x / s, rounded down,
/// is geometric with ratio exp(-s/t), and a sign makes it two-sided.
#[must_use]
pub fn sample(scale: Scale, stream: &mut Stream) -> Option<i64> {
    let Scale { numerator, denominator } = scale;
    for _ in 0..MOST_TRIES {
        let rest = stream.below(numerator)?;
        if !bernoulli_exp(rest, numerator, stream)? {
            continue;
        }
        let whole = geometric_e(stream)?;
        let magnitude =
            numerator.checked_mul(whole)?.checked_add(rest)?.checked_div(denominator)?;
        let magnitude = i64::try_from(magnitude).ok()?;
        match stream.below(2)? {
            // Zero has one sign, or it would come twice as often.
            1 if magnitude == 0 => {}
            1 => return magnitude.checked_neg(),
            _ => return Some(magnitude),
        }
    }
    None
}

/// How often a coin of probability exp(-1) comes up before it first does not.
fn geometric_e(stream: &mut Stream) -> Option<u64> {
    for count in 0..MOST_WHOLE {
        if !bernoulli_exp(1, 1, stream)? {
            return Some(count);
        }
    }
    None
}

/// True with probability exp(-a/b), for a <= b. `[CKS20]`
///
/// Round k goes on with probability a / (b k); the first round that does not go on is odd with
/// probability 1 - a/b + (a/b)^2/2! - ..., which is the exponential's series.
fn bernoulli_exp(a: u64, b: u64, stream: &mut Stream) -> Option<bool> {
    for round in 1..MOST_ROUNDS {
        if stream.below(b.checked_mul(round)?)? >= a {
            return Some(!round.is_multiple_of(2));
        }
    }
    None
}
