//! Turns one household's days into many homes' weeks: `sceaux-wide DAYS.csv WIDE.csv`.
//!
//! In: a header, then one row a day, a date and 96 quarter hours in whole Wh. Out: a header
//! `slot,h000,h001,...`, then one row a quarter hour of a week; week i of the household is home i.
//! Days after the last whole week are left out. Nothing is rounded, filled or scaled.

#![forbid(unsafe_code)]

use core::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Quarter hours of a day.
const SLOTS: usize = 96;

/// Days of a week.
const DAYS: usize = 7;

/// Why a file was not converted.
#[derive(Debug)]
enum Refused {
    /// Not called with two file names.
    Usage,
    /// The system would not read or write the file.
    File { path: PathBuf, cause: std::io::Error },
    /// A row with fewer or more cells than a date and a day.
    Cells { line: usize, found: usize },
    /// A cell that is not a whole number of watt-hours.
    NotWattHours { line: usize, cell: usize, found: String },
    /// Less than one week.
    TooShort { days: usize },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage => f.write_str("expected two arguments: sceaux-wide DAYS.csv WIDE.csv"),
            Self::File { path, cause } => write!(f, "{}: {cause}", path.display()),
            Self::Cells { line, found } => {
                write!(f, "line {line}: expected a date and {SLOTS} numbers, found {found} cells")
            }
            Self::NotWattHours { line, cell, found } => {
                write!(f, "line {line}, cell {cell}: expected whole Wh, found {found:?}")
            }
            Self::TooShort { days } => write!(f, "expected at least {DAYS} days, found {days}"),
        }
    }
}

/// The quarter hours of one day, in Wh.
fn day(line: usize, row: &str) -> Result<Vec<u32>, Refused> {
    let cells: Vec<&str> = row.split(',').collect();
    if cells.len() != SLOTS.saturating_add(1) {
        return Err(Refused::Cells { line, found: cells.len() });
    }
    let numbered = (1..).zip(cells).skip(1);
    numbered
        .map(|(cell, text)| {
            let refused = || Refused::NotWattHours { line, cell, found: text.to_owned() };
            text.parse().map_err(|_| refused())
        })
        .collect()
}

/// The wide table of a table of days.
fn wide(days_table: &str) -> Result<String, Refused> {
    let rows = (1..).zip(days_table.lines()).skip(1);
    let days = rows.map(|(line, row)| day(line, row)).collect::<Result<Vec<_>, _>>()?;
    let (weeks, _) = days.as_chunks::<DAYS>();
    if weeks.is_empty() {
        return Err(Refused::TooShort { days: days.len() });
    }
    let homes: Vec<Vec<u32>> = weeks.iter().map(|week| week.concat()).collect();
    let names = (0..homes.len()).map(|home| format!(",h{home:03}")).collect::<String>();
    let mut table = format!("slot{names}\n");
    for slot in 0..SLOTS.saturating_mul(DAYS) {
        let cells = homes.iter().filter_map(|home| home.get(slot));
        let cells = cells.map(|energy_wh| format!(",{energy_wh}")).collect::<String>();
        table.push_str(&format!("{slot}{cells}\n"));
    }
    Ok(table)
}

/// Converts one file into another.
fn convert(from: &Path, to: &Path) -> Result<(), Refused> {
    let named = |path: &Path| {
        let path = path.to_owned();
        move |cause| Refused::File { path, cause }
    };
    let days_table = std::fs::read_to_string(from).map_err(named(from))?;
    let table = wide(&days_table)?;
    let mut file = std::fs::File::create(to).map_err(named(to))?;
    file.write_all(table.as_bytes()).map_err(named(to))
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let converted = match arguments.as_slice() {
        [from, to] => convert(from, to),
        _ => Err(Refused::Usage),
    };
    match converted {
        Ok(()) => ExitCode::SUCCESS,
        Err(refused) => {
            eprintln!("sceaux-wide: {refused}");
            ExitCode::from(if matches!(refused, Refused::Usage) { 2 } else { 1 })
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::arithmetic_side_effects, reason = "small numbers of a test")]

    use super::*;

    /// A table of `days` days in which quarter hour `q` of day `d` reads `1000 d + q`.
    fn days_table(days: usize) -> String {
        let header = (0..SLOTS).map(|slot| format!(",q{slot}")).collect::<String>();
        let row = |day: usize| {
            let cells = (0..SLOTS).map(|slot| format!(",{}", 1000 * day + slot));
            format!("day-{day}{}\n", cells.collect::<String>())
        };
        format!("date{header}\n{}", (0..days).map(row).collect::<String>())
    }

    #[test]
    fn week_i_becomes_home_i_and_the_days_after_the_last_week_are_left_out() {
        let table = wide(&days_table(15)).expect("two weeks and a day");
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 1 + 672);
        assert_eq!(lines[0], "slot,h000,h001");
        assert_eq!(lines[1], "0,0,7000");
        assert_eq!(lines[96], "95,95,7095");
        assert_eq!(lines[97], "96,1000,8000");
        assert_eq!(lines[672], "671,6095,13095");
    }

    #[test]
    fn less_than_a_week_is_refused() {
        let refused = wide(&days_table(6)).expect_err("six days").to_string();
        assert_eq!(refused, "expected at least 7 days, found 6");
    }

    #[test]
    fn a_cell_that_is_no_whole_number_is_named() {
        let table = days_table(7).replacen(",1003,", ",1003.5,", 1);
        let refused = wide(&table).expect_err("a fraction").to_string();
        assert_eq!(refused, "line 3, cell 5: expected whole Wh, found \"1003.5\"");
    }

    #[test]
    fn a_short_row_is_named() {
        let table = format!("{}2010-01-01,1,2\n", days_table(7));
        let refused = wide(&table).expect_err("a short row").to_string();
        assert_eq!(refused, "line 9: expected a date and 96 numbers, found 3 cells");
    }
}
