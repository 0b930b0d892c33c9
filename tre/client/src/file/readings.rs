//! Readings of many homes, wide: a first column of slots or times, then one column a home, in Wh.
//!
//! The first column is not read: row `i` is the `i`-th slot after the start that the caller names.

use tre_wire::units::WattHours;

use super::{ColumnNames, TableError, csv_error, csv_reader, line_of};

/// A table of readings, by home.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WideReadings {
    names: Vec<String>,
    homes: Vec<Vec<WattHours>>,
}

impl WideReadings {
    /// Reads a wide table. Every cell but those of the first column is whole watt-hours.
    ///
    /// # Errors
    ///
    /// [`TableError`] with the line and column of the first fault.
    pub fn parse(bytes: &[u8]) -> Result<Self, TableError> {
        let mut reader = csv_reader(bytes);
        let names = names(reader.headers().map_err(csv_error)?)?;
        let mut homes = vec![Vec::new(); names.len()];
        for record in reader.records() {
            let record = record.map_err(csv_error)?;
            let cells = record.iter().skip(1).zip(&names);
            for (home, (text, name)) in homes.iter_mut().zip(cells) {
                home.push(energy(text).ok_or_else(|| TableError::Cell {
                    line: line_of(&record),
                    column: name.clone(),
                    expected: "whole watt-hours from 0 to 10^9",
                    found: text.to_owned(),
                })?);
            }
        }
        let readings = Self { names, homes };
        if readings.rows() == 0 {
            return Err(TableError::Empty { what: "row of readings" });
        }
        Ok(readings)
    }

    /// The names of the homes, in the order of the columns.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of rows, and so of readings of every home. At least 1.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.homes.first().map_or(0, Vec::len)
    }

    /// The readings of the home called `name`, by row.
    ///
    /// # Errors
    ///
    /// [`TableError::NoColumn`] with the names that there are.
    pub fn home(&self, name: &str) -> Result<&[WattHours], TableError> {
        let place = self.names.iter().position(|found| found == name);
        let home = place.and_then(|place| self.homes.get(place));
        home.map(Vec::as_slice).ok_or_else(|| TableError::NoColumn {
            expected: name.to_owned(),
            found: ColumnNames(self.names.clone()),
        })
    }

    /// Name and readings of every home, in the order of the columns.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[WattHours])> {
        self.names.iter().map(String::as_str).zip(self.homes.iter().map(Vec::as_slice))
    }
}

/// The names of the homes: every column but the first.
fn names(header: &csv::StringRecord) -> Result<Vec<String>, TableError> {
    let mut names: Vec<String> = Vec::new();
    for (column, name) in (1..).zip(header).skip(1) {
        if name.is_empty() || names.iter().any(|earlier| earlier == name) {
            return Err(TableError::ColumnName { column, found: name.to_owned() });
        }
        names.push(name.to_owned());
    }
    if names.is_empty() {
        return Err(TableError::Empty { what: "column of readings beside the first" });
    }
    Ok(names)
}

/// A cell that is digits and nothing else, within the range of a reading.
fn energy(text: &str) -> Option<WattHours> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    WattHours::new(text.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"slot,h000,h001\n0,272,0\n1,13,1000000000\n";

    #[test]
    fn homes_are_read_by_column() {
        let readings = WideReadings::parse(TABLE).expect("two homes");
        let wh = |name: &str| -> Vec<u64> {
            let home = readings.home(name).expect("a column");
            home.iter().map(|energy| energy.get()).collect()
        };
        assert_eq!(readings.names(), ["h000", "h001"]);
        assert_eq!(readings.rows(), 2);
        assert_eq!(wh("h000"), [272, 13]);
        assert_eq!(wh("h001"), [0, 1_000_000_000]);
    }

    #[test]
    fn a_column_that_is_not_there_is_named_with_those_that_are() {
        let readings = WideReadings::parse(TABLE).expect("two homes");
        let refused = readings.home("h002").expect_err("no such home").to_string();
        assert_eq!(refused, "expected a column \"h002\", found h000, h001");
        let refused = readings.home("slot").expect_err("the first column").to_string();
        assert_eq!(refused, "expected a column \"slot\", found h000, h001");
    }

    #[test]
    fn a_cell_that_is_no_reading_is_named_by_line_and_column() {
        for bad in ["", "1.5", "-1", "+1", " 1", "1e3", "NaN", "1000000001"] {
            let table = format!("slot,h000,h001\n0,1,2\n1,3,{bad}\n");
            let refused = WideReadings::parse(table.as_bytes()).expect_err(bad).to_string();
            let expected = "expected whole watt-hours from 0 to 10^9";
            assert_eq!(refused, format!("line 3, column h001: {expected}, found {bad:?}"));
        }
    }

    #[test]
    fn a_row_of_another_width_is_refused() {
        let refused = WideReadings::parse(b"slot,h000\n0,1\n1,2,3\n").expect_err("three cells");
        let expected = "line 3: expected 2 cells as in the header, found 3";
        assert_eq!(refused.to_string(), expected);
    }

    #[test]
    fn columns_need_names_of_their_own() {
        let refused = WideReadings::parse(b"slot,h0,h0\n0,1,2\n").expect_err("twice h0");
        let expected = "line 1: expected a name of its own for column 3, found \"h0\"";
        assert_eq!(refused.to_string(), expected);
        let refused = WideReadings::parse(b"slot,\n0,1\n").expect_err("no name").to_string();
        assert_eq!(refused, "line 1: expected a name of its own for column 2, found \"\"");
    }

    #[test]
    fn a_table_without_homes_or_rows_is_refused() {
        let refused = WideReadings::parse(b"slot\n0\n").expect_err("no home").to_string();
        let expected = "expected at least one column of readings beside the first, found none";
        assert_eq!(refused, expected);
        let refused = WideReadings::parse(b"slot,h000\n").expect_err("no row").to_string();
        assert_eq!(refused, "expected at least one row of readings, found none");
    }
}
