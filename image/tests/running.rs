//! A running machine: it has its data disk for itself, and stops whoever asks, however often.

#![forbid(unsafe_code)]
#![expect(clippy::expect_used, reason = "the lint's exemption for tests leaves out their helpers")]

use core::time::Duration;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use image::{disk, fat};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// A machine with nothing to start: its firmware goes on to its own shell.
fn prepared(folder: &Path) -> Command {
    let (efi, boot, data) =
        (folder.join("nothing"), folder.join("tre.img"), folder.join("data.img"));
    fs::write(&efi, [0; 4096]).expect("writes");
    fat::write(&efi, &boot).expect("makes a boot disk");
    disk::create_blank(&data).expect("makes a data disk");
    run(folder, "state")
}

/// A machine with a state folder of its own on the disks in `folder`.
fn run(folder: &Path, state: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tre-image"));
    let (boot, data, state) = (folder.join("tre.img"), folder.join("data.img"), folder.join(state));
    command
        .args(["run", "--serial", "-"])
        .args(["--state".as_ref(), state.as_os_str()])
        .args(["--image".as_ref(), boot.as_os_str(), "--disk".as_ref(), data.as_os_str()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Programs that have `folder` in their command line or work in it.
fn at_work_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir("/proc").expect("Linux").filter_map(Result::ok);
    let programs =
        entries.filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok());
    let named = programs.filter_map(|entry| {
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        let works = fs::read_link(entry.path().join("cwd")).is_ok_and(|at| at.starts_with(folder));
        (works || line.contains(&folder.display().to_string())).then_some(line)
    });
    named.collect()
}

fn another_machine_on_the_same_disk_is_refused(folder: &Path) {
    let output = run(folder, "other").output().expect("starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("data.img is in use by another machine: stop it, or use another"),
        "{said}"
    );
    assert_eq!(at_work_in(&folder.join("other")), Vec::<String>::new());
}

#[test]
fn a_machine_asked_twice_to_stop_ends_well_and_keeps_its_state() {
    for signal in [Signal::INT, Signal::TERM] {
        let folder = tempfile::tempdir().expect("temporary folder");
        let state = folder.path().join("state");
        let mut machine = prepared(folder.path()).spawn().expect("starts");
        let said = || fs::read(state.join("serial.log")).unwrap_or_default();
        speaks(&mut machine, &state.join("serial.log"));
        assert_eq!(at_work_in(&state).len(), 3, "{:?}", at_work_in(&state));
        if signal == Signal::INT {
            another_machine_on_the_same_disk_is_refused(folder.path());
        }
        let pid = Pid::from_child(&machine);
        kill_process(pid, signal).expect("runs");
        kill_process(pid, signal).expect("runs still: it waits for the machine's end");
        let output = machine.wait_with_output().expect("ends");
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(shown.ends_with("stopped before the appliance listened\n"), "{shown}");
        assert!(!said().is_empty() && shown.contains('\u{1b}'), "the console was not shown");
        assert_eq!(at_work_in(&state), Vec::<String>::new());
        assert!(state.join("tpm").is_dir() && state.join("vars.fd").is_file());
    }
}

/// Waits until the machine's console says something, or the machine has ended.
fn speaks(machine: &mut Child, console: &Path) {
    for _ in 0..600 {
        let said = !fs::read(console).unwrap_or_default().is_empty();
        if said || machine.try_wait().expect("is ours").is_some() {
            break;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn the_machine_is_what_the_options_say() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let at = |name: &str| folder.path().join(name);
    drop(prepared(folder.path()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_tre-image"));
    command.args(["run", "--smp", "2", "--memory", "768"]);
    for (option, path) in [
        ("--state", at("state")),
        ("--image", at("tre.img")),
        ("--disk", at("data.img")),
        ("--tpm-state", at("chip")),
        ("--serial", at("console.log")),
    ] {
        command.arg(option).arg(path);
    }
    let mut machine = command.stdout(Stdio::piped()).spawn().expect("starts");
    speaks(&mut machine, &at("console.log"));
    let programs = at_work_in(folder.path());
    let emulator = programs.iter().find(|line| line.contains("qemu-system"));
    let emulator = emulator.unwrap_or_else(|| panic!("expected an emulator in {programs:?}"));
    for words in ["-smp 2", "-m 768"] {
        assert!(emulator.contains(words), "expected {words:?} in {emulator}");
    }
    kill_process(Pid::from_child(&machine), Signal::INT).expect("runs");
    let output = machine.wait_with_output().expect("ends");
    assert!(output.status.success());
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(!shown.contains('\u{1b}'), "the console was shown: {shown}");
    assert!(at("chip/tpm").is_dir() && !at("state/tpm").exists());
    assert!(!at("state/serial.log").exists() && at("state/vars.fd").is_file());
}

/// A terminal sends it to every process of the group: also to what makes the TPM.
#[test]
fn ctrl_c_while_the_tpm_is_made_ends_well_and_leaves_nothing_at_work() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let state = folder.path().join("state");
    let mut command = prepared(folder.path());
    let mut machine = command.process_group(0).spawn().expect("starts");
    for _ in 0..600 {
        let making = at_work_in(&state).iter().any(|line| line.contains("swtpm_setup"));
        if making || machine.try_wait().expect("is ours").is_some() {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    kill_process_group(Pid::from_child(&machine), Signal::INT).expect("runs");
    let output = machine.wait_with_output().expect("ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(at_work_in(&state), Vec::<String>::new());
}
