//! What goes into an image besides the checkout: compilers, packages, with their versions.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use measured_boot::manifest::Versions;
use serde::{Deserialize, Serialize};

use crate::checkout::Checkout;
use crate::file::FileError;
use crate::tool::{Tool, ToolError};

/// Asked for the versions of Debian packages.
const DPKG_QUERY: Tool = Tool { program: "dpkg-query", package: "dpkg" };

/// Programs whose output is in the image; each says its version itself, in its first line.
const TOOLS: [Tool; 4] = [
    Tool { program: "gcc", package: "build-essential" },
    Tool { program: "ld", package: "build-essential" },
    Tool { program: "rustc", package: "a Rust toolchain from rustup" },
    Tool { program: "zstd", package: "zstd" },
];

/// Debian packages that are tools, and such whose content is in the image.
const TOOL_PACKAGES: [&str; 2] = ["dosfstools", "mtools"];
const PACKAGES: [&str; 3] = ["libc6-dev", "libmbedtls-dev", "linux-source-6.12"];

/// The file with the versions that the committed reference values were made with.
const LOCK: &str = "inputs.lock";

/// Versions of everything that an image is made with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// Version by program.
    pub tools: Versions,
    /// Version by package.
    pub packages: Versions,
}

/// An input that is not the one of the lock file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unlocked {
    /// The program or package.
    pub name: String,
    /// The version in the lock file.
    pub expected: String,
    /// The version here.
    pub found: String,
}

/// Why the versions are not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputsError {
    /// A program is missing or failed.
    #[error("versions: {0}")]
    Tool(#[source] ToolError),
    /// The lock file, or the pin of a source, cannot be read.
    #[error("versions: {0}")]
    File(#[source] FileError),
    /// The lock file is none.
    #[error("{} is no list of versions: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

impl Inputs {
    /// What is installed here.
    ///
    /// # Errors
    ///
    /// [`InputsError`].
    pub fn installed(checkout: &Checkout) -> Result<Self, InputsError> {
        let mut tools = BTreeMap::new();
        for tool in TOOLS {
            let mut command = tool.command().map_err(InputsError::Tool)?;
            command.arg("--version").current_dir(checkout.root());
            let said = tool.run(&mut command).map_err(InputsError::Tool)?;
            let said = String::from_utf8_lossy(&said);
            tools.insert(tool.program.into(), said.lines().next().unwrap_or_default().into());
        }
        for package in TOOL_PACKAGES {
            tools.insert(package.into(), package_version(package)?);
        }
        let mut packages = BTreeMap::new();
        for package in PACKAGES {
            packages.insert(package.into(), package_version(package)?);
        }
        packages.insert("tpm2-tss".into(), pinned_version(checkout)?);
        Ok(Self { tools: Versions(tools), packages: Versions(packages) })
    }

    /// Each input that is not as the lock file has it.
    ///
    /// # Errors
    ///
    /// [`InputsError`] for a lock file that cannot be read.
    pub fn unlocked(&self, checkout: &Checkout) -> Result<Vec<Unlocked>, InputsError> {
        let path = checkout.package(LOCK);
        let step = FileError::at("reading", &path);
        let bytes = fs::read(&path).map_err(step).map_err(InputsError::File)?;
        let lock: Self =
            serde_json::from_slice(&bytes).map_err(|source| InputsError::Json { path, source })?;
        Ok(lock.differences(self))
    }

    fn differences(&self, found: &Self) -> Vec<Unlocked> {
        let all = |inputs: &Self| -> BTreeMap<String, String> {
            inputs.tools.0.clone().into_iter().chain(inputs.packages.0.clone()).collect()
        };
        let (expected, found) = (all(self), all(found));
        let missing = || "nothing".to_owned();
        expected
            .keys()
            .chain(found.keys().filter(|name| !expected.contains_key(*name)))
            .filter(|name| expected.get(*name) != found.get(*name))
            .map(|name| Unlocked {
                name: name.clone(),
                expected: expected.get(name).cloned().unwrap_or_else(missing),
                found: found.get(name).cloned().unwrap_or_else(missing),
            })
            .collect()
    }
}

fn package_version(package: &str) -> Result<String, InputsError> {
    let mut command = DPKG_QUERY.command().map_err(InputsError::Tool)?;
    command.args(["--show", "--showformat", "${Version}", package]);
    let version = DPKG_QUERY.run(&mut command).map_err(InputsError::Tool)?;
    Ok(String::from_utf8_lossy(&version).into_owned())
}

/// Version and hash of the TPM software stack's source.
fn pinned_version(checkout: &Checkout) -> Result<String, InputsError> {
    let path = checkout.package("tss/pin");
    let step = FileError::at("reading", &path);
    let pin = fs::read_to_string(&path).map_err(step).map_err(InputsError::File)?;
    let value = |name| pin.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    Ok(format!("{} sha256:{}", value("version="), value("sha256=")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(gcc: &str, kernel: &str) -> Inputs {
        let versions =
            |name: &str, version: &str| Versions(BTreeMap::from([(name.into(), version.into())]));
        Inputs { tools: versions("gcc", gcc), packages: versions("linux-source-6.12", kernel) }
    }

    #[test]
    fn a_changed_input_is_named_with_both_versions() {
        let unlocked = inputs("12", "6.12.1").differences(&inputs("12", "6.12.2"));
        let expected = Unlocked {
            name: "linux-source-6.12".into(),
            expected: "6.12.1".into(),
            found: "6.12.2".into(),
        };
        assert_eq!(unlocked, [expected]);
        assert_eq!(inputs("12", "6.12.1").differences(&inputs("12", "6.12.1")), []);
    }

    #[test]
    fn the_pin_gives_version_and_hash() {
        let version = pinned_version(&Checkout::own()).expect("reads");
        assert!(version.starts_with("4.1.3 sha256:"), "{version}");
        assert_eq!(version.len(), "4.1.3 sha256:".len() + 64);
    }
}
