//! Which commands are held back, and for how long.

use core::str::FromStr;
use core::time::Duration;
use std::collections::BTreeSet;

use rand_core::{OsRng, RngCore as _};
use thiserror::Error;

/// TPM2_CC_Quote. `[TPM2-P2]`
const QUOTE: u32 = 0x158;

/// The commands that are slow.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Commands {
    /// Every one.
    All,
    /// Those with these codes.
    These(BTreeSet<u32>),
}

/// Why a text names no commands.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error(
    "expected `quote`, `all`, or codes in hexadecimal such as `158,15d`, found a part that is no code"
)]
pub(crate) struct NoCommands(#[source] core::num::ParseIntError);

impl FromStr for Commands {
    type Err = NoCommands;

    fn from_str(text: &str) -> Result<Self, NoCommands> {
        if text == "all" {
            return Ok(Self::All);
        }
        let code = |part: &str| match part {
            "quote" => Ok(QUOTE),
            part => u32::from_str_radix(part, 16).map_err(NoCommands),
        };
        text.split(',').map(code).collect::<Result<_, _>>().map(Self::These)
    }
}

/// How slow it is.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    commands: Commands,
    delay_ms: u64,
    jitter_ms: u64,
}

impl Pace {
    /// `commands` take `delay_ms`, give or take up to `jitter_ms`.
    pub(crate) const fn new(commands: Commands, delay_ms: u64, jitter_ms: u64) -> Self {
        Self { commands, delay_ms, jitter_ms }
    }

    /// How long the command with `code` takes at least.
    pub(crate) fn of(&self, code: u32) -> Duration {
        let slow = match &self.commands {
            Commands::All => true,
            Commands::These(codes) => codes.contains(&code),
        };
        if slow { Duration::from_millis(self.jittered()) } else { Duration::ZERO }
    }

    fn jittered(&self) -> u64 {
        let width = self.jitter_ms.saturating_mul(2).saturating_add(1);
        let above = OsRng.next_u64().checked_rem(width).unwrap_or_default();
        self.delay_ms.saturating_sub(self.jitter_ms).saturating_add(above)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_named_or_given_by_code() {
        assert_eq!("all".parse(), Ok(Commands::All));
        assert_eq!("quote".parse(), Ok(Commands::These([0x158].into())));
        assert_eq!("quote,15d".parse(), Ok(Commands::These([0x158, 0x15d].into())));
        assert!("sign".parse::<Commands>().is_err());
    }

    #[test]
    fn only_the_chosen_commands_are_slow_and_within_the_jitter() {
        let pace = Pace::new("quote".parse().expect("commands"), 700, 20);
        assert_eq!(pace.of(0x17b), Duration::ZERO);
        for _ in 0..100 {
            let found = pace.of(QUOTE).as_millis();
            assert!((680..=720).contains(&found), "{found}");
        }
    }
}
