//! Builds an image: executable, kernel, boot disk, reference manifest.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use measured_boot::digest::{Sha256Digest, sha256};
use measured_boot::manifest::{PlatformDefinition, Purpose, ReferenceManifest};

use crate::checkout::Checkout;
use crate::compile::{self, CompileError};
use crate::fat::{self, FatError};
use crate::file::{self, FileError};
use crate::inputs::{Inputs, InputsError};
use crate::kernel::Kernel;
use crate::lock::{Lock, LockError, LockMode, Moved, NotCommitted, Outcome};
use crate::machine::Hardware;
use crate::platform::{self, PlatformError};
use crate::project::{self, ProjectError};
use crate::proof;
use crate::record::{self, RecordError};
use crate::reference::{self, BOOT_DISK, ManifestFileError, ReferenceError};
use crate::tcb::{self, Compiled, TcbError};
use crate::tool::ToolError;

/// The reference manifest's file.
pub(crate) const MANIFEST: &str = "manifest.json";
/// The EFI file.
const EFI: &str = "tre.efi";
/// The executable in it.
const TRED: &str = "tred";

/// The files of an image, in its folder.
pub const PRODUCTS: [&str; 4] = [MANIFEST, EFI, BOOT_DISK, TRED];

/// The compiled kernel without an /init: a product that stays in the cache.
const KERNEL: &str = "kernel";

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
    /// What happens when inputs are not those of the lock file.
    pub lock: LockMode,
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
    /// The build beside the lock file, unless that is to be written anew.
    pub outcome: Option<Outcome>,
    /// What a lock file written now would say.
    pub lock: Lock,
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
    /// The inputs are not known.
    #[error(transparent)]
    Inputs(InputsError),
    /// The project's own files are not known.
    #[error(transparent)]
    Project(ProjectError),
    /// What is in the image cannot be counted.
    #[error(transparent)]
    Tcb(TcbError),
    /// The lock file cannot be used, or forbids the build.
    #[error(transparent)]
    Lock(LockError),
    /// The image is not the committed one, and has no reason not to be.
    #[error(transparent)]
    NotCommitted(NotCommitted),
    /// There are no reference values for what was built.
    #[error(transparent)]
    Reference(ReferenceError),
    /// The manifest cannot be written as JSON.
    #[error(transparent)]
    Unwritable(ManifestFileError),
    /// A file cannot be read or written.
    #[error("image: {0}")]
    File(#[source] FileError),
}

/// Builds an image. What has not changed since the last build into the same folder is kept.
///
/// # Errors
///
/// [`BuildError`]. With [`BuildError::NotCommitted`] the image is there, to be examined.
pub fn build(checkout: &Checkout, config: &BuildConfig) -> Result<Image, BuildError> {
    let inputs = Inputs::found(checkout).map_err(BuildError::Inputs)?;
    let committed = Committed::read(checkout, config.lock, &inputs).map_err(BuildError::Lock)?;
    let Executable { path: tred, compiled, project } = executable(checkout, config)?;
    let kernel = Kernel::compiled(checkout).map_err(BuildError::Kernel)?;
    let release = compiled
        .map(|compiled| tcb::release(checkout, &compiled, &kernel, &inputs.package_versions()))
        .transpose()
        .map_err(BuildError::Tcb)?;
    let (platform, recorded) = definition(checkout, config.hardware)?;

    let out = &config.out;
    fs::create_dir_all(out).map_err(step("making", out))?;
    let lock = out.join(".lock");
    let _lock = fs::File::create(&lock)
        .and_then(|file| file.lock().map(|()| file))
        .map_err(step("locking", &lock))?;
    let (efi, disk) = (out.join(EFI), out.join(BOOT_DISK));
    let executable = fs::read(&tred).map_err(step("reading", &tred))?;
    link(checkout, &kernel, &tred, sha256(&executable), &efi)?;
    fat::write(&efi, &disk).map_err(BuildError::BootDisk)?;

    let read = |path: &Path| fs::read(path).map_err(step("reading", path));
    let (efi_bytes, disk_bytes, kernel_bytes) = (read(&efi)?, read(&disk)?, read(&kernel.file())?);
    let mut made = Lock {
        tools: inputs.tools.clone(),
        packages: inputs.packages.clone(),
        project,
        kernel_built_twice: proof::of(checkout, &kernel.name()).map_err(BuildError::File)?,
        products: hashes([
            (KERNEL, &kernel_bytes),
            (TRED, &executable),
            (EFI, &efi_bytes),
            (BOOT_DISK, &disk_bytes),
        ]),
        pcrs: BTreeMap::new(),
    };
    // An executable from elsewhere is no product of the inputs.
    let locked = config.tred.is_none() && committed.is_none_or_same(&made);
    let purpose = config.purpose;
    let reference =
        reference::manifest(&efi_bytes, &disk_bytes, platform, inputs, locked, purpose, release)
            .map_err(BuildError::Reference)?;
    let text = reference::text(&reference).map_err(BuildError::Unwritable)?;
    // The committed manifest is the one for real boxes on the usual machine.
    if purpose == Purpose::Production && config.hardware == Hardware::USUAL {
        made.products.extend(hashes([(MANIFEST, text.as_bytes())]));
        made.pcrs = Outcome::pcrs(&reference.pcrs);
    }
    let (copy, manifest) = (out.join(TRED), out.join(MANIFEST));
    file::replace(&copy, &executable).map_err(BuildError::File)?;
    file::replace(&manifest, text.as_bytes()).map_err(BuildError::File)?;
    let outcome = committed.judge(config, &made).map_err(BuildError::NotCommitted)?;
    Ok(Image { efi, disk, tred: copy, manifest, reference, outcome, lock: made, recorded })
}

