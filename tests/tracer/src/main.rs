//! Runs `tred` under ptrace: says which rows of its table of system calls it uses in which phase,
//! or makes it do a call of the tracer's choice and says what becomes of it.
//!
//! Three commands, and another way for a virtual machine: as PID 1, with `tred` appended to this
//! very file, it runs that. What it says goes to the standard output, between `tred`'s own lines,
//! and begins with `tracer: `.
//!
//! ```text
//! tre-tracer watch PROGRAM ARGUMENTS...
//! tre-tracer inject PHASE CALL,ARGUMENT,... PROGRAM ARGUMENTS...
//! tre-tracer inject PHASE row:PLACE PROGRAM ARGUMENTS...
//! tre-tracer unlisted
//! ```

#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "a command line")]

mod injection;
mod table;
mod tracee;

use std::ffi::OsString;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::{Context as _, Result, bail, ensure};
use injection::Injection;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};
use table::Table;
use tracee::{Task, trace};

/// This program's own part: to become the traced one.
const BECOME: &str = "become";

fn main() -> Result<()> {
    if std::process::id() == 1 {
        let own = Path::new("/init");
        let tred = unpack(own)?;
        return trace(start(own, &[tred.into()])?, Table::appliance()?, Task::Watch);
    }
    let mut arguments = std::env::args_os().skip(1);
    let command = arguments.next().context("expected watch, inject or unlisted")?;
    match command.to_str() {
        Some("watch") => {
            let program: Vec<OsString> = arguments.collect();
            trace(start(&std::env::current_exe()?, &program)?, Table::hosted()?, Task::Watch)
        }
        Some("inject") => {
            let phase = arguments.next().context("expected a phase")?;
            let call = arguments.next().context("expected a call")?;
            let (phase, call) = (phase.to_string_lossy(), call.to_string_lossy());
            let table = Table::hosted()?;
            let injection = Injection::parse(&phase, &call, &table)?;
            let program: Vec<OsString> = arguments.collect();
            trace(start(&std::env::current_exe()?, &program)?, table, Task::Inject(injection))
        }
        Some("unlisted") => {
            Table::hosted()?.unlisted()?.iter().for_each(|number| println!("{number}"));
            Ok(())
        }
        Some(BECOME) => {
            let program = arguments.next().context("expected a program")?;
            ptrace::traceme()?;
            raise(Signal::SIGSTOP)?;
            Err(Command::new(program).args(arguments).exec().into())
        }
        _ => bail!("expected watch, inject or unlisted, found {}", command.display()),
    }
}

/// Starts this program again, to wait for its tracer and then become `program`.
fn start(own: &Path, program: &[OsString]) -> Result<Child> {
    ensure!(!program.is_empty(), "expected a program");
    Command::new(own).arg(BECOME).args(program).spawn().context("starting the traced process")
}

/// Writes what is appended to this file, the length of which is its last eight bytes, to a file of
/// its own.
fn unpack(own: &Path) -> Result<PathBuf> {
    let bytes = fs::read(own)?;
    let (rest, length) = bytes.split_last_chunk().context("a length at the end")?;
    let length = usize::try_from(u64::from_le_bytes(*length))?;
    let begin = rest.len().checked_sub(length).context("tred before its length")?;
    let tred = rest.get(begin..).context("tred before its length")?;
    let path = PathBuf::from("/tred");
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(&path)?;
    file.write_all(tred)?;
    println!("tracer: unpacked {length} bytes");
    Ok(path)
}
