//! The operator chooses groups, or what happens at the victim's point.

use anyhow::Result;
use tre_wire::message::dno::Span;

use super::guess::Evidence;
use super::{Day, found, live, offsets, steady};
use crate::readings::Readings;
use crate::town::{Coin, HOMES, START, Town, VICTIM};

/// Four groups with the victim and four without: as many as the other homes may be in. Groups are
/// served in the order of their names, so that the two sums for which the window pays are a pair.
pub(crate) fn difference(readings: &Readings, coin: &mut Coin) -> Result<bool> {
    let (day, present) = (Day::draw(readings, coin), coin.toss());
    let mut town = found(coin, 2)?;
    for pair in 0..4 {
        town.group(&format!("{pair}-with"), 0..HOMES)?;
        town.group(&format!("{pair}-without"), 0..VICTIM)?;
    }
    live(&mut town, &day, |_, _| Ok(()), steady(present))?;
    let rows = town.seen()?;
    let released = |name: String, slot| {
        let mut rows = rows.iter().filter(|row| row.span == Span::Slot && row.slot == slot);
        rows.find(|row| row.group.as_str() == name)?.released_wh
    };
    let mut evidence = Evidence::default();
    for row in rows.iter().filter(|row| row.span == Span::Slot) {
        let Some(pair) = row.group.as_str().strip_suffix("-with") else { continue };
        let other = released(format!("{pair}-without"), row.slot);
        let (Some(with), Some(without)) = (row.released_wh, other) else { continue };
        let adds = day.adds(VICTIM, row.slot.get().saturating_sub(START));
        evidence.weigh_difference(with.get().saturating_sub(without.get()), adds);
    }
    Ok(evidence.present() == present)
}

/// Every release of the day of some spans, by an operator that knows every other home.
fn knowing_others(town: &Town, day: &Day, spans: &[Span]) -> Result<Evidence> {
    let mut evidence = Evidence::default();
    for row in town.seen()?.into_iter().filter(|row| spans.contains(&row.span)) {
        let at = row.slot.get().saturating_sub(START);
        let (without, with) = match row.span {
            Span::Slot => (day.others(at), day.adds(VICTIM, at)),
            Span::Day | Span::Week => (
                offsets().map(|offset| day.others(offset)).sum(),
                offsets().map(|offset| day.adds(VICTIM, offset)).sum(),
            ),
        };
        evidence.weigh(&row, without, with);
    }
    Ok(evidence)
}

/// Seven groups of the same homes, made one by one and undone for others: whoever counts by group
/// instead of by home counts too little.
pub(crate) fn regroup(readings: &Readings, coin: &mut Coin) -> Result<bool> {
    let (day, present) = (Day::draw(readings, coin), coin.toss());
    let mut town = found(coin, 1)?;
    let ask = |town: &mut Town, offset: u64| {
        // Seven names hold the victim, turn by turn.
        let turn = offset.checked_rem(7).unwrap_or_default();
        town.group(&format!("turn-{turn}"), 0..HOMES)
    };
    live(&mut town, &day, ask, steady(present))?;
    Ok(knowing_others(&town, &day, &[Span::Slot, Span::Week])?.present() == present)
}

/// The home whose readings tell the most that a sum may tell, in as many groups as it may be in.
/// Its sums alone: how often the best guess by one of them is right is known exactly.
pub(crate) fn full_draw(readings: &Readings, coin: &mut Coin) -> Result<bool> {
    let (day, present) = (Day::draw(readings, coin).with_full_draw(), coin.toss());
    let mut town = found(coin, 1)?;
    for number in 0..7 {
        town.group(&format!("full-{number}"), 0..HOMES)?;
    }
    live(&mut town, &day, |_, _| Ok(()), steady(present))?;
    Ok(knowing_others(&town, &day, &[Span::Slot])?.present() == present)
}

/// One group, of which the operator's own meters know everything but the victim.
pub(crate) fn own_meter(readings: &Readings, coin: &mut Coin) -> Result<bool> {
    let (day, present) = (Day::draw(readings, coin), coin.toss());
    let mut town = found(coin, 1)?;
    town.group("own", 0..HOMES)?;
    live(&mut town, &day, |_, _| Ok(()), steady(present))?;
    Ok(knowing_others(&town, &day, &[Span::Slot, Span::Week])?.present() == present)
}

/// The victim's point gets another meter and another account before every slot.
pub(crate) fn refill(readings: &Readings, coin: &mut Coin) -> Result<bool> {
    let (day, present) = (Day::draw(readings, coin), coin.toss());
    let mut town = found(coin, 1)?;
    for number in 0..7 {
        town.group(&format!("again-{number}"), 0..HOMES)?;
    }
    let meter = |offset: u64| format!("m{VICTIM}-{offset}");
    let ask = |town: &mut Town, offset: u64| {
        let from = START.saturating_add(offset);
        town.connect(VICTIM, &meter(offset), from)?;
        // All others move likewise: their points are the operator's own.
        (0..VICTIM).try_for_each(|home| town.connect(home, &format!("m{home}"), from))
    };
    live(&mut town, &day, ask, |offset| present.then(|| meter(offset)))?;
    Ok(knowing_others(&town, &day, &[Span::Slot, Span::Week])?.present() == present)
}

/// One group over the whole day, its total and all its slots.
pub(crate) fn totals(readings: &Readings, coin: &mut Coin) -> Result<bool> {
    let (day, present) = (Day::draw(readings, coin), coin.toss());
    let mut town = found(coin, 1)?;
    town.group("whole", 0..HOMES)?;
    live(&mut town, &day, |_, _| Ok(()), steady(present))?;
    Ok(knowing_others(&town, &day, &[Span::Slot, Span::Day])?.present() == present)
}
