//! A full TRE: every connection point with its records, its budget, its readings, and as many open
//! events as fit.

use core::time::Duration;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use tre_grid::{Grid, Outcome};
use tre_wire::bounds;
use tre_wire::hex::Hex32;
use tre_wire::journal::{Command, Record};
use tre_wire::json;
use tre_wire::message::dno::PutGroup;
use tre_wire::message::dsm::{Direction, EventState, EventTerms, OpenEvent};
use tre_wire::message::meter::Reading;
use tre_wire::message::registrar::ConnectionRecord;
use tre_wire::policy::Policy;
use tre_wire::units::{Slot, UnixMillis, WattHours, Watts};

use crate::timed;

/// What a full TRE takes.
#[derive(Debug)]
pub(crate) struct Figures {
    /// Closing one slot: every sum, every bill.
    pub(crate) closing: Duration,
    /// Closing one with a day and a week total of every group.
    pub(crate) closing_with_totals: Duration,
    /// Resident memory by connection point, when every history is full.
    pub(crate) bytes_a_point: u64,
    /// Commands with one reading each.
    pub(crate) readings_a_second: u64,
}

struct Town {
    grid: Grid,
    now: UnixMillis,
    steps: u8,
}

/// Resident memory of this process. Unit: bytes.
fn resident() -> Result<u64> {
    let text = fs::read_to_string("/proc/self/smaps_rollup").context("this process's memory")?;
    let line = text.lines().find(|line| line.starts_with("Rss:")).context("resident memory")?;
    let kib = line.split_whitespace().nth(1).context("a number")?.parse::<u64>()?;
    Ok(kib.saturating_mul(1_024))
}

impl Town {
    fn act(&mut self, command: Command) -> Result<Outcome> {
        self.steps = self.steps.wrapping_add(1);
        let seed = Hex32([self.steps; 32]);
        Ok(self.grid.apply(&Record { format: 1, now: self.now, seed, command })?)
    }

    /// Goes into slot `number`; after the grace of the one before it time is there already.
    fn reach(&mut self, number: u64) -> Result<()> {
        self.now = self.now.max(self.grid.policy().start_of(Slot::new(number)?));
        Ok(())
    }

    /// Goes to the time at which slot `number` closes.
    fn close(&mut self, number: u64) -> Result<Outcome> {
        self.now = self.grid.policy().close_of(Slot::new(number)?);
        self.act(Command::Tick)
    }

    /// Lets slots pass until `end` has closed, each touched and metered for one point at least, so
    /// that what is kept of it is as large as it gets.
    fn pass(&mut self, from: u64, end: u64, last: u64) -> Result<()> {
        for number in from..=end {
            self.pass_to(number, last)?;
            self.close(number)?;
        }
        Ok(())
    }

    /// The same, while events are announced: one in each slot and two in the first ones, so that all
    /// places are taken and the baselines are as many as there ever are.
    fn pass_with_events(&mut self, from: u64, end: u64, last: u64) -> Result<()> {
        let mut opened = 0_usize;
        for number in from..=end {
            self.pass_to(number, last)?;
            let slots = usize::try_from(end.saturating_sub(number).saturating_add(1))?;
            let left = bounds::EVENTS.saturating_sub(opened);
            for _ in 0..usize::from(left > 0).saturating_add(usize::from(left > slots)) {
                self.announce(number, opened)?;
                opened = opened.saturating_add(1);
            }
            self.close(number)?;
        }
        Ok(())
    }

    fn pass_to(&mut self, number: u64, last: u64) -> Result<()> {
        self.reach(number)?;
        self.read(last, number)
    }

    /// Opens an event in slot `number` that takes bids for as long as one may.
    fn announce(&mut self, number: u64, opened: usize) -> Result<()> {
        let policy = self.grid.policy();
        let deadline = Slot::new(number)?.plus(policy.monitoring.window_slots);
        let terms = EventTerms {
            direction: Direction::Reduce,
            from_slot: deadline.plus(1),
            to_slot: deadline.plus(2),
            deadline: policy.start_of(deadline),
        };
        let manager = opened.checked_div(bounds::EVENTS_PER_MANAGER).context("a share")?;
        let (dsm, event) = (format!("dsm-{manager}").parse()?, format!("event-{opened}").parse()?);
        self.act(Command::OpenEvent { dsm, body: OpenEvent { event, terms } })?;
        Ok(())
    }

