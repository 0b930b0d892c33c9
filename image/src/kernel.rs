//! The kernel: compiled once per set of inputs, linked anew with each /init.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::checkout::Checkout;
use crate::tool::ToolError;

/// The script that links, in this package.
const LINK: &str = "kernel/link.sh";

/// A compiled kernel in the cache, without an /init.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Kernel(PathBuf);

impl Kernel {
    /// Compiles the kernel, unless the cache has it.
    pub(crate) fn compiled(checkout: &Checkout) -> Result<Self, ToolError> {
        let printed = checkout.run("kernel/build.sh", &[])?;
        Ok(Self(OsStr::from_bytes(printed.trim_ascii_end()).into()))
    }

    /// A kernel that was compiled into `folder`.
    pub(crate) const fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The hash of everything that went into it.
    pub(crate) fn name(&self) -> String {
        self.0.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// The kernel with an empty /init.
    pub(crate) fn file(&self) -> PathBuf {
        self.0.join("out/arch/x86/boot/bzImage")
    }

    /// The script that links.
    pub(crate) fn linker(checkout: &Checkout) -> PathBuf {
        checkout.package(LINK)
    }

    /// Writes the EFI file `output`: the kernel with the executable `init` as its /init.
    pub(crate) fn link(
        &self,
        checkout: &Checkout,
        init: &Path,
        output: &Path,
    ) -> Result<(), ToolError> {
        let arguments = [self.0.as_os_str(), init.as_os_str(), output.as_os_str()];
        checkout.run(LINK, &arguments).map(drop)
    }
}