/// The lock file with what moved since it was written; nothing if it is to be written anew.
struct Committed(Option<(Lock, Vec<Moved>)>);

impl Committed {
    fn read(checkout: &Checkout, mode: LockMode, inputs: &Inputs) -> Result<Self, LockError> {
        if mode == LockMode::Renew {
            return Ok(Self(None));
        }
        let lock = Lock::read(checkout)?;
        let moved = lock.moved(inputs)?;
        mode.admit(&moved)?;
        Ok(Self(Some((lock, moved))))
    }

    fn beside(&self, made: &Lock) -> Option<Outcome> {
        self.0.as_ref().map(|(lock, moved)| Outcome::of(lock, moved.clone(), made))
    }

    fn is_none_or_same(&self, made: &Lock) -> bool {
        self.beside(made).is_none_or(|outcome| outcome.is_locked())
    }

    /// Refuses an image that should be the committed one and is not.
    fn judge(&self, config: &BuildConfig, made: &Lock) -> Result<Option<Outcome>, NotCommitted> {
        let Some(outcome) = self.beside(made).filter(|_| config.tred.is_none()) else {
            return Ok(None);
        };
        match config.lock {
            LockMode::Strict => outcome.committed()?,
            LockMode::Follow | LockMode::Renew => outcome.explained()?,
        }
        Ok(Some(outcome))
    }
}

fn hashes<const N: usize>(files: [(&str, &[u8]); N]) -> BTreeMap<String, Sha256Digest> {
    files.into_iter().map(|(name, bytes)| (name.into(), sha256(bytes))).collect()
}

/// The executable to build in.
struct Executable {
    path: PathBuf,
    /// How it was compiled, if it was.
    compiled: Option<Compiled>,
    /// Hashes of the project's files that it is made of.
    project: BTreeMap<String, Sha256Digest>,
}

fn executable(checkout: &Checkout, config: &BuildConfig) -> Result<Executable, BuildError> {
    if let Some(ready) = &config.tred {
        let (path, project) = (ready.clone(), BTreeMap::new());
        return Ok(Executable { path, compiled: None, project });
    }
    let tred = compile::executable(checkout, TRED, TRED).map_err(BuildError::Compile)?;
    let project = project::groups(checkout, &tred.sources).map_err(BuildError::Project)?;
    let path = tred.compiled.executable.clone();
    Ok(Executable { path, compiled: Some(tred.compiled), project })
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
    let stamp = |made: &[u8]| format!("{} {script} {hash} {}", kernel.name(), sha256(made));
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
