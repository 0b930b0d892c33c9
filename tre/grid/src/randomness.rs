//! The randomness of one step: its 32-byte seed, expanded by SHA-256 in counter mode.
//!
//! Each use of a step's seed has a stream of its own, told apart by a label and a context, so that
//! no noise, order or id says anything of another. Whoever has the seed can recompute them all;
//! the seed never leaves the journal.

use sha2::{Digest as _, Sha256};

/// First bytes of everything that is hashed here.
const LABEL: &[u8] = b"tre-grid-stream-v1";

/// What a stream of randomness is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// Noise of one release; the context names slot and group.
    Noise,
    /// Single-use ids of one event's pseudo-bids.
    Ids,
    /// Order of one event's pseudo-bids.
    Order,
    /// Noise of one total of a day; the context names its last slot and group.
    DayNoise,
    /// Noise of one total of a week, likewise.
    WeekNoise,
}

/// An endless stream of independent, uniform bits.
#[derive(Clone)]
pub struct Stream {
    prefix: Sha256,
    counter: u64,
    block: [u8; 32],
    used: usize,
}

/// Most draws of [`Stream::below`] before it gives up. Each fails with probability below 1/2, so
/// all of them do with probability below 2^-128.
const MOST_DRAWS: u32 = 128;

impl Stream {
    /// The stream of `seed` for one purpose and context.
    ///
    /// Block i is SHA-256 of label, purpose (1 byte), seed (32), length of the number and name
    /// that follow (8), number (8), name, i (8); integers big-endian.
    #[must_use]
    pub fn new(seed: &[u8; 32], purpose: Purpose, number: u64, name: &str) -> Self {
        let purpose = match purpose {
            Purpose::Noise => 1,
            Purpose::Ids => 2,
            Purpose::Order => 3,
            Purpose::DayNoise => 4,
            Purpose::WeekNoise => 5,
        };
        let length = u64::try_from(name.len()).unwrap_or(u64::MAX).saturating_add(8);
        let prefix = Sha256::new()
            .chain_update(LABEL)
            .chain_update([purpose])
            .chain_update(seed)
            .chain_update(length.to_be_bytes())
            .chain_update(number.to_be_bytes())
            .chain_update(name.as_bytes());
        Self { prefix, counter: 0, block: [0; 32], used: 32 }
    }

    /// The next 32 bytes, from a block of their own.
    #[must_use]
    pub fn bytes(&mut self) -> [u8; 32] {
        let block = self.prefix.clone().chain_update(self.counter.to_be_bytes()).finalize().into();
        // 2^64 blocks are never drawn: every caller's loop is bounded far below.
        self.counter = self.counter.wrapping_add(1);
        block
    }

    /// The next 64 bits.
    #[must_use]
    pub fn bits(&mut self) -> u64 {
        if self.used >= self.block.len() {
            self.block = self.bytes();
            self.used = 0;
        }
        let (_, rest) = self.block.split_at(self.used);
        self.used = self.used.saturating_add(8);
        rest.first_chunk().copied().map_or(0, u64::from_be_bytes)
    }

    /// A uniform number below `end`, by rejection: no number is likelier than another.
    ///
    /// `None` for `end` 0, and with probability below 2^-128 when every draw was rejected.
    #[must_use]
    pub fn below(&mut self, end: u64) -> Option<u64> {
        let mask = u64::MAX.checked_shr(end.checked_sub(1)?.leading_zeros()).unwrap_or(0);
        (0..MOST_DRAWS).map(|_| self.bits() & mask).find(|&drawn| drawn < end)
    }
}

