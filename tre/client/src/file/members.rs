//! The members of a group: one connection point a line.

use tre_wire::id::PointId;

use super::{TableError, lines};

/// Reads a list of connection points.
///
/// # Errors
///
/// [`TableError::Line`] for a line that is no identifier, blank ones included;
/// [`TableError::Empty`]; [`TableError::NotText`].
pub fn parse(bytes: &[u8]) -> Result<Vec<PointId>, TableError> {
    let mut members = Vec::new();
    for (line, text) in lines(bytes)? {
        let found = || text.to_owned();
        let expected = "an identifier of a connection point";
        let refused = |_| TableError::Line { line, expected, found: found() };
        members.push(text.parse().map_err(refused)?);
    }
    if members.is_empty() {
        return Err(TableError::Empty { what: "connection point" });
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_point_a_line_is_read() {
        let members = parse(b"point-1\npoint-2\r\npoint-3").expect("three points");
        let members: Vec<_> = members.iter().map(PointId::as_str).collect();
        assert_eq!(members, ["point-1", "point-2", "point-3"]);
    }

    #[test]
    fn a_blank_line_is_refused_with_its_number() {
        let refused = parse(b"point-1\n\npoint-3\n").expect_err("a blank line").to_string();
        let expected = "line 2: expected an identifier of a connection point, found \"\"";
        assert_eq!(refused, expected);
    }

    #[test]
    fn an_empty_file_is_refused() {
        let refused = parse(b"").expect_err("nothing").to_string();
        assert_eq!(refused, "expected at least one connection point, found none");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_their_line() {
        let refused = parse(b"point-1\npoint-\xff\n").expect_err("no text").to_string();
        assert_eq!(refused, "line 2: expected text in UTF-8");
    }
}
