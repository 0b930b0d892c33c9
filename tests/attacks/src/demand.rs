//! Attacks on demand response: the demand side manager against one home. `[TRE14 III-E]`
//!
//! The manager opens events under the committed policy of production and sees whatever its calls
//! answer. It knows every home's habits; what it may not learn is which bid is whose, or anything
//! at all before the deadline.

use anyhow::{Context as _, Result, ensure};
use tre_wire::id::{EventId, PeerId};
use tre_wire::journal::Command;
use tre_wire::message::dsm::{Direction, EventTerms, OpenEvent, PseudoBid};
use tre_wire::message::meter::{Bid, BidRequest};
use tre_wire::units::{PricePerKwh, WattHours};

use crate::game::{Attack, Bound};
use crate::readings::Readings;
use crate::town::{Coin, START, Town, VICTIM, slot};

/// Every attack on demand response.
pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "bid-value",
        what: "manager: a home that offers an unusual number is known by it",
        bound: Bound::Nothing,
        play: value,
    },
    Attack {
        name: "bid-order",
        what: "manager: the last pseudo-bid is the last bidder's",
        bound: Bound::Nothing,
        play: order,
    },
    Attack {
        name: "bid-id",
        what: "manager: one id in two events is one home",
        bound: Bound::Nothing,
        play: ids,
    },
    Attack {
        name: "bid-time",
        what: "manager: asks before the deadline who has bid by now",
        bound: Bound::Nothing,
        play: |_, coin| early(coin, |_| Ok(())),
    },
    Attack {
        name: "bid-cancel",
        what: "manager: takes the event back as soon as somebody may have bid, and looks",
        bound: Bound::Nothing,
        play: |_, coin| early(coin, |town| cancel(town, "e")),
    },
];

/// The home that bids beside the victim.
const OTHER: usize = 0;

/// Energy that nobody offers by need alone. Unit: Wh.
const USUAL_WH: u64 = 1_000;

/// Price that every home asks but where a game says otherwise: 10 pence.
const PRICE: i64 = 100_000;

/// A town with an event whose deadline is at [`START`].
fn town(coin: &mut Coin, events: &[&str]) -> Result<Town> {
    let mut town = Town::found(coin, |_| Ok(()))?;
    let deadline = town.grid.policy().start_of(slot(START)?);
    for event in events {
        let terms = EventTerms {
            direction: Direction::Reduce,
            from_slot: slot(START.saturating_add(2))?,
            to_slot: slot(START.saturating_add(4))?,
            deadline,
        };
        let body = OpenEvent { event: event.parse()?, terms };
        town.act(Command::OpenEvent { dsm: dsm()?, body })?;
    }
    Ok(town)
}

fn dsm() -> Result<PeerId> {
    Ok("dsm".parse()?)
}

/// A home's bid; whether it was taken.
fn bid(town: &mut Town, home: usize, event: &str, (energy, price): (u64, i64)) -> Result<bool> {
    let bid = Bid { quantity_wh: WattHours::new(energy)?, price: PricePerKwh::new(price)? };
    let body = BidRequest { event: event.parse()?, bid: Some(bid) };
    Ok(town.act(Command::Bid { meter: format!("m{home}").parse()?, body }).is_ok())
}

fn cancel(town: &mut Town, event: &str) -> Result<()> {
    town.act(Command::CancelEvent { dsm: dsm()?, event: event.parse()? })?;
    Ok(())
}

/// What the manager is shown; nothing if it is refused.
fn shown(town: &Town, event: &str) -> Result<Vec<PseudoBid>> {
    let event: EventId = event.parse()?;
    Ok(town.grid.pseudo_bids(&dsm()?, &event).map(|all| all.pseudo_bids).unwrap_or_default())
}

/// The coin decides which of two homes bids. Each would offer exactly what a real quarter hour of
/// its own came to; what is refused it offers on the next step below.
fn value(readings: &Readings, coin: &mut Coin) -> Result<bool> {
    let homes = readings.day(coin.pick(), 2);
    let mut town = town(coin, &["e"])?;
    let step = town.grid.policy().demand_response.quantity_step_wh.get();
    let need = |home: usize| -> Result<u64> {
        let reading = homes.get(home).and_then(|day| day.first()).context("a reading")?;
        Ok(USUAL_WH.saturating_add(reading.checked_rem(step).unwrap_or(0)))
    };
    let (own, mut other) = (need(0)?, need(1)?);
    if own == other {
        // Two homes with one habit are told apart by nobody.
        other = if own == USUAL_WH { own.saturating_add(1) } else { USUAL_WH };
    }
    let victim = coin.toss();
    let (home, energy) = if victim { (VICTIM, own) } else { (OTHER, other) };
    if !bid(&mut town, home, "e", (energy, PRICE))? {
        let below = energy.saturating_sub(energy.checked_rem(step).unwrap_or(0));
        ensure!(bid(&mut town, home, "e", (below, PRICE))?, "a bid on the steps was refused");
    }
    town.go(START)?;
    let seen = shown(&town, "e")?.pop().context("a pseudo-bid")?.bid.quantity_wh.get();
    let guess = match (seen == own, seen == other) {
        (true, false) => true,
        (false, true) => false,
        _ => coin.toss(),
    };
    Ok(guess == victim)
}

/// Two homes ask two prices; the coin decides which asks which. The victim bids last, and its name
/// comes last.
fn order(_: &Readings, coin: &mut Coin) -> Result<bool> {
    let mut town = town(coin, &["e"])?;
    let dear = coin.toss();
    let (own, other) = if dear { (2 * PRICE, PRICE) } else { (PRICE, 2 * PRICE) };
    for (home, price) in [(OTHER, other), (VICTIM, own)] {
        ensure!(bid(&mut town, home, "e", (USUAL_WH, price))?, "a bid was refused");
    }
    town.go(START)?;
    let last = shown(&town, "e")?.pop().context("a pseudo-bid")?;
    Ok((last.bid.price.get() == 2 * PRICE) == dear)
}

/// The victim bids in one event; the coin decides who bids in the other.
fn ids(_: &Readings, coin: &mut Coin) -> Result<bool> {
    let mut town = town(coin, &["e", "f"])?;
    let same = coin.toss();
    for (home, event) in [(VICTIM, "e"), (if same { VICTIM } else { OTHER }, "f")] {
        ensure!(bid(&mut town, home, event, (USUAL_WH, PRICE))?, "a bid was refused");
    }
    town.go(START)?;
    let [one, two] = [shown(&town, "e")?, shown(&town, "f")?];
    let linked = one.iter().any(|one| two.iter().any(|two| two.id == one.id));
    Ok(linked == same)
}

/// The coin decides whether the victim has bid. The manager does what `act` does and asks for
/// everything that it may ask for, before the deadline.
fn early(coin: &mut Coin, act: impl FnOnce(&mut Town) -> Result<()>) -> Result<bool> {
    let mut town = town(coin, &["e"])?;
    let present = coin.toss();
    if present {
        ensure!(bid(&mut town, VICTIM, "e", (USUAL_WH, PRICE))?, "a bid was refused");
    }
    act(&mut town)?;
    let outcome = town.grid.event_outcome(&dsm()?, &"e".parse()?)?;
    let seen = !shown(&town, "e")?.is_empty() || outcome.pseudo_bids > 0;
    // Who sees nothing knows nothing.
    Ok(if seen { present } else { coin.toss() == present })
}
