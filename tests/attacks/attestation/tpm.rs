//! An attacker's TPM: a genuine one, obeying its owner, driven with `tpm2-tools`.

use core::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use measured_boot::digest::Sha256Digest;
use measured_boot::eventlog::EventLog;
use measured_boot::pcr::{PcrIndex, PcrValues};
use measured_boot::tpm::Public;
use tempfile::TempDir;
use tre_tpm::Tpm as _;
use tre_tpm::swtpm::Swtpm;

/// A software TPM and a folder for the tools' files.
#[derive(Debug)]
pub(crate) struct AttackersTpm {
    folder: TempDir,
    swtpm: Swtpm,
    pcrs: PcrValues,
}

/// A key in it.
#[derive(Clone, Debug)]
pub(crate) struct TpmKey {
    context: PathBuf,
    /// Its public area.
    pub(crate) public: Public,
}

/// Where a key stands.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hierarchy {
    Endorsement,
    Owner,
}

/// Attributes of a key that its TPM keeps and that signs only what its TPM made.
pub(crate) const RESTRICTED: &str =
    "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|sign";

/// The same for one that signs anything.
pub(crate) const UNRESTRICTED: &str =
    "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign";

impl AttackersTpm {
    /// A new TPM that measured the events of `log`, and then `more` into PCR 11.
    pub(crate) fn measured(log: &[u8], more: &[Sha256Digest]) -> Result<Self> {
        let folder = TempDir::new().context("a folder for a TPM")?;
        let state = folder.path().join("state");
        fs::create_dir(&state).context("a folder for a TPM's state")?;
        let mut setup = Command::new("swtpm_setup");
        setup.args(["--tpm2", "--overwrite", "--pcr-banks", "sha256", "--tpmstate"]);
        let made = setup.arg(&state).output().context("running swtpm_setup")?;
        ensure!(made.status.success(), "swtpm_setup: {}", String::from_utf8_lossy(&made.stderr));
        let swtpm = Swtpm::start(&state)?;
        let mut tpm = swtpm.connect()?;
        for event in EventLog::parse(log)?.events() {
            if let (Some(pcr), Some(digest)) = (event.extends(), event.sha256()) {
                tpm.extend(pcr, &digest)?;
            }
        }
        for digest in more {
            tpm.extend(PcrIndex::P11, digest)?;
        }
        let pcrs = tpm.read_pcrs()?;
        Ok(Self { folder, swtpm, pcrs })
    }

    /// What it measured.
    pub(crate) const fn pcrs(&self) -> &PcrValues {
        &self.pcrs
    }

    /// A primary P-256 key with these attributes.
    pub(crate) fn key(&self, hierarchy: Hierarchy, attributes: &str) -> Result<TpmKey> {
        let hierarchy = match hierarchy {
            Hierarchy::Endorsement => "e",
            Hierarchy::Owner => "o",
        };
        let name = format!("{hierarchy}-{}", attributes.len());
        let (context, area) = (self.file(&name), self.file("public"));
        let scheme = "ecc256:ecdsa-sha256:null";
        let create = ["-C", hierarchy, "-G", scheme, "-a", attributes, "-c"];
        self.tool("tpm2_createprimary", &create, &[&context])?;
        self.tool("tpm2_readpublic", &["-f", "tpmt", "-c"], &[&context, Path::new("-o"), &area])?;
        let public = Public::parse(&fs::read(&area).context("reading a public area")?)?;
        Ok(TpmKey { context, public })
    }

    /// `TPM2_Quote` over `selection`, as the tools write it: `TPMS_ATTEST` and `TPMT_SIGNATURE`.
    pub(crate) fn quote(
        &self,
        key: &TpmKey,
        selection: &str,
        qualifying: &[u8; 32],
    ) -> Result<(Vec<u8>, Vec<u8>)> {
        let (attest, signature) = (self.file("attest"), self.file("signature"));
        let qualifying = hex(qualifying)?;
        let options = ["-l", selection, "-q", &qualifying, "-m"];
        let [s, c] = ["-s", "-c"].map(Path::new);
        self.tool("tpm2_quote", &options, &[&attest, s, &signature, c, &key.context])?;
        let read = |path: &Path| fs::read(path).context("reading what a tool wrote");
        Ok((read(&attest)?, read(&signature)?))
    }

    /// A signature over bytes of the attacker's own choice. A restricted key gives one too, for
    /// bytes that do not begin as the TPM's own do: the TPM that hashed them says so in a ticket.
    pub(crate) fn sign(&self, key: &TpmKey, message: &[u8]) -> Result<Vec<u8>> {
        let file = |name| self.file(name);
        let (text, digest, ticket) = (file("text"), file("digest"), file("ticket"));
        let signature = file("signature");
        fs::write(&text, message).context("writing what is to be signed")?;
        let hash = ["-C", "e", "-g", "sha256", "-t"];
        self.tool("tpm2_hash", &hash, &[&ticket, Path::new("-o"), &digest, &text])?;
        let [t, o, c] = ["-t", "-o", "-c"].map(Path::new);
        let files = [t, &ticket, c, &key.context, o, &signature, digest.as_path()];
        self.tool("tpm2_sign", &["-g", "sha256", "-s", "ecdsa", "-d"], &files)?;
        fs::read(&signature).context("reading a signature")
    }

    /// The same by a key that asks for no ticket.
    pub(crate) fn sign_freely(&self, key: &TpmKey, message: &[u8]) -> Result<Vec<u8>> {
        let (text, signature) = (self.file("text"), self.file("signature"));
        fs::write(&text, message).context("writing what is to be signed")?;
        let [c, o] = ["-c", "-o"].map(Path::new);
        let files = [c, &key.context, o, &signature, text.as_path()];
        self.tool("tpm2_sign", &["-g", "sha256", "-s", "ecdsa"], &files)?;
        fs::read(&signature).context("reading a signature")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn tool(&self, name: &str, options: &[&str], files: &[&Path]) -> Result<()> {
        self.run(name, options, files)?;
        // The TPM has room for three keys, and no tool takes its own away.
        self.run("tpm2_flushcontext", &["-t"], &[])
    }

    fn run(&self, name: &str, options: &[&str], files: &[&Path]) -> Result<()> {
        let place = format!("swtpm:path={}", self.swtpm.socket().display());
        let mut command = Command::new(name);
        command.args(options).args(files).env("TPM2TOOLS_TCTI", place);
        let output = command.output().with_context(|| format!("running {name}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{name} {}: {said}", options.join(" "));
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> Result<String> {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}")?;
    }
    Ok(text)
}