    /// How many events take bids.
    fn open_events(&self) -> Result<usize> {
        let events = self.grid.events(&meter(0).parse()?).events;
        Ok(events.iter().filter(|event| event.state == EventState::Open).count())
    }

    fn read(&mut self, point: u64, number: u64) -> Result<()> {
        let slot = Slot::new(number)?;
        let import_wh = WattHours::new(point.checked_rem(2_000).unwrap_or(0))?;
        let reading = Reading { slot, import_wh, export_wh: WattHours::default(), seq: number };
        let meter = meter(point).parse()?;
        self.act(Command::Readings { meter, readings: vec![reading] })?;
        Ok(())
    }

    fn connect(&mut self, point: u64, from: u64) -> Result<()> {
        let record = ConnectionRecord {
            account: format!("account-{point:08}").parse()?,
            meter: meter(point).parse()?,
            supplier: "supplier".parse()?,
            tariff: format!("tariff-{}", point % 8).parse()?,
            capacity_w: Watts::new(20_000)?,
            from_slot: Slot::new(from)?,
            to_slot: None,
        };
        let point = name(point).parse()?;
        self.act(Command::PutConnection { point, record })?;
        Ok(())
    }

    fn group(&mut self, number: u64, members: core::ops::Range<u64>) -> Result<()> {
        let members = members.map(|point| name(point).parse()).collect::<Result<_, _>>()?;
        let group = format!("feeder-{number:05}").parse()?;
        self.act(Command::PutGroup { dno: "dno".parse()?, group, body: PutGroup { members } })?;
        Ok(())
    }
}

fn name(point: u64) -> String {
    format!("point-{point:08}")
}

fn meter(point: u64) -> String {
    format!("meter-{point:08}")
}

/// Fills a TRE under the committed policy of production and measures it.
pub(crate) fn measure(points: u64, members: u64) -> Result<Figures> {
    let committed = include_bytes!("../../../../pki/policies/production.json");
    let policy: Policy = json::decode(committed)?;
    let (window, lateness) = (policy.monitoring.window_slots, policy.lateness_slots);
    // The last slot of all is the last of a week.
    let week = window.saturating_mul(7);
    let end = week.saturating_mul(200).saturating_add(window.saturating_mul(4)).saturating_sub(1);
    let grouped = end.saturating_sub(window).saturating_sub(2);
    let begin = grouped.saturating_sub(lateness);
    let now = policy.start_of(Slot::new(begin)?);
    let before = resident()?;
    let mut town = Town { grid: Grid::new(policy, now)?, now, steps: 0 };
    (0..points).try_for_each(|point| town.connect(point, begin))?;
    let last = points.saturating_sub(1);
    town.pass(begin, grouped, last)?;
    let groups = points.checked_div(members).context("members")?;
    for number in 0..groups {
        let first = number.saturating_mul(members);
        town.group(number, first..first.saturating_add(members))?;
    }
    let full = end.saturating_sub(1);
    town.pass(grouped.saturating_add(1), grouped.saturating_add(1), last)?;
    town.pass_with_events(grouped.saturating_add(2), full.saturating_sub(1), last)?;
    town.reach(full)?;
    let open = town.open_events()?;
    ensure!(open == bounds::EVENTS, "expected {} open events, found {open}", bounds::EVENTS);
    let fill = |town: &mut Town, slot| (0..points).try_for_each(|point| town.read(point, slot));
    let ((), filling) = timed(|| fill(&mut town, full))?;
    let held = resident()?.saturating_sub(before);
    let (_, closing) = timed(|| town.close(full))?;
    town.reach(end)?;
    fill(&mut town, end)?;
    let (_, closing_with_totals) = timed(|| town.close(end))?;
    let seen = town.grid.aggregates(&"dno".parse()?, Slot::new(end)?, None, usize::MAX);
    let released = seen.aggregates.iter().filter(|row| row.released_wh.is_some()).count();
    let expected = usize::try_from(groups.saturating_mul(3))?;
    ensure!(released == expected, "expected {expected} releases, found {released}");
    let nanos = filling.as_nanos().max(1);
    let readings = u128::from(points).saturating_mul(1_000_000_000).checked_div(nanos);
    Ok(Figures {
        closing,
        closing_with_totals,
        bytes_a_point: held.checked_div(points).unwrap_or(0),
        readings_a_second: u64::try_from(readings.unwrap_or(0))?,
    })
}
