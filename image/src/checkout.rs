//! Where things lie: the sources this program was built from, their output, and the cache.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::tool::{Tool, ToolError};

/// Runs the scripts of this package.
const SHELL: Tool = Tool { program: "sh", package: "dash" };

/// A checkout of the workspace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkout(PathBuf);

impl Checkout {
    /// The checkout in which this program was compiled.
    #[must_use]
    pub fn own() -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self(package.parent().unwrap_or(package).into())
    }

    /// Its folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// Where the image lies once it is built.
    #[must_use]
    pub fn image(&self) -> PathBuf {
        self.0.join("target/image")
    }

    /// A file of this package.
    pub(crate) fn package(&self, file: &str) -> PathBuf {
        self.0.join("image").join(file)
    }

    /// Runs a script of this package to its end, and returns what it printed.
    pub(crate) fn run(&self, script: &str, arguments: &[&OsStr]) -> Result<Vec<u8>, ToolError> {
        let mut command = SHELL.command()?;
        SHELL.run_aloud(command.arg(self.package(script)).args(arguments))
    }
}

/// Where slow results are kept; the scripts know the same place.
pub(crate) fn cache() -> PathBuf {
    let of = |name: &str| env::var_os(name).filter(|value: &OsString| !value.is_empty());
    let caches = of("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || PathBuf::from(of("HOME").unwrap_or_default()).join(".cache");
    caches.unwrap_or_else(home).join("tre")
}
