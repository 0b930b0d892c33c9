//! What goes into an image besides the checkout: tools by their versions, packages by their
//! versions and by the hash of each of their files that reaches the image.

mod list;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use measured_boot::digest::{HexError, Sha256Digest, sha256};
use measured_boot::manifest::Versions;
use serde::{Deserialize, Serialize};

use crate::checkout::Checkout;
use crate::file::FileError;
use crate::sources::{Archive, SourcesError};
use crate::tool::{Tool, ToolError};

pub(crate) use list::{BUILT_AGAINST, linked_files};
use list::{PACKAGES, Place, TOOL_PACKAGES};

/// Asked for the versions of Debian packages.
const DPKG_QUERY: Tool = Tool { program: "dpkg-query", package: "dpkg" };
/// Asked where the files lie that it links; compiles the kernel and the TPM software stack.
const GCC: Tool = Tool { program: "gcc", package: "build-essential" };
const LD: Tool = Tool { program: "ld", package: "build-essential" };
const RUSTC: Tool = Tool { program: "rustc", package: "a Rust toolchain from rustup" };

/// The TPM software stack's source package, and the file that pins its version and hash.
const TPM_STACK: &str = "tpm2-tss";
const PIN: &str = "tss/pin";

/// Rust's standard library, which the toolchain brings compiled.
const RUST_STD: &str = "rust-std";

/// Everything that an image is made with, the checkout aside.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// Version by program or package, of what makes the image and is not in it.
    pub tools: Versions,
    /// What is in it, by package.
    pub packages: BTreeMap<String, Package>,
}

/// A package with files that reach the image.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Its version.
    pub version: String,
    /// SHA-256 by file name.
    pub files: BTreeMap<String, Sha256Digest>,
}

