//! The nonces that a time token may answer: of this process, for minutes, each once.

use core::time::Duration;
use std::collections::VecDeque;

use thiserror::Error;

use crate::bounds;

/// The nonces that were handed out last, newest last.
#[derive(Debug, Default)]
pub(crate) struct TimeNonces(VecDeque<Handed>);

/// One nonce.
#[derive(Clone, Copy, Debug)]
struct Handed {
    nonce: [u8; 32],
    /// When it was made. Since the process began.
    made: Duration,
    spent: bool,
}

/// Why a token's nonce is not one to answer.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(crate) enum NonceRefusal {
    /// Not from this process, or from long ago.
    #[error("expected a nonce that this process handed out, found another; ask for one anew")]
    Unknown,
    /// Answered before: a replay.
    #[error("expected a nonce that no token has answered yet, found one that was; a token again")]
    Spent,
    /// Held back for too long.
    #[error(
        "expected a token within {} s of its nonce, found one after {} s; ask for a nonce anew",
        bounds::TIME_NONCE_LIFE.as_secs(), .age.as_secs()
    )]
    Expired {
        /// How old the nonce is.
        age: Duration,
    },
}

impl TimeNonces {
    /// The nonce to answer now: the last one while half of its life is left and nobody has answered
    /// it, else one that `draw` makes.
    ///
    /// # Errors
    ///
    /// Those of `draw`.
    pub(crate) fn at<E>(
        &mut self,
        elapsed: Duration,
        draw: impl FnOnce() -> Result<[u8; 32], E>,
    ) -> Result<[u8; 32], E> {
        let fresh = |handed: &&Handed| {
            !handed.spent && elapsed.saturating_sub(handed.made) < bounds::TIME_NONCE_RENEWAL
        };
        if let Some(handed) = self.0.back().filter(fresh) {
            return Ok(handed.nonce);
        }
        let nonce = draw()?;
        while self.0.len() >= bounds::TIME_NONCES {
            self.0.pop_front();
        }
        self.0.push_back(Handed { nonce, made: elapsed, spent: false });
        Ok(nonce)
    }

    /// Whether a token may answer `nonce` now.
    ///
    /// # Errors
    ///
    /// [`NonceRefusal`].
    pub(crate) fn judge(&self, nonce: &[u8; 32], elapsed: Duration) -> Result<(), NonceRefusal> {
        let found = self.0.iter().find(|handed| handed.nonce == *nonce);
        let handed = found.ok_or(NonceRefusal::Unknown)?;
        if handed.spent {
            return Err(NonceRefusal::Spent);
        }
        let age = elapsed.saturating_sub(handed.made);
        if age > bounds::TIME_NONCE_LIFE {
            return Err(NonceRefusal::Expired { age });
        }
        Ok(())
    }

    /// A token has answered `nonce`; no other will.
    pub(crate) fn spend(&mut self, nonce: &[u8; 32]) {
        let mut all = self.0.iter_mut();
        if let Some(handed) = all.find(|handed| handed.nonce == *nonce) {
            handed.spent = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use core::convert::Infallible;

    use super::*;

    fn draw(byte: u8) -> impl FnOnce() -> Result<[u8; 32], Infallible> {
        move || Ok([byte; 32])
    }

    fn after(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn whoever_asks_for_a_nonce_has_half_of_its_life_to_answer() {
        let half = bounds::TIME_NONCE_RENEWAL.as_secs();
        let mut nonces = TimeNonces::default();
        assert_eq!(nonces.at(after(0), draw(1)), Ok([1; 32]));
        assert_eq!(nonces.at(after(half - 1), draw(2)), Ok([1; 32]));
        assert_eq!(nonces.at(after(half), draw(3)), Ok([3; 32]));
        // The one before is still good: somebody may be carrying it.
        assert_eq!(nonces.judge(&[1; 32], after(2 * half)), Ok(()));
        assert_eq!(nonces.judge(&[3; 32], after(2 * half)), Ok(()));
    }

    #[test]
    fn a_nonce_of_another_process_a_spent_one_and_an_old_one_are_each_refused() {
        let life = bounds::TIME_NONCE_LIFE.as_secs();
        let mut nonces = TimeNonces::default();
        assert_eq!(nonces.at(after(0), draw(1)), Ok([1; 32]));
        assert_eq!(nonces.judge(&[9; 32], after(1)), Err(NonceRefusal::Unknown));
        assert_eq!(nonces.judge(&[1; 32], after(life)), Ok(()));
        let age = after(life + 1);
        assert_eq!(nonces.judge(&[1; 32], age), Err(NonceRefusal::Expired { age }));
        nonces.spend(&[1; 32]);
        assert_eq!(nonces.judge(&[1; 32], after(1)), Err(NonceRefusal::Spent));
        assert_eq!(nonces.at(after(1), draw(2)), Ok([2; 32]), "a spent nonce handed out again");
    }

    #[test]
    fn only_the_last_nonces_are_remembered() {
        let mut nonces = TimeNonces::default();
        for (number, seconds) in (0..20).zip((0..).step_by(600)) {
            assert_eq!(nonces.at(after(seconds), draw(number)), Ok([number; 32]));
        }
        assert_eq!(nonces.0.len(), bounds::TIME_NONCES);
        assert_eq!(nonces.judge(&[0; 32], after(12_000)), Err(NonceRefusal::Unknown));
    }
}
