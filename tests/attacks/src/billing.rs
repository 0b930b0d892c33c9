//! Attacks on billing: the supplier against one home. `[TRE14 III-D]`
//!
//! The coin decides in which of two neighbouring quarter hours of a real day the victim drew 500 Wh
//! more. The supplier knows every other number, the energy of the period among them, and chooses
//! prices and the period's end; what is refused it goes without. It works out both bills and
//! guesses by the one that came. Under the committed price guard of production, with a shorter
//! period, it sees the same in both cases: where within 96 slots of one price the energy was drawn,
//! no bill tells.

use anyhow::{Context as _, Result};
use tre_wire::journal::Command;
use tre_wire::message::registrar::ConnectionRecord;
use tre_wire::message::supplier::{Bill, EndPeriod, PostPrices};
use tre_wire::units::{PricePerKwh, Slot, Watts};

use crate::game::{Attack, Bound};
use crate::readings::{DAY, Readings};
use crate::town::{Coin, START, Town, VICTIM, slot};

/// Every attack on billing.
pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "one-slot",
        what: "supplier: nothing costs anything but one slot",
        bound: Bound::Nothing,
        play: |readings, coin| {
            let price = |offset| if offset == TARGET { CEILING } else { 0 };
            play(readings, coin, price, PERIOD, Stay::Whole)
        },
    },
    Attack {
        name: "powers",
        what: "supplier: one slot after the other costs ten times the last",
        bound: Bound::Nothing,
        play: |readings, coin| {
            let price = |offset: u64| match offset.saturating_add(5).checked_sub(TARGET) {
                Some(power @ 1..=6) => 10_i64.pow(u32::try_from(power).unwrap_or_default()),
                Some(_) | None => 0,
            };
            play(readings, coin, price, PERIOD, Stay::Whole)
        },
    },
    Attack {
        name: "dear-slot",
        what: "supplier: one slot is dearer than all others, and the period's energy is known",
        bound: Bound::Nothing,
        play: |readings, coin| {
            let price = |offset| if offset == TARGET { CEILING } else { CEILING / 2 };
            play(readings, coin, price, PERIOD, Stay::Whole)
        },
    },
    Attack {
        name: "dear-level",
        what: "supplier: as few slots as the guard allows are dearer than all others",
        bound: Bound::Nothing,
        play: |readings, coin| {
            // One slot, and more until the guard lets them pass: then both that matter are among
            // them, for what so many cost together is the supplier's to know.
            for dear in [TARGET..TARGET + 1, TARGET - 7..TARGET + 1, TARGET - 40..TARGET + 56] {
                let price = |offset| if dear.contains(&offset) { CEILING } else { 0 };
                let (later, guess) = bills(readings, coin, price, PERIOD, Stay::Whole)?;
                if let Some(guess) = guess {
                    return Ok(guess == later);
                }
            }
            Ok(coin.toss())
        },
    },
    Attack {
        name: "short",
        what: "supplier: a period ends with the slot that it asks for",
        bound: Bound::Nothing,
        play: |readings, coin| play(readings, coin, |_| CEILING, TARGET + 1, Stay::Whole),
    },
    Attack {
        name: "part",
        what: "supplier: a price changes just before the victim moves out",
        bound: Bound::Nothing,
        play: |readings, coin| {
            // 96 slots are dear, as the guard allows; the victim is there for one of them.
            let dear = TARGET + 1..TARGET + 97;
            let price = |offset| if dear.contains(&offset) { CEILING } else { 0 };
            play(readings, coin, price, PERIOD, Stay::Until(TARGET + 2))
        },
    },
    Attack {
        name: "held",
        what: "supplier on the wire: holds one reading back until the bill has gone out",
        bound: Bound::Nothing,
        play: |readings, coin| play(readings, coin, |_| CEILING, PERIOD, Stay::Held),
    },
    Attack {
        name: "tail",
        what: "supplier: a period ends one slot before the victim moves out",
        bound: Bound::Nothing,
        play: |readings, coin| play(readings, coin, |_| CEILING, PERIOD, Stay::Until(PERIOD + 1)),
    },
    Attack {
        name: "head",
        what: "supplier: a period ends one slot after the victim moves in",
        bound: Bound::Nothing,
        play: |readings, coin| play(readings, coin, |_| CEILING, PERIOD, Stay::From(PERIOD - 1)),
    },
    Attack {
        name: "tiny-tariff",
        what: "supplier: a tariff of the victim's own, whose price changes between the two slots",
        bound: Bound::Nothing,
        play: |readings, coin| {
            let price = |offset| if offset <= TARGET { CEILING } else { 0 };
            play(readings, coin, price, PERIOD, Stay::Alone)
        },
    },
];

