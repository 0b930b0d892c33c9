//! Prices: a header, then one price a row, one row a slot.

use tre_wire::units::PricePerKwh;

use super::{TableError, check_header, csv_error, csv_reader, line_of};

/// The header: millionths of the currency per kWh.
pub const HEADER: &str = "price_micro_per_kwh";

/// Reads consecutive prices.
///
/// # Errors
///
/// [`TableError`] with the line of the first fault.
pub fn parse(bytes: &[u8]) -> Result<Vec<PricePerKwh>, TableError> {
    let mut reader = csv_reader(bytes);
    check_header(&mut reader, HEADER)?;
    let mut prices = Vec::new();
    for record in reader.records() {
        let record = record.map_err(csv_error)?;
        let text = record.get(0).unwrap_or_default();
        let refused = || TableError::Cell {
            line: line_of(&record),
            column: HEADER.to_owned(),
            expected: "a whole number of millionths of the currency, at most 10^12 either way",
            found: text.to_owned(),
        };
        let number = text.parse::<i64>().map_err(|_| refused())?;
        prices.push(PricePerKwh::new(number).map_err(|_| refused())?);
    }
    if prices.is_empty() {
        return Err(TableError::Empty { what: "price" });
    }
    Ok(prices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_in_their_order() {
        let prices = parse(b"price_micro_per_kwh\n39900\n-20000\n672000\n").expect("prices");
        let prices: Vec<_> = prices.into_iter().map(PricePerKwh::get).collect();
        assert_eq!(prices, [39_900, -20_000, 672_000]);
    }

    #[test]
    fn a_price_in_pence_is_refused_with_its_line() {
        let refused = parse(b"price_micro_per_kwh\n39900\n3.99\n").expect_err("a fraction");
        let expected = "line 3, column price_micro_per_kwh: expected a whole number of millionths \
                        of the currency, at most 10^12 either way, found \"3.99\"";
        assert_eq!(refused.to_string(), expected);
    }

    #[test]
    fn another_header_is_refused() {
        let refused = parse(b"pence\n3\n").expect_err("another header").to_string();
        let expected = "line 1: expected the header \"price_micro_per_kwh\", found \"pence\"";
        assert_eq!(refused, expected);
    }
}
