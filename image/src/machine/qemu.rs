//! QEMU's command line: one machine definition, written down where it can be read.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::process::{self, Process};
use super::{Hardware, MachineConfig, MachineError, tpm};
use crate::file::FileError;
use crate::tool::Tool;

/// The emulator.
const QEMU: Tool = Tool { program: "qemu-system-x86_64", package: "qemu-system-x86" };

/// The firmware's code: what PCR 0 speaks of.
pub(crate) const FIRMWARE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";

/// The firmware's variables as they leave the factory: secure boot off, no keys.
pub(super) const VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/// Serial number of the data disk, by which the guest finds it.
const DATA_DISK: &str = "tre-data";

/// Where things lie in the state folder.
pub(super) struct Paths {
    pub(super) variables: PathBuf,
    pub(super) console: PathBuf,
    pub(super) messages: PathBuf,
}

/// Starts the machine with `port` of 127.0.0.1 leading to the guest's own.
pub(super) fn start(
    config: &MachineConfig,
    state: &Path,
    paths: &Paths,
    port: u16,
) -> Result<Process, MachineError> {
    let fail =
        |step, path| move |source: io::Error| MachineError::File(FileError::at(step, path)(source));
    let messages =
        File::create(&paths.messages).map_err(fail("writing", paths.messages.as_path()))?;
    let errors = messages.try_clone().map_err(fail("writing", paths.messages.as_path()))?;
    let mut command = process::command(QEMU).map_err(MachineError::Tool)?;
    // The TPM's socket is named by a relative path.
    command.current_dir(state).args(arguments(config, paths, port));
    command.stdin(Stdio::null()).stdout(messages).stderr(errors);
    Process::start(command).map_err(fail("starting QEMU in", state))
}

fn arguments(config: &MachineConfig, paths: &Paths, port: u16) -> Vec<OsString> {
    let Hardware { memory_mib, tpm: interface } = config.hardware;
    let interface = interface.device();
    let guest = tre_wire::PORT;
    let mut arguments: Vec<OsString> = Vec::new();
    let mut add = |option: &str, value: &[&str]| {
        arguments.push(option.into());
        arguments.push(value.concat().into());
    };
    add("-machine", &[Hardware::MACHINE]);
    // No KVM, even where its device exists: it may be one that cannot run firmware.
    add("-accel", &["tcg,thread=multi"]);
    add("-cpu", &["qemu64,+rdrand,+smep,+umip"]);
    add("-m", &[&memory_mib.to_string()]);
    add("-smp", &[&Hardware::CPUS.to_string()]);
    add("-display", &["none"]);
    add("-monitor", &["none"]);

    let (code, variables) = (value(Path::new(FIRMWARE)), value(&paths.variables));
    add("-drive", &["if=pflash,format=raw,unit=0,readonly=on,file=", &code]);
    add("-drive", &["if=pflash,format=raw,unit=1,file=", &variables]);
    add("-chardev", &["socket,id=tpm,path=", tpm::SOCKET]);
    add("-tpmdev", &["emulator,id=tpm0,chardev=tpm"]);
    add("-device", &[interface, ",tpmdev=tpm0"]);

    // Places on the bus are fixed: the firmware measures its boot options, which name them.
    let (image, disk) = (value(&config.image), value(&config.disk));
    add("-drive", &["if=none,id=boot,format=raw,readonly=on,file=", &image]);
    add("-device", &["virtio-blk-pci,drive=boot,bootindex=0,addr=0x3"]);
    add("-drive", &["if=none,id=data,format=raw,file=", &disk]);
    add("-device", &["virtio-blk-pci,drive=data,addr=0x4,serial=", DATA_DISK]);
    // Nothing but this process's machine can reach the port.
    let forward = format!("hostfwd=tcp:127.0.0.1:{port}-:{guest}");
    add("-netdev", &["user,id=net,restrict=off,", &forward]);
    // No option ROM: it would be measured.
    add("-device", &["virtio-net-pci,netdev=net,romfile=,addr=0x5"]);
    add("-object", &["rng-random,id=random,filename=/dev/urandom"]);
    add("-device", &["virtio-rng-pci,rng=random,addr=0x6"]);
    add("-serial", &["file:", &value(&paths.console)]);
    // Nothing that was not asked for; a guest that stops or restarts ends the machine.
    arguments.extend(["-nodefaults", "-no-reboot", "-no-user-config"].map(OsString::from));
    arguments
}

/// A path as part of an option: QEMU separates parts by commas, and doubles them inside one.
fn value(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}
