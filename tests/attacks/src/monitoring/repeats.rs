//! The operator asks again for what it has seen.

use anyhow::{Context as _, Result};

use super::{Day, found, live, steady};
use crate::readings::Readings;
use crate::town::{Coin, HOMES, START, Town, VICTIM};

/// Times that the sum is asked for.
const TIMES: u32 = 4_000;

/// The slot for which the operator spends the budget: a quarter past seven in the evening.
const EVENING: u64 = 77;

/// Asks for the one sum that the budget pays for, every time a moment later, and averages.
pub(crate) fn repeats(readings: &Readings, coin: &mut Coin) -> Result<bool> {
    let (day, present) = (Day::draw(readings, coin), coin.toss());
    let mut town = found(coin, 1)?;
    let ask = |town: &mut Town, offset: u64| {
        if offset == EVENING { town.group("again", 0..HOMES) } else { Ok(()) }
    };
    live(&mut town, &day, ask, steady(present))?;
    let mut sum = 0_i64;
    for _ in 0..TIMES {
        town.wait()?;
        let row = town.seen_at(START.saturating_add(EVENING))?;
        let released = row.and_then(|row| row.released_wh).context("the one sum")?;
        let off = released.get().saturating_sub(day.others(EVENING));
        sum = sum.saturating_add(off.saturating_mul(2).saturating_sub(day.adds(VICTIM, EVENING)));
    }
    Ok((sum > 0) == present)
}
