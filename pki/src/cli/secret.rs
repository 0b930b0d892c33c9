//! Passphrases: from a file, or from the terminal. Never from an argument or a variable itself.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use pki::domain::{Domain, KeyName};
use pki::passphrase::Passphrase;
use zeroize::Zeroizing;

/// Where the passphrase of a private key comes from.
#[derive(Args, Debug)]
pub(crate) struct Unlock {
    /// A file of mode 0600 with the key's passphrase in one line [default: the file named by
    /// TRE_PKI_PASSPHRASE_FILE, else the terminal is asked].
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// Names the passphrase's file, for scripts. It never holds the passphrase.
const VARIABLE: &str = "TRE_PKI_PASSPHRASE_FILE";

impl Unlock {
    /// Opens the domain in `folder`, to use its private key `key`.
    pub(crate) fn open(&self, folder: &Path, key: KeyName) -> anyhow::Result<Domain> {
        let domain = Domain::open(folder)?;
        if !domain.is_sealed(key)? {
            return Ok(domain);
        }
        Ok(domain.unlocked_by(self.passphrase(&format!("Passphrase of {}: ", key.private_file()))?))
    }

    /// The passphrase of an existing key.
    pub(crate) fn passphrase(&self, prompt: &str) -> anyhow::Result<Passphrase> {
        from_file_or(self.passphrase_file.as_deref(), || ask(prompt))
    }

    /// A new passphrase: at the terminal it is typed twice.
    pub(crate) fn new_passphrase(&self) -> anyhow::Result<Passphrase> {
        from_file_or(self.passphrase_file.as_deref(), ask_twice)
    }
}

/// Typed twice, and the same both times.
pub(crate) fn ask_twice() -> anyhow::Result<Passphrase> {
    let (one, other) = (ask("New passphrase: ")?, ask("The same again: ")?);
    ensure!(one.is_same_as(&other), "expected the same passphrase twice, found two");
    Ok(one)
}

fn from_file_or(
    file: Option<&Path>,
    ask: impl FnOnce() -> anyhow::Result<Passphrase>,
) -> anyhow::Result<Passphrase> {
    let named = env::var_os(VARIABLE).map(PathBuf::from);
    match file.or(named.as_deref()) {
        Some(path) => Ok(Passphrase::from_file(path)?),
        None => ask(),
    }
}

fn ask(prompt: &str) -> anyhow::Result<Passphrase> {
    let typed = rpassword::prompt_password(prompt)
        .context("expected a passphrase: no terminal to ask; give --passphrase-file")?;
    let typed = Zeroizing::new(typed.into_bytes());
    if typed.is_empty() {
        bail!("expected a passphrase, found none");
    }
    Ok(Passphrase::new(typed)?)
}