/// Highest price of the committed policy, in millionths of the currency per kWh.
const CEILING: i64 = 1_000_000;

/// Slots of the period.
const PERIOD: u64 = 288;

/// The first of the two slots between which the coin decides, but where one is held back.
const TARGET: u64 = 100;

/// How long a missing reading may come, and the supplier holds it back. Unit: slots.
const LATENESS: u64 = 8;

/// How long a bill waits for who may leave too soon after it: `min_slots_per_level` of the
/// committed policy.
const SETTLING: u64 = 96;

/// How much more the victim draws in one of them. Unit: Wh.
const MORE_WH: u64 = 500;

/// Until when the victim is on the tariff of all, or since when, or that it is on one of its own, or
/// that its reading of [`TARGET`] is held back.
#[derive(Clone, Copy, Debug)]
enum Stay {
    Whole,
    Until(u64),
    From(u64),
    Alone,
    Held,
}

impl Stay {
    /// The first of the two slots between which the coin decides.
    const fn target(self) -> u64 {
        match self {
            // The last of the period and the only one after it.
            Self::Until(end) if end > PERIOD => PERIOD - 1,
            Self::From(first) => first,
            Self::Whole | Self::Until(_) | Self::Alone => TARGET,
            // The last two of the period: what is held back may still come.
            Self::Held => PERIOD - 2,
        }
    }

    /// Whether the supplier holds the reading of a slot back.
    fn holds(self, offset: u64) -> bool {
        matches!(self, Self::Held) && offset == self.target()
    }

    /// The victim's tariff.
    const fn tariff(self) -> &'static str {
        match self {
            Self::Whole | Self::Until(_) | Self::From(_) | Self::Held => "flat",
            Self::Alone => "alone",
        }
    }
}

/// One round; a bill that tells nothing is as good as a coin.
fn play(
    readings: &Readings,
    coin: &mut Coin,
    price: impl Fn(u64) -> i64,
    end: u64,
    stay: Stay,
) -> Result<bool> {
    let (later, guess) = bills(readings, coin, price, end, stay)?;
    Ok(guess.unwrap_or_else(|| coin.toss()) == later)
}

