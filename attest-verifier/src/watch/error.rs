//! Why a log is not one, or says something untrue.

use std::io;
use std::path::{Path, PathBuf};

use attest_verifier_core::measured_boot::digest::Sha256Digest;
use attest_verifier_core::wire::json::JsonError;

use super::GroundsError;

/// Why a log is not one, or says something untrue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The file cannot be read or written.
    #[error("{path}: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Somebody else appends to it.
    #[error("{path}: another process appends to this log", path = .path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// A line is no entry.
    #[error("{path}, line {line}: expected an entry of a log of `watch`: {source}",
        path = .path.display())]
    Entry {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: u64,
        /// What the decoder found.
        source: JsonError,
    },
    /// A line does not follow the one before it, or was made in another way than it says.
    #[error("{path}, line {line}: expected {part} {expected}, found {found}",
        path = .path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: u64,
        /// What is wrong with it.
        part: Part,
        /// What should stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// Nothing can be judged by the files of which a line speaks.
    #[error("{path}, line {line}: {source}", path = .path.display())]
    Grounds {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: u64,
        /// Why not.
        source: Box<GroundsError>,
    },
    /// The end of the log was cut off.
    #[error("{path}: expected a line with the hash {expected}, found none in {lines} lines",
        path = .path.display())]
    Cut {
        /// The file.
        path: PathBuf,
        /// The hash.
        expected: Sha256Digest,
        /// How many lines there are.
        lines: u64,
    },
}

/// A part of an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// The version of its layout.
    Format,
    /// Its number.
    Number,
    /// The hash of the line before.
    Previous,
    /// The TRE.
    TreId,
    /// The deployment that it was held against.
    Deployment,
    /// The manifests that it was held against.
    Manifests,
    /// The entry with the grounds that it was judged by.
    Grounds,
    /// The entry with its event log.
    EventLog,
    /// The verdict.
    Verdict,
    /// The end of the line.
    End,
}

impl core::fmt::Display for Part {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Format => "the format",
            Self::Number => "the number",
            Self::Previous => "the hash of the line before",
            Self::TreId => "the TRE",
            Self::Deployment => "the deployment",
            Self::Manifests => "the manifests",
            Self::Grounds => "the grounds of entry",
            Self::EventLog => "the event log of entry",
            Self::Verdict => "the verdict",
            Self::End => "the end",
        })
    }
}

/// What is wrong with a line.
#[derive(Debug)]
pub(super) enum Fault {
    Part { part: Part, expected: String, found: String },
    Grounds(GroundsError),
}

impl Fault {
    pub(super) fn at(self, path: &Path, line: u64) -> LogError {
        let path = path.to_path_buf();
        match self {
            Self::Part { part, expected, found } => {
                LogError::Broken { path, line, part, expected, found }
            }
            Self::Grounds(source) => LogError::Grounds { path, line, source: Box::new(source) },
        }
    }
}

impl From<GroundsError> for Fault {
    fn from(error: GroundsError) -> Self {
        Self::Grounds(error)
    }
}

/// `found` is what it should be; `word` puts both into words.
pub(super) fn same<T: PartialEq>(
    part: Part,
    expected: &T,
    found: &T,
    word: impl Fn(&T) -> String,
) -> Result<(), Fault> {
    if expected == found {
        return Ok(());
    }
    Err(Fault::Part { part, expected: word(expected), found: word(found) })
}

pub(super) fn failed(path: &Path) -> impl FnOnce(io::Error) -> LogError {
    let path = path.to_path_buf();
    move |source| LogError::File { path, source }
}
