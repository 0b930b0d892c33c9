//! Counts what our figures stand beside: Debian's kernel, and the Keylime agent.
//!
//! A rare act, on a machine with a network: what it counts is committed.

use std::fs;
use std::path::{Path, PathBuf};

use measured_boot::manifest::tcb::Origin;

use super::comparison::FILE;
use super::document::sums;
use super::rust::{self, RustError};
use crate::checkout::Checkout;
use crate::file::{self, FileError};
use crate::tool::{Tool, ToolError};

const CARGO: Tool = Tool { program: "cargo", package: "a Rust toolchain from rustup" };
const GIT: Tool = Tool { program: "git", package: "git" };

/// The script that counts Debian's kernel.
const KERNEL: &str = "tcb/compare-kernel.sh";

/// The agent's package and program, the file that configures it, and what it is compiled for.
const AGENT: &str = "keylime_agent";
const CONFIGURATION: &str = "keylime-agent.conf";
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Why nothing was counted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompareError {
    /// A program is missing or failed.
    #[error("comparison: {0}")]
    Tool(#[source] ToolError),
    /// The agent's Rust cannot be counted.
    #[error(transparent)]
    Rust(RustError),
    /// A file cannot be read or written.
    #[error("comparison: {0}")]
    File(#[source] FileError),
    /// The agent's configuration names no port.
    #[error("comparison: {}: expected a line 'port = NUMBER', found none", path.display())]
    Port {
        /// The configuration.
        path: PathBuf,
    },
}

/// Counts both anew, the agent in the checkout `agent`, and writes the committed file. Returns
/// where it is.
///
/// The agent is checked by the compiler, not linked, so what it needs for that has to be there:
/// headers of OpenSSL, libclang, and a tpm2-tss for `pkg-config`, for which ours will do.
///
/// # Errors
///
/// [`CompareError`].
pub fn compare(checkout: &Checkout, agent: &Path) -> Result<PathBuf, CompareError> {
    let kernel = checkout.run(KERNEL, &[]).map_err(CompareError::Tool)?;
    let mut text = String::from_utf8_lossy(&kernel).into_owned();
    text.push_str(&agent_figures(checkout, agent)?);
    let path = checkout.root().join(FILE);
    file::replace(&path, text.as_bytes()).map_err(CompareError::File)?;
    Ok(path)
}

fn agent_figures(checkout: &Checkout, agent: &Path) -> Result<String, CompareError> {
    let target = checkout.root().join("target/compared");
    let mut command = CARGO.command().map_err(CompareError::Tool)?;
    command
        .current_dir(agent)
        .args(["check", "--locked", "--release", "--target", TARGET])
        .args(["--package", AGENT, "--bin", AGENT])
        .args(["--message-format", "json-render-diagnostics"])
        .env("CARGO_TARGET_DIR", &target)
        .env("PKG_CONFIG_PATH", checkout.root().join("target/tss/hosted/lib/pkgconfig"));
    let messages = CARGO.run_aloud(&mut command).map_err(CompareError::Tool)?;
    let folder = target.join(TARGET).join("release");
    let packages = rust::packages(agent, &messages, &folder).map_err(CompareError::Rust)?;

    let (own, own_lines, own_unsafe) = sums(&packages, Origin::Own);
    let (others, others_lines, others_unsafe) = sums(&packages, Origin::ThirdParty);
    let rows = [
        ("agent version", version(agent)?),
        ("agent own crates", own.to_string()),
        ("agent own lines", own_lines.to_string()),
        ("agent own unsafe", own_unsafe.to_string()),
        ("agent other crates", others.to_string()),
        ("agent other lines", others_lines.to_string()),
        ("agent other unsafe", others_unsafe.to_string()),
        ("agent port", port(agent)?),
    ];
    Ok(rows.iter().map(|(name, value)| format!("{name}\t{value}\n")).collect())
}

/// The tag that is checked out.
fn version(agent: &Path) -> Result<String, CompareError> {
    let mut command = GIT.command().map_err(CompareError::Tool)?;
    command.current_dir(agent).args(["describe", "--tags", "--always"]);
    let said = GIT.run(&mut command).map_err(CompareError::Tool)?;
    Ok(String::from_utf8_lossy(&said).trim_end().into())
}

/// The port in the configuration that comes with the agent.
fn port(agent: &Path) -> Result<String, CompareError> {
    let path = agent.join(CONFIGURATION);
    let text = fs::read_to_string(&path);
    let text = text.map_err(FileError::at("reading", &path)).map_err(CompareError::File)?;
    let port = text.lines().find_map(|line| line.strip_prefix("port = "));
    port.map(|port| port.trim().into()).ok_or(CompareError::Port { path })
}
