//! A software TPM and a data disk, on which `tred` is started again and again, and what a tracer
//! says of it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tre_tests::domain::TestDomain;
use tre_tests::place;
use tre_tpm::swtpm::{Manufacturer, Swtpm};

use crate::rows::{self, Need, Place, Row};

/// When a call is made.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Phase {
    /// Before the first filter: what happens where there is none.
    Before,
    /// Under the filter of the start.
    Start,
    /// Under the filter of serving.
    Serve,
}

/// What becomes of a call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Fate {
    /// The kernel answered it.
    Answered(i64),
    /// The process was ended for it.
    Killed,
    /// The process ended otherwise: with what the tracer said.
    Ended(String),
}

/// A place for one `tred` at a time.
#[derive(Debug)]
pub(crate) struct Ground {
    _domain: TestDomain,
    tpm: PathBuf,
    disk: PathBuf,
    event_log: PathBuf,
}

impl Ground {
    pub(crate) fn make() -> Result<Self> {
        let domain = TestDomain::make("demo", |_| {})?;
        let folder = domain.folder().to_owned();
        let tpm = folder.join("tpm");
        Manufacturer::open(&folder.join("manufacturer"))?.make(&tpm)?;
        let disk = folder.join("data.img");
        image::disk::create(&disk, &domain.deployment()).context("making a data disk")?;
        let event_log = place::root().join("tests/vectors/eventlog/recorder.bin");
        Ok(Self { _domain: domain, tpm, disk, event_log })
    }

    /// Starts `tred` and makes it do `call` in `phase`: a name or number with numbers after it, or
    /// `row:` and a row's place in the table.
    pub(crate) fn inject(&self, phase: Phase, call: &str) -> Result<Fate> {
        // A killed process leaves its keys in the TPM, which has room for three: each gets one that
        // was just switched on. Nothing before the second filter needs one.
        let swtpm = match phase {
            Phase::Serve => Some(Swtpm::start(&self.tpm)?),
            Phase::Before | Phase::Start => None,
        };
        let output = Command::new(place::program("tre-tracer")?)
            .args(["inject", phase.as_str(), call])
            .arg(place::program("tred")?)
            .arg("--swtpm")
            .arg(swtpm.as_ref().map_or_else(|| "/nowhere".into(), Swtpm::socket))
            .arg("--disk")
            .arg(&self.disk)
            .arg("--event-log")
            .arg(&self.event_log)
            .output()
            .context("starting the tracer")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{call} in {phase:?}: {text}{said}");
        let prefix = format!("tracer: {} ", phase.as_str());
        let fate = text.lines().find_map(|line| line.strip_prefix(&prefix));
        let fate = fate.with_context(|| format!("{call} in {phase:?}: expected a fate: {text}"))?;
        Ok(match (fate, fate.strip_prefix("answered ")) {
            ("killed by SIGSYS", _) => Fate::Killed,
            (_, Some(number)) => Fate::Answered(number.parse()?),
            (other, None) => Fate::Ended(other.to_owned()),
        })
    }
}

impl Phase {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Start => "start",
            Self::Serve => "serve",
        }
    }

    pub(crate) const fn need(self, row: &Row) -> Need {
        match self {
            Self::Before => Need::No,
            Self::Start => row.start,
            Self::Serve => row.serve,
        }
    }
}

/// The table as it stands.
pub(crate) fn table() -> Result<Vec<Row>> {
    Ok(rows::read(include_str!("../../tre/daemon/syscalls.tsv"))?)
}

/// Whether this build of a hosted `tred` has the row.
pub(crate) fn is_hosted(row: &Row) -> bool {
    match row.place {
        Place::All | Place::Hosted => true,
        Place::Debug => cfg!(debug_assertions),
        Place::Appliance => false,
    }
}

/// What a tracer that watched said, line by line.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    uses: BTreeSet<(Phase, usize)>,
    unlisted: Vec<String>,
}

impl Seen {
    /// Takes one line of the console.
    pub(crate) fn hear(&mut self, line: &str) {
        let Some(said) = line.strip_prefix("tracer: ") else { return };
        if said.contains(" uses no row: ") {
            self.unlisted.push(said.to_owned());
        }
        for phase in [Phase::Start, Phase::Serve] {
            let prefix = format!("{} uses row ", phase.as_str());
            let index = said.strip_prefix(&prefix).and_then(|rest| rest.split(':').next());
            self.uses.extend(index.and_then(|index| Some((phase, index.parse().ok()?))));
        }
    }

    /// Every row of `ours` is used in its phases, and nothing else.
    pub(crate) fn check(&self, ours: impl Fn(&Row) -> bool) -> Result<()> {
        ensure!(self.unlisted.is_empty(), "calls that no row allows: {:#?}", self.unlisted);
        let mut unused = Vec::new();
        for (index, row) in table()?.iter().enumerate().filter(|(_, row)| ours(row)) {
            for phase in [Phase::Start, Phase::Serve] {
                let used = self.uses.contains(&(phase, index));
                let line = format!("{} {:?} in {}", row.call, row.arguments, phase.as_str());
                match (phase.need(row), used) {
                    (Need::Yes, false) => unused.push(line),
                    // The filter of the start stays under the other, so it cannot be without
                    // what only the other needs; the table still has to say when.
                    (Need::No, true) => unused.push(format!("{line}, where it is not listed")),
                    (Need::Sometimes, false) => {
                        println!("not seen in this run: {line}: {}", row.reason);
                    }
                    (Need::Yes | Need::Sometimes, true) | (Need::No, false) => {}
                }
            }
        }
        ensure!(unused.is_empty(), "the table is not what tred does: {unused:#?}");
        Ok(())
    }
}
