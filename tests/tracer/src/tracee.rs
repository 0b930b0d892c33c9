//! The traced process, from its first instruction to its end.

use std::collections::BTreeSet;
use std::process::Child;

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::injection::Injection;
use crate::table::{Call, Table, name, number};

/// How far the traced process has locked itself in.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Phase {
    /// No filter yet.
    Before,
    /// Under the filter of the start.
    Start,
    /// Under the filter of serving.
    Serve,
}

/// What the tracer is here for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Task {
    /// To say which rows are used.
    Watch,
    /// To make the process do this call, once.
    Inject(Injection),
}

/// Runs the traced process to its end.
///
/// # Errors
///
/// What ptrace refuses, or a process that ends before the injection.
pub(crate) fn trace(child: Child, table: Table, task: Task) -> Result<()> {
    let main = Pid::from_raw(i32::try_from(child.id())?);
    let mut tracee = Tracee {
        main,
        table,
        task,
        running: false,
        filters: 0,
        seen: BTreeSet::new(),
        started: BTreeSet::from([main]),
        injected: None,
        answer: None,
    };
    let WaitStatus::Stopped(_, Signal::SIGSTOP) = waitpid(main, None)? else {
        bail!("the traced process did not wait for its tracer");
    };
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        // Whatever ends the tracer ends the process.
        | Options::PTRACE_O_EXITKILL;
    ptrace::setoptions(main, options)?;
    ptrace::syscall(main, None)?;
    while tracee.goes_on(waitpid(None, Some(WaitPidFlag::__WALL))?)? {}
    Ok(())
}

struct Tracee {
    main: Pid,
    table: Table,
    task: Task,
    /// Whether it has become the program to be traced.
    running: bool,
    /// Filters that it has installed.
    filters: usize,
    /// Rows seen, by phase; and calls that no row allows.
    seen: BTreeSet<(Phase, Result<usize, u64>)>,
    /// Threads that have begun.
    started: BTreeSet<Pid>,
    /// The thread that does the injected call.
    injected: Option<Pid>,
    /// What it was answered. A thread that is killed for it is told something too, before it dies.
    answer: Option<i64>,
}

impl Tracee {
    /// Takes note of one stop, and lets the thread go on. `false` at the end.
    fn goes_on(&mut self, status: WaitStatus) -> Result<bool> {
        match status {
            WaitStatus::PtraceSyscall(thread) => return self.at_call(thread),
            WaitStatus::PtraceEvent(thread, _, event) => {
                self.running |= event == libc::PTRACE_EVENT_EXEC;
                resume(thread, None)?;
            }
            WaitStatus::Stopped(thread, signal) => {
                // A new thread begins with a stop that is not its own.
                let begins = self.started.insert(thread);
                resume(thread, (!begins || signal != Signal::SIGSTOP).then_some(signal))?;
            }
            WaitStatus::Exited(process, code) if process == self.main => {
                return self.ended(&format!("ended with code {code}"));
            }
            WaitStatus::Signaled(process, signal, _) if process == self.main => {
                return self.ended(&format!("killed by {signal}"));
            }
            WaitStatus::Exited(..)
            | WaitStatus::Signaled(..)
            | WaitStatus::Continued(_)
            | WaitStatus::StillAlive => {}
        }
        Ok(true)
    }

    fn ended(&self, how: &str) -> Result<bool> {
        println!("tracer: {} {how}", self.phase().as_str());
        if matches!(self.task, Task::Inject(_)) && self.injected.is_none() {
            bail!("it ended before the call could be injected");
        }
        Ok(false)
    }

    fn phase(&self) -> Phase {
        match self.filters.checked_sub(self.table.filters_before_start()) {
            None => Phase::Before,
            Some(0) => Phase::Start,
            Some(_) => Phase::Serve,
        }
    }

    fn at_call(&mut self, thread: Pid) -> Result<bool> {
        let info = ptrace::syscall_info(thread).context("asking for the call")?;
        let registers = ptrace::getregs(thread)?;
        if info.op == libc::PTRACE_SYSCALL_INFO_ENTRY {
            let arguments = [
                registers.rdi,
                registers.rsi,
                registers.rdx,
                registers.r10,
                registers.r8,
                registers.r9,
            ];
            if let Some(answer) = self.answer.filter(|_| self.injected == Some(thread)) {
                println!("tracer: {} answered {answer}", self.phase().as_str());
                ptrace::kill(self.main)?;
                return Ok(false);
            }
            if self.running {
                self.entered(thread, Call { number: registers.orig_rax, arguments })?;
            }
        } else if self.injected == Some(thread) {
            self.answer.get_or_insert(registers.rax.cast_signed());
        } else if registers.orig_rax == number("seccomp")? && registers.rax == 0 {
            self.filters = self.filters.saturating_add(1);
        }
        resume(thread, None)?;
        Ok(true)
    }

    /// A call is about to be made: the filters have not seen it yet.
    fn entered(&mut self, thread: Pid, call: Call) -> Result<()> {
        let phase = self.phase();
        match self.task {
            Task::Watch if phase > Phase::Before => self.note(phase, call),
            Task::Inject(injection) if injection.phase == phase && self.injected.is_none() => {
                let mut registers = ptrace::getregs(thread)?;
                registers.orig_rax = injection.call.number;
                let [a, b, c, d, e, f] = injection.call.arguments;
                (registers.rdi, registers.rsi, registers.rdx) = (a, b, c);
                (registers.r10, registers.r8, registers.r9) = (d, e, f);
                ptrace::setregs(thread, registers)?;
                self.injected = Some(thread);
            }
            Task::Watch | Task::Inject(_) => {}
        }
        Ok(())
    }

    fn note(&mut self, phase: Phase, call: Call) {
        let rows = self.table.allowing(call);
        for (index, text) in &rows {
            if self.seen.insert((phase, Ok(*index))) {
                println!("tracer: {} uses row {index}: {text}", phase.as_str());
            }
        }
        if rows.is_empty() && self.seen.insert((phase, Err(call.number))) {
            let (phase, name) = (phase.as_str(), name(call.number));
            println!("tracer: {phase} uses no row: {name} {:x?}", call.arguments);
        }
    }
}

impl Phase {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Start => "start",
            Self::Serve => "serve",
        }
    }
}

/// Lets a thread go on to its next call.
fn resume(thread: Pid, signal: Option<Signal>) -> Result<()> {
    match ptrace::syscall(thread, signal) {
        // Killed meanwhile: its end is reported apart.
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error).context("letting a thread go on"),
    }
}
