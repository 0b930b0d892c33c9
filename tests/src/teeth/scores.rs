//! How often a game was right once its check was gone: from the tables that it leaves.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// By attack: how many rounds of a thousand it was right.
pub type Scores = BTreeMap<String, u64>;

/// Where an attack leaves its tables.
fn folder(tree: &Path) -> PathBuf {
    tree.join("target/attacks")
}

/// Removes the tables of attacks before.
pub(super) fn clear(tree: &Path) -> Result<()> {
    match fs::remove_dir_all(folder(tree)) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).context("removing old tables of attacks")
        }
        _ => Ok(()),
    }
}

/// The attacks of all tables that did better than their bound; none if there is no table.
pub(super) fn read(tree: &Path) -> Result<Scores> {
    let entries = match fs::read_dir(folder(tree)) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Scores::new()),
        other => other.context("listing tables of attacks")?,
    };
    let mut scores = Scores::new();
    for entry in entries {
        let path = entry.context("listing tables of attacks")?.path();
        let table = fs::read(&path).map_err(anyhow::Error::from);
        let table: Value = table
            .and_then(|bytes| Ok(serde_json::from_slice(&bytes)?))
            .with_context(|| format!("reading {}", path.display()))?;
        scores.extend(of_table(&table).context("expected a table of attacks")?);
    }
    Ok(scores)
}

fn of_table(table: &Value) -> Option<Vec<(String, u64)>> {
    let rows = table.get("attacks")?.as_array()?.iter();
    let won = rows.filter(|row| row.get("held") == Some(&Value::Bool(false)));
    won.map(|row| {
        Some((row.get("name")?.as_str()?.to_owned(), row.get("right_permille")?.as_u64()?))
    })
    .collect()
}

/// For each attack the mutant under which it was right most often, as `attacks --without` reads it.
#[must_use]
pub fn best(all: &[(String, Scores)]) -> Value {
    let mut best: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    for (mutant, scores) in all {
        for (attack, right) in scores {
            let most = best.entry(attack).or_insert((*right, mutant));
            if *right > most.0 {
                *most = (*right, mutant);
            }
        }
    }
    let row = |(right, mutant): &(u64, &str)| json!({ "right_permille": right, "mutant": mutant });
    best.iter().map(|(attack, most)| ((*attack).to_owned(), row(most))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attack_that_held_is_no_score_and_the_worst_hole_is_named() {
        let table = json!({ "attacks": [
            { "name": "refill", "right_permille": 990, "held": false },
            { "name": "regroup", "right_permille": 700, "held": true },
        ] });
        let scores: Scores = of_table(&table).expect("a table").into_iter().collect();
        assert_eq!(scores, Scores::from([("refill".to_owned(), 990)]));
        let less = Scores::from([("refill".to_owned(), 950)]);
        let all = [("ledger".to_owned(), scores), ("refilled".to_owned(), less)];
        let expected = json!({ "refill": { "right_permille": 990, "mutant": "ledger" } });
        assert_eq!(best(&all), expected);
    }

    #[test]
    fn a_table_without_numbers_is_none() {
        assert_eq!(of_table(&json!({ "attacks": [{ "name": "refill", "held": false }] })), None);
    }
}
