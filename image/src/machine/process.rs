//! Processes that end when their owner ends, however it ends.
//!
//! A dropped [`Process`] is stopped and waited for. If this process is killed, or leaves without
//! dropping anything, the kernel signals its children: `setpriv --pdeathsig` asks for that. The
//! kernel watches the *thread* that started a child, so all are started by one that never ends.

use core::time::Duration;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::tool::Tool;

/// Starts a program that gets a signal when its parent is gone.
const SETPRIV: Tool = Tool { program: "setpriv", package: "util-linux" };

/// How often an ending is looked for.
const POLL: Duration = Duration::from_millis(20);

/// How many times, before a process that was asked to end is ended: 5 seconds.
const POLLS: u32 = 250;

/// A running program.
#[derive(Debug)]
pub(super) struct Process(Child);

/// A command to start, and where the result is awaited.
type Order = (Command, Sender<io::Result<Child>>);

/// `tool`, to be given its arguments and then to [`Process::start`].
pub(super) fn command(tool: Tool) -> Result<Command, crate::tool::ToolError> {
    let program = tool.find()?;
    let mut command = SETPRIV.command()?;
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    Ok(command)
}

impl Process {
    /// Starts `command`, out of reach of a terminal's Ctrl-C: its owner decides when it ends.
    pub(super) fn start(mut command: Command) -> io::Result<Self> {
        command.process_group(0);
        static STARTER: OnceLock<Sender<Order>> = OnceLock::new();
        let starter = STARTER.get_or_init(|| {
            let (sender, orders) = channel();
            thread::spawn(move || start_all(&orders));
            sender
        });
        let gone = || io::Error::other("the thread that starts processes is gone");
        let (sender, started) = channel();
        starter.send((command, sender)).map_err(|_| gone())?;
        Ok(Self(started.recv().map_err(|_| gone())??))
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.0.try_wait()
    }

    /// Asks it to end, then waits for that.
    pub(super) fn stop(&mut self) -> io::Result<ExitStatus> {
        if let (None, Some(pid)) = (self.ended()?, i32::try_from(self.0.id()).ok()) {
            kill_process(Pid::from_raw(pid).unwrap_or(Pid::INIT), Signal::TERM)?;
        }
        self.wait()
    }

    /// Waits until it has ended; after a while it is ended.
    pub(super) fn wait(&mut self) -> io::Result<ExitStatus> {
        for _ in 0..POLLS {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            thread::sleep(POLL);
        }
        self.0.kill()?;
        self.0.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nobody is left to tell; a process that cannot be signalled has already ended.
        drop(self.stop());
    }
}

fn start_all(orders: &Receiver<Order>) {
    for (mut command, started) in orders {
        // Whoever ordered it may have given up waiting; then the child is reaped here.
        if let Err(unheard) = started.send(command.spawn())
            && let Ok(child) = unheard.0
        {
            drop(Process(child));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLEEP: Tool = Tool { program: "sleep", package: "coreutils" };

    fn sleeping() -> Process {
        let mut command = command(SLEEP).expect("every Debian system has both");
        command.arg("600");
        Process::start(command).expect("starts")
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let process = sleeping();
        let pid = Pid::from_child(&process.0);
        rustix::process::test_kill_process(pid).expect("is running");
        drop(process);
        assert_eq!(rustix::process::test_kill_process(pid), Err(rustix::io::Errno::SRCH));
    }

    #[test]
    fn a_process_outlives_the_thread_that_asked_for_it() {
        let mut process = thread::spawn(sleeping).join().expect("no panic");
        thread::sleep(Duration::from_millis(200));
        assert_eq!(process.ended().expect("is ours"), None);
    }
}
