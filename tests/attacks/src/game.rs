//! The game that every attack is: a coin, a guess, and how often it may be right.
#![expect(clippy::float_arithmetic, reason = "bounds are formulas over real numbers")]

use anyhow::Result;
use serde_json::{Value, json};

use crate::readings::Readings;
use crate::town::Coin;

/// One attack.
#[derive(Debug)]
pub(crate) struct Attack {
    /// Its name on the command line and in the patches.
    pub(crate) name: &'static str,
    /// Who does what, in a line.
    pub(crate) what: &'static str,
    /// How often the best attacker may be right.
    pub(crate) bound: Bound,
    /// Plays one round and says whether the guess was right.
    pub(crate) play: fn(&Readings, &mut Coin) -> Result<bool>,
}

/// What is claimed of an attack.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    /// The attacker sees the same in both cases: right as often as a coin.
    Nothing,
    /// Differential privacy: right at most `e^epsilon / (1 + e^epsilon)` of the time. Unit:
    /// millionths of epsilon.
    Epsilon(u32),
    /// One sum with its noise, where the case makes all the difference that it may: right
    /// `1 - e^(-epsilon / 2) / 2` of the time, exactly. Unit: millionths of epsilon.
    OneLaplace(u32),
}

/// How an attack went.
#[derive(Debug)]
pub(crate) struct Score {
    attack: &'static Attack,
    rounds: f64,
    right: f64,
}

impl Bound {
    fn share(self) -> f64 {
        match self {
            Self::Nothing => 0.5,
            Self::Epsilon(millionths) => {
                let odds = (f64::from(millionths) / 1e6).exp();
                odds / (1.0 + odds)
            }
            Self::OneLaplace(millionths) => 1.0 - (f64::from(millionths) / -2e6).exp() / 2.0,
        }
    }
}

impl Attack {
    /// Plays `rounds` rounds, each with its own coin. The same every time.
    pub(crate) fn score(&'static self, readings: &Readings, rounds: u32) -> Result<Score> {
        let mut right = 0.0;
        for round in 0..rounds {
            let mut coin = Coin::of(u64::from(round));
            right += if (self.play)(readings, &mut coin)? { 1.0 } else { 0.0 };
        }
        Ok(Score { attack: self, rounds: f64::from(rounds), right })
    }
}

impl Score {
    fn share(&self) -> f64 {
        self.right / self.rounds
    }

    /// Whether the attack was right no more often than its bound and four standard deviations.
    pub(crate) fn held(&self) -> bool {
        let bound = self.attack.bound.share();
        self.share() <= bound + 4.0 * (bound * (1.0 - bound) / self.rounds).sqrt()
    }

    /// The row of the table for programs; shares in thousandths, rounded.
    pub(crate) fn to_json(&self) -> Value {
        let permille = |share: f64| format!("{:.0}", 1_000.0 * share).parse::<u32>().ok();
        json!({
            "name": self.attack.name,
            "what": self.attack.what,
            "right_permille": permille(self.share()),
            "bound_permille": permille(self.attack.bound.share()),
            "held": self.held(),
        })
    }
}

/// The head of the table for people. `unchecked`: how often the attack is right once its check has
/// been taken out.
pub(crate) const HEAD: &str = "name           right, %  bound, %  unchecked, %            attack";

/// The row of the table for people.
pub(crate) fn line(row: &Value) -> String {
    let text = |field: &str| row.get(field).and_then(Value::as_str).unwrap_or("?");
    let percent = |pointer: &str| {
        let permille = row.pointer(pointer).and_then(Value::as_u64);
        permille.map_or_else(|| String::from("-"), |it| format!("{}.{}", it / 10, it % 10))
    };
    let held = if row.get("held") == Some(&Value::Bool(true)) { "held" } else { "SUCCEEDED" };
    let [right, bound, without] =
        ["/right_permille", "/bound_permille", "/without/right_permille"].map(percent);
    format!("{:<13} {right:>9} {bound:>9} {without:>13}  {held:<9} {}", text("name"), text("what"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(bound: Bound, right: f64) -> Score {
        let attack = Attack { name: "none", what: "none", bound, play: |_, _| Ok(true) };
        Score { attack: Box::leak(Box::new(attack)), rounds: 1_000.0, right }
    }

    #[test]
    fn a_coin_holds_and_a_certain_guess_does_not() {
        assert!(score(Bound::Nothing, 500.0).held());
        assert!(score(Bound::Nothing, 563.0).held());
        assert!(!score(Bound::Nothing, 564.0).held());
        assert!(!score(Bound::Epsilon(2_000_000), 1_000.0).held());
    }

    #[test]
    fn epsilon_one_allows_the_known_share() {
        let share = Bound::Epsilon(1_000_000).share();
        assert!((share - 0.731_058_578).abs() < 1e-9, "{share}");
        let share = Bound::OneLaplace(1_000_000).share();
        assert!((share - 0.696_734_670).abs() < 1e-9, "{share}");
    }
}
