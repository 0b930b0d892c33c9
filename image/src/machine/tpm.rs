//! The machine's TPM: made once with an endorsement certificate, then kept.
//!
//! A certificate authority of the machine's own stands in for the TPM's manufacturer. Its
//! certificates are laid out for whoever has to decide which manufacturers to believe.

use core::time::Duration;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;

use super::MachineError;
use super::process::{self, Process};
use crate::file::{self, FileError};
use crate::tool::{Excerpt, Tool};

/// Makes a TPM's first state.
const SWTPM_SETUP: Tool = Tool { program: "swtpm_setup", package: "swtpm-tools" };

/// Signs endorsement certificates; [`SWTPM_SETUP`] calls it.
const SWTPM_LOCALCA: Tool = Tool { program: "swtpm_localca", package: "swtpm-tools" };

/// The TPM.
const SWTPM: Tool = Tool { program: "swtpm", package: "swtpm" };

/// Socket through which the machine controls its TPM, in the TPM's folder. Relative, because a
/// socket's path has room for 107 bytes alone.
pub(super) const SOCKET: &str = "tpm.sock";

/// The TPM's state, in the TPM's folder.
const STATE: &str = "tpm";

/// Files that the certificate authority makes, and the names under which they are handed out.
const ROOTS: [(&str, &str); 2] =
    [("swtpm-localca-rootca-cert.pem", "root.pem"), ("issuercert.pem", "intermediate.pem")];

/// How long the TPM may take to open its socket: 10 seconds in steps of this many.
const POLL: Duration = Duration::from_millis(20);
const POLLS: u32 = 500;

/// Where the manufacturer's certificates of the TPM in `home` lie.
pub(super) fn ek_roots(home: &Path) -> PathBuf {
    home.join("ek-roots")
}

/// Makes the TPM in the folder `home`, unless there is one. A TPM is there whole or not at all.
pub(super) fn manufacture(home: &Path) -> Result<(), MachineError> {
    if home.join(STATE).is_dir() {
        return Ok(());
    }
    let localca = SWTPM_LOCALCA.find().map_err(MachineError::Tool)?;
    let (authority, new) = (home.join("ca"), home.join("tpm.new"));
    for folder in [&authority, &new] {
        file::unless_missing(fs::remove_dir_all(folder))
            .and_then(|()| fs::create_dir(folder))
            .map_err(step("making", folder))?;
    }
    let write = |name: &str, text: String| {
        let path = authority.join(name);
        fs::write(&path, text).map_err(step("writing", &path)).map(|()| path)
    };
    let place = authority.display();
    let options = write("options", PLATFORM.into())?;
    let localca_config = write(
        "localca.conf",
        format!(
            "statedir = {place}\nsigningkey = {place}/signkey.pem\n\
             issuercert = {place}/issuercert.pem\ncertserial = {place}/certserial\n"
        ),
    )?;
    let config = write(
        "setup.conf",
        format!(
            "create_certs_tool = {}\ncreate_certs_tool_config = {}\n\
             create_certs_tool_options = {}\n",
            localca.display(),
            localca_config.display(),
            options.display(),
        ),
    )?;
    let mut command = SWTPM_SETUP.command().map_err(MachineError::Tool)?;
    command.args(["--tpm2", "--create-ek-cert", "--lock-nvram", "--pcr-banks", "sha256"]);
    command.args(["--vmid", "tre"]).arg("--tpmstate").arg(&new).arg("--config").arg(config);
    // A terminal's Ctrl-C is for us: we end when this has ended.
    command.process_group(0);
    SWTPM_SETUP.run(&mut command).map_err(MachineError::Tool)?;
    hand_out_roots(&authority, &ek_roots(home))?;
    fs::rename(&new, home.join(STATE)).map_err(step("keeping", &new))
}

/// Starts the TPM of the folder `home`; it ends with the machine that connects to it.
pub(super) fn start(home: &Path) -> Result<Process, MachineError> {
    let (socket, log) = (home.join(SOCKET), home.join("swtpm.log"));
    file::unless_missing(fs::remove_file(&socket)).map_err(step("removing", &socket))?;
    let output = File::create(&log).map_err(step("writing", &log))?;
    let errors = output.try_clone().map_err(step("writing", &log))?;
    let mut command = process::command(SWTPM).map_err(MachineError::Tool)?;
    command
        .current_dir(home)
        .args(["socket", "--tpm2", "--terminate", "--tpmstate"])
        .arg(format!("dir={STATE}"))
        .args(["--ctrl", &format!("type=unixio,path={SOCKET}")])
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors);
    let mut tpm = Process::start(command).map_err(step("starting swtpm in", home))?;
    for _ in 0..POLLS {
        if socket.exists() {
            return Ok(tpm);
        }
        if tpm.ended().map_err(step("watching swtpm in", home))?.is_some() {
            break;
        }
        thread::sleep(POLL);
    }
    Err(MachineError::Tpm { said: Excerpt::of_file(&log) })
}

/// Copies the authority's certificates to where people look for them.
fn hand_out_roots(authority: &Path, folder: &Path) -> Result<(), MachineError> {
    fs::create_dir_all(folder).map_err(step("making", folder))?;
    for (from, to) in ROOTS {
        let from = authority.join(from);
        fs::copy(&from, folder.join(to)).map_err(step("copying", &from))?;
    }
    Ok(())
}

fn step(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> MachineError {
    move |source| MachineError::File(FileError::at(step, path)(source))
}

/// What the platform says of itself in the endorsement certificate.
const PLATFORM: &str = "\
--platform-manufacturer QEMU
--platform-version 1
--platform-model q35
";
