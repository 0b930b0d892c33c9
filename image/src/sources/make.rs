//! Makes the archive of all inputs: the same inputs give the same bytes.

use std::fs;
use std::path::{Path, PathBuf};

use measured_boot::digest::Sha256Digest;
use measured_boot::manifest::Versions;

use super::{Archive, SourcesError, hash_of, step};
use crate::checkout::{self, Checkout};
use crate::crates;
use crate::inputs::{self, BUILT_AGAINST, InputsError};
use crate::project::{self, ProjectError};
use crate::tool::Tool;

const CARGO: Tool = Tool { program: "cargo", package: "a Rust toolchain from rustup" };
const DPKG_QUERY: Tool = Tool { program: "dpkg-query", package: "dpkg" };
const TAR: Tool = Tool { program: "tar", package: "tar" };

/// The folder of the checkout's own files.
pub(crate) const PROJECT: &str = "project";

/// What the archive unpacks to.
pub(crate) const FOLDER: &str = "sources";

/// Packages of which single files are taken, as they lie.
const SINGLE_FILES: [&str; 2] = ["linux-source-6.12", "ovmf"];

/// Of a package, what a compiler or an emulator reads, and whose work it is.
const READ: [&str; 6] =
    ["/usr/include/", "/usr/lib/", "/lib/", "/lib64/", "/usr/share/OVMF/", "/usr/src/"];
const LICENCE: &str = "/copyright";

/// Makes cargo take every crate from the archive, and nothing from the network. Paths are seen
/// from the folder above this file's.
const CARGO_CONFIG: &str = "\
[source.crates-io]
replace-with = \"archive\"

[source.archive]
directory = \"crates\"

[net]
offline = true
";

/// Options of tar that keep out whatever differs between two machines.
const REPRODUCIBLE: [&str; 7] = [
    "--create",
    "--format=gnu",
    "--sort=name",
    "--mtime=@0",
    "--owner=0",
    "--group=0",
    "--mode=a+rX,u+w,go-w",
];

/// An archive that was made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SourcesMade {
    /// Number of files in it.
    pub files: usize,
    /// Its SHA-256.
    pub sha256: Sha256Digest,
}

/// Writes every input of the image to the archive `out`.
///
/// # Errors
///
/// [`SourcesError`].
pub fn make(checkout: &Checkout, out: &Path) -> Result<SourcesMade, SourcesError> {
    if let Some(folder) = checkout.sources() {
        return Err(SourcesError::Already { folder: folder.into() });
    }
    let parent = out.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(step("making", parent))?;
    let scratch = tempfile::tempdir_in(parent).map_err(step("making a folder in", parent))?;
    let folder = scratch.path().join(FOLDER);
    let versions = debian(checkout, &folder)?;
    stack(checkout, &folder)?;
    crates(checkout, &folder)?;
    for file in project::files(checkout).map_err(broken)? {
        copy(&checkout.root().join(&file), &folder.join(PROJECT).join(&file))?;
    }
    let archive = Archive::close(&folder, versions)?;
    pack(&folder, out)?;
    Ok(SourcesMade { files: archive.files.len(), sha256: hash_of(out)? })
}

/// Copies what belongs to Debian packages to `folder/debian`; returns their versions.
fn debian(checkout: &Checkout, folder: &Path) -> Result<Versions, SourcesError> {
    let installed = inputs::installed().map_err(unknown)?;
    let mut versions = Versions::default();
    for package in BUILT_AGAINST.into_iter().chain(SINGLE_FILES) {
        let Some(version) = installed.get(package) else {
            return Err(SourcesError::Package { package });
        };
        versions.0.insert(package.into(), version.clone());
        let mut command = DPKG_QUERY.command().map_err(SourcesError::Tool)?;
        let listed = DPKG_QUERY.run(command.args(["--listfiles", package]));
        let listed = listed.map_err(SourcesError::Tool)?;
        for path in String::from_utf8_lossy(&listed).lines() {
            let wanted =
                READ.iter().any(|place| path.starts_with(place)) || path.ends_with(LICENCE);
            // A link is archived as the file it leads to, if that is there at all.
            if wanted && Path::new(path).is_file() {
                let place = folder.join("debian").join(path.trim_start_matches('/'));
                copy(&checkout.debian(path), &place)?;
            }
        }
    }
    Ok(versions)
}