impl core::fmt::Debug for Stream {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

/// Puts `items` into a uniformly random order (Fisher-Yates).
///
/// `false`, with probability below 2^-116 for 4,096 items, when a draw failed; the order is then
/// not uniform and must not be used.
#[must_use]
pub fn shuffle<T>(items: &mut [T], stream: &mut Stream) -> bool {
    for last in (1..items.len()).rev() {
        let choices = u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1);
        let drawn = stream.below(choices).and_then(|drawn| usize::try_from(drawn).ok());
        let Some(drawn) = drawn else { return false };
        items.swap(drawn, last);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::{BTreeMap, BTreeSet};

    #[test]
    fn a_block_is_the_hash_of_these_bytes() {
        let mut stream = Stream::new(&[7; 32], Purpose::Order, 0x0102, "ab");
        let block = |counter: u8| {
            let bytes = [
                b"tre-grid-stream-v1".as_slice(),
                &[3],                       // purpose
                &[7; 32],                   // seed
                &[0, 0, 0, 0, 0, 0, 0, 10], // length of number and name
                &[0, 0, 0, 0, 0, 0, 1, 2],  // number
                b"ab",                      // name
                &[0, 0, 0, 0, 0, 0, 0, counter],
            ]
            .concat();
            <[u8; 32]>::from(Sha256::digest(bytes))
        };
        assert_eq!(stream.bytes(), block(0));
        let words: alloc::vec::Vec<u8> = (0..4).flat_map(|_| stream.bits().to_be_bytes()).collect();
        assert_eq!(words, block(1));
        assert_eq!(stream.bytes(), block(2));
    }

    #[test]
    fn each_purpose_number_and_name_has_a_stream_of_its_own() {
        let mut seen = BTreeSet::new();
        let totals = [Purpose::DayNoise, Purpose::WeekNoise];
        for purpose in [Purpose::Noise, Purpose::Ids, Purpose::Order].into_iter().chain(totals) {
            for number in [0, 1, 256] {
                for name in ["", "a", "aa", "b"] {
                    for seed in [[0; 32], [1; 32]] {
                        assert!(seen.insert(Stream::new(&seed, purpose, number, name).bytes()));
                    }
                }
            }
        }
    }

    #[test]
    fn numbers_below_an_end_are_uniform() {
        let mut stream = Stream::new(&[1; 32], Purpose::Order, 0, "");
        for end in [1_u64, 2, 3, 5, 7, 8, 9] {
            let mut counts = BTreeMap::new();
            let draws = 10_000 * end;
            for _ in 0..draws {
                *counts.entry(stream.below(end).expect("drawn")).or_insert(0_u64) += 1;
            }
            assert_eq!(counts.keys().copied().collect::<BTreeSet<_>>(), (0..end).collect());
            // Six standard deviations of a count whose mean is 10,000.
            assert!(counts.values().all(|count| count.abs_diff(10_000) < 600), "{end} {counts:?}");
        }
    }

    #[test]
    fn the_ends_of_the_range_are_drawn_or_refused() {
        let mut stream = Stream::new(&[1; 32], Purpose::Order, 0, "");
        assert_eq!(stream.below(0), None);
        assert_eq!(stream.below(1), Some(0));
        assert!(stream.below(u64::MAX).is_some());
        assert!(stream.below((1 << 63) + 1).is_some());
    }

    #[test]
    fn every_order_of_four_is_equally_likely() {
        let mut counts = BTreeMap::new();
        for round in 0..24_000_u64 {
            let mut items = [0_u8, 1, 2, 3];
            let mut stream = Stream::new(&[9; 32], Purpose::Order, round, "event");
            assert!(shuffle(&mut items, &mut stream));
            *counts.entry(items).or_insert(0_u64) += 1;
        }
        assert_eq!(counts.len(), 24);
        // Chi-square with 23 degrees of freedom: 58.6 is passed once in 10,000 times.
        let squares: u64 = counts.values().map(|count| count.abs_diff(1_000).pow(2)).sum();
        assert!(squares < 58_600, "{squares}");
    }

    #[test]
    fn debug_shows_no_bits() {
        let stream = Stream::new(&[9; 32], Purpose::Noise, 0, "");
        assert_eq!(alloc::format!("{stream:?}"), "Stream { .. }");
    }
}
