//! The best guess from what was released.
#![expect(clippy::float_arithmetic, reason = "likelihoods are formulas over real numbers")]

use tre_wire::message::dno::Aggregate;

/// Evidence for "the victim's readings are in the sums", as a logarithm of odds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Evidence(f64);

fn real(number: i64) -> f64 {
    number.to_string().parse().unwrap_or_default()
}

impl Evidence {
    /// Takes in one release. Without the victim it would be `without` and noise, with it `with`
    /// more; the noise is the one that the release states.
    pub(crate) fn weigh(&mut self, row: &Aggregate, without: i64, with: i64) {
        let Some(released) = row.released_wh else { return };
        let lambda = real(row.lambda_milli_wh.get().cast_signed()) / 1e3;
        let off = real(released.get()) - real(without);
        self.0 += (off.abs() - (off - real(with)).abs()) / lambda;
    }

    /// Takes in the difference of two releases, each with its noise, whose sums differ by `with`
    /// if the victim is in one of them. The likelier the larger `with` is beside the noise.
    pub(crate) fn weigh_difference(&mut self, found: i64, with: i64) {
        self.0 += (real(found) - real(with) / 2.0) * real(with);
    }

    /// Whether the victim is likelier to be there.
    pub(crate) fn present(self) -> bool {
        self.0 > 0.0
    }
}
