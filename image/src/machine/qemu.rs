//! QEMU's command line: one machine definition, written down where it can be read.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::Stdio;

use super::config::Places;
use super::process::{self, Process};
use super::{DirectBoot, Firmware, Hardware, MachineConfig, MachineError, tpm};
use crate::file::FileError;
use crate::tool::Tool;

/// The emulator.
const QEMU: Tool = Tool { program: "qemu-system-x86_64", package: "qemu-system-x86" };

/// Serial number of the data disk, by which the guest finds it.
const DATA_DISK: &str = "tre-data";

/// Starts the machine with `port` of 127.0.0.1 leading to the guest's own.
pub(super) fn start(
    config: &MachineConfig,
    places: &Places,
    port: u16,
) -> Result<Process, MachineError> {
    let fail =
        |step, path| move |source: io::Error| MachineError::File(FileError::at(step, path)(source));
    let path = places.messages.as_path();
    let messages = File::create(path).map_err(fail("writing", path))?;
    let errors = messages.try_clone().map_err(fail("writing", path))?;
    let mut command = process::command(QEMU).map_err(MachineError::Tool)?;
    // The TPM's socket is named by a relative path.
    command.current_dir(&places.tpm).args(arguments(config, places, port));
    command.stdin(Stdio::null()).stdout(messages).stderr(errors);
    Process::start(command).map_err(fail("starting QEMU in", &places.tpm))
}

/// Options with a value.
#[derive(Default)]
struct Options(Vec<OsString>);

impl Options {
    fn add(&mut self, option: &str, value: &[&str]) {
        self.0.extend([option.into(), value.concat().into()]);
    }
}

fn arguments(config: &MachineConfig, places: &Places, port: u16) -> Vec<OsString> {
    let mut options = Options::default();
    board(&mut options, config.hardware);
    firmware(&mut options, config.hardware.firmware, places);
    options.add("-chardev", &["socket,id=tpm,path=", tpm::SOCKET]);
    options.add("-tpmdev", &["emulator,id=tpm0,chardev=tpm"]);
    options.add("-device", &[config.hardware.tpm.device(), ",tpmdev=tpm0"]);

    // Places on the bus are fixed: the firmware measures its boot options, which name them.
    let (image, disk) = (value(&config.image), value(&config.disk));
    options.add("-drive", &["if=none,id=boot,format=raw,readonly=on,file=", &image]);
    // QEMU gives the first place to a kernel of its own, if there is one.
    let first = if config.direct.is_none() { ",bootindex=0" } else { "" };
    options.add("-device", &["virtio-blk-pci,drive=boot,addr=0x3", first]);
    // The guest is told of a full disk; by default it would stand still without a word.
    options.add("-drive", &["if=none,id=data,format=raw,werror=report,file=", &disk]);
    options.add("-device", &["virtio-blk-pci,drive=data,addr=0x4,serial=", DATA_DISK]);
    // Nothing but this process's machine can reach the port, and the guest can reach nothing.
    let forward = format!("hostfwd=tcp:127.0.0.1:{port}-:{}", tre_wire::PORT);
    options.add("-netdev", &["user,id=net,restrict=on,", &forward]);
    // No option ROM: it would be measured.
    options.add("-device", &["virtio-net-pci,netdev=net,romfile=,addr=0x5"]);
    options.add("-object", &["rng-random,id=random,filename=/dev/urandom"]);
    options.add("-device", &["virtio-rng-pci,rng=random,addr=0x6"]);
    options.add("-serial", &["file:", &value(&places.console)]);
    if let Some(DirectBoot { kernel, initrd, append }) = &config.direct {
        options.add("-kernel", &[&kernel.to_string_lossy()]);
        options.add("-initrd", &[&initrd.to_string_lossy()]);
        options.add("-append", &[append]);
    }
    // Nothing that was not asked for; a guest that stops or restarts ends the machine.
    options.0.extend(["-nodefaults", "-no-reboot", "-no-user-config"].map(OsString::from));
    options.0
}

fn board(options: &mut Options, hardware: Hardware) {
    let smm = match hardware.firmware {
        Firmware::Plain => "",
        Firmware::SecureBoot => ",smm=on",
    };
    options.add("-machine", &[Hardware::MACHINE, smm]);
    // No KVM, even where its device exists: it may be one that cannot run firmware.
    options.add("-accel", &["tcg,thread=multi"]);
    options.add("-cpu", &["qemu64,+rdrand,+smep,+umip"]);
    options.add("-m", &[&hardware.memory_mib.to_string()]);
    options.add("-smp", &[&hardware.cpus.to_string()]);
    options.add("-display", &["none"]);
    options.add("-monitor", &["none"]);
}

fn firmware(options: &mut Options, firmware: Firmware, places: &Places) {
    let (code, variables) = (firmware.code(), value(&places.variables));
    options.add("-drive", &["if=pflash,format=raw,unit=0,readonly=on,file=", code]);
    options.add("-drive", &["if=pflash,format=raw,unit=1,file=", &variables]);
    if firmware == Firmware::SecureBoot {
        // Only code in system management mode may write the variables; suspend would leave it.
        options.add("-global", &["driver=cfi.pflash01,property=secure,value=on"]);
        options.add("-global", &["ICH9-LPC.disable_s3=1"]);
    }
}

/// A path as part of an option: QEMU separates parts by commas, and doubles them inside one.
fn value(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}
