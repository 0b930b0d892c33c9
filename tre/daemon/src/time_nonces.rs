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
    /// SHA-256 of the token that answered it.
    answered: Option<[u8; 32]>,
}

/// Why a token's nonce is not one to answer.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub(crate) enum NonceRefusal {
    /// Not from this process, or from long ago.
    #[error("expected a nonce that this process handed out, found another; ask for one anew")]
    Unknown,
    /// This very token came into force before: a replay.
    #[error("expected a time token that is not in force yet, found one again that came into force")]
    Replayed,
    /// Another token was faster: two desks asked, and were given one nonce.
    #[error(
        "expected the first token for its nonce, found the second: another desk told this TRE the \
         time, and nothing is left to do; to tell it again, ask for a nonce anew"
    )]
    Answered,
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
            handed.answered.is_none()
                && elapsed.saturating_sub(handed.made) < bounds::TIME_NONCE_RENEWAL
        };
        if let Some(handed) = self.0.back().filter(fresh) {
            return Ok(handed.nonce);
        }
        let nonce = draw()?;
        while self.0.len() >= bounds::TIME_NONCES {
            self.0.pop_front();
        }
        self.0.push_back(Handed { nonce, made: elapsed, answered: None });
        Ok(nonce)
    }

    /// Whether the token with this SHA-256 may answer `nonce` now.
    ///
    /// # Errors
    ///
    /// [`NonceRefusal`].
    pub(crate) fn judge(
        &self,
        nonce: &[u8; 32],
        token: &[u8; 32],
        elapsed: Duration,
    ) -> Result<(), NonceRefusal> {
        let found = self.0.iter().find(|handed| handed.nonce == *nonce);
        let handed = found.ok_or(NonceRefusal::Unknown)?;
        if let Some(before) = handed.answered {
            let again = before == *token;
            return Err(if again { NonceRefusal::Replayed } else { NonceRefusal::Answered });
        }
        let age = elapsed.saturating_sub(handed.made);
        if age > bounds::TIME_NONCE_LIFE {
            return Err(NonceRefusal::Expired { age });
        }
        Ok(())
    }

    /// The token with this SHA-256 has answered `nonce`; no other will.
    pub(crate) fn spend(&mut self, nonce: &[u8; 32], token: [u8; 32]) {
        let mut all = self.0.iter_mut();
        if let Some(handed) = all.find(|handed| handed.nonce == *nonce) {
            handed.answered = Some(token);
        }
    }
}

#[cfg(test)]
mod tests {
    use core::convert::Infallible;

    use super::*;

    const TOKEN: [u8; 32] = [5; 32];

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
        assert_eq!(nonces.judge(&[1; 32], &TOKEN, after(2 * half)), Ok(()));
        assert_eq!(nonces.judge(&[3; 32], &TOKEN, after(2 * half)), Ok(()));
    }

    #[test]
    fn a_nonce_of_another_process_an_answered_one_and_an_old_one_are_each_refused() {
        let life = bounds::TIME_NONCE_LIFE.as_secs();
        let mut nonces = TimeNonces::default();
        assert_eq!(nonces.at(after(0), draw(1)), Ok([1; 32]));
        assert_eq!(nonces.judge(&[9; 32], &TOKEN, after(1)), Err(NonceRefusal::Unknown));
        assert_eq!(nonces.judge(&[1; 32], &TOKEN, after(life)), Ok(()));
        let age = after(life + 1);
        assert_eq!(nonces.judge(&[1; 32], &TOKEN, age), Err(NonceRefusal::Expired { age }));
        nonces.spend(&[1; 32], TOKEN);
        assert_eq!(nonces.judge(&[1; 32], &TOKEN, after(1)), Err(NonceRefusal::Replayed));
        let other = nonces.judge(&[1; 32], &[6; 32], after(1));
        assert_eq!(other, Err(NonceRefusal::Answered), "a second token for one nonce");
        assert_eq!(nonces.at(after(1), draw(2)), Ok([2; 32]), "an answered nonce handed out again");
    }

    #[test]
    fn only_the_last_nonces_are_remembered() {
        let mut nonces = TimeNonces::default();
        for (number, seconds) in (0..20).zip((0..).step_by(600)) {
            assert_eq!(nonces.at(after(seconds), draw(number)), Ok([number; 32]));
        }
        assert_eq!(nonces.0.len(), bounds::TIME_NONCES);
        assert_eq!(nonces.judge(&[0; 32], &TOKEN, after(12_000)), Err(NonceRefusal::Unknown));
    }
}
