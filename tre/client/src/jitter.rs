//! Times spread at random: not all meters speak at once, and no time tells who bids.
//!
//! Nothing secret hangs on it: a generator of one 64-bit word is enough, and its seed is handed in.

/// A source of random delays.
#[derive(Clone, Copy, Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// A source that `seed` decides; another seed for every meter.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`; 0 if `bound` is 0. The remainder's bias is far below one in 2^20
    /// for the bounds used here: milliseconds of a day.
    pub fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64: an odd step through all words, then two rounds of mixing.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        word.checked_rem(bound).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_stay_below_their_bound_and_reach_both_ends() {
        let mut jitter = Jitter::new(7);
        let found: Vec<u64> = (0..1_000).map(|_| jitter.below(10)).collect();
        assert!(found.iter().all(|&delay| delay < 10));
        assert!((0..10).all(|delay| found.contains(&delay)));
    }

    #[test]
    fn no_room_is_no_delay() {
        assert_eq!(Jitter::new(7).below(0), 0);
    }

    #[test]
    fn another_seed_gives_other_delays() {
        let draw = |seed| {
            let mut jitter = Jitter::new(seed);
            [jitter.below(1 << 40), jitter.below(1 << 40)]
        };
        assert_ne!(draw(1), draw(2));
    }
}
