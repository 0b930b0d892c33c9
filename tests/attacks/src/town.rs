//! A TRE with sixteen homes, and whoever attacks one of them.

use anyhow::{Context as _, Result, bail};
use tre_grid::randomness::{Purpose, Stream};
use tre_grid::{Grid, Outcome};
use tre_wire::hex::Hex32;
use tre_wire::id::PeerId;
use tre_wire::journal::{Command, Record};
use tre_wire::json;
use tre_wire::message::dno::{Aggregate, PutGroup};
use tre_wire::message::meter::Reading;
use tre_wire::message::registrar::ConnectionRecord;
use tre_wire::policy::Policy;
use tre_wire::units::{Slot, UnixMillis, WattHours, Watts};

/// The random choices of one round.
#[derive(Debug)]
pub(crate) struct Coin(Stream);

/// A TRE and its time.
#[derive(Debug)]
pub(crate) struct Town {
    pub(crate) grid: Grid,
    now: UnixMillis,
    seeds: Coin,
}

/// Homes: fifteen, which are k, and the victim.
pub(crate) const HOMES: usize = 16;

/// The victim's number.
pub(crate) const VICTIM: usize = 15;

/// First slot of every game: the first of a day and of a week.
pub(crate) const START: u64 = 96 * (7 * 300 + 4);

/// Power that every home declares. Unit: W.
const CAPACITY_W: u64 = 12_000;

impl Coin {
    /// The choices of round `round`.
    pub(crate) fn of(round: u64) -> Self {
        Self(Stream::new(&[0x5c; 32], Purpose::Order, round, "attack"))
    }

    /// One fair coin.
    pub(crate) fn toss(&mut self) -> bool {
        self.0.bits() & 1 == 1
    }

    /// A number to pick by.
    pub(crate) fn pick(&mut self) -> u64 {
        self.0.bits()
    }

    fn seed(&mut self) -> Hex32 {
        Hex32(self.0.bytes())
    }
}

impl Town {
    /// A town under the committed policy with `change`, one slot before [`START`], where every home
    /// is connected.
    pub(crate) fn found(
        coin: &mut Coin,
        change: impl FnOnce(&mut Policy) -> Result<()>,
    ) -> Result<Self> {
        let committed = include_bytes!("../../../pki/policies/production.json");
        let mut policy: Policy = json::decode(committed)?;
        change(&mut policy)?;
        let now = policy.start_of(slot(START.saturating_sub(1))?);
        let mut seeds = Coin::of(coin.pick());
        // The town's own randomness is none of the attacker's.
        seeds.pick();
        let mut town = Self { grid: Grid::new(policy, now)?, now, seeds };
        for home in 0..HOMES {
            town.connect(home, &format!("m{home}"), START.saturating_sub(1))?;
        }
        Ok(town)
    }

    /// One step; a refusal is an answer like another.
    pub(crate) fn act(&mut self, command: Command) -> Result<Outcome, tre_grid::Refusal> {
        let seed = self.seeds.seed();
        self.grid.apply(&Record { format: 1, now: self.now, seed, command })
    }

    /// The registrar says which meter a home has from `from` on; its account has the meter's name.
    pub(crate) fn connect(&mut self, home: usize, meter: &str, from: u64) -> Result<()> {
        let record = ConnectionRecord {
            account: meter.parse()?,
            meter: meter.parse()?,
            supplier: "supplier".parse()?,
            tariff: "flat".parse()?,
            capacity_w: Watts::new(CAPACITY_W)?,
            from_slot: slot(from)?,
            to_slot: None,
        };
        self.act(Command::PutConnection { point: format!("p{home}").parse()?, record })?;
        Ok(())
    }

    /// The operator asks for a group from the next slot on.
    pub(crate) fn group(&mut self, name: &str, homes: impl Iterator<Item = usize>) -> Result<()> {
        let members = homes.map(|home| format!("p{home}").parse()).collect::<Result<_, _>>()?;
        let (dno, group) = ("dno".parse()?, name.parse()?);
        self.act(Command::PutGroup { dno, group, body: PutGroup { members } })?;
        Ok(())
    }

    /// Goes to the beginning of a slot; every slot before it closes.
    pub(crate) fn go(&mut self, to: u64) -> Result<()> {
        self.now = self.grid.policy().start_of(slot(to)?);
        match self.act(Command::Tick)? {
            Outcome::Done => Ok(()),
            other @ Outcome::Receipts(_) => bail!("a tick came to {other:?}"),
        }
    }

    /// A millisecond passes.
    pub(crate) fn wait(&mut self) -> Result<()> {
        self.now = self.now.plus(1);
        self.act(Command::Tick)?;
        Ok(())
    }

    /// A meter sends one reading of the running slot.
    pub(crate) fn read(&mut self, meter: &str, at: u64, energy_wh: u64) -> Result<()> {
        let (import_wh, export_wh) = (WattHours::new(energy_wh)?, WattHours::default());
        let reading = Reading { slot: slot(at)?, import_wh, export_wh, seq: 1 };
        self.act(Command::Readings { meter: meter.parse()?, readings: vec![reading] })?;
        Ok(())
    }

    /// The first sum of a slot that the operator sees.
    pub(crate) fn seen_at(&self, at: u64) -> Result<Option<Aggregate>> {
        Ok(self.grid.aggregates(&"dno".parse()?, slot(at)?, None, 1).aggregates.into_iter().next())
    }

    /// All that the operator may see.
    pub(crate) fn seen(&self) -> Result<Vec<Aggregate>> {
        let dno: PeerId = "dno".parse()?;
        Ok(self.grid.aggregates(&dno, slot(START)?, None, usize::MAX).aggregates)
    }
}

/// A slot by its number.
pub(crate) fn slot(number: u64) -> Result<Slot> {
    Slot::new(number).context("a slot")
}
