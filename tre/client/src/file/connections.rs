//! The registrar's table: one connection record a row.
//!
//! What a connection may carry, who is billed and who supplies come from here alone, never from a
//! file of readings.

use core::str::FromStr;

use tre_wire::message::registrar::{Connection, ConnectionRecord};
use tre_wire::units::{Slot, Watts};

use super::{TableError, check_header, csv_error, csv_reader, line_of};

/// The header. `to_slot` may be blank: the record is open.
pub const HEADER: &str = "point,account,meter,supplier,tariff,capacity_w,from_slot,to_slot";

/// Reads connection records.
///
/// # Errors
///
/// [`TableError`] with the line and column of the first fault.
pub fn parse(bytes: &[u8]) -> Result<Vec<Connection>, TableError> {
    let mut reader = csv_reader(bytes);
    check_header(&mut reader, HEADER)?;
    let mut connections = Vec::new();
    for record in reader.records() {
        connections.push(connection(&record.map_err(csv_error)?)?);
    }
    if connections.is_empty() {
        return Err(TableError::Empty { what: "connection record" });
    }
    Ok(connections)
}

fn connection(row: &csv::StringRecord) -> Result<Connection, TableError> {
    let to_slot = match cell(row, "to_slot")? {
        "" => None,
        _ => Some(slot(row, "to_slot")?),
    };
    let record = ConnectionRecord {
        account: parsed(row, "account", "an identifier")?,
        meter: parsed(row, "meter", "an identifier")?,
        supplier: parsed(row, "supplier", "an identifier")?,
        tariff: parsed(row, "tariff", "an identifier")?,
        capacity_w: watts(row)?,
        from_slot: slot(row, "from_slot")?,
        to_slot,
    };
    Ok(Connection { point: parsed(row, "point", "an identifier")?, record })
}

fn watts(row: &csv::StringRecord) -> Result<Watts, TableError> {
    let expected = "whole watts from 1 to 10^9";
    let number = parsed(row, "capacity_w", expected)?;
    Watts::new(number).map_err(|_| refused(row, "capacity_w", expected))
}

fn slot(row: &csv::StringRecord, column: &'static str) -> Result<Slot, TableError> {
    let expected = "a slot number";
    let number = parsed(row, column, expected)?;
    Slot::new(number).map_err(|_| refused(row, column, expected))
}

fn parsed<T: FromStr>(
    row: &csv::StringRecord,
    column: &'static str,
    expected: &'static str,
) -> Result<T, TableError> {
    cell(row, column)?.parse().map_err(|_| refused(row, column, expected))
}

/// The cell of `row` in `column`.
fn cell<'a>(row: &'a csv::StringRecord, column: &'static str) -> Result<&'a str, TableError> {
    let place = HEADER.split(',').position(|name| name == column);
    let cell = place.and_then(|place| row.get(place));
    cell.ok_or_else(|| refused(row, column, "a cell"))
}

fn refused(row: &csv::StringRecord, column: &str, expected: &'static str) -> TableError {
    let place = HEADER.split(',').position(|name| name == column);
    let found = place.and_then(|place| row.get(place)).unwrap_or_default().to_owned();
    TableError::Cell { line: line_of(row), column: column.to_owned(), expected, found }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &str) -> Vec<u8> {
        format!("{HEADER}\n{rows}").into_bytes()
    }

    #[test]
    fn open_and_ended_records_are_read() {
        let rows = "p1,a1,m1,north,standard,11000,100,\np2,a2,m2,south,green,4600,100,200\n";
        let connections = parse(&table(rows)).expect("two records");
        assert_eq!(connections.len(), 2);
        assert_eq!(connections[0].point.as_str(), "p1");
        assert_eq!(connections[0].record.capacity_w.get(), 11_000);
        assert_eq!(connections[0].record.to_slot, None);
        assert_eq!(connections[1].record.supplier.as_str(), "south");
        assert_eq!(connections[1].record.to_slot.map(Slot::get), Some(200));
    }

    #[test]
    fn every_bad_cell_is_named_by_line_and_column() {
        for (row, column, expected, found) in [
            ("P1,a1,m1,s,t,1,2,", "point", "an identifier", "P1"),
            ("p1,,m1,s,t,1,2,", "account", "an identifier", ""),
            ("p1,a1,m 1,s,t,1,2,", "meter", "an identifier", "m 1"),
            ("p1,a1,m1,s,t,0,2,", "capacity_w", "whole watts from 1 to 10^9", "0"),
            ("p1,a1,m1,s,t,4.6,2,", "capacity_w", "whole watts from 1 to 10^9", "4.6"),
            ("p1,a1,m1,s,t,1,next,", "from_slot", "a slot number", "next"),
            ("p1,a1,m1,s,t,1,2,-1", "to_slot", "a slot number", "-1"),
        ] {
            let refused = parse(&table(row)).expect_err(row).to_string();
            let fault = format!("line 2, column {column}: expected {expected}, found {found:?}");
            assert_eq!(refused, fault);
        }
    }

    #[test]
    fn a_row_with_a_cell_too_few_is_refused() {
        let refused = parse(&table("p1,a1,m1,s,t,1,2\n")).expect_err("seven cells").to_string();
        assert_eq!(refused, "line 2: expected 8 cells as in the header, found 7");
    }

    #[test]
    fn a_table_of_readings_is_no_table_of_connections() {
        let refused = parse(b"slot,h000\n0,272\n").expect_err("another header").to_string();
        assert!(refused.starts_with("line 1: expected the header \"point,"), "{refused}");
    }
}
