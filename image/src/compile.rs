//! Compiles an executable that can be a kernel's only one: static, and the same anywhere.
//!
//! In a cargo call and a target folder of its own, so that no feature or flag of a development
//! build finds its way in.

mod read;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use measured_boot::digest::sha256;

use crate::checkout::Checkout;
use crate::crates::{self, CratesError};
use crate::file::{self, FileError, unless_missing};
use crate::inputs::{self, Inputs, InputsError};
use crate::tcb::Compiled;
use crate::tool::{Tool, ToolError};

const CARGO: Tool = Tool { program: "cargo", package: "a Rust toolchain from rustup" };

/// What it is compiled for, said aloud so that flags for it do not reach build scripts.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Where it is compiled, in the checkout.
const FOLDER: &str = "target/appliance";

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

/// What the executable calls the folders of other people's crates.
const CRATES: &str = "/crates";

/// An executable.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Executable {
    /// Where it is, and what compiler and linker told of it.
    pub(crate) compiled: Compiled,
    /// The source files of this checkout that the compiler read for it.
    pub(crate) sources: BTreeSet<PathBuf>,
}

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
    /// What it is made with is not known.
    #[error(transparent)]
    Inputs(InputsError),
    /// A crate is not the one that is locked.
    #[error(transparent)]
    Crates(CratesError),
    /// The inputs cannot be written as JSON.
    #[error("the inputs cannot be written as JSON: {source}")]
    Unwritable {
        /// What is wrong with them.
        #[source]
        source: serde_json::Error,
    },
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
    /// The linker took something from this system that the lock file does not know of.
    #[error(
        "{} was linked with {}, which is no locked input: add it to the list in image/src/inputs",
        executable.display(),
        found.display()
    )]
    ForeignFile {
        /// The executable.
        executable: PathBuf,
        /// The file.
        found: PathBuf,
    },
}

/// Compiles the executable `bin` of `package` without its default features.
///
/// # Errors
///
/// [`CompileError`].
pub(crate) fn executable(
    checkout: &Checkout,
    package: &str,
    bin: &str,
) -> Result<Executable, CompileError> {
    checkout.run("tss/build.sh", &[]).map_err(CompileError::Tool)?;
    let target = checkout.root().join(FOLDER);
    let _lock = clear(checkout, &target)?;
    // Unpacks the crates: their folder has to be known before anything is compiled.
    let mut fetch = cargo(checkout)?;
    fetch.args(["fetch", "--quiet", "--locked", "--target", TARGET]);
    CARGO.run_aloud(&mut fetch).map_err(CompileError::Tool)?;
    let folders = folders(checkout)?;
    let maps: Vec<(&Path, &str)> = folders.iter().map(|(from, to)| (from.as_path(), *to)).collect();

    let linked = format!("{FOLDER}/{bin}.linked");
    let map = format!("{FOLDER}/{bin}.map");
    // By its own name, which is the hash of what it was made of: another stack is linked anew.
    let stack = checkout.root().join("target/tss/appliance");
    let stack = stack.canonicalize().map_err(step("finding", &stack))?;
    let mut command = cargo(checkout)?;
    command
        .args(["rustc", "--locked", "--release", "--no-default-features", "--target", TARGET])
        .args(["--package", package, "--bin", bin])
        .args(["--message-format", "json-render-diagnostics", "--"])
        .arg(format!("-Clink-arg=-Wl,--dependency-file={linked}"))
        .arg(format!("-Clink-arg=-Wl,-Map={map}"))
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_ENCODED_RUSTFLAGS", rust_flags(checkout, &maps))
        .env(format!("CFLAGS_{}", TARGET.replace('-', "_")), c_flags(checkout, &maps))
        .env("PKG_CONFIG_PATH", stack.join("lib/pkgconfig"));
    let messages = CARGO.run_aloud(&mut command).map_err(CompileError::Tool)?;
    let folder = target.join(TARGET).join("release");
    let path = folder.join(bin);
    refuse_paths(&path, &maps)?;
    read::refuse_foreign_files(checkout, &path, &checkout.root().join(linked))?;
    let sources = read::sources(checkout, &folder.join(format!("{bin}.d")))?;
    let compiled = Compiled { executable: path, messages, map: checkout.root().join(map) };
    Ok(Executable { compiled, sources })
}