/// Why the inputs are not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputsError {
    /// A program is missing or failed.
    #[error("inputs: {0}")]
    Tool(#[source] ToolError),
    /// A file that reaches the image, or the pin of a source, cannot be read.
    #[error("inputs: {package}: {source}: run 'make deps'")]
    File {
        /// The package it belongs to.
        package: &'static str,
        /// What went wrong with it.
        #[source]
        source: FileError,
    },
    /// The pin of a source does not name a hash.
    #[error("inputs: {}: {source}", path.display())]
    Pin {
        /// The file.
        path: PathBuf,
        /// What is wrong with the hash.
        #[source]
        source: HexError,
    },
    /// Rust's standard library cannot be read.
    #[error("inputs: {RUST_STD}: {0}: install the Rust toolchain anew")]
    RustStd(#[source] FileError),
    /// The archive of all inputs is damaged.
    #[error(transparent)]
    Sources(SourcesError),
}

impl Inputs {
    /// What is installed here, or lies in the archive that the checkout is built from.
    ///
    /// # Errors
    ///
    /// [`InputsError`].
    pub fn found(checkout: &Checkout) -> Result<Self, InputsError> {
        let installed = installed()?;
        let mut tools = BTreeMap::new();
        for (name, tool, argument) in
            [("gcc", GCC, "--version"), ("ld", LD, "--version"), ("rustc", RUSTC, "-vV")]
        {
            tools.insert(name.into(), said(checkout, tool, argument)?);
        }
        let versioned = TOOL_PACKAGES.iter().filter_map(|name| installed.get_key_value(*name));
        tools.extend(versioned.map(|(name, version)| (name.clone(), version.clone())));

        let versions = match checkout.sources() {
            None => installed,
            Some(folder) => Archive::open(folder).map_err(InputsError::Sources)?.packages.0,
        };
        let mut packages = BTreeMap::new();
        for package in PACKAGES {
            // Whose files are there without the package was not put there by Debian.
            let version = versions.get(package.name).cloned();
            let version = version.unwrap_or_else(|| "no Debian package".into());
            let files = files(checkout, package)?;
            packages.insert(package.name.into(), Package { version, files });
        }
        packages.insert(TPM_STACK.into(), pinned(checkout)?);
        packages.insert(RUST_STD.into(), rust_std(checkout)?);
        Ok(Self { tools: Versions(tools), packages })
    }

    /// Versions and hashes as a manifest lists them: packages, then their files by name.
    #[must_use]
    pub fn package_versions(&self) -> Versions {
        let version =
            |(name, package): (&String, &Package)| (name.clone(), package.version.clone());
        let files = self.packages.values().flat_map(|package| &package.files);
        let hash =
            |(name, hash): (&String, &Sha256Digest)| (name.clone(), format!("sha256:{hash}"));
        Versions(self.packages.iter().map(version).chain(files.map(hash)).collect())
    }
}

/// Version by name of every Debian package that is installed for this processor.
pub(crate) fn installed() -> Result<BTreeMap<String, String>, InputsError> {
    let mut command = DPKG_QUERY.command().map_err(InputsError::Tool)?;
    let format = "${db:Status-Status} ${Architecture} ${Package} ${Version}\n";
    command.args(["--show", "--showformat", format]);
    let listed = DPKG_QUERY.run(&mut command).map_err(InputsError::Tool)?;
    let listed = String::from_utf8_lossy(&listed);
    let package = |line: &str| match *line.split(' ').collect::<Vec<_>>() {
        ["installed", "amd64" | "all", name, version] => Some((name.into(), version.into())),
        _ => None,
    };
    Ok(listed.lines().filter_map(package).collect())
}

/// What a program says of itself, in one line.
fn said(checkout: &Checkout, tool: Tool, argument: &str) -> Result<String, InputsError> {
    let mut command = tool.command().map_err(InputsError::Tool)?;
    command.arg(argument).current_dir(checkout.root()).env("LC_ALL", "C");
    let said = tool.run(&mut command).map_err(InputsError::Tool)?;
    let said = String::from_utf8_lossy(&said);
    if tool != RUSTC {
        return Ok(said.lines().next().unwrap_or_default().into());
    }
    let facts = ["release: ", "commit-hash: ", "host: ", "LLVM version: "];
    let fact = |name| said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("unknown");
    let [release, commit, host, llvm] = facts.map(fact);
    Ok(format!("{release} commit {commit} host {host} LLVM {llvm}"))
}

/// The files of a package that reach the image, each with its hash.
fn files(
    checkout: &Checkout,
    package: list::Contents,
) -> Result<BTreeMap<String, Sha256Digest>, InputsError> {
    let mut files = BTreeMap::new();
    for name in package.files {
        let path = match package.place {
            Place::Folder(folder) => checkout.debian(&format!("{folder}/{name}")),
            Place::Compiler => linked_file(checkout, name)?,
        };
        let bytes = fs::read(&path).map_err(FileError::at("reading", &path));
        let bytes = bytes.map_err(|source| InputsError::File { package: package.name, source })?;
        files.insert((*name).into(), sha256(&bytes));
    }
    Ok(files)
}

/// Where the compiler finds a file that it links.
fn linked_file(checkout: &Checkout, name: &str) -> Result<PathBuf, InputsError> {
    let mut command = GCC.command().map_err(InputsError::Tool)?;
    command.args(system_options(checkout)).arg(format!("-print-file-name={name}"));
    let printed = GCC.run(&mut command).map_err(InputsError::Tool)?;
    Ok(String::from_utf8_lossy(&printed).trim_end().into())
}

/// Options with which the compiler takes headers and archives from the archive of all inputs, and
/// from there alone; none if there is no such archive.
pub(crate) fn system_options(checkout: &Checkout) -> Vec<String> {
    if checkout.sources().is_none() {
        return Vec::new();
    }
    let path = |path| checkout.debian(path).display().to_string();
    let mut options = Vec::from([format!("--sysroot={}", path(""))]);
    // Its own folders would otherwise come first.
    options.extend(list::LINKED_FOLDERS.map(|folder| format!("-B{}", path(folder))));
    options
}

/// Version and hash of the TPM software stack's source.
fn pinned(checkout: &Checkout) -> Result<Package, InputsError> {
    let path = checkout.package(PIN);
    let pin = fs::read_to_string(&path).map_err(FileError::at("reading", &path));
    let pin = pin.map_err(|source| InputsError::File { package: TPM_STACK, source })?;
    let value = |name| pin.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    let hash = value("sha256=").parse().map_err(|source| InputsError::Pin { path, source })?;
    let version = value("version=").to_owned();
    let file = tarball_name(&version);
    Ok(Package { version, files: BTreeMap::from([(file, hash)]) })
}

/// Version and hashes of the standard library that every Rust program is linked with.
fn rust_std(checkout: &Checkout) -> Result<Package, InputsError> {
    let mut command = RUSTC.command().map_err(InputsError::Tool)?;
    command.args(["--print", "target-libdir"]).current_dir(checkout.root());
    let printed = RUSTC.run(&mut command).map_err(InputsError::Tool)?;
    let folder = PathBuf::from(String::from_utf8_lossy(&printed).trim_end());
    let mut files = BTreeMap::new();
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| InputsError::RustStd(FileError::at("reading", &path)(source))
    };
    for entry in fs::read_dir(&folder).map_err(failed(&folder))? {
        let path = entry.map_err(failed(&folder))?.path();
        if path.extension().is_some_and(|extension| extension == "rlib") {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            files.insert(name.into_owned(), sha256(&fs::read(&path).map_err(failed(&path))?));
        }
    }
    Ok(Package { version: said(checkout, RUSTC, "-vV")?, files })
}

fn tarball_name(version: &str) -> String {
    format!("{TPM_STACK}-{version}.tar.gz")
}

/// The TPM software stack's source: its name in an archive of all inputs, and where the build
/// keeps it.
pub(crate) fn tpm_stack(
    checkout: &Checkout,
    cache: &Path,
) -> Result<(String, PathBuf), InputsError> {
    let package = pinned(checkout)?;
    let name = tarball_name(&package.version);
    let hash = package.files.get(&name).map(Sha256Digest::to_string).unwrap_or_default();
    Ok((name, cache.join(format!("sources/{TPM_STACK}-{hash}.tar.gz"))))
}

#[cfg(test)]
mod tests;
