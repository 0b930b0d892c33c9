//! Builds everything again, elsewhere and as somebody else, and compares byte for byte.

mod materials;
mod surroundings;

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::assemble::PRODUCTS;
use crate::checkout::Checkout;
use crate::compare::{self, Difference};
use crate::file::FileError;
use crate::inputs::InputsError;
use crate::kernel::Kernel;
use crate::lock::LockMode;
use crate::project::ProjectError;
use crate::proof;
use crate::sources::SourcesError;
use crate::tool::{Tool, ToolError};

use surroundings::{Surroundings, copy};

const OPENSSL: Tool = Tool { program: "openssl", package: "openssl" };

/// What a build is compared with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Against {
    /// What lies in `target/image`, built before from the same files.
    Existing,
    /// Another build from nothing.
    Another,
}

/// Whether the kernel is compiled anew.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KernelBuild {
    /// It is.
    Anew,
    /// It is taken from the cache, and only linked anew.
    Reused,
    /// It is, unless this very build was repeated with the same result before.
    AnewIfUnproven,
}

/// What came of it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Comparison {
    /// Files that both builds made.
    pub compared: Vec<String>,
    /// Files that only one of them made.
    pub missing: Vec<String>,
    /// Files that differ.
    pub differences: Vec<Difference>,
    /// What was the same for both builds though it should not, and what would help.
    pub unvaried: Vec<&'static str>,
}

/// Why nothing was compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReproduceError {
    /// A file cannot be read or written.
    #[error("reproduce: {0}")]
    File(#[source] FileError),
    /// A program is missing or failed.
    #[error("reproduce: {0}")]
    Tool(#[source] ToolError),
    /// One of the builds failed.
    #[error("reproduce: the {which} build failed: {source}")]
    Build {
        /// Which.
        which: &'static str,
        /// How it ended.
        #[source]
        source: ToolError,
    },
    /// The project's own files are not known.
    #[error(transparent)]
    Project(ProjectError),
    /// The inputs are not known.
    #[error(transparent)]
    Inputs(InputsError),
    /// The archive of all inputs cannot be made.
    #[error(transparent)]
    Sources(SourcesError),
    /// The second build would be too much like the first, and the mode is strict.
    #[error(
        "LOCK=strict: this machine cannot build in other surroundings:{}\n'make deps' installs \
             the packages; LOCK=follow compares without",
        .0.iter().map(|what| format!("\n  {what}")).collect::<String>()
    )]
    Unvaried(Vec<&'static str>),
    /// There is nothing to compare.
    #[error("reproduce: {} has no image to compare with: 'tre-image build' makes one",
            folder.display())]
    NoImage {
        /// Where it should be.
        folder: PathBuf,
    },
}

/// Files by name.
type Files = BTreeMap<String, PathBuf>;

/// Builds from `checkout` and compares; what differs is left in `target/reproduce`. Progress goes
/// to `say`.
///
/// # Errors
///
/// [`ReproduceError`].
pub fn reproduce(
    checkout: &Checkout,
    against: Against,
    kernel: KernelBuild,
    lock: LockMode,
    say: &mut dyn FnMut(&str),
) -> Result<Comparison, ReproduceError> {
    let scratch = tempfile::Builder::new().prefix("tre-reproduce.").tempdir();
    let scratch = scratch.map_err(step("making a folder in", &env::temp_dir()))?;
    let mut foreign = Surroundings::foreign(scratch.path().join("a/second/build/elsewhere"))?;
    admit(lock, &foreign.unvaried)?;
    let certificate = certificate(scratch.path())?;
    // Without a cache there is none to know of.
    let known = match (against, kernel) {
        (Against::Another, KernelBuild::Anew) => None,
        _ => Some(Kernel::compiled(checkout).map_err(ReproduceError::Tool)?),
    };
    let reused = reused(checkout, kernel, known.as_ref())?;
    say(match reused {
        None => "the kernel is compiled anew",
        Some(_) => "the kernel is taken from the cache, and only linked anew",
    });
    materials::fetch(checkout)?;
    let build = Build { checkout, reused, lock, certificate: &certificate };

    let ordinary = Surroundings::ordinary(scratch.path().join("first"))?;
    let first = match against {
        Against::Existing => build.existing(&ordinary, known.as_ref())?,
        Against::Another => {
            say("first build: as this user, here and now");
            build.run("first", &ordinary, &materials::copied(checkout, &ordinary)?)?
        }
    };
    let root = match checkout.sources() {
        None => materials::archived(checkout, &mut foreign)?,
        Some(_) => materials::copied(checkout, &foreign)?,
    };
    say("second build:");
    foreign.words.iter().for_each(|word| say(&format!("  {word}")));
    let second = build.run("second", &foreign, &root)?;

    let mut comparison = compare(&first, &second)?;
    comparison.unvaried.clone_from(&foreign.unvaried);
    if !comparison.is_equal() {
        keep(checkout, &comparison, &first, &second)?;
    } else if reused.is_none() && foreign.unvaried.is_empty() {
        proof::note(&kernel_in(&foreign)?.name()).map_err(ReproduceError::File)?;
    }
    Ok(comparison)
}

