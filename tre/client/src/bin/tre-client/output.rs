//! What goes to standard output: JSON for programs, aligned columns for people.

use std::io::{self, Write as _};

use serde::Serialize;

/// Prints `message` as one line of JSON.
pub(crate) fn json(message: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string(message)?;
    print(&format!("{text}\n"))
}

/// Prints one line.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    print(&format!("{text}\n"))
}

/// Prints rows under a header, in columns.
pub(crate) fn table<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> anyhow::Result<()> {
    print(&aligned(header, &rows.into_iter().collect::<Vec<_>>()))
}

fn print(text: &str) -> anyhow::Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(anyhow::Error::from),
    }
}

fn aligned<const N: usize>(header: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = header.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        let line = padded.collect::<Vec<_>>().join("  ");
        format!("{}\n", line.trim_end())
    };
    let rows = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    core::iter::once(line(header.to_vec())).chain(rows).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: [&str; 2]| cells.map(String::from);
        let table = aligned(["slot", "status"], &[row(["7", "ok"]), row(["1970000", "late"])]);
        assert_eq!(table, "slot     status\n7        ok\n1970000  late\n");
    }
}
