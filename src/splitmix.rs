//! [`SplitMix64`]: numbers that look random and follow from a seed (Steele, Lea and Flood, "Fast splittable pseudorandom number
//! generators", 2014). What is drawn from it has to stay the same from version to version, for findings name seeds.

/// A sequence of 64-bit numbers. Every seed is as good as any other, 0 included.
#[derive(Clone, Debug)]
pub struct SplitMix64(u64);

impl SplitMix64 {
    /// The sequence of that seed.
    pub fn new(seed: u64) -> Self {
        SplitMix64(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// The next number below `bound`, which is at least 1.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.draw() % bound).unwrap_or(0)
    }
}

/// A number in which each bit depends on all bits of the given one; different numbers give different ones.
pub fn mixed(mut number: u64) -> u64 {
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut sequence = SplitMix64::new(1_234_567);
        let first = [sequence.draw(), sequence.draw(), sequence.draw()];
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn choices_follow_from_the_seed_and_stay_below_the_bound() {
        let draw = |seed| {
            let mut sequence = SplitMix64::new(seed);
            (0..100).map(|_| sequence.below(7)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!((0..7).all(|number| draw(0).contains(&number)));
        assert!(draw(3).iter().all(|&number| number < 7));
    }
}