/// Refuses a comparison that would show less than it says.
fn admit(lock: LockMode, unvaried: &[&'static str]) -> Result<(), ReproduceError> {
    match lock {
        LockMode::Strict if !unvaried.is_empty() => Err(ReproduceError::Unvaried(unvaried.into())),
        LockMode::Strict | LockMode::Follow | LockMode::Renew => Ok(()),
    }
}

impl Comparison {
    /// Whether both builds made the same files with the same bytes.
    #[must_use]
    pub const fn is_equal(&self) -> bool {
        self.missing.is_empty() && self.differences.is_empty()
    }
}

/// The kernel that the builds take from the cache, unless they compile their own.
fn reused<'a>(
    checkout: &Checkout,
    kernel: KernelBuild,
    known: Option<&'a Kernel>,
) -> Result<Option<&'a Kernel>, ReproduceError> {
    let Some(known) = known else { return Ok(None) };
    let proven = proof::is_there(checkout, &known.name()).map_err(ReproduceError::File)?;
    Ok(match kernel {
        KernelBuild::Anew => None,
        KernelBuild::AnewIfUnproven if !proven => None,
        KernelBuild::Reused | KernelBuild::AnewIfUnproven => Some(known),
    })
}

/// What both builds have in common.
struct Build<'a> {
    checkout: &'a Checkout,
    reused: Option<&'a Kernel>,
    lock: LockMode,
    certificate: &'a Path,
}

impl Build<'_> {
    /// Builds the checkout `root` at `place`, and lists what was made.
    fn run(
        &self,
        which: &'static str,
        place: &Surroundings,
        root: &Path,
    ) -> Result<Files, ReproduceError> {
        if let Some(kernel) = self.reused {
            copy(kernel.folder(), &place.cache().join("kernel").join(kernel.name()))?;
        }

        let out = root.join("target/image");
        let lock = if self.lock == LockMode::Strict { "strict" } else { "follow" };
        let failed = |source| ReproduceError::Build { which, source };
        let mut arguments: Vec<OsString> =
            ["build", "--lock", lock, "--checkout"].map(Into::into).into();
        arguments.extend([root.into(), "--out".into(), out.clone().into()]);
        place.run(&program()?, &arguments).map_err(failed)?;
        let kernel = match self.reused {
            Some(_) => None,
            None => Some(kernel_in(place)?.file()),
        };
        let mut files = products(root, kernel)?;
        files.insert(VARIABLES.into(), self.store(which, &out, place)?);
        Ok(files)
    }

    /// What was built in the checkout itself; a variable store is made for it at `place`.
    fn existing(
        &self,
        place: &Surroundings,
        kernel: Option<&Kernel>,
    ) -> Result<Files, ReproduceError> {
        let folder = self.checkout.image();
        if PRODUCTS.iter().any(|name| !folder.join(name).is_file()) {
            return Err(ReproduceError::NoImage { folder });
        }
        let kernel = if self.reused.is_none() { kernel.map(Kernel::file) } else { None };
        let mut files = products(self.checkout.root(), kernel)?;
        files.insert(VARIABLES.into(), self.store("first", &folder, place)?);
        Ok(files)
    }

    /// Makes a variable store that allows the image in `folder` by its hash.
    fn store(
        &self,
        which: &'static str,
        folder: &Path,
        place: &Surroundings,
    ) -> Result<PathBuf, ReproduceError> {
        let (efi, store) = (folder.join("tre.efi"), place.cache().join(VARIABLES));
        let mut arguments = Vec::from([OsString::from("variables")]);
        for (option, value) in [
            ("--platform-key", self.certificate),
            ("--key-exchange-key", self.certificate),
            ("--image-hash", &efi),
            ("--out", &store),
        ] {
            arguments.extend([option.into(), value.into()]);
        }
        let failed = |source| ReproduceError::Build { which, source };
        place.run(&program()?, &arguments).map_err(failed)?;
        Ok(store)
    }
}

