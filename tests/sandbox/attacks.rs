//! Calls that whoever takes over `tred` would make.

use anyhow::{Result, ensure};
use tre_tests::{place, tools};

use crate::ground::{Fate, Ground, Phase, is_hosted, table};
use crate::rows::Need;

/// What an attacker wants, and the call for it. Elsewhere the kernel answers each, if only with an
/// error: the arguments of those that would harm the machine are ones that it refuses.
const WANTED: [(&str, &str); 34] = [
    ("another program", "execve"),
    ("another program, by a descriptor", "execveat"),
    ("another process", "clone,256"),
    ("another process, as a copy", "fork"),
    ("a debugger's hold on a process", "ptrace,0"),
    ("another process's memory", "process_vm_readv"),
    ("memory to write code to and run it", "mmap,0,4096,7,34,4294967295,0"),
    ("memory to run", "mprotect,0,0,4"),
    ("a file in memory, to run", "memfd_create"),
    ("a file of its own", "openat,4294967196,0,64"),
    ("a file emptied", "openat,4294967196,0,512"),
    ("a file gone", "unlinkat"),
    ("a device file", "mknodat"),
    ("a raw network socket", "socket,17,3,0"),
    ("a kernel socket", "socket,16,3,0"),
    ("a packet without a connection", "sendmsg"),
    ("a file system mounted", "mount"),
    ("a file system unmounted", "umount2"),
    ("another root", "pivot_root"),
    ("another root for itself", "chroot"),
    ("the machine off", "reboot"),
    ("another kernel", "kexec_load"),
    ("code in the kernel", "init_module"),
    ("a program in the kernel", "bpf"),
    ("the kernel's counters", "perf_event_open"),
    ("the kernel's other queue of calls", "io_uring_setup"),
    ("page faults to handle", "userfaultfd"),
    ("the kernel's keys", "keyctl"),
    ("a name space", "unshare"),
    ("another's name space", "setns"),
    ("a signal for another process", "kill,0,0"),
    ("another user", "setuid"),
    ("the clock", "settimeofday"),
    ("ports of the machine", "iopl"),
];

/// `uretprobe` and `uprobe`, which a kernel keeps for code that it wrote into the process itself.
/// New kernels do not ask a filter about them; made from elsewhere they do nothing.
const UNFILTERED: [&str; 2] = ["335", "336"];

/// An illegal instruction, "no such device" or "no such call".
fn does_nothing(fate: &Fate) -> bool {
    match fate {
        Fate::Ended(how) => how == "killed by SIGILL",
        Fate::Answered(error) => [-6, -38].contains(error),
        Fate::Killed => false,
    }
}

#[test]
fn what_an_attacker_wants_ends_the_process_at_the_start() -> Result<()> {
    let ground = Ground::make()?;
    for (what, call) in WANTED {
        let free = ground.inject(Phase::Before, call)?;
        ensure!(matches!(free, Fate::Answered(_)), "{what}, without a filter: {free:?}");
        let fate = ground.inject(Phase::Start, call)?;
        ensure!(fate == Fate::Killed, "{what}: {fate:?}");
    }
    Ok(())
}

#[test]
fn what_an_attacker_wants_ends_the_process_that_serves() -> Result<()> {
    let ground = Ground::make()?;
    for (what, call) in WANTED {
        let fate = ground.inject(Phase::Serve, call)?;
        ensure!(fate == Fate::Killed, "{what}: {fate:?}");
    }
    Ok(())
}

#[test]
fn every_row_is_allowed_in_its_phases_and_serving_allows_no_other() -> Result<()> {
    let ground = Ground::make()?;
    let (mut served, mut refused) = (0_u32, 0_u32);
    for (index, row) in table()?.iter().enumerate().filter(|(_, row)| is_hosted(row)) {
        let call = format!("row:{index}");
        // The first filter stays under the second: it allows what either needs.
        let at_start = ground.inject(Phase::Start, &call)?;
        ensure!(at_start != Fate::Killed, "{} at the start: {at_start:?}", row.call);
        let serving = ground.inject(Phase::Serve, &call)?;
        let allowed = row.serve != Need::No;
        ensure!(allowed != (serving == Fate::Killed), "{} while serving: {serving:?}", row.call);
        if allowed { served += 1 } else { refused += 1 }
    }
    // Strictly tighter, and by how much.
    println!("of the start's rows, serving allows {served} and refuses {refused}");
    ensure!(refused > 0, "serving allows all that the start does");
    Ok(())
}

#[test]
fn every_call_that_is_not_in_the_table_ends_the_process() -> Result<()> {
    let ground = Ground::make()?;
    let calls = tools::run(&place::program("tre-tracer")?.to_string_lossy(), &["unlisted"])?;
    let mut ended = 0_u32;
    for call in calls.lines() {
        let fate = ground.inject(Phase::Start, call)?;
        let empty = UNFILTERED.contains(&call) && does_nothing(&fate);
        ensure!(empty || fate == Fate::Killed, "call {call}: {fate:?}");
        ended += 1;
    }
    println!("{ended} calls that are not in the table, each the end of the process");
    ensure!(ended > 350, "expected every call of the kernel, tried {ended}");
    Ok(())
}
