//! Real readings: days of quarter hours of many homes.

use anyhow::{Context as _, Result, ensure};

/// Quarter hours of a day.
pub(crate) const DAY: usize = 96;

/// Homes by column, each with its quarter hours. Unit: Wh.
#[derive(Debug)]
pub(crate) struct Readings(Vec<Vec<u64>>);

impl Readings {
    /// Reads a wide table: a first column, then one column a home.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut lines = text.lines();
        let columns = lines.next().context("expected a header")?.split(',').skip(1).count();
        let mut homes = vec![Vec::new(); columns];
        for (number, line) in (2..).zip(lines) {
            let mut cells = line.split(',').skip(1);
            for home in &mut homes {
                let cell = cells.next().and_then(|cell| cell.parse().ok());
                home.push(cell.with_context(|| format!("line {number}: expected whole Wh"))?);
            }
        }
        let rows = homes.first().map_or(0, Vec::len);
        ensure!(
            columns > 16 && rows >= DAY,
            "expected 17 homes of a day, found {columns} x {rows}"
        );
        Ok(Self(homes))
    }

    /// The days of `count` homes, all the same day: one of theirs, from a home that `pick` says.
    pub(crate) fn day(&self, pick: u64, count: usize) -> Vec<Vec<u64>> {
        let pick = usize::try_from(pick >> 1).unwrap_or_default();
        let days = self.0.first().map_or(1, |home| home.len().checked_div(DAY).unwrap_or(1));
        let first = pick.checked_rem(self.0.len()).unwrap_or_default();
        let day = pick.checked_rem(days).unwrap_or_default().saturating_mul(DAY);
        let homes = self.0.iter().cycle().skip(first).take(count);
        homes.map(|home| home.iter().skip(day).take(DAY).copied().collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_cut_from_every_home() {
        let header = (0..17).map(|home| format!(",h{home}")).collect::<String>();
        let row = |row: usize| (0..17).map(|home| format!(",{}", row + home)).collect::<String>();
        let rows = (0..2 * DAY).map(|slot| format!("{slot}{}\n", row(slot)));
        let readings = Readings::parse(&format!("slot{header}\n{}", rows.collect::<String>()));
        let day = readings.expect("two days").day(2 * 3, 16);
        assert_eq!((day.len(), day[0].len()), (16, DAY));
        // Home 3, day 1; the next home is beside it.
        assert_eq!((day[0][0], day[1][0]), (99, 100));
    }
}
