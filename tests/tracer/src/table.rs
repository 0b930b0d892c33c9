//! The rows of `tre/daemon/syscalls.tsv` with numbers in place of names.

#[path = "../../../tre/daemon/build/rows.rs"]
mod rows;

use core::str::FromStr as _;

use anyhow::{Context as _, Result, anyhow};
use nix::libc;
use rows::{Arguments, Place, Row, Value};
use syscalls::Sysno;

/// A call with 32-bit pointers into a 64-bit kernel has this bit in its number.
const X32: u64 = 0x4000_0000;

/// A system call as it is made: number and arguments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) number: u64,
    pub(crate) arguments: [u64; 6],
}

/// The rows for one kind of process.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Numbered>,
    /// Filters that only answer, and are installed before the others.
    answering: usize,
}

#[derive(Debug)]
struct Numbered {
    /// Its place in the file, from 0.
    index: usize,
    number: u64,
    conditions: Vec<Condition>,
    text: String,
}

#[derive(Debug)]
struct Condition {
    argument: usize,
    mask: u64,
    value: u64,
}

impl Table {
    pub(crate) fn appliance() -> Result<Self> {
        Self::of(|place| matches!(place, Place::All | Place::Appliance))
    }

    pub(crate) fn hosted() -> Result<Self> {
        Self::of(|place| matches!(place, Place::All | Place::Hosted | Place::Debug))
    }

    fn of(ours: impl Fn(Place) -> bool) -> Result<Self> {
        let rows = rows::read(include_str!("../../../tre/daemon/syscalls.tsv"))?;
        let ours = rows.into_iter().enumerate().filter(|(_, row)| ours(row.place));
        let mut table = Self { rows: Vec::new(), answering: 0 };
        for (index, row) in ours {
            let Row { call, start, serve, arguments, .. } = row;
            let text = format!("{call} (start {start:?}, serve {serve:?})");
            let conditions = match arguments {
                Arguments::Conditions(conditions) => {
                    conditions.iter().map(Condition::of).collect::<Result<_>>()?
                }
                Arguments::Answered(_) => {
                    table.answering = table.answering.saturating_add(1);
                    Vec::new()
                }
            };
            table.rows.push(Numbered { index, number: number(&call)?, conditions, text });
        }
        Ok(table)
    }

    /// The call that the row at this place of the file allows, with no argument but those it names.
    pub(crate) fn call_of(&self, index: usize) -> Result<Call> {
        let row = self.rows.iter().find(|row| row.index == index);
        let row = row.with_context(|| format!("no row {index} for this kind of process"))?;
        let mut call = Call { number: row.number, arguments: [0; 6] };
        for condition in &row.conditions {
            let argument = call.arguments.get_mut(condition.argument).context("six arguments")?;
            *argument |= condition.value;
        }
        Ok(call)
    }

    /// Numbers of all calls that no row names, and of those that one does in the second way to
    /// make it.
    pub(crate) fn unlisted(&self) -> Result<Vec<u64>> {
        let mut numbers = Vec::new();
        for call in Sysno::iter() {
            let number = u64::try_from(call.id())?;
            let listed = self.rows.iter().any(|row| row.number == number);
            numbers.push(if listed { number | X32 } else { number });
        }
        Ok(numbers)
    }

    /// Filters that are installed before the start counts as filtered.
    pub(crate) fn filters_before_start(&self) -> usize {
        self.answering.saturating_add(1)
    }

    /// Place in the file and text of every row that allows `call`.
    pub(crate) fn allowing(&self, call: Call) -> Vec<(usize, &str)> {
        let all = self.rows.iter().filter(|row| row.allows(call));
        all.map(|row| (row.index, row.text.as_str())).collect()
    }
}

impl Numbered {
    fn allows(&self, call: Call) -> bool {
        let holds = |condition: &Condition| {
            let found = call.arguments.get(condition.argument).copied().unwrap_or_default();
            found & condition.mask == condition.value
        };
        self.number == call.number && self.conditions.iter().all(holds)
    }
}

impl Condition {
    fn of(condition: &rows::Condition) -> Result<Self> {
        let mask = condition.mask.as_ref().map_or(Ok(u64::from(u32::MAX)), bits)?;
        let argument = usize::from(condition.argument);
        Ok(Self { argument, mask, value: bits(&condition.value)? })
    }
}

/// Number of the call of that name.
pub(crate) fn number(name: &str) -> Result<u64> {
    let call = Sysno::from_str(name).map_err(|()| anyhow!("no system call {name}"))?;
    Ok(u64::try_from(call.id())?)
}

/// Name of the call of that number, if it has one.
pub(crate) fn name(number: u64) -> String {
    let call = usize::try_from(number).ok().and_then(Sysno::new);
    call.map_or_else(|| format!("call {number}"), |call| call.name().to_owned())
}

fn bits(value: &Value) -> Result<u64> {
    value.0.iter().try_fold(0, |bits, name| Ok(bits | constant(name)?))
}

/// A number, or one of the C library's constants, as far as the table names them.
fn constant(name: &str) -> Result<u64> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    let found: i128 = match name {
        "AF_INET" => libc::AF_INET.into(),
        "AT_EMPTY_PATH" => libc::AT_EMPTY_PATH.into(),
        "AF_UNIX" => libc::AF_UNIX.into(),
        "CLONE_THREAD" => libc::CLONE_THREAD.into(),
        "CLONE_VM" => libc::CLONE_VM.into(),
        "F_DUPFD_CLOEXEC" => libc::F_DUPFD_CLOEXEC.into(),
        "F_GETFD" => libc::F_GETFD.into(),
        "IPPROTO_TCP" => libc::IPPROTO_TCP.into(),
        "LINUX_REBOOT_CMD_POWER_OFF" => libc::LINUX_REBOOT_CMD_POWER_OFF.into(),
        "MADV_DONTNEED" => libc::MADV_DONTNEED.into(),
        "MAP_ANONYMOUS" => libc::MAP_ANONYMOUS.into(),
        "MS_NOEXEC" => libc::MS_NOEXEC.into(),
        "MS_NOSUID" => libc::MS_NOSUID.into(),
        "O_CREAT" => libc::O_CREAT.into(),
        "O_TRUNC" => libc::O_TRUNC.into(),
        "PROT_EXEC" => libc::PROT_EXEC.into(),
        "PR_CAPBSET_DROP" => libc::PR_CAPBSET_DROP.into(),
        "PR_CAP_AMBIENT" => libc::PR_CAP_AMBIENT.into(),
        "PR_CAP_AMBIENT_CLEAR_ALL" => libc::PR_CAP_AMBIENT_CLEAR_ALL.into(),
        "PR_SET_DUMPABLE" => libc::PR_SET_DUMPABLE.into(),
        "PR_SET_NAME" => libc::PR_SET_NAME.into(),
        "PR_SET_NO_NEW_PRIVS" => libc::PR_SET_NO_NEW_PRIVS.into(),
        "PR_SET_SECUREBITS" => libc::PR_SET_SECUREBITS.into(),
        "SECCOMP_SET_MODE_FILTER" => libc::SECCOMP_SET_MODE_FILTER.into(),
        "SOL_SOCKET" => libc::SOL_SOCKET.into(),
        "SO_REUSEADDR" => libc::SO_REUSEADDR.into(),
        "TCP_NODELAY" => libc::TCP_NODELAY.into(),
        _ => return Err(anyhow!("{name} is a constant that the tracer has no number for")),
    };
    Ok(u64::try_from(found)?)
}
