//! Other people's programs.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Runs `program` and returns what it printed.
///
/// # Errors
///
/// When it is missing, with what to do, or ends with another code than 0, with what it said.
pub fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.with_context(|| format!("running {program}: run `make deps` first"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{program} {arguments:?}: {said}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
