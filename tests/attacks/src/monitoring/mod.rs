//! Attacks on monitoring: the network operator against one home. `[TRE14 III-C]`
//!
//! The coin decides whether the victim's meter sends a real day or nothing. The policy is the
//! committed one of production, but for numbers under which one release more would tell: Delta
//! 500 Wh, and a window of 96 quarter hours that pays for one sum of epsilon 1, one day total and
//! one week total of a quarter each. So whoever sees everything is right at most
//! e^1.5 / (1 + e^1.5) = 81.8 % of the time, whatever else it knows. Two attacks differ:
//! `difference` has a window of two sums, for a difference takes two, and looks at sums alone; the
//! victim of `full-draw` draws Delta in every slot, the most that a sum may tell of, so that the
//! best guess comes as near its bound as any can.

use anyhow::Result;
use tre_wire::policy::Spending;
use tre_wire::units::{Epsilon, WattHours};

use crate::game::{Attack, Bound};
use crate::readings::{DAY, Readings};
use crate::town::{Coin, HOMES, START, Town, VICTIM};

mod groups;
mod guess;
mod oracles;
mod repeats;

/// Delta. Unit: Wh.
const CLIP_WH: u64 = 500;

/// Epsilon of one sum. Unit: millionths.
const SUM: u32 = 1_000_000;

/// Epsilon of the window, for one sum and the totals. Unit: millionths.
const WINDOW: u32 = SUM + 500_000;

/// Every attack on monitoring.
pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "difference",
        what: "operator: four pairs of groups that differ by the victim, every slot of a day",
        bound: Bound::Epsilon(2 * SUM),
        play: groups::difference,
    },
    Attack {
        name: "full-draw",
        what: "operator: seven groups with a home that draws Delta in every slot, all else known",
        bound: Bound::OneLaplace(SUM),
        play: groups::full_draw,
    },
    Attack {
        name: "regroup",
        what: "operator: seven groups with the victim, made one by one, every slot of a day",
        bound: Bound::Epsilon(WINDOW),
        play: groups::regroup,
    },
    Attack {
        name: "own-meter",
        what: "operator: every meter of the group but the victim's is its own",
        bound: Bound::Epsilon(WINDOW),
        play: groups::own_meter,
    },
    Attack {
        name: "refill",
        what: "operator: the victim moves out and in, its meter is swapped, every slot of a day",
        bound: Bound::Epsilon(WINDOW),
        play: groups::refill,
    },
    Attack {
        name: "totals",
        what: "operator: the day total less all that it knows, and every slot beside it",
        bound: Bound::Epsilon(WINDOW),
        play: groups::totals,
    },
    Attack {
        name: "repeats",
        what: "operator: the same sum asked for again and again, and averaged",
        bound: Bound::Epsilon(WINDOW),
        play: repeats::repeats,
    },
    Attack {
        name: "suppression",
        what: "operator: whether a sum is withheld tells whether the victim's reading came",
        bound: Bound::Nothing,
        play: oracles::suppression,
    },
    Attack {
        name: "alert",
        what: "operator: what is left out above capacity tells that it was",
        bound: Bound::Nothing,
        play: oracles::alert,
    },
];

/// A day of every home.
struct Day(Vec<Vec<u64>>);

impl Day {
    fn draw(readings: &Readings, coin: &mut Coin) -> Self {
        Self(readings.day(coin.pick(), HOMES))
    }

    /// The same, but the victim draws Delta in every slot.
    fn with_full_draw(mut self) -> Self {
        if let Some(victim) = self.0.get_mut(VICTIM) {
            victim.fill(CLIP_WH);
        }
        self
    }

    /// What a home adds to a sum, clipped as the policy says. Unit: Wh.
    fn adds(&self, home: usize, offset: u64) -> i64 {
        self.wh(home, offset).min(CLIP_WH).cast_signed()
    }

    fn wh(&self, home: usize, offset: u64) -> u64 {
        let reading = usize::try_from(offset).ok().and_then(|at| self.0.get(home)?.get(at));
        reading.copied().unwrap_or_default()
    }

    /// What all homes but the victim add in a slot.
    fn others(&self, offset: u64) -> i64 {
        (0..VICTIM).map(|home| self.adds(home, offset)).sum()
    }
}

/// Slots of a day, from 0.
fn offsets() -> core::ops::Range<u64> {
    0..u64::try_from(DAY).unwrap_or_default()
}

/// The town under the policy of these games, whose window pays for so many sums.
fn found(coin: &mut Coin, sums: u32) -> Result<Town> {
    Town::found(coin, |policy| {
        (policy.slot_ms, policy.grace_ms, policy.lateness_slots) = (900_000, 0, 0);
        let rules = &mut policy.monitoring;
        rules.clip_wh = WattHours::new(CLIP_WH)?;
        rules.window_slots = offsets().end;
        let (one, all) =
            (Epsilon::new(SUM.into())?, Epsilon::new(SUM.saturating_mul(sums).into())?);
        rules.slot = Spending { epsilon_millionths: one, window_millionths: all };
        let quarter = Epsilon::new(250_000)?;
        rules.day = Spending { epsilon_millionths: quarter, window_millionths: quarter };
        rules.week = rules.day;
        Ok(())
    })
}

/// Plays a day: before each slot `ask` may do what the operator does, then every meter reads;
/// `victim` names the victim's meter in a slot, if it reads at all.
fn live(
    town: &mut Town,
    day: &Day,
    mut ask: impl FnMut(&mut Town, u64) -> Result<()>,
    victim: impl Fn(u64) -> Option<String>,
) -> Result<()> {
    for offset in offsets() {
        ask(town, offset)?;
        let at = START.saturating_add(offset);
        town.go(at)?;
        for home in 0..VICTIM {
            town.read(&format!("m{home}"), at, day.wh(home, offset))?;
        }
        if let Some(meter) = victim(offset) {
            town.read(&meter, at, day.wh(VICTIM, offset))?;
        }
    }
    town.go(START.saturating_add(u64::try_from(DAY)?))
}

/// The victim's meter, which reads every slot or none.
fn steady(present: bool) -> impl Fn(u64) -> Option<String> {
    move |_| present.then(|| format!("m{VICTIM}"))
}
