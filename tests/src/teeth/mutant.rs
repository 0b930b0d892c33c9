//! A mutant's file: three lines that say what it is, or four, then a patch as `git apply` takes it.
//!
//! `Check:` in words; `Needs:` a program of this workspace, if one besides the attack is built;
//! `Attack:`; `Succeeds:` what the attack prints when it gets in.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use thiserror::Error;

/// A check's removal, and the attack that it lets in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mutant {
    path: PathBuf,
    check: String,
    needs: Option<String>,
    attack: String,
    succeeds: String,
    files: Vec<String>,
}

/// Why a file is no mutant.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// A line of the head is not there.
    #[error("expected a line '{field} ...' above the patch, found none")]
    Head {
        /// How the line begins.
        field: &'static str,
    },
    /// There is no patch below the head.
    #[error("expected a patch of at least one file, '--- a/FILE', found none")]
    NoPatch,
    /// Only shipped code has checks to take out.
    #[error("expected a patch of shipped code, found one that changes a test")]
    ChangesTest,
}

impl Mutant {
    /// Reads the mutant at `path`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read; [`Fault`].
    pub fn read(path: &Path) -> Result<Self> {
        let name = || path.display().to_string();
        let text = fs::read_to_string(path).with_context(name)?;
        Self::parse(path, &text).with_context(name)
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, Fault> {
        let said = |field: &str| {
            let head = text.lines().take_while(|line| !line.starts_with("--- "));
            let value = head.filter_map(|line| line.strip_prefix(field)).next();
            value.map(|value| value.trim().to_owned())
        };
        let field = |field: &'static str| said(field).ok_or(Fault::Head { field });
        let changed = text.lines().filter_map(|line| line.strip_prefix("--- a/"));
        let files: Vec<String> = changed.map(|file| file.trim().to_owned()).collect();
        if files.is_empty() {
            return Err(Fault::NoPatch);
        }
        if files.iter().any(|file| file.split('/').any(|part| part.starts_with("tests"))) {
            return Err(Fault::ChangesTest);
        }
        let (check, attack, succeeds) = (field("Check:")?, field("Attack:")?, field("Succeeds:")?);
        Ok(Self { path: path.into(), check, needs: said("Needs:"), attack, succeeds, files })
    }

    /// The file's name without its ending: what people call it.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The check that it takes out, in words.
    #[must_use]
    pub fn check(&self) -> &str {
        &self.check
    }

    /// The attack: `test` and more arguments of cargo, or `run`, a program of this workspace, `--` and
    /// its arguments. Ends with code 0 when it was refused.
    #[must_use]
    pub fn attack(&self) -> &str {
        &self.attack
    }

    /// What the attack is run by: all up to the lone `--`.
    #[must_use]
    pub fn program(&self) -> &str {
        self.attack.split_once(" -- ").map_or(self.attack.as_str(), |(program, _)| program)
    }

    /// The test that is the attack, if it is one.
    #[must_use]
    pub fn test(&self) -> Option<&str> {
        self.attack
            .starts_with("test ")
            .then(|| self.attack.split_once(" -- --exact "))?
            .map(|(_, name)| name)
    }

    /// The program of this workspace that is the attack, if it is one.
    #[must_use]
    pub fn runs(&self) -> Option<&str> {
        self.program().strip_prefix("run ")
    }

    /// The programs that are built for the attack.
    #[must_use]
    pub fn programs(&self) -> Vec<&str> {
        self.runs().into_iter().chain(self.needs.as_deref()).collect()
    }

    /// Whether the attack is a game, which leaves a table of how often it was right.
    #[must_use]
    pub fn is_scored(&self) -> bool {
        ["run attacks", "test --workspace --test traffic"].contains(&self.program())
    }

    /// What the attack prints when it got in.
    #[must_use]
    pub fn succeeds(&self) -> &str {
        &self.succeeds
    }

    /// The files that it changes, as the checkout names them.
    #[must_use]
    pub fn files(&self) -> &[String] {
        &self.files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "Check: the nonce is ours\nAttack: test -p x --lib -- --exact replay\n\
                         Succeeds: Ok(Attested\n\n--- a/src/quote.rs\n+++ b/src/quote.rs\n";

    fn parsed(text: &str) -> Result<Mutant, Fault> {
        Mutant::parse(Path::new("mutants/nonce.patch"), text)
    }

    #[test]
    fn a_mutant_says_what_it_is() {
        let mutant = parsed(WHOLE).unwrap();
        assert_eq!((mutant.name().as_str(), mutant.check()), ("nonce", "the nonce is ours"));
        assert_eq!(
            (mutant.attack(), mutant.succeeds()),
            ("test -p x --lib -- --exact replay", "Ok(Attested")
        );
        assert_eq!((mutant.program(), mutant.test()), ("test -p x --lib", Some("replay")));
        assert_eq!(mutant.files(), [String::from("src/quote.rs")]);
        assert!(mutant.runs().is_none() && mutant.programs().is_empty());
        let program =
            WHOLE.replace("Attack: test -p x --lib -- --exact", "Needs: tred\nAttack: run x --");
        let program = parsed(&program).unwrap();
        assert_eq!((program.runs(), program.test()), (Some("x"), None));
        assert_eq!(program.programs(), ["x", "tred"]);
    }

    #[test]
    fn a_mutant_that_leaves_something_unsaid_is_refused() {
        for field in ["Check:", "Attack:", "Succeeds:"] {
            assert_eq!(parsed(&WHOLE.replace(field, "Note:")), Err(Fault::Head { field }));
        }
        assert_eq!(parsed(&WHOLE.replace("--- ", "")), Err(Fault::NoPatch));
    }

    #[test]
    fn a_mutant_that_changes_a_test_is_refused() {
        let of = |file: &str| parsed(&WHOLE.replace("src/quote.rs", file));
        assert_eq!(of("core/src/tests/binding.rs"), Err(Fault::ChangesTest));
        assert_eq!(of("tests/system/boot.rs"), Err(Fault::ChangesTest));
    }
}
