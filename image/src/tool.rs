//! Programs of other people that this package runs, each with the Debian package that brings it.

use core::fmt;
use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// A program, and where it comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tool {
    /// Name under which it is found in `PATH`.
    pub program: &'static str,
    /// Debian package that installs it.
    pub package: &'static str,
}

/// The last lines of what a program or a machine wrote: enough to see why it stopped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Excerpt(String);

/// Why a program did not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// Not installed.
    #[error("'{program}' is missing: run 'make deps' (Debian package {package})")]
    Missing {
        /// The program.
        program: &'static str,
        /// What installs it.
        package: &'static str,
    },
    /// Installed, but the system would not start it.
    #[error("'{program}' could not be started: {source}")]
    Start {
        /// The program.
        program: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It ran and reported failure.
    #[error("'{program}' failed ({status}):\n{output}")]
    Failed {
        /// The program.
        program: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// Its last words.
        output: Excerpt,
    },
}

/// Lines of an excerpt. A stack trace or a failed boot fits.
const EXCERPT_LINES: usize = 30;

impl Excerpt {
    /// The end of `output`. Carriage returns go; what is not UTF-8 is replaced.
    #[must_use]
    pub fn of(output: &[u8]) -> Self {
        let text = String::from_utf8_lossy(output).replace('\r', "");
        let lines: Vec<&str> = text.trim_end().lines().collect();
        let first = lines.len().saturating_sub(EXCERPT_LINES);
        Self(lines.get(first..).unwrap_or_default().join("\n"))
    }

    /// The end of the file at `path`; of a file that cannot be read, a line that says so.
    #[must_use]
    pub fn of_file(path: &Path) -> Self {
        match std::fs::read(path) {
            Ok(bytes) => Self::of(&bytes),
            Err(error) => Self(format!("({}: {error})", path.display())),
        }
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "(nothing was written)" } else { &self.0 })
    }
}

impl Tool {
    /// Where the program lies.
    ///
    /// # Errors
    ///
    /// [`ToolError::Missing`] if no folder of `PATH` has it.
    pub fn find(self) -> Result<PathBuf, ToolError> {
        let path = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&path)
            .map(|folder| folder.join(self.program))
            .find(|file| file.is_file())
            .ok_or(ToolError::Missing { program: self.program, package: self.package })
    }

    /// A command that runs the program, to be given its arguments.
    ///
    /// # Errors
    ///
    /// [`ToolError::Missing`].
    pub fn command(self) -> Result<Command, ToolError> {
        self.find().map(Command::new)
    }

    /// Runs `command` to its end and returns what it printed.
    ///
    /// # Errors
    ///
    /// [`ToolError::Start`]; [`ToolError::Failed`] unless it ended well.
    pub fn run(self, command: &mut Command) -> Result<Vec<u8>, ToolError> {
        let program = self.program;
        let output = command.output().map_err(|source| ToolError::Start { program, source })?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let words = [output.stdout, output.stderr].concat();
        Err(ToolError::Failed { program, status: output.status, output: Excerpt::of(&words) })
    }

    /// Runs `command` to its end and returns what it printed, while its messages go to this
    /// process's error stream: for what takes minutes and tells its progress itself.
    ///
    /// # Errors
    ///
    /// [`ToolError::Start`]; [`ToolError::Failed`] unless it ended well.
    pub fn run_aloud(self, command: &mut Command) -> Result<Vec<u8>, ToolError> {
        let program = self.program;
        let start = |source| ToolError::Start { program, source };
        let output = command.stderr(Stdio::inherit()).output().map_err(start)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = Excerpt::of(b"(its messages stand above)");
        Err(ToolError::Failed { program, status: output.status, output: said })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_its_package() {
        let tool = Tool { program: "no-such-program", package: "no-such-package" };
        assert_eq!(
            tool.command().expect_err("does not exist").to_string(),
            "'no-such-program' is missing: run 'make deps' (Debian package no-such-package)",
        );
    }

    #[test]
    fn a_failed_program_is_quoted() {
        let shell = Tool { program: "sh", package: "dash" };
        let mut command = shell.command().expect("every Debian system has it");
        let error = shell.run(command.args(["-c", "echo out; echo words >&2; exit 3"]));
        assert_eq!(
            error.expect_err("it exits with 3").to_string(),
            "'sh' failed (exit status: 3):\nout\nwords",
        );
    }

    #[test]
    fn an_excerpt_is_the_end() {
        let text: String = (0..100).map(|line| format!("{line}\r\n")).collect();
        let excerpt = Excerpt::of(text.as_bytes()).to_string();
        assert!(excerpt.starts_with("70\n71\n"), "{excerpt}");
        assert!(excerpt.ends_with("\n99"), "{excerpt}");
        assert_eq!(Excerpt::of(b"").to_string(), "(nothing was written)");
    }
}
