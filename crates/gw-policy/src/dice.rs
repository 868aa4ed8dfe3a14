//! Chance as an argument: one number decides everything about a request that is left to chance, so that a plan can be
//! made again.

/// A source of chance, a SplitMix64 sequence (Steele, Lea and Flood, 2014).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dice(u64);

impl Dice {
    /// The sequence that begins with this.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The sequence that belongs to a text: the same text, the same sequence, on every machine and in every version
    /// (FNV-1a, 64 bits).
    pub fn of(text: &[u8]) -> Self {
        let hash = text.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(hash)
    }

    /// The next number.
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next number from 0 up to, not including, 1.
    pub fn share(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The next number below `count`; 0 if that is 0.
    pub fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.roll()) * count as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_text_gives_the_same_chance_and_others_spread_evenly() {
        assert_eq!(Dice::of(b"user-1").roll(), Dice::of(b"user-1").roll());
        let low = (0..10_000).filter(|n| Dice::of(format!("user-{n}").as_bytes()).share() < 0.05).count();
        assert!((420..580).contains(&low), "{low} of 10000 are in the first twentieth");
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        let mut dice = Dice::new(7);
        assert!((0..1_000).all(|_| dice.below(3) < 3 && dice.share() < 1.0));
        assert_eq!(dice.below(0), 0);
    }
}
