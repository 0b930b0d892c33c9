//! Copies of the checkout that may be broken: under `target/`, kept, so that a run builds little.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::Mutant;
use super::seed::seed;
use crate::place;

/// The copy.
#[derive(Debug)]
pub struct Scratch {
    checkout: PathBuf,
    root: PathBuf,
}

impl Scratch {
    /// Brings the copy of this number up to date with the checkout's files, tracked or not, ignored ones aside.
    ///
    /// # Errors
    ///
    /// When git or a file does not do what it should.
    pub fn of_checkout(number: usize) -> Result<Self> {
        let root = place::root().canonicalize().context("finding the checkout")?;
        let folder = root.join(format!("target/teeth/{number}"));
        let scratch = Self { checkout: root, root: folder };
        let tree = scratch.tree();
        fs::create_dir_all(&tree).with_context(|| format!("making {}", tree.display()))?;
        // A run that was cut short may have left a file patched, or one that is gone by now.
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(place::root())
            .output()
            .context("running git")?;
        ensure!(listed.status.success(), "git ls-files failed: run this from a git checkout");
        let names = String::from_utf8(listed.stdout).context("names of files")?;
        let names: Vec<&str> = names.split('\0').filter(|name| !name.is_empty()).collect();
        scratch.forget_what_is_gone(&names)?;
        for name in names {
            scratch.bring(name)?;
        }
        seed(&place::programs()?, &scratch.programs())?;
        Ok(scratch)
    }

    /// The copy's root.
    #[must_use]
    pub fn tree(&self) -> PathBuf {
        self.root.join("tree")
    }

    /// Where its programs are.
    #[must_use]
    pub fn programs(&self) -> PathBuf {
        self.target().join("debug")
    }

    fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// Applies a patch; the inner error is what git said of one that does not fit.
    ///
    /// # Errors
    ///
    /// When git cannot be run.
    pub fn apply(&self, patch: &Path) -> Result<Result<(), String>> {
        let output = Command::new("git")
            .arg("apply")
            .arg(patch)
            // Without a repository around it git takes the folder as it is.
            .env("GIT_CEILING_DIRECTORIES", &self.root)
            .current_dir(self.tree())
            .output()
            .context("running git")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok(if output.status.success() { Ok(()) } else { Err(said) })
    }

    /// Takes a mutant back.
    ///
    /// # Errors
    ///
    /// When a file cannot be copied.
    pub fn restore(&self, mutant: &Mutant) -> Result<()> {
        mutant.files().iter().try_for_each(|file| self.bring(file))
    }

    /// Copies one file unless it is the same already: cargo builds what is newer than its product,
    /// so a file that came back must be new, and one that never changed must not.
    fn bring(&self, name: &str) -> Result<()> {
        let (from, to) = (place::root().join(name), self.tree().join(name));
        let context = || format!("copying {name}");
        // A file that was deleted and not yet committed is listed all the same.
        let Ok(bytes) = fs::read(&from) else {
            return Ok(());
        };
        if fs::read(&to).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        let folder = to.parent().with_context(context)?;
        fs::create_dir_all(folder).with_context(context)?;
        fs::write(&to, bytes).with_context(context)?;
        let permissions = fs::metadata(&from).with_context(context)?.permissions();
        fs::set_permissions(&to, permissions).with_context(context)
    }

    /// Removes files of earlier runs that the checkout no longer has.
    fn forget_what_is_gone(&self, names: &[&str]) -> Result<()> {
        let list = self.root.join("files");
        let before = fs::read_to_string(&list).unwrap_or_default();
        for name in before.lines().filter(|name| !names.contains(name)) {
            let gone = self.tree().join(name);
            if gone.is_file() {
                fs::remove_file(&gone).with_context(|| format!("removing {}", gone.display()))?;
            }
        }
        fs::write(&list, names.join("\n")).with_context(|| format!("writing {}", list.display()))
    }

    /// Cargo in the copy, with what the checkout has: libraries and the TPM software stack.
    ///
    /// # Errors
    ///
    /// When that is not there.
    pub fn cargo(&self) -> Result<Command> {
        let stack = self.checkout.join("target/tss/hosted/lib/pkgconfig");
        ensure!(stack.is_dir(), "target/tss is missing: run `make deps` first");
        let mut cargo = place::cargo();
        cargo.current_dir(self.tree()).env("CARGO_TARGET_DIR", self.target());
        // As the checkout's own settings have it: another place would have it compiled again.
        cargo.env("PKG_CONFIG_PATH", stack);
        Ok(cargo)
    }
}