/// This program, which builds.
fn program() -> Result<PathBuf, ReproduceError> {
    env::current_exe().map_err(step("finding", Path::new("this program")))
}

/// A variable store made from the image, for the comparison alone.
const VARIABLES: &str = "variables.fd";

/// A certificate for the variable store: any will do, as long as it is the same for both builds.
fn certificate(folder: &Path) -> Result<PathBuf, ReproduceError> {
    let path = folder.join("certificate.pem");
    let mut command = OPENSSL.command().map_err(ReproduceError::Tool)?;
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=comparison"]);
    command.arg("-keyout").arg(folder.join("key.pem")).arg("-out").arg(&path);
    OPENSSL.run(&mut command).map_err(ReproduceError::Tool)?;
    Ok(path)
}

/// What a build in `root` made.
fn products(root: &Path, kernel: Option<PathBuf>) -> Result<Files, ReproduceError> {
    let mut files = Files::new();
    for name in PRODUCTS {
        files.insert(name.into(), root.join("target/image").join(name));
    }
    for variant in ["appliance", "hosted"] {
        let folder = root.join("target/tss").join(variant).join("lib");
        for entry in fs::read_dir(&folder).map_err(step("listing", &folder))? {
            let path = entry.map_err(step("listing", &folder))?.path();
            if path.extension().is_some_and(|extension| extension == "a") {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                files.insert(format!("tpm2-tss {variant}/{name}"), path);
            }
        }
    }
    files.extend(kernel.map(|kernel| ("kernel".into(), kernel)));
    Ok(files)
}

/// The one kernel that was compiled at `place`.
fn kernel_in(place: &Surroundings) -> Result<Kernel, ReproduceError> {
    let folder = place.cache().join("kernel");
    let mut entries = fs::read_dir(&folder).map_err(step("listing", &folder))?;
    let entry = entries.next().unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()));
    Ok(Kernel::at(entry.map_err(step("finding the kernel in", &folder))?.path()))
}

fn compare(first: &Files, second: &Files) -> Result<Comparison, ReproduceError> {
    let read = |path: &Path| fs::read(path).map_err(step("reading", path));
    let mut comparison = Comparison::default();
    for (name, one) in first {
        let Some(other) = second.get(name) else {
            comparison.missing.push(name.clone());
            continue;
        };
        comparison.compared.push(name.clone());
        comparison.differences.extend(compare::difference(name, &read(one)?, &read(other)?));
    }
    let more = second.keys().filter(|name| !first.contains_key(*name));
    comparison.missing.extend(more.cloned());
    Ok(comparison)
}

/// Copies what differs to where it survives.
fn keep(
    checkout: &Checkout,
    comparison: &Comparison,
    first: &Files,
    second: &Files,
) -> Result<(), ReproduceError> {
    let folder = kept(checkout);
    for (build, files) in [("first", first), ("second", second)] {
        for name in comparison.differences.iter().map(|difference| &difference.name) {
            if let Some(path) = files.get(name) {
                copy(path, &folder.join(build).join(name))?;
            }
        }
    }
    Ok(())
}

/// Where files that differ are kept, in `first` and `second`.
#[must_use]
pub fn kept(checkout: &Checkout) -> PathBuf {
    checkout.root().join("target/reproduce")
}

fn step(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ReproduceError {
    move |source| ReproduceError::File(FileError::at(step, path)(source))
}

#[cfg(test)]
mod tests;
