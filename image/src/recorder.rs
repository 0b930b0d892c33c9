//! PID 1 of the recording boot: says what the firmware measured, and powers the machine off.
//!
//! PCR 0 and 1 depend on firmware and machine alone, not on what is booted, so a program that
//! does nothing else can stand in for the appliance. No image that is handed out contains it.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the console is where it reports")]

use core::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use anyhow::Context as _;
use rustix::mount::{MountFlags, mount};
use rustix::system::{RebootCommand, reboot};

/// Where the kernel shows the event log, once securityfs is mounted.
const EVENT_LOG: &str = "/sys/kernel/security/tpm0/binary_bios_measurements";

fn main() -> anyhow::Result<()> {
    if std::process::id() != 1 {
        anyhow::bail!("'tre-recorder' is the /init of a recording boot: run 'tre-image record'");
    }
    if let Err(error) = report() {
        println!("recorder: failed: {error:#}");
    }
    reboot(RebootCommand::PowerOff).context("power off")
}

fn report() -> anyhow::Result<()> {
    mount_at("sysfs", "/sys")?;
    mount_at("securityfs", "/sys/kernel/security")?;
    for pcr in 0..24 {
        let file = format!("/sys/class/tpm/tpm0/pcr-sha256/{pcr}");
        let value = fs::read_to_string(&file).with_context(|| file)?;
        println!("recorder: pcr {pcr:02} {}", value.trim().to_lowercase());
    }
    let log = fs::read(EVENT_LOG).context(EVENT_LOG)?;
    let mut digits = String::new();
    for byte in log {
        write!(digits, "{byte:02x}")?;
    }
    println!("recorder: log {digits}\nrecorder: done");
    Ok(())
}

fn mount_at(kind: &str, folder: &str) -> Result<(), io::Error> {
    fs::create_dir_all(Path::new(folder))?;
    Ok(mount(kind, folder, kind, MountFlags::empty(), None)?)
}
