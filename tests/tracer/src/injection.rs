//! A system call that the traced program never meant to make.

use anyhow::{Context as _, Result, bail};

use crate::table::{self, Call, Table};
use crate::tracee::Phase;

/// Which call, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Injection {
    pub(crate) phase: Phase,
    pub(crate) call: Call,
}

impl Injection {
    /// From `before`, `start` or `serve`, and a call's name or number with up to six numbers, or
    /// `row:` and a row's place in the table.
    pub(crate) fn parse(phase: &str, call: &str, table: &Table) -> Result<Self> {
        let phase = match phase {
            "before" => Phase::Before,
            "start" => Phase::Start,
            "serve" => Phase::Serve,
            _ => bail!("expected before, start or serve, found {phase}"),
        };
        if let Some(index) = call.strip_prefix("row:") {
            return Ok(Self { phase, call: table.call_of(index.parse()?)? });
        }
        let mut parts = call.split(',');
        let name = parts.next().unwrap_or_default();
        let number = name.parse().or_else(|_| table::number(name))?;
        let mut arguments = [0; 6];
        for (index, part) in parts.enumerate() {
            let place = arguments.get_mut(index).context("a call has six arguments")?;
            *place = part.parse().with_context(|| format!("expected a number, found {part}"))?;
        }
        Ok(Self { phase, call: Call { number, arguments } })
    }
}
