//! What programs that play attacks or measure have in common: what to play, and a table of it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

/// Those of `all` that are called one of `names`; all without any.
///
/// # Errors
///
/// When none is called so.
pub fn choose<'a, T>(
    all: impl IntoIterator<Item = &'a T>,
    names: &[String],
    name_of: impl Fn(&T) -> &str,
) -> Result<Vec<&'a T>> {
    let mut chosen: Vec<&T> = all.into_iter().collect();
    for name in names {
        let is_there = chosen.iter().any(|one| name_of(one) == name);
        ensure!(is_there, "no attack is called {name:?}; --list names them");
    }
    chosen.retain(|one| names.is_empty() || names.iter().any(|name| name == name_of(one)));
    Ok(chosen)
}

/// Writes a table for programs; its folder need not be there.
///
/// # Errors
///
/// When `out` cannot be written.
pub fn write(out: &Path, table: &Value) -> Result<()> {
    let folder = out.parent().context("expected a file to write to")?;
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    fs::write(out, serde_json::to_vec_pretty(table)?)
        .with_context(|| format!("writing {}", out.display()))
}
