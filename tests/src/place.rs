//! Where things are in the checkout.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

/// The root of the checkout that this was built from.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// A program of this workspace, built in the same profile as the caller.
///
/// # Errors
///
/// When it has not been built, with the command that builds it.
pub fn program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("finding the running program")?;
    let inner = ["deps", "examples"];
    let folder = own.ancestors().skip(1).find(|at| !inner.iter().any(|name| at.ends_with(name)));
    let program = folder.context("expected a program in a target folder")?.join(name);
    let path = program.display();
    ensure!(program.is_file(), "expected {path}; run `cargo build --workspace --bins` first");
    Ok(program)
}

/// What `make image` made.
///
/// # Errors
///
/// When there is no such file, with the command that makes it.
pub fn built(name: &str) -> Result<PathBuf> {
    let path = root().join("target/image").join(name);
    ensure!(path.is_file(), "expected {}; run `make image` first", path.display());
    Ok(path)
}
