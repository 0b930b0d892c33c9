//! Where things are in the checkout.

use std::path::{Path, PathBuf};
use std::process::Command;

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
    let program = programs()?.join(name);
    let path = program.display();
    ensure!(program.is_file(), "expected {path}; run `cargo build --workspace --bins` first");
    Ok(program)
}

/// Where cargo puts the programs of the caller's profile.
///
/// # Errors
///
/// When the caller was not built by cargo.
pub fn programs() -> Result<PathBuf> {
    let own = std::env::current_exe().context("finding the running program")?;
    let inner = ["deps", "examples"];
    let folder = own.ancestors().skip(1).find(|at| !inner.iter().any(|name| at.ends_with(name)));
    Ok(folder.context("expected a program in a target folder")?.to_owned())
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

/// Cargo in the checkout, as if called by hand.
#[must_use]
pub fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root());
    // What `cargo run` says of the caller would have build scripts run, and half of it built, anew.
    let of_caller =
        |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_caller)) {
        cargo.env_remove(name);
    }
    cargo
}
