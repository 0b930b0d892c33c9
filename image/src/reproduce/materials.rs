//! What a build is made from, brought to where it happens.

use std::fs;
use std::path::PathBuf;

use super::surroundings::{Surroundings, copy};
use super::{ReproduceError, step};
use crate::checkout::{Checkout, cache, cargo_home};
use crate::crates::SHARED;
use crate::inputs;
use crate::project;
use crate::sources;
use crate::tool::Tool;

const CARGO: Tool = Tool { program: "cargo", package: "a Rust toolchain from rustup" };
const TAR: Tool = Tool { program: "tar", package: "tar" };

/// Makes sure that every source is on this machine: the builds have no network.
pub(super) fn fetch(checkout: &Checkout) -> Result<(), ReproduceError> {
    let arguments = [std::ffi::OsStr::new("fetch")];
    checkout.run("tss/build.sh", &arguments).map_err(ReproduceError::Tool)?;
    let mut command = CARGO.command().map_err(ReproduceError::Tool)?;
    command.current_dir(checkout.root()).args(["fetch", "--quiet", "--locked"]);
    CARGO.run_aloud(&mut command).map(drop).map_err(ReproduceError::Tool)
}

/// Copies the checkout to `place`, and everything fetched that it is built from. Returns where the
/// checkout is.
pub(super) fn copied(checkout: &Checkout, place: &Surroundings) -> Result<PathBuf, ReproduceError> {
    let root = place.folder().join("checkout");
    for file in project::files(checkout).map_err(ReproduceError::Project)? {
        copy(&checkout.root().join(&file), &root.join(&file))?;
    }
    let home = cargo_home();
    for part in SHARED {
        if home.join(part).exists() {
            copy(&home.join(part), &place.cargo_home().join(part))?;
        }
    }
    let kept = cache();
    let (_, tarball) = inputs::tpm_stack(checkout, &kept).map_err(ReproduceError::Inputs)?;
    let name = tarball.strip_prefix(&kept).unwrap_or(&tarball);
    copy(&tarball, &place.cache().join(name))?;
    Ok(root)
}

/// Unpacks the archive of all inputs at `place`, to build from it alone. Returns where the
/// checkout is.
pub(super) fn archived(
    checkout: &Checkout,
    place: &mut Surroundings,
) -> Result<PathBuf, ReproduceError> {
    let archive = place.folder().join("sources.tar");
    sources::make(checkout, &archive).map_err(ReproduceError::Sources)?;
    let mut command = TAR.command().map_err(ReproduceError::Tool)?;
    command.arg("--extract").arg("--file").arg(&archive);
    TAR.run(command.arg("--directory").arg(place.folder())).map_err(ReproduceError::Tool)?;
    fs::remove_file(&archive).map_err(step("removing", &archive))?;
    Ok(place.build_from_archive())
}
