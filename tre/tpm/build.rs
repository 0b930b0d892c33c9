//! Makes sure that the static TPM software stack is there, or says in one sentence how to get it.
//!
//! The link lines themselves come from the stack's own pkg-config files, read by the build script
//! of the bindings, which would be content with a system's shared libraries, and which may be the
//! first to stop where there are none.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=PKG_CONFIG_PATH");
    match stack_directory().as_deref().map(missing_archive) {
        None => {
            println!(
                "cargo::error=PKG_CONFIG_PATH is not set: build from inside this workspace, whose \
                 .cargo/config.toml points it at the static TPM software stack"
            );
            ExitCode::FAILURE
        }
        Some(Some(archive)) => {
            println!(
                "cargo::error=the static TPM software stack is missing (no {}): run 'make deps'",
                archive.display()
            );
            ExitCode::FAILURE
        }
        Some(None) => ExitCode::SUCCESS,
    }
}

/// Where the archives lie: beside the pkg-config folder that is searched first.
fn stack_directory() -> Option<PathBuf> {
    let search_path = env::var_os("PKG_CONFIG_PATH")?;
    let first = env::split_paths(&search_path).next()?;
    first.parent().map(Path::to_path_buf)
}

/// The first archive that is needed and not there.
fn missing_archive(directory: &Path) -> Option<PathBuf> {
    let mut archives = vec!["libtss2-esys.a", "libtss2-tctildr.a", "libtss2-tcti-device.a"];
    if env::var_os("CARGO_FEATURE_HOSTED").is_some() {
        archives.push("libtss2-tcti-swtpm.a");
    }
    archives.into_iter().map(|archive| directory.join(archive)).find(|path| !path.is_file())
}
