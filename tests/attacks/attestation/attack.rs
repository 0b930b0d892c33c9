//! What an attack is, what must become of it, and what did.

use anyhow::Result;
use attest_verifier::AttestError;
use serde_json::{Value, json};

use crate::stage::Stage;

/// One attack.
#[derive(Debug)]
pub(crate) struct Attack {
    /// Its name on the command line and in the patches.
    pub(crate) name: &'static str,
    /// Who does what, in a line.
    pub(crate) what: &'static str,
    /// What must become of it.
    pub(crate) must: Must,
    /// The patch under `tests/mutants` that takes out the one check that stops it; a control has
    /// none.
    pub(crate) mutant: Option<&'static str>,
    /// Plays it once.
    pub(crate) play: fn(&Stage) -> Result<Outcome>,
}

/// What must become of an attack.
#[derive(Debug)]
pub(crate) enum Must {
    /// A control: it gets in.
    GetIn,
    /// The victim refuses it by exactly this error.
    BeRefused {
        /// The error, as it is written in the sources.
        error: &'static str,
        /// Whether an error is it.
        is: fn(&AttestError) -> bool,
    },
    /// The TRE gives it nothing to begin with.
    FindNothing {
        /// What it finds in place of what it needs.
        found: &'static str,
    },
}

/// What became of an attack.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The victim spoke to the attacker, or the attacker to the TRE.
    GotIn(String),
    /// The victim refused, and showed and sent nothing but a nonce.
    Refused(AttestError),
    /// What the attack needs is not there.
    FoundNothing(&'static str),
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct Row {
    attack: &'static Attack,
    outcome: Outcome,
}

/// An error of the victim, by its pattern.
macro_rules! refused_by {
    ($($pattern:tt)*) => {
        $crate::attack::Must::BeRefused {
            error: stringify!($($pattern)*),
            is: |error| matches!(error, $crate::attack::refusal!($($pattern)*)),
        }
    };
}

/// A refusal of the evidence, as the victim's error.
macro_rules! refusal {
    (Connect($($pattern:tt)*)) => { attest_verifier::AttestError::Connect($($pattern)*) };
    ($($pattern:tt)*) => { attest_verifier::AttestError::Refused(Refusal::$($pattern)*) };
}

pub(crate) use refusal;
pub(crate) use refused_by;

impl Attack {
    /// Plays it.
    pub(crate) fn row(&'static self, stage: &Stage) -> Result<Row> {
        Ok(Row { attack: self, outcome: (self.play)(stage)? })
    }
}

impl Must {
    fn words(&self) -> String {
        match self {
            Self::GetIn => "a control, to be attested".to_owned(),
            // As rustfmt and the compiler leave a pattern, without what stands for "any".
            Self::BeRefused { error, .. } => {
                error.split_whitespace().collect::<Vec<_>>().join(" ").replace(" { .. }", "")
            }
            Self::FindNothing { found } => (*found).to_owned(),
        }
    }
}

impl Row {
    /// Whether it went as it must.
    pub(crate) fn held(&self) -> bool {
        match (&self.attack.must, &self.outcome) {
            (Must::GetIn, Outcome::GotIn(_)) => true,
            (Must::BeRefused { is, .. }, Outcome::Refused(error)) => is(error),
            (Must::FindNothing { found }, Outcome::FoundNothing(what)) => found == what,
            _ => false,
        }
    }

    /// Whether it got in, or had what it was after.
    pub(crate) const fn got_in(&self) -> bool {
        matches!(self.outcome, Outcome::GotIn(_))
    }

    fn outcome(&self) -> &'static str {
        match (&self.outcome, &self.attack.must) {
            (Outcome::GotIn(_), Must::GetIn) => "attested",
            (Outcome::GotIn(_), _) => "GOT IN",
            _ if self.held() => "refused",
            _ => "REFUSED OTHERWISE",
        }
    }

    fn said(&self) -> String {
        match &self.outcome {
            Outcome::GotIn(how) => how.clone(),
            Outcome::Refused(error) => error.to_string(),
            Outcome::FoundNothing(what) => (*what).to_owned(),
        }
    }

    /// The row for people.
    pub(crate) fn line(&self) -> String {
        let must = self.attack.must.words();
        let row = format!("{:<24} {:<17} {must}", self.attack.name, self.outcome());
        if self.held() { row } else { format!("{row}\n  {}", self.said()) }
    }

    /// The row for programs.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "name": self.attack.name,
            "what": self.attack.what,
            "must_be": self.attack.must.words(),
            "said": self.said(),
            "mutant": self.attack.mutant,
            "held": self.held(),
        })
    }
}
