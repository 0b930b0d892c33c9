//! What a process has used, as the kernel counts it. `proc(5)`

use std::fs;

use anyhow::{Context as _, Result};

/// Processor time and memory of one process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Processor time, in user and system mode. Unit: microseconds.
    pub(crate) cpu_us: u64,
    /// Resident memory. Unit: KiB.
    pub(crate) resident_kib: u64,
}

impl Usage {
    /// Of the process with this id, up to now.
    ///
    /// # Errors
    ///
    /// When there is no such process.
    pub(crate) fn of(id: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|text| text.split_whitespace().next());
        Ok(Self {
            cpu_us: ticks(&stat, UTIME, STIME)?,
            resident_kib: resident.context("expected VmRSS in status")?.parse()?,
        })
    }

    /// Processor time of all children of this process that have ended.
    ///
    /// # Errors
    ///
    /// When the kernel says nothing of this process.
    pub(crate) fn of_ended_children() -> Result<Self> {
        let cpu_us = ticks(&fs::read_to_string("/proc/self/stat")?, CUTIME, CSTIME)?;
        Ok(Self { cpu_us, resident_kib: 0 })
    }

    /// What was used since `before`, with the memory of now.
    pub(crate) const fn since(self, before: Self) -> Self {
        Self { cpu_us: self.cpu_us.saturating_sub(before.cpu_us), ..self }
    }
}

/// The sum of two fields of `stat`. Unit: microseconds.
fn ticks(stat: &str, user: usize, system: usize) -> Result<u64> {
    // The name, in parentheses, may hold spaces: fields are counted behind it.
    let (_, behind) = stat.rsplit_once(')').context("expected a name in stat")?;
    let fields: Vec<&str> = behind.split_whitespace().collect();
    let field = |index| fields.get(index).and_then(|field: &&str| field.parse::<u64>().ok());
    let (user, system) = field(user).zip(field(system)).context("expected times in stat")?;
    Ok(user.saturating_add(system).saturating_mul(TICK_US))
}

/// Places of utime, stime, cutime and cstime behind the name.
const UTIME: usize = 11;
const STIME: usize = 12;
const CUTIME: usize = 13;
const CSTIME: usize = 14;

/// Length of the kernel's clock tick for programs (USER_HZ is 100). Unit: microseconds.
const TICK_US: u64 = 10_000;
