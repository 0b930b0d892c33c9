//! The demo's page: one HTML file with everything in it, no script, nothing loaded from elsewhere.

#![expect(clippy::indexing_slicing, reason = "a field of JSON that is missing reads as null")]

use core::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::plots::{self, Line};

/// Writes the page of `result`, which is `result.json`, with the table that `make attacks` wrote to
/// `attacks`, if it is there.
///
/// # Errors
///
/// When a field is missing, or the file cannot be written.
pub fn write(path: &Path, result: &Value, attacks: &Path) -> Result<()> {
    let page = page(result, self::attacks(attacks)?.as_ref())?;
    fs::write(path, page).with_context(|| format!("writing {}", path.display()))
}

/// The table that `make attacks` wrote; nothing if it is not there.
///
/// # Errors
///
/// When it is no table.
pub fn attacks(path: &Path) -> Result<Option<Value>> {
    match fs::read(path) {
        Ok(table) => Ok(Some(serde_json::from_slice(&table).context("reading the attack table")?)),
        Err(_) => Ok(None),
    }
}

fn page(result: &Value, attacks: Option<&Value>) -> Result<String> {
    let mut page = String::from(HEAD);
    proof(&mut page, result)?;
    sums(&mut page, result)?;
    refused(&mut page, result)?;
    bills(&mut page, result)?;
    attack_table(&mut page, attacks)?;
    page.push_str("</body></html>\n");
    Ok(page)
}

/// The axes of every plot, in the order of the page.
pub(super) const AXES: [(&str, &str); 3] = [
    ("slot of the day", "Wh"),
    ("slot of the day", "epsilon, millionths"),
    ("recomputed, minor units", "billed, minor units"),
];

