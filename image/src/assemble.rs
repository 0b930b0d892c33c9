//! Builds an image: executable, kernel, boot disk, reference manifest.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use measured_boot::digest::{Sha256Digest, sha256};
use measured_boot::manifest::{PlatformDefinition, Purpose, ReferenceManifest};

use crate::checkout::Checkout;
use crate::compile::{self, CompileError};
use crate::fat::{self, FatError};
use crate::file::{self, FileError};
use crate::inputs::{Inputs, InputsError, Unlocked};
use crate::kernel::Kernel;
use crate::machine::Hardware;
use crate::platform::{self, PlatformError};
use crate::record::{self, RecordError};
use crate::reference::{self, BOOT_DISK, ReferenceError};
use crate::tool::ToolError;

/// What an image is built from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BuildConfig {
    /// The folder for the image's files, made if it is not there.
    pub out: PathBuf,
    /// A ready executable instead of the checkout's `tred`: an image that is not the reference.
    pub tred: Option<PathBuf>,
    /// The machine for which PCR 0 and 1 are expected.
    pub hardware: Hardware,
    /// What the manifest may be believed for.
    pub purpose: Purpose,
}

/// An image, and what is known of it.
#[derive(Clone, Debug)]
pub struct Image {
    /// The EFI file, `tre.efi`.
    pub efi: PathBuf,
    /// The boot disk, `tre.img`, with the EFI file in it.
    pub disk: PathBuf,
    /// The executable in the EFI file, `tred`.
    pub tred: PathBuf,
    /// The reference manifest's file, `manifest.json`.
    pub manifest: PathBuf,
    /// What stands in it.
    pub reference: ReferenceManifest,
    /// Inputs that are not those of the lock file.
    pub unlocked: Vec<Unlocked>,
    /// Where the platform's definition was kept, if it had to be recorded first.
    pub recorded: Option<PathBuf>,
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// `tred` does not compile.
    #[error(transparent)]
    Compile(CompileError),
    /// The kernel does not build.
    #[error("kernel: {0}")]
    Kernel(#[source] ToolError),
    /// The boot disk cannot be made.
    #[error(transparent)]
    BootDisk(FatError),
    /// The platform's definition cannot be read or kept.
    #[error(transparent)]
    Platform(PlatformError),
    /// The platform has no definition, and none could be recorded.
    #[error(transparent)]
    Record(RecordError),
    /// The versions of the inputs are not known.
    #[error(transparent)]
    Inputs(InputsError),
    /// There are no reference values for what was built.
    #[error(transparent)]
    Reference(ReferenceError),
    /// The manifest cannot be written as JSON.
    #[error("manifest cannot be written as JSON: {source}")]
    Unwritable {
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A file cannot be read or written.
    #[error("image: {0}")]
    File(#[source] FileError),
}

/// Builds an image. What has not changed since the last build into the same folder is kept.
///
/// # Errors
///
/// [`BuildError`].
pub fn build(checkout: &Checkout, config: &BuildConfig) -> Result<Image, BuildError> {
    let tred = match &config.tred {
        Some(ready) => ready.clone(),
        None => compile::executable(checkout, "tred", "tred").map_err(BuildError::Compile)?,
    };
    let kernel = Kernel::compiled(checkout).map_err(BuildError::Kernel)?;
    let (platform, recorded) = definition(checkout, config.hardware)?;
    let inputs = Inputs::installed(checkout).map_err(BuildError::Inputs)?;
    let unlocked = inputs.unlocked(checkout).map_err(BuildError::Inputs)?;

    let out = &config.out;
    fs::create_dir_all(out).map_err(step("making", out))?;
    let lock = out.join(".lock");
    let _lock = fs::File::create(&lock)
        .and_then(|file| file.lock().map(|()| file))
        .map_err(step("locking", &lock))?;
    let (efi, disk) = (out.join("tre.efi"), out.join(BOOT_DISK));
    let executable = fs::read(&tred).map_err(step("reading", &tred))?;
    link(checkout, &kernel, &tred, sha256(&executable), &efi)?;
    fat::write(&efi, &disk).map_err(BuildError::BootDisk)?;

    let efi_bytes = fs::read(&efi).map_err(step("reading", &efi))?;
    let disk_bytes = fs::read(&disk).map_err(step("reading", &disk))?;
    // An executable from elsewhere is no product of the inputs.
    let locked = unlocked.is_empty() && config.tred.is_none();
    let purpose = config.purpose;
    let reference = reference::manifest(&efi_bytes, &disk_bytes, platform, inputs, locked, purpose)
        .map_err(BuildError::Reference)?;
    let text = serde_json::to_string_pretty(&reference)
        .map_err(|source| BuildError::Unwritable { source })?;
    let (copy, manifest) = (out.join("tred"), out.join("manifest.json"));
    file::replace(&copy, &executable).map_err(BuildError::File)?;
    file::replace(&manifest, format!("{text}\n").as_bytes()).map_err(BuildError::File)?;
    Ok(Image { efi, disk, tred: copy, manifest, reference, unlocked, recorded })
}

/// The definition of the platform, recorded first if there is none; then also where it was kept.
fn definition(
    checkout: &Checkout,
    hardware: Hardware,
) -> Result<(PlatformDefinition, Option<PathBuf>), BuildError> {
    let platform = platform::identify(&hardware).map_err(BuildError::Platform)?;
    if let Some(found) = platform::find(checkout, &platform).map_err(BuildError::Platform)? {
        return Ok((found, None));
    }
    let recorded = record::record(checkout, hardware).map_err(BuildError::Record)?;
    let kept = platform::keep(&recorded).map_err(BuildError::Platform)?;
    Ok((recorded, Some(kept)))
}

/// Makes `efi` from kernel and `tred`, unless it is just that already: a stamp beside it names
/// the inputs and the result.
fn link(
    checkout: &Checkout,
    kernel: &Kernel,
    tred: &Path,
    hash: Sha256Digest,
    efi: &Path,
) -> Result<(), BuildError> {
    let path = efi.with_file_name(".tre.efi.inputs");
    let script = Kernel::linker(checkout);
    let script = sha256(&fs::read(&script).map_err(step("reading", &script))?);
    let stamp =
        |made: &[u8]| format!("{} {script} {hash} {}", kernel.key().display(), sha256(made));
    if let (Ok(made), Ok(found)) = (fs::read(efi), fs::read_to_string(&path))
        && found == stamp(&made)
    {
        return Ok(());
    }
    file::unless_missing(fs::remove_file(&path)).map_err(step("removing", &path))?;
    let folder = efi.parent().unwrap_or(Path::new("."));
    let new = tempfile::NamedTempFile::new_in(folder).map_err(step("making", efi))?;
    kernel.link(checkout, tred, new.path()).map_err(BuildError::Kernel)?;
    let made = fs::read(new.path()).map_err(step("reading", new.path()))?;
    file::keep(new, efi).map_err(BuildError::File)?;
    file::replace(&path, stamp(&made).as_bytes()).map_err(BuildError::File)
}

fn step(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BuildError {
    move |source| BuildError::File(FileError::at(step, path)(source))
}
