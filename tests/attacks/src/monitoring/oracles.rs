//! What the operator sees beside the sums: reasons, counts, what is left.

use anyhow::Result;

use super::{Day, found, live, steady};
use crate::readings::Readings;
use crate::town::{Coin, HOMES, START, Town, VICTIM};

/// Everything of all releases but the noisy values themselves.
fn frame(town: &Town) -> Result<String> {
    let mut rows = town.seen()?;
    for row in &mut rows {
        row.released_wh = row.released_wh.map(|_| Default::default());
    }
    Ok(format!("{rows:?}"))
}

/// Two towns, one with and one without what is to be found out, and a third that the coin chose:
/// the operator names the one that its own looks like, or throws a coin if they look alike.
fn compare(present: bool, coin: &mut Coin, play: impl Fn(bool) -> Result<String>) -> Result<bool> {
    let (with, without, found) = (play(true)?, play(false)?, play(present)?);
    let guess = match (found == with, found == without) {
        (true, false) => true,
        (false, true) => false,
        _ => coin.toss(),
    };
    Ok(guess == present)
}

/// The smallest group that may be, so that one reading less would show.
pub(crate) fn suppression(readings: &Readings, coin: &mut Coin) -> Result<bool> {
    let (day, present) = (Day::draw(readings, coin), coin.toss());
    let round = coin.pick();
    let play = |present: bool| {
        let mut town = found(&mut Coin::of(round), 1)?;
        town.group("k", 1..HOMES)?;
        live(&mut town, &day, |_, _| Ok(()), steady(present))?;
        frame(&town)
    };
    compare(present, coin, play)
}

/// The victim's reading is above its capacity, or did not come.
pub(crate) fn alert(readings: &Readings, coin: &mut Coin) -> Result<bool> {
    let (day, above) = (Day::draw(readings, coin), coin.toss());
    let round = coin.pick();
    let play = |above: bool| {
        let mut town = found(&mut Coin::of(round), 1)?;
        town.group("k", 1..HOMES)?;
        let surge = |town: &mut Town, offset: u64| {
            let Some(before) = offset.checked_sub(1) else { return Ok(()) };
            // Either way somebody sends, so that both towns take the same steps.
            let sender = if above { format!("m{VICTIM}") } else { String::from("stranger") };
            town.read(&sender, START.saturating_add(before), 4_000)
        };
        live(&mut town, &day, surge, |_| None)?;
        // The sums themselves too: what is left out must be left out like what never came.
        let rows = town.seen()?;
        Ok(format!("{rows:?}"))
    };
    compare(above, coin, play)
}
