//! A result as a table for people: digests shortened, what failed repeated in full below.

use core::fmt::Write as _;

use attest_verifier::{ImageFinding, what_to_do};

use super::verify::{Conclusion, Outcome};

/// Widest cell. Unit: characters.
const CELL: usize = 42;

/// Shortest run of hexadecimal digits that is shortened.
const LONG_HEX: usize = 32;

pub(crate) fn show(outcome: &Outcome<'_>) -> String {
    let mut rows = vec![["check", "expected", "found", "ok"].map(str::to_owned)];
    for check in outcome.checks {
        let ok = if check.ok { "yes" } else { "NO" };
        let cells = [&check.expected, &check.found].map(|text| cut(&shortened(text)));
        let [expected, found] = cells;
        rows.push([check.check.to_string(), expected, found, ok.to_owned()]);
    }
    let mut shown = columns(&rows);
    let failed = outcome.checks.iter().filter(|check| !check.ok);
    for (position, check) in failed.enumerate() {
        let title = if position == 0 { "\nwhat failed, in full:\n" } else { "" };
        let (name, expected, found) = (&check.check, &check.expected, &check.found);
        line(
            &mut shown,
            &format!("{title}  {name}\n    expected {expected}\n    found    {found}"),
        );
    }
    if let Some(finding) = outcome.image {
        line(&mut shown, &image(finding));
    }
    let (tre_id, address) = (outcome.tre_id, outcome.subject);
    let verdict = match outcome.verdict {
        Conclusion::Accepted => {
            format!("\nACCEPTED: {address} is {tre_id} and runs the reference image")
        }
        Conclusion::Unbound => format!(
            "\nAPPRAISED (unbound): {address} was {tre_id} with the reference image, once;\nit says \
             nothing of any connection, nor of today"
        ),
        Conclusion::Refused(refusal) => {
            let all = outcome.checks.len();
            let failed = outcome.checks.iter().filter(|check| !check.ok).count();
            let hint = what_to_do(refusal);
            format!("\nREFUSED: {address}: {failed} of {all} checks failed, first {refusal}{hint}")
        }
    };
    line(&mut shown, &verdict);
    shown.trim_end().to_owned()
}

fn image(finding: &ImageFinding) -> String {
    let mut shown = String::from("\nthe image given:\n");
    line(
        &mut shown,
        &match finding.measured_as {
            Some(event) => format!(
                "  is what the box started: PCR 4, event number {event}, {}",
                finding.authenticode
            ),
            None => format!(
                "  is not what the box started: no event in PCR 4 has its hash {}",
                finding.authenticode
            ),
        },
    );
    if finding.changes.is_empty() {
        shown.push_str("  every component is that of the manifest");
    }
    for change in &finding.changes {
        line(&mut shown, &format!("  changed: {}", spoken(&change.to_string())));
    }
    shown.trim_end().to_owned()
}

/// A component under the name that people know.
fn spoken(change: &str) -> String {
    match change.strip_prefix("/init:") {
        Some(rest) => format!("tred (/init):{rest}"),
        None => change.to_owned(),
    }
}

fn line(shown: &mut String, text: &str) {
    shown.push_str(text);
    shown.push('\n');
}

/// The rows below each other, each column as wide as its widest cell.
fn columns(rows: &[[String; 4]]) -> String {
    let mut widths = [0; 4];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut shown = String::new();
    for row in rows {
        let mut text = String::new();
        for (width, cell) in widths.iter().zip(row) {
            // Writing into a String cannot fail.
            let _written = write!(text, "{cell:<width$}  ");
        }
        line(&mut shown, text.trim_end());
    }
    shown
}

/// `text` with every long run of hexadecimal digits reduced to its first and last digits.
fn shortened(text: &str) -> String {
    let mut shown = String::new();
    let mut run = String::new();
    for next in text.chars().map(Some).chain([None]) {
        match next {
            Some(digit) if digit.is_ascii_hexdigit() => run.push(digit),
            other => {
                shown.push_str(&shortened_run(&run));
                run.clear();
                shown.extend(other);
            }
        }
    }
    shown
}

fn shortened_run(run: &str) -> String {
    match (run.get(..8), run.get(run.len().saturating_sub(4)..)) {
        (Some(first), Some(last)) if run.len() >= LONG_HEX => format!("{first}..{last}"),
        _ => run.to_owned(),
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= CELL {
        return text.to_owned();
    }
    text.chars().take(CELL.saturating_sub(2)).chain("..".chars()).collect()
}
