//! Compiles an executable that can be a kernel's only one: static, and the same anywhere.
//!
//! In a cargo call and a target folder of its own, so that no feature or flag of a development
//! build finds its way in.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::checkout::Checkout;
use crate::file::FileError;
use crate::tool::{Tool, ToolError};

const CARGO: Tool = Tool { program: "cargo", package: "a Rust toolchain from rustup" };

/// What it is compiled for, said aloud so that flags for it do not reach build scripts.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Variables that would change what cargo makes.
const FOREIGN: [&str; 8] = [
    "CARGO_BUILD_TARGET",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_MAKEFLAGS",
    "CC",
    "CFLAGS",
    "LDFLAGS",
    "MAKEFLAGS",
    "RUSTFLAGS",
];

/// Why there is no executable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompileError {
    /// A program is missing or failed.
    #[error("compiling for the appliance: {0}")]
    Tool(#[source] ToolError),
    /// A file cannot be read.
    #[error("compiling for the appliance: {0}")]
    File(#[source] FileError),
    /// The executable would differ from one made elsewhere.
    #[error(
        "{} holds the path {} of this machine: whoever rebuilds it gets another",
        executable.display(),
        found.display()
    )]
    PathInside {
        /// The executable.
        executable: PathBuf,
        /// The path in it.
        found: PathBuf,
    },
}

/// Compiles the executable `bin` of `package` without its default features, and says where it is.
///
/// # Errors
///
/// [`CompileError`].
pub(crate) fn executable(
    checkout: &Checkout,
    package: &str,
    bin: &str,
) -> Result<PathBuf, CompileError> {
    checkout.run("tss/build.sh", &[]).map_err(CompileError::Tool)?;
    let target = checkout.root().join("target/appliance");
    let cargo_home = cargo_home();
    let maps = [(checkout.root(), "/tre"), (cargo_home.as_path(), "/cargo")];
    let mut command = CARGO.command().map_err(CompileError::Tool)?;
    for variable in FOREIGN {
        command.env_remove(variable);
    }
    command
        .current_dir(checkout.root())
        .args(["build", "--locked", "--release", "--no-default-features", "--target", TARGET])
        .args(["--package", package, "--bin", bin])
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_ENCODED_RUSTFLAGS", rust_flags(&maps))
        .env(format!("CFLAGS_{}", TARGET.replace('-', "_")), c_flags(&maps))
        .env("PKG_CONFIG_PATH", checkout.root().join("target/tss/appliance/lib/pkgconfig"));
    CARGO.run_aloud(&mut command).map_err(CompileError::Tool)?;
    let executable = target.join(TARGET).join("release").join(bin);
    refuse_paths(&executable, &maps)?;
    Ok(executable)
}

/// Static, at a fixed address, without an id that hashes what else the linker saw.
fn rust_flags(maps: &[(&Path, &str)]) -> String {
    let fixed = ["-Ctarget-feature=+crt-static", "-Crelocation-model=static"];
    let mut flags: Vec<String> = fixed.map(String::from).into();
    flags.push("-Clink-arg=-Wl,--build-id=none".into());
    flags.extend(
        maps.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())),
    );
    // Cargo's own separator, so that paths may have spaces.
    flags.join("\x1f")
}

fn c_flags(maps: &[(&Path, &str)]) -> String {
    let map = |(from, to): &(&Path, &str)| format!("-ffile-prefix-map={}={to}", from.display());
    maps.iter().map(map).collect::<Vec<_>>().join(" ")
}

fn cargo_home() -> PathBuf {
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cargo");
    env::var_os("CARGO_HOME").map_or_else(home, PathBuf::from)
}

/// The maps hide the paths of this machine; this holds that they hid all.
fn refuse_paths(executable: &Path, maps: &[(&Path, &str)]) -> Result<(), CompileError> {
    let read = FileError::at("reading", executable);
    let bytes = fs::read(executable).map_err(read).map_err(CompileError::File)?;
    for (path, _) in maps {
        let needle = path.as_os_str().as_encoded_bytes();
        if bytes.windows(needle.len().max(1)).any(|window| window == needle) {
            let (executable, found) = (executable.into(), path.into());
            return Err(CompileError::PathInside { executable, found });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_executable_with_a_path_of_this_machine_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let executable = folder.path().join("tred");
        fs::write(&executable, b"...panicked at /home/builder/src/main.rs...").expect("writes");
        let maps = [(Path::new("/home/builder"), "/tre")];
        let error = refuse_paths(&executable, &maps).expect_err("refused");
        assert!(
            matches!(&error, CompileError::PathInside { found, .. } if found == maps[0].0),
            "{error}",
        );
        refuse_paths(&executable, &[(Path::new("/home/other"), "/tre")]).expect("another path");
    }
}