const HEAD: &str = "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"/>\
<title>A day of the Trustworthy Remote Entity</title><style>\
body{font:15px/1.5 sans-serif;max-width:56em;margin:2em auto;padding:0 1em;color:#222}\
table{border-collapse:collapse;margin:1em 0}td,th{padding:.2em .8em;border-bottom:1px solid #ccc;\
text-align:left}td.n,th.n{text-align:right}.no{color:#a00;font-weight:bold}.yes{color:#264}\
.bar{display:inline-block;height:.7em;background:#14468c;vertical-align:middle}\
code{font-size:90%}svg{max-width:100%;height:auto}</style></head><body>\
<h1>A day of the Trustworthy Remote Entity</h1>\n";

/// Text as it may stand in HTML.
fn text(value: &Value) -> String {
    let plain = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn proof(page: &mut String, result: &Value) -> Result<()> {
    let checks = result["attestation"]["checks"].as_array().context("attestation")?;
    let held = checks.iter().filter(|check| check["ok"] == true).count();
    let verdict = text(&result["attestation"]["verdict"]);
    let (image, mode) = (text(&result["image"]["sha256"]), text(&result["mode"]));
    writeln!(
        page,
        "<h2>What was proven first</h2><p>Before any meter sent a byte: {held} of {} checks held, \
        evidence <b>{verdict}</b>. Image <code>{image}</code>, run as {mode}.</p>",
        checks.len()
    )?;
    Ok(())
}

/// True and released sums of the first group, what is left of its budget, and how far off all are.
fn sums(page: &mut String, result: &Value) -> Result<()> {
    let rows = result["aggregates"].as_array().context("aggregates")?;
    let first = rows.first().map(|row| row["group"].clone()).context("a sum")?;
    let own: Vec<&Value> = rows.iter().filter(|row| row["group"] == first).collect();
    let line = |name, field: &str| {
        let point = |(slot, row): (i64, &&Value)| row[field].as_i64().map(|wh| (slot, wh));
        Line { name, points: (0..).zip(&own).filter_map(point).collect() }
    };
    let sums = [line("true sum", "true_wh"), line("released", "released_wh")];
    let left = [line("epsilon left, millionths", "epsilon_left_millionths")];
    let [wh, epsilon, _] = AXES;
    writeln!(
        page,
        "<h2>What the network operator saw</h2><p>Group {}: one noisy sum a slot.</p>{}<p>Each \
        spends a part of its members' budget in the window:</p>{}",
        text(&first),
        plots::lines(wh, &sums)?,
        plots::lines(epsilon, &left)?
    )?;
    page.push_str(
        "<table><tr><th>group</th><th class=\"n\">sums</th><th class=\"n\">mean true sum, Wh</th>\
        <th class=\"n\">mean error, Wh</th><th class=\"n\">stated (lambda), Wh</th></tr>\n",
    );
    let mut groups: Vec<&Value> = rows.iter().map(|row| &row["group"]).collect();
    groups.dedup();
    for group in groups {
        let pair = |row: &Value| Some((row["true_wh"].as_i64()?, row["released_wh"].as_i64()?));
        let of = rows.iter().filter(|row| row["group"] == *group);
        let pairs: Vec<(i64, i64)> = of.clone().filter_map(pair).collect();
        let count = i64::try_from(pairs.len())?.max(1);
        let errors = pairs.iter().map(|(truth, released)| released.abs_diff(*truth));
        let error = errors.fold(0, u64::saturating_add).checked_div(count.unsigned_abs());
        let truth = pairs.iter().map(|pair| pair.0).fold(0, i64::saturating_add).checked_div(count);
        let lambda = of.clone().next().and_then(|row| row["lambda_milli_wh"].as_u64());
        writeln!(
            page,
            "<tr><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
            <td class=\"n\">{}</td></tr>",
            text(group),
            pairs.len(),
            truth.unwrap_or(0),
            error.unwrap_or(0),
            lambda.unwrap_or(0) / 1_000
        )?;
    }
    page.push_str("</table>\n");
    Ok(())
}

/// The query beyond the budget.
fn refused(page: &mut String, result: &Value) -> Result<()> {
    let extra = result["extra_query"].as_array().context("extra_query")?;
    let spent = extra.iter().find(|row| row["withheld"] == "budget_spent");
    page.push_str("<h2>The query beyond the budget</h2>\n");
    match spent {
        Some(row) => writeln!(
            page,
            "<p>The operator then put the same homes into one group more, <b>{}</b>, and asked for \
            slot {}: <span class=\"no\">withheld, budget spent</span>; {} millionths of epsilon left.</p>",
            text(&row["group"]),
            text(&row["slot"]),
            text(&row["epsilon_left_millionths"])
        )?,
        None => page.push_str("<p class=\"no\">Expected to be withheld, and was not.</p>\n"),
    }
    Ok(())
}

fn bills(page: &mut String, result: &Value) -> Result<()> {
    let rows = result["bills"].as_array().context("bills")?;
    let pair =
        |row: &Value| Some((row["recomputed_minor"].as_i64()?, row["billed_minor"].as_i64()?));
    let points: Vec<(i64, i64)> = rows.iter().filter_map(pair).collect();
    let equal = points.iter().filter(|(one, other)| one == other).count();
    let (event, [_, _, axes]) = (&result["events"][0], AXES);
    writeln!(
        page,
        "<h2>What the suppliers saw</h2><p><b>{equal} of {}</b> bills equal, to the penny, what \
        their homes' readings and the published prices come to. No reading was sent.</p>{}\
        <h2>What the demand side manager saw</h2><p>{} pseudo-bids without a name; it accepted {}. \
        Nobody changed its day for it: {} winners drew less than their baseline by what they offered, \
        <b>{}</b> did not and were charged what their bids earned. Credits and \
        penalties stand inside the bills above.</p>",
        rows.len(),
        plots::against(axes, Line { name: "bills", points })?,
        text(&event["pseudo_bids"]),
        text(&event["decision"]),
        text(&event["delivered"]),
        text(&event["short"])
    )?;
    Ok(())
}

fn attack_table(page: &mut String, table: Option<&Value>) -> Result<()> {
    page.push_str("<h2>Attacks</h2>\n");
    let Some(table) = table else {
        page.push_str("<p>Not played: run <code>make attacks</code> first.</p>\n");
        return Ok(());
    };
    let rows = table["attacks"].as_array().context("attacks")?;
    writeln!(
        page,
        "<p>Each played {} times on real readings, those on the wire and on clocks as often as they \
        say; a coin is right half of the time. Unchecked: how often it is right once the check against \
        it is taken out.</p><table><tr><th>attack</th><th class=\"n\">right</th>\
        <th class=\"n\">bound</th><th class=\"n\">unchecked</th><th></th><th>who does what</th></tr>",
        text(&table["rounds"])
    )?;
    for row in rows {
        let permille = |field: &str| row[field].as_u64().unwrap_or(0);
        let percent = |number: u64| format!("{}.{} %", number / 10, number % 10);
        let (class, word) = if row["held"] == true { ("yes", "held") } else { ("no", "SUCCEEDED") };
        let right = permille("right_permille");
        let unchecked = row["without"]["right_permille"].as_u64();
        writeln!(
            page,
            "<tr><td>{}</td><td class=\"n\">{} <span class=\"bar\" style=\"width:{}px\"></span></td>\
            <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"{class}\">{word}</td><td>{}</td></tr>",
            text(&row["name"]),
            percent(right),
            right / 10,
            percent(permille("bound_permille")),
            unchecked.map_or_else(|| String::from("-"), percent),
            text(&row["what"])
        )?;
    }
    page.push_str("</table>\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::page_check::check;
    use super::*;
    use serde_json::json;

    fn result() -> Value {
        let row = |slot: u64, released: i64| {
            json!({
                "group": "g0", "slot": slot, "true_wh": 4_000, "released_wh": released,
                "lambda_milli_wh": 1_000_000, "epsilon_left_millionths": 96_000_000,
            })
        };
        json!({
            "mode": "hosted",
            "image": { "sha256": "ab<cd" },
            "attestation": { "verdict": "accepted", "checks": [{ "ok": true }] },
            "aggregates": [row(0, 5_000), row(1, 2_000)],
            "extra_query": [{
                "group": "one-more", "slot": 7, "withheld": "budget_spent",
                "epsilon_left_millionths": 0,
            }],
            "bills": [{ "billed_minor": 3, "recomputed_minor": 3 }],
            "events": [{ "pseudo_bids": 2, "decision": 1, "delivered": 0, "short": 1 }],
        })
    }

    fn attacks() -> Value {
        json!({ "rounds": 600, "attacks": [
            {
                "name": "refill", "what": "operator: ...", "right_permille": 512,
                "bound_permille": 818, "held": true,
                "without": { "right_permille": 998, "mutant": "monitoring-ledger" },
            },
            {
                "name": "held", "what": "supplier: a < b & c", "right_permille": 1_000,
                "bound_permille": 500, "held": false,
            },
        ] })
    }

    #[test]
    fn the_page_has_everything_in_it_and_loads_nothing() {
        let page = page(&result(), Some(&attacks())).expect("a page");
        check(&page, Some(&attacks())).expect("a whole page");
        assert!(page.contains("<b>1 of 1</b> bills"), "{page}");
        // (1,000 + 2,000) / 2 Wh off.
        let errors = "<td class=\"n\">1500</td><td class=\"n\">1000</td>";
        assert!(page.contains(errors), "{page}");
        assert!(page.contains("ab&lt;cd"), "{page}");
    }

    #[test]
    fn a_page_made_before_the_attacks_were_played_says_so() {
        check(&page(&result(), None).expect("a page"), None).expect("a whole page");
    }

    /// What [`check`] would say of a page in which `from` were `to`.
    fn said(from: &str, to: &str) -> String {
        let page = page(&result(), Some(&attacks())).expect("a page");
        assert!(page.contains(from), "no {from} in {page}");
        let refused = check(&page.replacen(from, to, 1), Some(&attacks()));
        format!("{:#}", refused.expect_err("a broken page"))
    }

    #[test]
    fn a_page_that_loads_or_runs_something_is_found_out() {
        let script = said("<h1>", "<script>1</script><h1>");
        assert!(script.contains("found <script>"), "{script}");
        let image = said("<body>", "<body background=\"a.png\">");
        assert!(image.contains("<body> has background"), "{image}");
        let font = said("</style>", "@import 'a.css';</style>");
        assert!(font.contains("the style names Some(\"@import\")"), "{font}");
        let far = said("<code>", "<code style=\"cursor:url(a.png)\">");
        assert!(far.contains("<code style> names Some(\"url(\")"), "{far}");
    }

    #[test]
    fn a_page_that_lacks_something_is_found_out() {
        let axis = said("\nslot of the day\n", "\n\n");
        assert!(axis.contains("no axis \"slot of the day\""), "{axis}");
        let query = said("withheld, budget spent", "released");
        assert!(query.contains("the refused query: found [\"released\"]"), "{query}");
        let attack = said("<td>refill</td>", "<td>other</td>");
        assert!(attack.contains("expected [\"refill\""), "{attack}");
        let broken = said("</table>", "");
        assert!(broken.contains("expected well-formed"), "{broken}");
    }

    #[test]
    fn a_query_that_was_not_withheld_is_shown_as_a_failure() {
        let mut result = result();
        result["extra_query"] = json!([]);
        let page = page(&result, None).expect("a page");
        assert!(page.contains("Expected to be withheld, and was not."), "{page}");
    }
}
