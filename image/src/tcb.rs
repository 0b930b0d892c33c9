//! The TCB report: everything inside the trust boundary of an image, counted when it is built.
//!
//! The figures come from what the build left behind, not from what was meant to be built: cargo's
//! list of what it linked, the compiler's list of what it read ([`rust`]), the linker's map
//! ([`native`]), the kernel's final configuration and the notes of its build ([`kernel`]), the table
//! that the system call filter is made of ([`calls`]). The same inputs give the same report on every machine, since
//! it is signed and compared byte for byte.

mod calls;
mod compare;
mod comparison;
mod document;
mod kernel;
mod lines;
mod native;
mod rust;
mod text;

use std::fs;
use std::path::{Path, PathBuf};

use measured_boot::manifest::tcb::TcbReport;
use measured_boot::manifest::{Release, Versions};

use crate::checkout::Checkout;
use crate::file::FileError;
use crate::kernel::Kernel;
use crate::release::{self, ReleaseError};
use crate::tool::ToolError;

pub use calls::CallsError;
pub use compare::{CompareError, compare};
pub use document::{DOCUMENT, DocumentError, document};
pub use kernel::KernelError;
pub use native::NativeError;
pub use rust::RustError;
pub use text::NotRust;

/// The script that makes the smallest configuration of a kernel's source.
const SMALLEST: &str = "tcb/tinyconfig.sh";

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TcbError {
    /// Nobody knows which release it is.
    #[error(transparent)]
    Number(ReleaseError),
    /// The Rust cannot be counted.
    #[error(transparent)]
    Rust(RustError),
    /// The C cannot be counted.
    #[error(transparent)]
    Native(NativeError),
    /// The kernel cannot be counted.
    #[error(transparent)]
    Kernel(KernelError),
    /// The table of system calls cannot be read.
    #[error(transparent)]
    Calls(CallsError),
    /// The kernel's smallest configuration cannot be made.
    #[error("TCB report: {0}")]
    Smallest(#[source] ToolError),
    /// A file cannot be read.
    #[error("TCB report: {0}")]
    File(#[source] FileError),
}

/// What the compilation of an executable left behind.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Compiled {
    /// The executable, where cargo put it.
    pub(crate) executable: PathBuf,
    /// What cargo told of it, one message a line.
    pub(crate) messages: Vec<u8>,
    /// The linker's map of it.
    pub(crate) map: PathBuf,
}

/// Which release an image of this executable and this kernel is, with everything in it counted.
/// `versions` are those of everything that went into it.
pub(crate) fn release(
    checkout: &Checkout,
    compiled: &Compiled,
    kernel: &Kernel,
    versions: &Versions,
) -> Result<Release, TcbError> {
    let number = release::number(checkout).map_err(TcbError::Number)?;
    let tcb = report(checkout, compiled, kernel, versions)?;
    Ok(Release { number, tcb })
}

fn report(
    checkout: &Checkout,
    compiled: &Compiled,
    kernel: &Kernel,
    versions: &Versions,
) -> Result<TcbReport, TcbError> {
    let executable = fs::read(&compiled.executable);
    let executable = executable
        .map_err(FileError::at("reading", &compiled.executable))
        .map_err(TcbError::File)?;
    let folder = compiled.executable.parent().unwrap_or(Path::new("."));
    let rust = rust::packages(checkout.root(), &compiled.messages, folder);
    let rust = rust.map_err(TcbError::Rust)?;
    let mut versions = versions.clone();
    let crates = rust.iter().map(|package| (package.name.clone(), package.version.clone()));
    versions.0.extend(crates);
    let lines = lines::CLines::committed();
    let mut native = native::libraries(&read(&compiled.map)?, &executable, &versions, &lines)
        .map_err(TcbError::Native)?;
    let (out, configuration) = (kernel.folder().join("out"), configuration(kernel)?);
    let version = versions.0.get(kernel::PACKAGE).map_or("", String::as_str);
    native.push(kernel::library(&out, &configuration, version).map_err(TcbError::Kernel)?);
    let calls = read(&checkout.root().join(calls::TABLE))?;
    Ok(TcbReport {
        rust,
        native,
        kernel: kernel::options(&configuration, &smallest(checkout, kernel)?),
        system_calls: calls::system_calls(&calls).map_err(TcbError::Calls)?,
        ports: vec![tre_wire::PORT],
    })
}

fn configuration(kernel: &Kernel) -> Result<String, TcbError> {
    read(&kernel.folder().join("out/.config"))
}

/// The smallest configuration of the kernel's source, kept beside the kernel once it was made.
fn smallest(checkout: &Checkout, kernel: &Kernel) -> Result<String, TcbError> {
    let path = kernel.folder().join("tinyconfig");
    if !path.is_file() {
        let arguments = [kernel.folder().as_os_str(), path.as_os_str()];
        checkout.run(SMALLEST, &arguments).map_err(TcbError::Smallest)?;
    }
    read(&path)
}

fn read(path: &Path) -> Result<String, TcbError> {
    fs::read_to_string(path).map_err(FileError::at("reading", path)).map_err(TcbError::File)
}
