//! Virtual homes: each column of a wide CSV cut into runs of days.

use core::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use tre_client::file::readings::WideReadings;

/// How columns are cut.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// Days of one home.
    pub days: usize,
    /// Metering intervals in a day; read from the file's first column without it.
    pub slots_per_day: Option<usize>,
}

/// The homes of the demo, with [`SLOTS`] readings each. Unit: Wh.
#[derive(Debug)]
pub struct Homes {
    /// Readings by home, then by slot.
    pub readings: Vec<Vec<u64>>,
    source: String,
    found: usize,
    slots_per_day: usize,
}

/// Slots that the demo replays: a day of quarter hours.
pub const SLOTS: usize = 96;

/// The same as slots are counted.
pub const SLOTS_U64: u64 = 96;

/// Aggregation groups.
pub const GROUPS: usize = 3;

/// Fewest members of a group: the demo policy's k.
pub const GROUP_LEAST: usize = 15;

impl Homes {
    /// Reads and cuts `path`, and takes at most `most` homes.
    ///
    /// # Errors
    ///
    /// A file that does not give three groups of k, with the arithmetic.
    pub fn load(path: &Path, cut: Cut, most: usize) -> Result<Self> {
        let file = fs::read(path).with_context(|| {
            format!(
                "reading {}: expected a wide CSV of readings; give one with DATA=FILE",
                path.display()
            )
        })?;
        let table = WideReadings::parse(&file).with_context(|| path.display().to_string())?;
        let slots_per_day = match cut.slots_per_day {
            Some(number) => number,
            None => slots_per_day(&file)?,
        };
        let length = cut.days.saturating_mul(slots_per_day);
        ensure!(
            length >= SLOTS,
            "HOME_DAYS={}: expected homes of at least {SLOTS} slots; {} days \
            x {slots_per_day} slots = {length}",
            cut.days,
            cut.days
        );
        let wh = |home: &[tre_wire::units::WattHours]| -> Vec<u64> {
            home.iter().take(SLOTS).map(|energy| energy.get()).collect()
        };
        let mut readings: Vec<Vec<u64>> = Vec::new();
        for (_, column) in table.iter() {
            readings.extend(column.chunks_exact(length).map(wh));
        }
        let (rows, columns, found) = (table.rows(), table.names().len(), readings.len());
        let least = GROUPS.saturating_mul(GROUP_LEAST);
        ensure!(
            found >= least,
            "{}: expected at least {GROUPS} groups x k {GROUP_LEAST} = {least} \
            homes; {columns} columns x ({rows} rows / ({} days x {slots_per_day} slots)) = {found}; \
            use a larger file or a smaller HOME_DAYS (or say SLOTS_PER_DAY)",
            path.display(),
            cut.days
        );
        ensure!(most >= least, "expected --homes of at least {least}, found {most}");
        readings.truncate(most);
        let source = path.display().to_string();
        Ok(Self { readings, source, found, slots_per_day })
    }

    /// Number of homes.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.readings.len()
    }

    /// The group of home `index`: as even as can be.
    #[must_use]
    pub const fn group_of(&self, index: usize) -> usize {
        index % GROUPS
    }

    /// Real length of one slot of the file. Unit: ms.
    #[must_use]
    pub fn real_slot_ms(&self) -> u64 {
        let slots = u64::try_from(self.slots_per_day).unwrap_or(1);
        86_400_000_u64.checked_div(slots).unwrap_or(86_400_000)
    }
}

impl fmt::Display for Homes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "homes       {} of {} virtual homes from {}, {SLOTS} slots each",
            self.count(),
            self.found,
            self.source
        )
    }
}

/// Slots in a day: 96 where the first column counts slots, else by the distance of two instants.
fn slots_per_day(file: &[u8]) -> Result<usize> {
    let text = String::from_utf8_lossy(file);
    let mut labels = text.lines().skip(1).filter_map(|line| line.split(',').next());
    let (Some(first), Some(second)) = (labels.next(), labels.next()) else { return Ok(SLOTS) };
    if first.parse::<u64>().is_ok() {
        return Ok(SLOTS);
    }
    let minutes = |label: &str| -> Option<usize> {
        let (_, time) = label.split_once('T')?;
        let hours: usize = time.get(..2)?.parse().ok()?;
        let minutes: usize = time.get(3..5)?.parse().ok()?;
        hours.checked_mul(60)?.checked_add(minutes)
    };
    let step = minutes(first).zip(minutes(second));
    let step = step.and_then(|(first, second)| second.checked_sub(first)).filter(|step| *step > 0);
    let step = step.with_context(|| {
        format!(
            "expected a slot number or an instant like \
        2013-02-14T00:30 in the first column, found {first} and {second}; say --slots-per-day"
        )
    })?;
    Ok(1_440_usize.checked_div(step).unwrap_or(SLOTS))
}