/// Copies the TPM software stack's source, fetched first if need be.
fn stack(checkout: &Checkout, folder: &Path) -> Result<(), SourcesError> {
    let (name, kept) = inputs::tpm_stack(checkout, &checkout::cache()).map_err(unknown)?;
    let fetch = [std::ffi::OsStr::new("fetch")];
    checkout.run("tss/build.sh", &fetch).map_err(SourcesError::Tool)?;
    copy(&kept, &folder.join(name))
}

/// Copies every crate that `Cargo.lock` names, and that it is it.
fn crates(checkout: &Checkout, folder: &Path) -> Result<(), SourcesError> {
    let home = tempfile::tempdir().map_err(step("making a folder in", &std::env::temp_dir()))?;
    let home = home.path().join("cargo");
    crates::furnish(checkout, &home).map_err(SourcesError::Crates)?;
    let config = folder.join("cargo/config.toml");
    write(&config, CARGO_CONFIG.as_bytes())?;
    let mut command = CARGO.command().map_err(SourcesError::Tool)?;
    command.current_dir(checkout.root()).env("CARGO_HOME", &home);
    command.args(["vendor", "--locked", "--versioned-dirs", "--quiet"]);
    CARGO.run_aloud(command.arg(folder.join("crates"))).map_err(SourcesError::Tool)?;
    Ok(())
}

/// Packs `folder` into `out`.
fn pack(folder: &Path, out: &Path) -> Result<(), SourcesError> {
    let above = folder.parent().unwrap_or(Path::new("."));
    let name = folder.file_name().unwrap_or_default();
    let new = above.join("sources.tar");
    let mut command = TAR.command().map_err(SourcesError::Tool)?;
    command.env("LC_ALL", "C").args(REPRODUCIBLE).arg("--numeric-owner");
    command.arg("--file").arg(&new).arg("--directory").arg(above).arg(name);
    TAR.run(&mut command).map_err(SourcesError::Tool)?;
    fs::rename(&new, out).map_err(step("replacing", out))
}

fn copy(from: &Path, to: &Path) -> Result<(), SourcesError> {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder).map_err(step("making", folder))?;
    fs::copy(from, to).map(drop).map_err(step("copying", from))
}

fn write(path: &PathBuf, bytes: &[u8]) -> Result<(), SourcesError> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(step("making", folder))?;
    fs::write(path, bytes).map_err(step("writing", path))
}

fn unknown(error: InputsError) -> SourcesError {
    SourcesError::Inputs(Box::new(error))
}

fn broken(error: ProjectError) -> SourcesError {
    SourcesError::Project(error)
}

#[cfg(test)]
mod tests {
    use core::time::Duration;
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::SystemTime;

    use super::*;

    /// A folder of files made in the given order, dated and protected as given, packed.
    fn packed(order: &[&str], seconds: u64, mode: u32) -> Vec<u8> {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let folder = scratch.path().join(FOLDER);
        for name in order {
            let path = folder.join(name);
            write(&path, name.as_bytes()).expect("writes");
            let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
            let file = fs::File::options().write(true).open(&path).expect("opens");
            file.set_modified(time.expect("in range")).expect("dates");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("protects");
        }
        let out = scratch.path().join("out.tar");
        pack(&folder, &out).expect("packs");
        fs::read(out).expect("reads")
    }

    #[test]
    fn an_archive_knows_neither_time_nor_order_nor_rights() {
        let one = packed(&["b/two", "a/one", "c"], 1_000_000_000, 0o644);
        let other = packed(&["c", "a/one", "b/two"], 1_700_000_000, 0o600);
        assert!(one == other, "two archives of the same files differ");
        let changed = packed(&["c", "a/one", "b/twO"], 1_000_000_000, 0o644);
        assert!(one != changed, "another file made the same archive");
    }

    #[test]
    fn an_archive_is_not_made_from_an_archive() {
        let scratch = tempfile::tempdir().expect("temporary folder");
        let checkout = Checkout::own().with_sources(scratch.path());
        let error = make(&checkout, &scratch.path().join("out.tar")).expect_err("refused");
        assert!(matches!(error, SourcesError::Already { .. }), "{error}");
    }
}