/// What the coin decided, and what the bill tells of it. `price` is what the supplier publishes
/// slot by slot, `end` is where it ends the period. Offsets are counted from the first slot.
fn bills(
    readings: &Readings,
    coin: &mut Coin,
    price: impl Fn(u64) -> i64,
    end: u64,
    stay: Stay,
) -> Result<(bool, Option<bool>)> {
    let home = readings.day(coin.pick(), 1).pop().context("a home")?;
    let later = coin.toss();
    let energy = |offset: u64, later: bool| {
        let row = usize::try_from(offset).unwrap_or_default().checked_rem(DAY);
        let base = row.and_then(|row| home.get(row)).copied().unwrap_or_default();
        let more = offset == stay.target().saturating_add(u64::from(later));
        base.saturating_add(if more { MORE_WH } else { 0 })
    };
    let mut town = Town::found(coin, |policy| {
        (policy.slot_ms, policy.grace_ms, policy.lateness_slots) = (900_000, 0, LATENESS);
        policy.billing.minimum_period_slots = PERIOD;
        Ok(())
    })?;
    let own = match stay {
        Stay::From(_) => String::from("newcomer"),
        Stay::Whole | Stay::Until(_) | Stay::Alone | Stay::Held => format!("m{VICTIM}"),
    };
    let (first, last) = match stay {
        Stay::Whole | Stay::Held => (0, PERIOD),
        Stay::From(offset) => {
            follow(&mut town, offset, (&own, stay.tariff()))?;
            (offset, PERIOD + 1)
        }
        Stay::Until(offset) => {
            follow(&mut town, offset, ("next", "flat"))?;
            (0, offset)
        }
        Stay::Alone => {
            follow(&mut town, 0, (&own, stay.tariff()))?;
            (0, PERIOD)
        }
    };
    let published = publish(&mut town, stay.tariff(), &price)?;
    end_period(&mut town, stay.tariff(), end)?;
    for offset in 0..PERIOD.max(last) {
        town.go(START.saturating_add(offset))?;
        if (first..last).contains(&offset) && !stay.holds(offset) {
            town.read(&own, START.saturating_add(offset), energy(offset, later))?;
        }
    }
    town.go(START.saturating_add(PERIOD.max(last)))?;
    let wanted = (own.as_str(), stay.tariff());
    let early_bill = bill(&town, wanted)?;
    town.go(START.saturating_add(PERIOD).saturating_add(LATENESS / 2))?;
    if stay.holds(stay.target()) {
        town.read(&own, START.saturating_add(stay.target()), energy(stay.target(), later))?;
    }
    town.go(START.saturating_add(PERIOD.max(last)).saturating_add(SETTLING))?;
    let missing = |offset| early_bill.is_some() && stay.holds(offset);
    let bill = match &early_bill {
        Some(bill) => Some(bill.clone()),
        None => bill(&town, wanted)?,
    };
    let Some(bill) = bill.filter(|_| published) else { return Ok((later, None)) };
    // Both bills, as the published prices make them.
    let slots = bill.to_slot.since(slot(START)?);
    let apart = |later| {
        let cost = |offset| i128::from(price(offset)).saturating_mul(energy(offset, later).into());
        let owed = (first..slots).filter(|offset| !missing(*offset)).map(cost);
        let owed = owed.fold(0, i128::saturating_add);
        owed.abs_diff(i128::from(bill.total_minor.get()).saturating_mul(10_000_000))
    };
    let (early, late) = (apart(false), apart(true));
    Ok((later, (early != late).then_some(late < early)))
}

/// The victim's bill, if it has gone out.
fn bill(town: &Town, (account, tariff): (&str, &str)) -> Result<Option<Bill>> {
    let supplier = "supplier".parse()?;
    let all = town.grid.bills_of_supplier(&supplier, Slot::default(), None, usize::MAX);
    let wanted = |bill: &Bill| bill.account.as_str() == account && bill.tariff.as_str() == tariff;
    Ok(all.into_iter().find(wanted))
}

/// The registrar records who follows at the victim's point, and on which tariff.
fn follow(town: &mut Town, offset: u64, (who, tariff): (&str, &str)) -> Result<()> {
    let record = ConnectionRecord {
        account: who.parse()?,
        meter: who.parse()?,
        supplier: "supplier".parse()?,
        tariff: tariff.parse()?,
        capacity_w: Watts::new(12_000)?,
        from_slot: slot(START.saturating_add(offset))?,
        to_slot: None,
    };
    town.act(Command::PutConnection { point: format!("p{VICTIM}").parse()?, record })?;
    Ok(())
}

/// Publishes what the supplier would like to; whether it was taken.
fn publish(town: &mut Town, tariff: &str, price: &impl Fn(u64) -> i64) -> Result<bool> {
    let prices = (0..PERIOD).map(|offset| PricePerKwh::new(price(offset)));
    let prices = prices.collect::<Result<_, _>>()?;
    let body = PostPrices { tariff: tariff.parse()?, from_slot: slot(START)?, prices };
    Ok(town.act(Command::PostPrices { supplier: "supplier".parse()?, body }).is_ok())
}

/// Ends the period there, or at its shortest if that is refused.
fn end_period(town: &mut Town, tariff: &str, end: u64) -> Result<()> {
    for end in [end, PERIOD] {
        let body =
            EndPeriod { tariff: tariff.parse()?, end_slot: slot(START.saturating_add(end))? };
        let supplier = "supplier".parse()?;
        if town.act(Command::EndPeriod { supplier, body }).is_ok() {
            break;
        }
    }
    Ok(())
}
