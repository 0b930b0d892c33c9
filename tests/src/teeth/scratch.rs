//! A copy of the checkout that may be broken: under `target/`, kept, so that a run builds little.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::Mutant;
use crate::place;

/// The copy.
#[derive(Debug)]
pub struct Scratch {
    root: PathBuf,
}

impl Scratch {
    /// Brings the copy up to date with the checkout's files, tracked or not, ignored ones aside.
    ///
    /// # Errors
    ///
    /// When git or a file does not do what it should.
    pub fn of_checkout() -> Result<Self> {
        let root = place::root().canonicalize().context("finding the checkout")?;
        let scratch = Self { root: root.join("target/teeth") };
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
        scratch.link_tpm_stack()?;
        Ok(scratch)
    }

    /// The copy's root.
    #[must_use]
    pub fn tree(&self) -> PathBuf {
        self.root.join("tree")
    }

    /// Where cargo builds it.
    #[must_use]
    pub fn target(&self) -> PathBuf {
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

    /// The TPM software stack is found below the checkout's own target folder.
    fn link_tpm_stack(&self) -> Result<()> {
        let link = self.tree().join("target/tss");
        if link.is_dir() {
            return Ok(());
        }
        let stack = place::root().join("target/tss").canonicalize();
        let stack = stack.context("target/tss is missing: run `make deps` first")?;
        let folder = link.parent().context("finding the copy's target folder")?;
        fs::create_dir_all(folder).context("making the copy's target folder")?;
        symlink(stack, &link).context("linking the TPM software stack")
    }
}
