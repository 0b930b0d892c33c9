//! Where things lie: the sources an image is built from, their output, and the cache.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::tool::{Tool, ToolError};

/// Runs the scripts of this package.
const SHELL: Tool = Tool { program: "sh", package: "dash" };

/// The variable that names an unpacked archive of all inputs; the scripts know it too.
pub(crate) const SOURCES: &str = "SOURCES";

/// A checkout of the workspace, and where everything else that an image is built from comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkout {
    root: PathBuf,
    sources: Option<PathBuf>,
}

impl Checkout {
    /// The checkout in which this program was compiled. What `SOURCES` names, if it is set, takes
    /// the place of everything installed here but the compilers.
    #[must_use]
    pub fn own() -> Self {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        Self::at(package.parent().unwrap_or(package))
    }

    /// The checkout in the folder `root`, an absolute path.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        let sources = variable(SOURCES).map(PathBuf::from);
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        Self { root: root.into(), sources: sources.map(absolute) }
    }

    /// The same checkout, built from the unpacked archive `sources` alone.
    #[must_use]
    pub fn with_sources(self, sources: &Path) -> Self {
        Self { sources: Some(sources.into()), ..self }
    }

    /// Its folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the image lies once it is built.
    #[must_use]
    pub fn image(&self) -> PathBuf {
        self.root.join("target/image")
    }

    /// The unpacked archive of all inputs, if an image is to be built from that alone.
    #[must_use]
    pub fn sources(&self) -> Option<&Path> {
        self.sources.as_deref()
    }

    /// Where the file of a Debian package lies that is installed at `path`: there, or in the
    /// archive of all inputs.
    #[must_use]
    pub fn debian(&self, path: &str) -> PathBuf {
        match &self.sources {
            None => path.into(),
            Some(sources) => sources.join("debian").join(path.trim_start_matches('/')),
        }
    }

    /// A file of this package.
    pub(crate) fn package(&self, file: &str) -> PathBuf {
        self.root.join("image").join(file)
    }

    /// Runs a script of this package to its end, and returns what it printed.
    pub(crate) fn run(&self, script: &str, arguments: &[&OsStr]) -> Result<Vec<u8>, ToolError> {
        let mut command = SHELL.command()?;
        if let Some(sources) = &self.sources {
            command.env(SOURCES, sources);
        }
        SHELL.run_aloud(command.arg(self.package(script)).args(arguments))
    }
}

/// Where slow results are kept; the scripts know the same place.
pub(crate) fn cache() -> PathBuf {
    let caches = variable("XDG_CACHE_HOME").map(PathBuf::from);
    caches.unwrap_or_else(|| home().join(".cache")).join("tre")
}

/// Where cargo keeps what it fetched.
pub(crate) fn cargo_home() -> PathBuf {
    variable("CARGO_HOME").map_or_else(|| home().join(".cargo"), PathBuf::from)
}

/// Where rustup keeps its toolchains.
pub(crate) fn rustup_home() -> PathBuf {
    variable("RUSTUP_HOME").map_or_else(|| home().join(".rustup"), PathBuf::from)
}

fn home() -> PathBuf {
    PathBuf::from(variable("HOME").unwrap_or_default())
}

fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
