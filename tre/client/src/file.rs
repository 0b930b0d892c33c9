//! Files that people write: tables in CSV, and lists with one entry a line.
//!
//! All are read strictly: no quoting, no blank cells but where one may be, no column more or less.
//! A refusal names line, column, what was expected and what was found.

use core::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

pub mod connections;
pub mod members;
pub mod prices;
pub mod readings;

/// Longest file. Unit: bytes. A year of half hours of a thousand homes has under 100 MB.
const MOST_BYTES: u64 = 256 * 1024 * 1024;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file is missing, or may not be read.
    #[error("expected a file that can be read at {path}: {source}", path = .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file is longer than any of its kind.
    #[error("expected at most {MOST_BYTES} bytes in {path}, found more", path = .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// The file is not what it should be.
    #[error("{path}: {source}", path = .path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: TableError,
    },
}

/// Why bytes are not the table or list that was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The bytes are not text in lines.
    #[error("line {line}: expected text in UTF-8")]
    NotText {
        /// Line, from 1.
        line: u64,
    },
    /// A row has more or fewer cells than the header.
    #[error("line {line}: expected {expected} cells as in the header, found {found}")]
    Cells {
        /// Line, from 1.
        line: u64,
        /// Cells of the header.
        expected: u64,
        /// Cells found.
        found: u64,
    },
    /// The header is not the one of this kind of file.
    #[error("line 1: expected the header {expected:?}, found {found:?}")]
    Header {
        /// The header.
        expected: &'static str,
        /// The first line.
        found: String,
    },
    /// A column that must have a name of its own has none.
    #[error("line 1: expected a name of its own for column {column}, found {found:?}")]
    ColumnName {
        /// Number of the column, from 1.
        column: usize,
        /// Its name: empty, or that of an earlier column.
        found: String,
    },
    /// A cell is not what its column holds.
    #[error("line {line}, column {column}: expected {expected}, found {found:?}")]
    Cell {
        /// Line, from 1.
        line: u64,
        /// Name of the column.
        column: String,
        /// What the column holds.
        expected: &'static str,
        /// The cell.
        found: String,
    },
    /// A line of a list is not what the list holds.
    #[error("line {line}: expected {expected}, found {found:?}")]
    Line {
        /// Line, from 1.
        line: u64,
        /// What the list holds.
        expected: &'static str,
        /// The line.
        found: String,
    },
    /// There is nothing in the file.
    #[error("expected at least one {what}, found none")]
    Empty {
        /// What there should be.
        what: &'static str,
    },
    /// There is no column of that name.
    #[error("expected a column {expected:?}, found {found}")]
    NoColumn {
        /// The name asked for.
        expected: String,
        /// The names that there are.
        found: ColumnNames,
    },
    /// The library's own limits.
    #[error("expected rows of comma-separated values: {0}")]
    Csv(#[source] csv::Error),
}

/// The columns of a table, written as the first ones and how many more.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ColumnNames(pub Vec<String>);

impl fmt::Display for ColumnNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        let shown: Vec<&str> = self.0.iter().take(SHOWN).map(String::as_str).collect();
        f.write_str(&shown.join(", "))?;
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Reads the file at `path` with `parse`.
///
/// # Errors
///
/// [`FileError`], with the path.
pub fn read<T>(
    path: &Path,
    parse: impl FnOnce(&[u8]) -> Result<T, TableError>,
) -> Result<T, FileError> {
    let unreadable = |source| FileError::Read { path: path.to_path_buf(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MOST_BYTES.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|found| found > MOST_BYTES) {
        return Err(FileError::TooLong { path: path.to_path_buf() });
    }
    parse(&bytes).map_err(|source| FileError::Table { path: path.to_path_buf(), source })
}

/// A strict reader of comma-separated values with a header.
fn csv_reader(bytes: &[u8]) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().has_headers(true).flexible(false).quoting(false).from_reader(bytes)
}

/// What the library found wrong, in our words.
fn csv_error(error: csv::Error) -> TableError {
    let line = |position: &Option<csv::Position>| position.as_ref().map_or(1, csv::Position::line);
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's enum is non-exhaustive")]
    match error.kind() {
        csv::ErrorKind::Utf8 { pos, .. } => TableError::NotText { line: line(pos) },
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            TableError::Cells { line: line(pos), expected: *expected_len, found: *len }
        }
        _ => TableError::Csv(error),
    }
}

/// The line that `record` stands in, from 1.
fn line_of(record: &csv::StringRecord) -> u64 {
    record.position().map_or(1, csv::Position::line)
}

/// Checks the header of a table with fixed columns.
fn check_header(reader: &mut csv::Reader<&[u8]>, expected: &'static str) -> Result<(), TableError> {
    let header = reader.headers().map_err(csv_error)?;
    if header.iter().eq(expected.split(',')) {
        return Ok(());
    }
    let found = header.iter().collect::<Vec<_>>().join(",");
    Err(TableError::Header { expected, found })
}

/// The lines of a list with their numbers from 1; text all through.
fn lines(bytes: &[u8]) -> Result<impl Iterator<Item = (u64, &str)>, TableError> {
    Ok((1..).zip(utf8(bytes)?.lines()))
}

/// The whole file, as text.
pub(crate) fn text(bytes: &[u8]) -> Result<String, TableError> {
    utf8(bytes).map(str::to_owned)
}

fn utf8(bytes: &[u8]) -> Result<&str, TableError> {
    core::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let ends = before.iter().filter(|&&byte| byte == b'\n').count();
        TableError::NotText { line: u64::try_from(ends).unwrap_or(u64::MAX).saturating_add(1) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("none.csv");
        let refused = read(&path, members::parse).expect_err("no file").to_string();
        let expected = format!("expected a file that can be read at {}", path.display());
        assert!(refused.starts_with(&expected), "{refused}");
    }

    #[test]
    fn a_fault_inside_a_file_is_named_with_its_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("members");
        std::fs::write(&path, b"point-1\nPoint 2\n").expect("writable");
        let refused = read(&path, members::parse).expect_err("a bad line").to_string();
        let fault = "line 2: expected an identifier of a connection point, found \"Point 2\"";
        assert_eq!(refused, format!("{}: {fault}", path.display()));
    }

    #[test]
    fn long_lists_of_columns_are_shortened() {
        let names = ColumnNames((0..10).map(|number| format!("h{number}")).collect());
        assert_eq!(names.to_string(), "h0, h1, h2, h3, h4, h5, h6, h7 and 2 more");
    }
}