/// Empties the folder `target` unless everything in it was made with the inputs that are there
/// now: cargo asks neither for a compiler's libraries nor for what it once unpacked. Holds the folder
/// until the file is closed.
fn clear(checkout: &Checkout, target: &Path) -> Result<fs::File, CompileError> {
    let above = target.parent().unwrap_or(target);
    fs::create_dir_all(above).map_err(step("making", above))?;
    let lock = target.with_extension("lock");
    let held = fs::File::create(&lock).and_then(|file| file.lock().map(|()| file));
    let held = held.map_err(step("locking", &lock))?;

    let inputs = Inputs::found(checkout).map_err(CompileError::Inputs)?;
    let inputs =
        serde_json::to_vec(&inputs).map_err(|source| CompileError::Unwritable { source })?;
    let crates = checkout.root().join("Cargo.lock");
    let crates = fs::read(&crates).map_err(step("reading", &crates))?;
    let stamp = format!("{} {}", sha256(&inputs), sha256(&crates));
    let path = target.join(".inputs");
    if fs::read_to_string(&path).is_ok_and(|found| found == stamp) {
        return Ok(held);
    }
    unless_missing(fs::remove_dir_all(target)).map_err(step("emptying", target))?;
    fs::create_dir_all(target).map_err(step("making", target))?;
    if checkout.sources().is_none() {
        crates::furnish(checkout, &cargo_home(checkout)).map_err(CompileError::Crates)?;
    }
    file::replace(&path, stamp.as_bytes()).map_err(CompileError::File)?;
    Ok(held)
}

/// Where cargo unpacks the crates that were checked.
fn cargo_home(checkout: &Checkout) -> PathBuf {
    checkout.root().join(FOLDER).join("cargo")
}

/// Cargo without the variables that would change what it makes, and with the crates of the
/// archive of all inputs, if that is what the checkout is built from.
fn cargo(checkout: &Checkout) -> Result<Command, CompileError> {
    let mut command = CARGO.command().map_err(CompileError::Tool)?;
    for variable in FOREIGN {
        command.env_remove(variable);
    }
    command.current_dir(checkout.root());
    match checkout.sources() {
        Some(sources) => command.arg("--config").arg(sources.join("cargo/config.toml")),
        None => command.env("CARGO_HOME", cargo_home(checkout)),
    };
    Ok(command)
}

/// Folders of this machine whose files are compiled in, each with its name for everyone: so an
/// executable knows neither where it was built nor which mirror its crates came from.
fn folders(checkout: &Checkout) -> Result<Vec<(PathBuf, &'static str)>, CompileError> {
    let mut folders = Vec::from([(checkout.root().to_owned(), "/tre")]);
    if let Some(sources) = checkout.sources() {
        folders.push((sources.join("crates"), CRATES));
        return Ok(folders);
    }
    let registries = cargo_home(checkout).join("registry/src");
    for registry in fs::read_dir(&registries).map_err(step("listing", &registries))? {
        folders.push((registry.map_err(step("listing", &registries))?.path(), CRATES));
    }
    Ok(folders)
}

/// Static, at a fixed address, without an id that hashes what else the linker saw.
fn rust_flags(checkout: &Checkout, maps: &[(&Path, &str)]) -> String {
    let fixed = ["-Ctarget-feature=+crt-static", "-Crelocation-model=static"];
    let mut flags: Vec<String> = fixed.map(String::from).into();
    flags.push("-Clink-arg=-Wl,--build-id=none".into());
    let system = inputs::system_options(checkout);
    flags.extend(system.iter().map(|option| format!("-Clink-arg={option}")));
    flags.extend(
        maps.iter().map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())),
    );
    // Cargo's own separator, so that paths may have spaces.
    flags.join("\x1f")
}

fn c_flags(checkout: &Checkout, maps: &[(&Path, &str)]) -> String {
    let map = |(from, to): &(&Path, &str)| format!("-ffile-prefix-map={}={to}", from.display());
    let system = inputs::system_options(checkout);
    maps.iter().map(map).chain(system).collect::<Vec<_>>().join(" ")
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

fn step(step: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> CompileError {
    move |source| CompileError::File(FileError::at(step, path)(source))
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
