//! Why a command ends early, and with which exit code.

use core::fmt;
use std::process::ExitCode;

use tre_client::file::{FileError, TableError};
use tre_client::link::LinkError;
use tre_client::meter::MeterError;
use tre_client::own::OwnError;
use tre_client::replay::ReplayError;

/// A failed command.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command, a file or a certificate cannot be used.
    Usage(anyhow::Error),
    /// The TRE refuses, is refused, or cannot be reached.
    Refused(anyhow::Error),
}

impl Failure {
    pub(crate) fn usage(error: impl core::error::Error + Send + Sync + 'static) -> Self {
        Self::Usage(error.into())
    }

    pub(crate) fn refused(error: impl core::error::Error + Send + Sync + 'static) -> Self {
        Self::Refused(error.into())
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            Self::Refused(_) => ExitCode::from(1),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) | Self::Refused(error) => error.fmt(f),
        }
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::usage(error)
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        Self::usage(error)
    }
}

impl From<OwnError> for Failure {
    fn from(error: OwnError) -> Self {
        Self::usage(error)
    }
}

impl From<LinkError> for Failure {
    fn from(error: LinkError) -> Self {
        Self::refused(error)
    }
}

impl From<MeterError> for Failure {
    fn from(error: MeterError) -> Self {
        if let MeterError::Own(error) = error {
            return Self::usage(error);
        }
        Self::refused(error)
    }
}

impl From<ReplayError> for Failure {
    fn from(error: ReplayError) -> Self {
        Self::refused(error)
    }
}
